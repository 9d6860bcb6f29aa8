#!/bin/sh
# database.sh ACTION: what the rotations need of PostgreSQL. Each action may be run twice. Passwords travel in the
# environment only, and to the server goes what `dotage postgres-role` makes of them.
set -eu
in_postgres() { docker compose exec -T "$@"; }
account() { in_postgres freeboard-postgres printenv POSTGRES_USER </dev/null; }
psql='exec psql --no-psqlrc --quiet --set ON_ERROR_STOP=1'
# SQL of stdin as PGUSER with PGPASSWORD, over the network: the image's own loopback asks for no password.
connect() { in_postgres -e PGUSER -e PGPASSWORD freeboard-postgres sh -c "$psql --host freeboard-postgres \"\$POSTGRES_DB\""; }
# SQL of stdin as the account that the image made, which may create roles.
administer() { in_postgres freeboard-postgres sh -c "$psql --username \"\$POSTGRES_USER\" \"\$POSTGRES_DB\""; }
# Whether PGUSER gets in with PGPASSWORD.
opens() { echo 'SELECT 1' | connect >/dev/null; }
# The role of a URL.
role_of() { printf '%s\n' "$1" | sed -n 's|^[a-z]*://\([^:]*\):.*|\1|p'; }

case ${1:?which action?} in
backup)
    umask 077
    mkdir -p backups
    in_postgres freeboard-postgres sh -c 'pg_dump --format=custom --username "$POSTGRES_USER" "$POSTGRES_DB"' \
        </dev/null >"backups/$(date -u +%Y%m%dT%H%M%SZ).dump"
    ;;
# Sees POSTGRES_PASSWORD_OLD and POSTGRES_PASSWORD_NEW; to take it back, it is run with the two swapped.
set-password)
    export PGUSER PGPASSWORD="${POSTGRES_PASSWORD_OLD:?}"
    PGUSER=$(account)
    sql=$(dotage postgres-role "$PGUSER" --password-env POSTGRES_PASSWORD_NEW)
    # When it is run again after a kill, the new password may be in place.
    opens 2>/dev/null || PGPASSWORD=${POSTGRES_PASSWORD_NEW:?}
    printf '%s\n' "$sql" | connect
    ;;
# For `old_must_fail`: succeeds while the old password still opens a connection, or nobody can tell.
old-password)
    in_postgres freeboard-postgres pg_isready --quiet </dev/null || exit 0
    export PGUSER PGPASSWORD="$POSTGRES_PASSWORD_OLD"
    PGUSER=$(account)
    opens
    ;;
# The two-role form of README.md. The role that gets API_DATABASE_PASSWORD_NEW is that of the new URL; to take it back, it is
# run with the old values and the new ones swapped.
next-role)
    owner=$(account)
    role=$(role_of "${FREEBOARD_POSTGRES_URL_NEW:?}")
    sql=$(dotage postgres-role "$role" --password-env API_DATABASE_PASSWORD_NEW --create --member-of "$owner")
    printf '%s\n' "$sql" | administer
    ;;
# For its `old_must_fail`, once the checks have passed: ends the old role if another one took its place, and succeeds while
# it still gets in with the old password, or nobody can tell.
old-role)
    in_postgres freeboard-postgres pg_isready --quiet </dev/null || exit 0
    if [ -n "${API_DATABASE_USER_OLD:-}" ]; then
        sql=$(dotage postgres-role "$API_DATABASE_USER_OLD" --retire) || exit 0
        printf '%s\n' "$sql" | administer || exit 0
    fi
    export PGUSER PGPASSWORD="$API_DATABASE_PASSWORD_OLD"
    PGUSER=$(role_of "$FREEBOARD_POSTGRES_URL_OLD")
    opens
    ;;
*) echo "database.sh: no action is called $1" >&2 && exit 2 ;;
esac
