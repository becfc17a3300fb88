#!/bin/sh
# Copies the whole running server to where the archive of its write-ahead log is, and checks the copy. The two newest
# copies stay, with the log from the older one on: any moment after the older one can be recovered.
#
# Run in the container, once a day: docker compose exec --user postgres postgres /opt/dicomanon/pitr/base-backup.sh
set -eu
umask 077

archive=${PGARCHIVE:-/var/lib/postgresql-archive}
keep=${PGARCHIVE_KEEP:-2}
incoming=$archive/base/incoming
# The container has it under this name.
export PGPASSWORD="${PGPASSWORD:-${POSTGRES_PASSWORD:-}}"

mkdir -p "$archive/base" "$archive/wal"
rm -rf "$incoming"
pg_basebackup --pgdata="$incoming" --checkpoint=fast --no-password
pg_verifybackup --quiet "$incoming"
# Named by when it was complete: from that moment on it can be recovered to.
name=$(date -u +%Y%m%dT%H%M%SZ)
mv "$incoming" "$archive/base/$name"
sync "$archive/base"

for old in $(ls "$archive/base" | sort -r | tail -n "+$((keep + 1))"); do
    rm -rf "${archive:?}/base/$old"
done
oldest=$(ls "$archive/base" | sort | head -n 1)
first=$(sed -n 's/^START WAL LOCATION: .* (file \([0-9A-F]*\))$/\1/p' "$archive/base/$oldest/backup_label")
pg_archivecleanup "$archive/wal" "$first"
echo "$name"
