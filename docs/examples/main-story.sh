#!/bin/sh
# The main story with curl: sign up, top up, run a container, read its log, see what it cost.
#
#   WHARFAGE_URL    where the API is, as `./dev up` says it
#   EMAIL, PASSWORD a new account; the password has at least 10 characters
#   IMAGE           what to run; wharfage/demo:latest is on every local stack
#   PAY=sandbox     press the sandbox's Pay button, instead of waiting for somebody to pay
#
# Needs curl, and python3 to read JSON.
set -eu

: "${WHARFAGE_URL:?}" "${EMAIL:?}" "${PASSWORD:?}"
IMAGE=${IMAGE:-wharfage/demo:latest}

# field NAME: print one field of the JSON object on standard input; without it, fail and show all.
field() {
    python3 -c '
import json, sys

found = json.load(sys.stdin)
print(found[sys.argv[1]] if sys.argv[1] in found else sys.exit(json.dumps(found)))' "$1"
}

# call METHOD PATH [BODY] [KEY]: make one call; fail when it is refused.
call() {
    curl --silent --show-error --fail-with-body --max-time 40 --request "$1" "$WHARFAGE_URL$2" \
        --header "Content-Type: application/json" \
        ${token:+--header "Authorization: Bearer $token"} \
        ${4:+--header "Idempotency-Key: $4"} \
        ${3:+--data "$3"}
}

echo "1. Sign up."
token=
credentials="{\"email\": \"$EMAIL\", \"password\": \"$PASSWORD\"}"
call POST /v1/auth/register "$credentials" | field id
token=$(call POST /v1/auth/login "$credentials" | field access_token)

echo "2. Top up CNY 10."
# The same key again is the same order: after a time-out, send the same.
order=$(call POST /v1/orders '{"amount_fen": 1000}' "order-$EMAIL" | field id)
address=$(call POST "/v1/orders/$order/pay" '{"method": "qr"}' | field qr_text)
echo "   To be paid at $address"
if [ "${PAY:-}" = sandbox ]; then
    curl --silent --show-error --fail --request POST "$address/pay" >/dev/null
fi
state=open
while [ "$state" = open ]; do
    state=$(call GET "/v1/orders/$order?wait=20" | field state)
done
[ "$state" = paid ]

echo "3. Run a container."
job=$(call POST /v1/jobs "{\"image\": \"$IMAGE\", \"command\": [\"echo\", \"ahoy\"]}" "job-$EMAIL" |
    field id)
ended=False
while [ "$ended" = False ]; do
    answer=$(call GET "/v1/jobs/$job?wait=20")
    ended=$(echo "$answer" | field is_terminal)
done
echo "   $job $(echo "$answer" | field status), cost $(echo "$answer" | field cost_fen) fen"

echo "4. Its log."
page='{"complete": false, "next_cursor": ""}'
while [ "$(echo "$page" | field complete)" = False ]; do
    cursor=$(echo "$page" | field next_cursor)
    page=$(call GET "/v1/jobs/$job/logs?wait=5${cursor:+&cursor=$cursor}")
    echo "$page" | python3 -c '
import base64, json, sys

for part in json.load(sys.stdin)["items"]:
    sys.stdout.buffer.write(base64.b64decode(part["data"]))'
done

echo "5. The money."
call GET /v1/quota
echo
call GET /v1/ledger
echo
