#!/bin/sh
# Writes the secrets that compose.yaml mounts, with random passwords. What is there already is left alone.
set -eu
umask 077
directory="${1:-$(dirname "$0")/secrets}"
mkdir -p "$directory"

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

for name in redis_password postgres_password api_key; do
  [ -s "$directory/$name" ] || random > "$directory/$name"
done
printf 'requirepass %s\n' "$(cat "$directory/redis_password")" > "$directory/redis_config"
printf 'redis://:%s@redis:6379' "$(cat "$directory/redis_password")" > "$directory/redis_url"
printf 'postgres://hebra:%s@postgres:5432/hebra' "$(cat "$directory/postgres_password")" > "$directory/database_url"
# Compose mounts a file with the rights that it has here, and the image's user is to read it. The directory keeps others
# on this host out.
chmod 0444 "$directory"/*
