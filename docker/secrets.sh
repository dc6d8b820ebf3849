#!/bin/sh
# Writes .env with fresh secrets for docker-compose.yml, once, readable by its owner alone.
set -eu
cd "$(dirname "$0")/.."
umask 077
if [ -e .env ]; then
    echo ".env 已存在，未改动 / .env exists already, left as it is" >&2
    exit 1
fi
for name in SUPERUSER OWNER INTAKE WORKER WEB WALL VALKEY APPLICATION FRONT FRONT_SUPERUSER FRONT_APPLICATION; do
    printf '%s_SECRET=%s\n' "$name" "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"
done > .env
