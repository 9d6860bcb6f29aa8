#!/bin/sh
# database.sh ACTION: what the rotations need of PostgreSQL. Passwords travel in the environment and on stdin only. The
# connections go to the service's name: the image's own loopback asks for no password.
set -eu
in_postgres() { docker compose exec -T "$@"; }

case ${1:?which action?} in
backup)
    umask 077
    mkdir -p backups
    in_postgres freeboard-postgres sh -c 'pg_dump --format=custom --username "$POSTGRES_USER" "$POSTGRES_DB"' \
        >"backups/$(date -u +%Y%m%dT%H%M%SZ).dump"
    ;;
# Sees POSTGRES_PASSWORD_OLD and POSTGRES_PASSWORD_NEW; to take it back, it is run with the two swapped.
set-password)
    : "${POSTGRES_PASSWORD_OLD:?}" "${POSTGRES_PASSWORD_NEW:?}"
    export PGPASSWORD="$POSTGRES_PASSWORD_OLD"
    in_postgres -e PGPASSWORD -e POSTGRES_PASSWORD_NEW freeboard-postgres sh -c \
        'exec psql --quiet --set ON_ERROR_STOP=1 --host freeboard-postgres --username "$POSTGRES_USER" "$POSTGRES_DB"' <<'SQL'
\getenv new POSTGRES_PASSWORD_NEW
SET log_statement = 'none';
ALTER ROLE CURRENT_USER PASSWORD :'new';
SQL
    ;;
# For `old_must_fail`: succeeds while the old password still opens a connection.
old-password)
    export PGPASSWORD="${POSTGRES_PASSWORD_OLD:?}"
    in_postgres -e PGPASSWORD freeboard-postgres sh -c \
        'exec psql --quiet --host freeboard-postgres --username "$POSTGRES_USER" --command "SELECT 1" "$POSTGRES_DB"' >/dev/null
    ;;
*) echo "database.sh: no action is called $1" >&2 && exit 2 ;;
esac
