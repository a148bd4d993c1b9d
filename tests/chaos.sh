#!/usr/bin/env bash
# Stories that chance tells over all gateways, beside the cluster of tests/cluster.sh: CHAOS_STORIES of them (1,000) from
# CHAOS_SEED on. A seed alone tells that one story again. Prints what happened in each that fails, counts and time.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -n "${CHAOS_SEED:-}" ]; then
  export CHAOS_STORIES=${CHAOS_STORIES:-1}
else
  export CHAOS_SEED=$((RANDOM * 32768 + RANDOM)) CHAOS_STORIES=${CHAOS_STORIES:-1000}
fi
exec cargo test --test it -- --exact --nocapture \
  payments::stories::stories_told_by_chance_end_with_the_gateways_books_equal_to_the_shops
