#!/usr/bin/env bash
# PostgreSQL for the tests and the demo.
#
#   tests/cluster.sh ensure            installs PostgreSQL's server programs when they are missing
#   tests/cluster.sh bin               prints their folder
#   tests/cluster.sh with COMMAND…     runs COMMAND beside a fast throw-away cluster, and stops the cluster by its id
#
# `with` gives COMMAND
#   DISPENSE_TEST_SOCKET   folder of the cluster's socket (roles dispense_owner, which may create databases, and
#                          dispense_app; database postgres)
#   DISPENSE_TEST_PG_BIN   folder of the server programs
#   DISPENSE_TEST_USER     system user that PostgreSQL runs as when we are root; empty otherwise
# The cluster does not wait for the disk: nothing in it outlives the command. Tests of kills use clusters of their own.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "tests/cluster.sh: $*" >&2; }

# Prints the folder of the newest programs, nothing when there are none.
find_programs() {
  local folder newest='' best=0 major
  for folder in ${DISPENSE_DATABASE__PROGRAMS:-} $(tr ':' ' ' <<<"$PATH") /usr/lib/postgresql/*/bin /usr/lib64/pgsql/bin \
    /usr/pgsql-*/bin /usr/local/pgsql/bin /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin \
    /home/linuxbrew/.linuxbrew/opt/postgresql*/bin /Applications/Postgres.app/Contents/Versions/*/bin; do
    [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ] || continue
    major=$("$folder/postgres" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
    if [ "$major" -ge 14 ] && [ "$major" -gt "$best" ]; then best=$major newest=$folder; fi
  done
  echo "$newest"
}

# The package manager's command that installs the programs.
install_command() {
  if command -v apt-get >/dev/null; then echo "apt-get install -y postgresql"
  elif command -v dnf >/dev/null; then echo "dnf install -y postgresql-server"
  elif command -v brew >/dev/null; then echo "brew install postgresql@17"
  fi
}

ensure() {
  [ -z "$(find_programs)" ] || return 0
  local how as_root=''
  how=$(install_command)
  if [ -z "$how" ]; then
    say "PostgreSQL's server programs (14 or newer: initdb, postgres) are missing; please install them"
    exit 1
  fi
  case $how in brew*) ;; *)
    if [ "$(id -u)" != 0 ]; then
      if ! sudo -n true 2>/dev/null; then
        say "PostgreSQL's server programs are missing. Please run:  sudo $how"
        exit 1
      fi
      as_root=sudo
    fi ;;
  esac
  say "installing PostgreSQL's server programs: $how"
  case $how in
    apt-get*) install_by_apt "$as_root" ;;
    *) $as_root $how >&2 ;;
  esac
  if [ -z "$(find_programs)" ]; then
    say "the installation ended, but initdb and postgres are still not found"
    exit 1
  fi
}

# Debian makes a cluster on port 5432 and starts it when the server is installed. We want the programs alone.
install_by_apt() {
  local as_root=$1 before after conf=/etc/postgresql-common/createcluster.conf
  before=$( (pg_lsclusters -h 2>/dev/null || true) | awk '{print $1, $2}')
  if [ ! -e $conf ]; then
    $as_root mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' | $as_root tee $conf >/dev/null
  fi
  $as_root apt-get update -qq >&2 || true
  $as_root env DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 \
    apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold postgresql >&2
  after=$( (pg_lsclusters -h 2>/dev/null || true) | awk '{print $1, $2}')
  # A setting that was there before us may have let one be made: it is stopped, not removed.
  comm -13 <(sort <<<"$before") <(sort <<<"$after") | while read -r version name; do
    [ -z "$version" ] || $as_root pg_ctlcluster "$version" "$name" stop || true
  done
}

# The user that PostgreSQL runs as: it refuses root.
lowered_user() {
  [ "$(id -u)" = 0 ] || return 0
  if id postgres >/dev/null 2>&1; then echo postgres; else echo nobody; fi
}

# Runs a command as that user.
lowered() {
  if [ -z "$user" ]; then "$@"
  elif command -v setpriv >/dev/null; then
    setpriv --reuid="$(id -u "$user")" --regid="$(id -g "$user")" --clear-groups -- "$@"
  else runuser -u "$user" -- "$@"
  fi
}

# Folders that runs left whose shell is gone.
remove_leftovers() {
  local folder
  for folder in "$1"/run-*; do
    [ -d "$folder" ] || continue
    kill -0 "${folder##*run-}" 2>/dev/null || rm -rf "$folder"
  done
}

stop() {
  local code=$?
  trap - EXIT
  if [ -n "${server:-}" ] && kill -INT "$server" 2>/dev/null; then
    for _ in $(seq 200); do kill -0 "$server" 2>/dev/null || break; sleep 0.05; done
    kill -KILL "$server" 2>/dev/null || true
  fi
  rm -rf "${place:-}" "${socket:-}"
  exit $code
}

with() {
  ensure
  local bin home
  bin=$(find_programs)
  user=$(lowered_user)
  home=${CARGO_TARGET_DIR:-target}/test-cluster
  mkdir -p "$home"
  # Behind the closed door of a home folder the lowered user finds nothing.
  (cd / && lowered ls -d "$(cd "$OLDPWD" && cd "$home" && pwd)") >/dev/null 2>&1 || home=/tmp/dispense-test-cluster-$(id -u)
  mkdir -p "$home"
  home=$(cd "$home" && pwd)
  remove_leftovers "$home"
  trap stop EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  place=$home/run-$$
  socket=$(mktemp -d /tmp/dispense-test.XXXXXX)
  mkdir -m 700 "$place"
  [ -z "$user" ] || chown "$user" "$place" "$socket"
  if ! (cd / && lowered "$bin/initdb" -D "$place/data" -U postgres -A trust -E UTF8 --locale=C \
    --lc-ctype="$([ "$(uname)" = Darwin ] && echo en_US.UTF-8 || echo C.UTF-8)" --no-sync) >"$home/initdb.log" 2>&1; then
    cat "$home/initdb.log" >&2
    exit 1
  fi
  (cd / && lowered "$bin/postgres" --single -D "$place/data" -c fsync=off postgres) >>"$home/initdb.log" 2>&1 <<SQL
create role dispense_owner login createdb
create role dispense_app login
grant pg_signal_backend to dispense_owner
alter schema public owner to pg_database_owner
SQL
  local settings='' setting
  for setting in listen_addresses= port=5432 "unix_socket_directories=$socket" unix_socket_permissions=0700 \
    max_connections=400 fsync=off synchronous_commit=off full_page_writes=off wal_level=minimal max_wal_senders=0 \
    shared_buffers=128MB jit=off max_locks_per_transaction=256 log_min_error_statement=panic; do
    settings="$settings -c $setting"
  done
  # shellcheck disable=SC2086
  (cd / && lowered "$bin/postgres" -D "$place/data" $settings) >"$home/server.log" 2>&1 &
  for _ in $(seq 400); do
    server=$(head -n 1 "$place/data/postmaster.pid" 2>/dev/null || true)
    if [ -n "$server" ] && grep -q '^ready' "$place/data/postmaster.pid" 2>/dev/null; then break; fi
    kill -0 $! 2>/dev/null || { cat "$home/server.log" >&2; exit 1; }
    sleep 0.025
  done
  export DISPENSE_TEST_SOCKET=$socket DISPENSE_TEST_PG_BIN=$bin DISPENSE_TEST_USER=$user
  "$@"
}

case ${1:-} in
  ensure) ensure ;;
  bin) find_programs ;;
  with) shift; with "$@" ;;
  *) sed -n '2,14p' "$0" | sed 's/^# \{0,1\}//'; exit 2 ;;
esac
