#!/bin/sh
# contain.sh WHAT: takes a part of freeboard out of reach while an incident is open. Each may be run twice.
set -eu
case ${1:?what to contain?} in
routes) docker compose stop freeboard-api ;;
streams) docker compose stop freeboard-gateway ;;
dashboards) docker compose run --rm --no-deps freeboard-api npm run dashboards:make-private ;;
*) echo "contain.sh: nothing is called $1" >&2 && exit 2 ;;
esac
