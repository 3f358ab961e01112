#!/usr/bin/env bash
# Starts a Redis of its own for the tests and prints its URL; `--stop` ends it and removes its data. Valkey will do.
#
#   export WARDGATE_TEST_REDIS="$(.ci/redis.sh)"
#   cargo test --workspace
#   .ci/redis.sh --stop
#
# WARDGATE_CI_REDIS_PORT (54379) and WARDGATE_CI_REDIS_DIR (wardgate-redis under TMPDIR) choose another port and
# folder, so that two may run at once. Started twice, it prints the URL of the one that runs.
set -euo pipefail

port=${WARDGATE_CI_REDIS_PORT:-54379}
folder=${WARDGATE_CI_REDIS_DIR:-${TMPDIR:-/tmp}/wardgate-redis}

fail() {
  printf 'redis.sh: %s\n' "$1" >&2
  exit 1
}

# The server's program, under either name.
program() {
  command -v valkey-server || command -v redis-server || fail "no Redis or Valkey here (apt-get install redis-server)"
}

running() {
  [ -f "$folder/server.pid" ] && kill -0 "$(cat "$folder/server.pid")" 2>/dev/null
}

stop() {
  if running; then
    kill "$(cat "$folder/server.pid")"
  fi
  # Only what start() made: the marker keeps a mistyped folder from being removed.
  if [ -f "$folder/.made-by-redis.sh" ]; then
    rm -rf -- "$folder"
  fi
}

answers() {
  (exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'PING\r\n' >&3 && read -r -t 1 line <&3 && [ "${line%$'\r'}" = +PONG ]) 2>/dev/null
}

# Nothing is written to disk: the counters may be lost.
start() {
  [ ! -e "$folder" ] || [ -f "$folder/.made-by-redis.sh" ] || fail "$folder exists and is not mine"
  rm -rf -- "$folder"
  mkdir -p -- "$folder"
  : >"$folder/.made-by-redis.sh"
  "$server" --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$folder" --daemonize yes \
    --pidfile "$folder/server.pid" --logfile "$folder/server.log" >&2 || fail "the server did not start"
  for _ in $(seq 100); do
    if running && answers; then return; fi
    sleep 0.1
  done
  cat "$folder/server.log" >&2
  fail "the server did not answer on port $port"
}

server=$(program)
case ${1:-} in
  '') ;;
  --stop)
    stop
    exit 0
    ;;
  *) fail "unknown argument $1; --stop is the only one" ;;
esac

running || start
printf 'redis://127.0.0.1:%s\n' "$port"
