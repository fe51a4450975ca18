#!/usr/bin/env bash
# How to call Suanpan from a shell: sign a request, verify its answer, verify a notification. Needs curl and openssl.
#
#   export SUANPAN_URL=http://127.0.0.1:8080 SUANPAN_KEY_ID=mall-1 SUANPAN_SECRET_FILE=keys/mall-1.secret
#   suanpan.sh call POST /v1/platforms/9001/orders '{"order_no": "A-1", ...}'
#   suanpan.sh call GET  /v1/platforms/9001/orders/no:A-1
#   suanpan.sh notification ID TIMESTAMP SIGNATURE < body
#
# The scheme (HMAC-SHA256 here; a private key signs the same bytes):
#   request       METHOD \n path?query \n timestamp \n nonce \n body \n
#   answer        status \n timestamp \n nonce of the request \n body \n
#   notification  id . timestamp . body
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { printf '%s\n' "$1" >&2; exit 1; }

# The signature of what comes in, in base64. (The secret is an argument of openssl, which others on this machine can see for
# a moment; a program of yours should not do that.)
hmac() { openssl dgst -sha256 -hmac "$(tr -d '[:space:]' < "$SUANPAN_SECRET_FILE")" -binary | openssl base64 -A; }

# Compares two texts by their digests, so that the time it takes tells nothing.
same() { [ "$(printf %s "$1" | openssl dgst -sha256)" = "$(printf %s "$2" | openssl dgst -sha256)" ]; }

# Whether a time is within 300 seconds of now.
is_recent() {
    local distance=$(( $(date +%s) - $1 ))
    [ "${distance#-}" -le 300 ]
}

# A header of the answer, without the line break.
header() { tr -d '\r' < "$work/headers" | awk -F': ' -v name="$1" 'tolower($1) == name { print $2 }'; }

call() {
    local method=$1 target=$2 body=${3-} timestamp nonce signature status
    timestamp=$(date +%s)
    nonce=$(openssl rand -hex 16)
    signature=$(printf '%s\n%s\n%s\n%s\n%s\n' "$method" "$target" "$timestamp" "$nonce" "$body" | hmac)
    local arguments=(-sS -X "$method" -D "$work/headers" -o "$work/body" -w '%{http_code}'
        -H "Suanpan-Key-Id: $SUANPAN_KEY_ID" -H "Suanpan-Timestamp: $timestamp"
        -H "Suanpan-Nonce: $nonce" -H "Suanpan-Signature: $signature")
    if [ -n "$body" ]; then
        arguments+=(-H 'Content-Type: application/json' --data-binary "$body")
    fi
    status=$(curl "${arguments[@]}" "$SUANPAN_URL$target")

    # Believe the answer only if it was signed with the same secret, lately, and for this request.
    [ "$(header suanpan-key-id)" = "$SUANPAN_KEY_ID" ] || fail "the answer ($status) is not signed with $SUANPAN_KEY_ID"
    [ "$(header suanpan-nonce)" = "$nonce" ] || fail "the answer is to another request"
    is_recent "$(header suanpan-timestamp)" || fail "the answer was signed at another time"
    local expected
    expected=$({ printf '%s\n%s\n%s\n' "$status" "$(header suanpan-timestamp)" "$nonce"; cat "$work/body"; printf '\n'; } | hmac)
    same "$expected" "$(header suanpan-signature)" || fail "the answer's signature does not fit"
    cat "$work/body"
    printf '\n'
    [ "$status" -lt 400 ] || exit 22
}

notification() {
    local id=$1 timestamp=$2 signature=$3 expected
    is_recent "$timestamp" || fail "the notification was signed at another time"
    expected=$({ printf '%s.%s.' "$id" "$timestamp"; cat; } | hmac)
    same "$expected" "$signature" || fail "the notification's signature does not fit"
    echo "verified"
}

case ${1-} in
    call) shift; call "$@" ;;
    notification) shift; notification "$@" ;;
    *) fail "suanpan.sh call METHOD TARGET [BODY] | notification ID TIMESTAMP SIGNATURE < body" ;;
esac
