#!/usr/bin/env bash
# Starts a PostgreSQL of its own for the tests and prints its URL; `--stop` ends it and removes its data.
#
#   export WARDGATE_TEST_POSTGRES="$(.ci/postgres.sh)"
#   cargo test --workspace
#   .ci/postgres.sh --stop
#
# WARDGATE_CI_POSTGRES_PORT (54329) and WARDGATE_CI_POSTGRES_DIR (wardgate-postgres under TMPDIR) choose another
# port and folder, so that two may run at once. Started twice, it prints the URL of the one that runs.
#
# It takes TLS, as a Debian server does, with a certificate for localhost and no other name; root.crt in its data folder
# is the authority.
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

# An authority, and a certificate of its for the name localhost: not for 127.0.0.1, so that a test can ask for a name
# that the certificate does not have. In the order of PostgreSQL's manual, with keys that take no time to make.
make_certificate() {
  local key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
  printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n' >"$folder/server.ext"
  as_server openssl req -x509 "${key[@]}" -days 30 -subj '/CN=Wardgate test authority' \
    -keyout "$data/root.key" -out "$data/root.crt" \
    && as_server openssl req -new "${key[@]}" -subj '/CN=localhost' \
      -keyout "$data/server.key" -out "$data/server.csr" \
    && as_server openssl x509 -req -days 30 -in "$data/server.csr" -extfile "$folder/server.ext" \
      -CA "$data/root.crt" -CAkey "$data/root.key" -CAcreateserial -out "$data/server.crt" \
    && as_server chmod 600 "$data/server.key"
}

# Trust on loopback: the data is made up and the server ends with the tests. fsync stays on, for the tests are to
# meet the database that users have. Each test runs in a database of its own, hence the many connections.
start() {
  make_folder
  as_server "$bin/initdb" --pgdata="$data" --username=postgres --auth=trust --encoding=UTF8 --locale=C >"$folder/initdb.log" \
    || { cat "$folder/initdb.log" >&2; fail "initdb failed"; }
  make_certificate >"$folder/openssl.log" 2>&1 || { cat "$folder/openssl.log" >&2; fail "no certificate could be made"; }
  as_server "$bin/pg_ctl" --pgdata="$data" --log="$folder/server.log" --wait --silent \
    -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=400 -c ssl=on" start >&2 \
    || { cat "$folder/server.log" >&2; fail "the server did not start on port $port"; }
}

bin=$(programs)
command -v openssl >/dev/null || fail "no openssl here (apt-get install openssl)"
case ${1:-} in
  '') ;;
  --stop)
    stop
    exit 0
    ;;
  *) fail "unknown argument $1; --stop is the only one" ;;
esac

# As users have it, and no superuser: the server's row-level security would not hold for one. A test reads the server's
# certificate.
make_role() {
  as_server "$bin/psql" --host=127.0.0.1 --port="$port" --username=postgres --dbname=postgres --no-psqlrc --quiet \
    --command='CREATE ROLE wardgate LOGIN CREATEDB IN ROLE pg_read_server_files' \
    --command='GRANT EXECUTE ON FUNCTION pg_read_file(text, bigint, bigint, boolean) TO wardgate' >&2 \
    || fail "the role wardgate could not be made"
}

as_server "$bin/pg_ctl" --pgdata="$data" status >/dev/null 2>&1 || { start; make_role; }
# Without TLS: each of the tests' many connections would make a handshake for nothing.
printf 'postgres://wardgate@127.0.0.1:%s/postgres?sslmode=disable\n' "$port"
