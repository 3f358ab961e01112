#!/usr/bin/env bash
# Starts a PostgreSQL of its own for the tests and prints its URL; `--stop` ends it and removes its data.
#
#   export WARDGATE_TEST_POSTGRES="$(.ci/postgres.sh)"
#   cargo test --workspace
#   .ci/postgres.sh --stop
#
# WARDGATE_CI_POSTGRES_PORT (54329) and WARDGATE_CI_POSTGRES_DIR (wardgate-postgres under TMPDIR) choose another
# port and folder, so that two may run at once. Started twice, it prints the URL of the one that runs.
set -euo pipefail

port=${WARDGATE_CI_POSTGRES_PORT:-54329}
folder=${WARDGATE_CI_POSTGRES_DIR:-${TMPDIR:-/tmp}/wardgate-postgres}
data=$folder/data

fail() {
  printf 'postgres.sh: %s\n' "$1" >&2
  exit 1
}

# The newest server's programs: Debian keeps them outside PATH, one folder a version.
programs() {
  local newest
  newest=$(find /usr/lib/postgresql -maxdepth 3 -name initdb 2>/dev/null | sort -V | tail -n 1)
  [ -n "$newest" ] || newest=$(command -v initdb) || fail "no PostgreSQL server here (apt-get install postgresql)"
  dirname "$newest"
}

# The server refuses root, so root becomes the user that Debian's package made.
as_server() {
  if [ "$(id -u)" -eq 0 ]; then
    (cd / && setpriv --reuid=postgres --regid=postgres --init-groups env HOME=/ "$@")
  else
    "$@"
  fi
}

stop() {
  if [ -f "$data/postmaster.pid" ]; then
    as_server "$bin/pg_ctl" --pgdata="$data" --mode=immediate --silent stop || true
  fi
  # Only what start() made: the marker keeps a mistyped folder from being removed.
  if [ -f "$folder/.made-by-postgres.sh" ]; then
    rm -rf -- "$folder"
  fi
}

make_folder() {
  [ ! -e "$folder" ] || [ -f "$folder/.made-by-postgres.sh" ] || fail "$folder exists and is not mine"
  rm -rf -- "$folder"
  mkdir -p -- "$folder"
  : >"$folder/.made-by-postgres.sh"
  if [ "$(id -u)" -eq 0 ]; then
    chown -R postgres:postgres -- "$folder"
  fi
}

# Trust on loopback: the data is made up and the server ends with the tests. fsync stays on, for the tests are to
# meet the database that users have. Each test runs in a database of its own, hence the many connections.
start() {
  make_folder
  as_server "$bin/initdb" --pgdata="$data" --username=postgres --auth=trust --encoding=UTF8 --locale=C >"$folder/initdb.log" \
    || { cat "$folder/initdb.log" >&2; fail "initdb failed"; }
  as_server "$bin/pg_ctl" --pgdata="$data" --log="$folder/server.log" --wait --silent \
    -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=400" start >&2 \
    || { cat "$folder/server.log" >&2; fail "the server did not start on port $port"; }
}

bin=$(programs)
case ${1:-} in
  '') ;;
  --stop)
    stop
    exit 0
    ;;
  *) fail "unknown argument $1; --stop is the only one" ;;
esac

as_server "$bin/pg_ctl" --pgdata="$data" status >/dev/null 2>&1 || start
printf 'postgres://postgres@127.0.0.1:%s/postgres\n' "$port"
