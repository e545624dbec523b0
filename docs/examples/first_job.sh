#!/bin/sh
# Sign up, pay, run a container, see what it cost. WHARFAGE_URL names the server.
set -eu

printf '%s\n' "$PASSWORD" | wharfage register --email "$EMAIL" --password-stdin
wharfage topup --no-wait 50
wharfage quota
wharfage run --cpu 0.5 --memory 256m --timeout 10m "$IMAGE" -- echo ahoy
wharfage ps --all
wharfage ledger
