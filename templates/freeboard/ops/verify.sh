#!/bin/sh
# verify.sh CHECK: succeeds when that part of freeboard works. The account it signs in with is VERIFY_EMAIL and
# VERIFY_PASSWORD, from the operator's environment.
set -eu
api=${API_URL:-http://127.0.0.1:4001}
gateway=${GATEWAY_URL:-http://127.0.0.1:4002}

# Sends curl its secrets on stdin: argv is public.
get() { printf 'header = "Authorization: Bearer %s"\n' "$1" | curl -fsS --max-time 10 --config - "$2"; }
post() { curl -fsS --max-time 10 -H 'Content-Type: application/json' --data-binary @- "$1"; }
sign_in() {
    printf '{"email":"%s","password":"%s"}' "${VERIFY_EMAIL:?}" "${VERIFY_PASSWORD:?}" |
        post "$api/auth/login" | sed -n 's/.*"token":"\([^"]*\)".*/\1/p'
}

case ${1:?which check?} in
login) test -n "$(sign_in)" ;;
registration) get "$(sign_in)" "$api/auth/invitations" >/dev/null ;;
password-reset) printf '{"email":"%s"}' "${VERIFY_EMAIL:?}" | post "$api/auth/password-reset" >/dev/null ;;
admin) get "$(sign_in)" "$api/admin/users" >/dev/null ;;
datasource) get "$(sign_in)" "$gateway/datasources/health/execute" >/dev/null ;;
realtime) get "$(sign_in)" "$gateway/streams/health" >/dev/null ;;
# For `old_must_fail`: succeeds while a token signed with the old secret is still taken.
old-token)
    b64() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
    signed=$(printf '{"alg":"HS256","typ":"JWT"}' | b64).$(printf '{"sub":"old","exp":%s}' "$(($(date +%s) + 60))" | b64)
    # Node reads the secret from its environment; openssl would want it in argv.
    mac=$(printf %s "$signed" | node -e '
        const { createHmac } = require("crypto"), { readFileSync } = require("fs");
        process.stdout.write(createHmac("sha256", process.env.JWT_SECRET_OLD).update(readFileSync(0)).digest("base64url"))')
    get "$signed.$mac" "$api/auth/session" >/dev/null
    ;;
*) echo "verify.sh: no check is called $1" >&2 && exit 2 ;;
esac
