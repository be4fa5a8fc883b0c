#!/bin/sh
# A dump of Postgres and a copy of customers' files each day, kept for KEEP_DAYS. Both land in one folder of this
# machine: copy it to another one.
set -eu
umask 077
while true; do
    name=$(date -u +%Y%m%dT%H%M%S)
    pg_dump --host postgres --username agents --format custom --no-owner --file "/backups/${name}.dump.part" agents
    mv "/backups/${name}.dump.part" "/backups/${name}.dump"
    if [ -d /data/media ]; then
        tar -C /data -czf "/backups/${name}.media.tar.gz" media
    fi
    find /backups -name '*.dump' -mtime "+${KEEP_DAYS}" -delete
    find /backups -name '*.media.tar.gz' -mtime "+${KEEP_DAYS}" -delete
    sleep 86400
done
