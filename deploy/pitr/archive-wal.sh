#!/bin/sh
# PostgreSQL's archive_command: keeps one finished piece of the write-ahead log (path, name) in the archive.
# It succeeds only when the whole piece is on disk under its name, and overwrites nothing: PostgreSQL tries again.
set -eu
umask 077

path=$1
name=$2
folder=${PGARCHIVE:-/var/lib/postgresql-archive}/wal
mkdir -p "$folder"

if [ -e "$folder/$name" ]; then
    # Asked again after a crash: the same piece is fine, another one is not.
    cmp -s "$path" "$folder/$name"
    exit
fi
cp "$path" "$folder/$name.incoming"
sync "$folder/$name.incoming"
mv "$folder/$name.incoming" "$folder/$name"
sync "$folder"
