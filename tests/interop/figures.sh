#!/usr/bin/env bash
# What Prometheus' own promtool says of the figures of a shop and of a worker. Usage: figures.sh PROGRAM OPERATORS FOLDER
set -euo pipefail
program=$1 operators=$2 folder=$3

check() {
  curl -sf "$2/metrics" >"$folder/$1.prom"
  [ "$(grep -c '^# HELP ' "$folder/$1.prom")" -gt 20 ] || { echo "figures: too few of the $1" >&2; exit 1; }
  promtool check metrics <"$folder/$1.prom"
  echo "figures of the $1: promtool has nothing to say"
}

check shop "$operators"
(cd "$folder" && DISPENSE_WORKER__LISTEN=127.0.0.1:0 exec "$program" work --data "$folder/data" >work.out 2>work.log) &
worker=$!
trap 'kill $worker 2>/dev/null; wait $worker 2>/dev/null || true' EXIT
for _ in $(seq 300); do
  grep -q '^working' "$folder/work.out" 2>/dev/null && break
  kill -0 $worker 2>/dev/null || { cat "$folder/work.log" >&2; exit 1; }
  sleep 0.1
done
check worker "$(sed -n 's/^figures on //p' "$folder/work.out")"
curl -sf "$(sed -n 's/^figures on //p' "$folder/work.out")/readyz"
