#!/usr/bin/env bash
# Ratios of speed and memory, release build. BENCH_ROUNDS (3) and BENCH_SCALE (1.0) make it longer or shorter; an argument
# names one part: notices, claims, catalogue, readiness, live, stock, licences, outbox, doors, retention, timing, scale (the last only by name).
set -euo pipefail
cd "$(dirname "$0")/.."
tests/cluster.sh ensure
exec cargo bench --bench load -- "$@"
