#!/bin/sh
# Puts the server's data back to a moment: the newest copy before it, and the write-ahead log up to it. The server must
# be stopped. Its present data are moved aside, and nothing of them is removed.
#
#   docker compose stop
#   docker compose run --rm --no-deps --user postgres --entrypoint /opt/dicomanon/pitr/recover.sh postgres \
#       '2026-03-01 12:00:00 UTC'
#   docker compose up --detach postgres
#
# Both databases of the server go back, Airflow's too. Afterwards: dicomanon archives restored, see docs/runbook.md.
set -eu
umask 077

target=${1:?give the moment to recover to, such as "2026-03-01 12:00:00 UTC"}
archive=${PGARCHIVE:-/var/lib/postgresql-archive}
data=${PGDATA:?set PGDATA to the data folder of the server}

if [ -e "$data/postmaster.pid" ] && kill -0 "$(head -n 1 "$data/postmaster.pid")" 2>/dev/null; then
    echo "the server runs: stop it first" >&2
    exit 1
fi
moment=$(date -u -d "$target" +%Y%m%dT%H%M%SZ)
base=
for one in $(ls "$archive/base" | sort); do
    if [ "$one" != incoming ] && [ "$(printf '%s\n%s\n' "$one" "$moment" | sort | head -n 1)" = "$one" ]; then
        base=$one
    fi
done
if [ -z "$base" ]; then
    echo "no copy is older than $moment: see $archive/base" >&2
    exit 1
fi

incoming=$data.incoming
rm -rf "$incoming"
cp -a "$archive/base/$base" "$incoming"
aside=$data.until-$(date -u +%Y%m%dT%H%M%SZ)
if [ -e "$data" ]; then
    # The newest pieces of the log may not have reached the archive.
    for piece in "$data"/pg_wal/[0-9A-F]*; do
        if [ -f "$piece" ] && [ ! -e "$archive/wal/${piece##*/}" ]; then
            cp -a "$piece" "$incoming/pg_wal/"
        fi
    done
    mv "$data" "$aside"
fi
# Written in UTC, since the server may live in another time zone than whoever types.
cat >> "$incoming/postgresql.auto.conf" <<END
restore_command = 'cp "$archive/wal/%f" "%p"'
recovery_target_time = '$(date -u -d "$target" '+%Y-%m-%d %H:%M:%S.%N')+00'
recovery_target_action = 'promote'
END
touch "$incoming/recovery.signal"
mv "$incoming" "$data"
echo "from the copy of $base up to $moment; the former data are in $aside; start the server"
