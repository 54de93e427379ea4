#!/bin/sh
# Start a PostgreSQL server of its own in a folder, reachable on this machine only, and print its address.
#     scripts/start_postgres.sh FOLDER [PORT]        default port: 54329
#     scripts/start_postgres.sh --stop FOLDER
#     scripts/start_postgres.sh --install            install the server where it is missing (Debian, as root)
# The folder is made anew unless it holds a server's data. PostgreSQL refuses to run as root: it then runs as nobody.
set -eu

# Debian keeps the server's programs out of the path.
find_programs() {
  for folder in "$(dirname "$(command -v pg_ctl 2>/dev/null || echo /none/pg_ctl)")" /usr/lib/postgresql/*/bin /usr/local/pgsql/bin; do
    if [ -x "$folder/pg_ctl" ] && [ -x "$folder/initdb" ]; then echo "$folder"; return 0; fi
  done
  echo "PostgreSQL was not found; install it, for example: apt-get install postgresql" >&2
  return 3
}

as_user() {
  if [ "$(id -u)" = 0 ]; then setpriv --reuid=nobody --regid=nogroup --clear-groups -- "$@"; else "$@"; fi
}

if [ "${1:-}" = --install ]; then
  if find_programs >/dev/null 2>&1; then exit 0; fi
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then find_programs; fi
  apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null
  find_programs >/dev/null
  exit 0
fi

programs=$(find_programs)
cd /
if [ "${1:-}" = --stop ]; then
  as_user "$programs/pg_ctl" -D "$2/data" -m immediate -w stop >/dev/null
  exit 0
fi

folder=${1:?a folder is needed} port=${2:-54329}
mkdir -p "$folder"
if [ "$(id -u)" = 0 ]; then chown nobody "$folder"; fi
if [ ! -e "$folder/data/PG_VERSION" ]; then
  as_user "$programs/initdb" -D "$folder/data" -U mmx --auth=trust --encoding=UTF8 --locale=C --no-sync >/dev/null
fi
# The log takes the output: a server that kept this script's would keep whoever reads it waiting.
as_user "$programs/pg_ctl" -D "$folder/data" -l "$folder/server.log" -w -t 60 \
  -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=60" start >/dev/null
echo "postgresql://mmx@127.0.0.1:$port/postgres"
