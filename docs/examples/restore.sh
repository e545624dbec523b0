#!/bin/sh
# Put a backup back in the place of the stack's data: restore.sh BACKUP [HOME], with the stack down.
set -eu

backup=${1:?the folder that ./dev backup made}
stack=${2:-var}/stack

if [ -e "$stack/up" ]; then
    echo "The stack is up: ./dev down first." >&2
    exit 1
fi
if [ ! -f "$backup/store.sqlite3" ] || [ ! -d "$backup/keys" ]; then
    echo "$backup is not a backup." >&2
    exit 1
fi
# The old file goes with its -wal and -shm: SQLite would apply an old log to the new file.
rm -rf "$stack/store.sqlite3" "$stack/store.sqlite3-wal" "$stack/store.sqlite3-shm" "$stack/keys"
cp -a "$backup/." "$stack/"
