#!/usr/bin/env bash
# Storms over two servers, beside the cluster of tests/cluster.sh: STORMS of them (3), STORM_SECONDS each (120), drawn anew
# unless STORM_SEED says which. Before each, KILLS_SECONDS (60) in which one of two servers and two workers is killed every
# second; KILLS_SEED says which.
set -euo pipefail
cd "$(dirname "$0")/.."

export STORM_SECONDS=${STORM_SECONDS:-120} KILLS_SECONDS=${KILLS_SECONDS:-60}
for _ in $(seq "${STORMS:-3}"); do
  cargo test --test it -- --exact --nocapture \
    faults::four::two_servers_and_two_workers_of_which_one_is_killed_every_second_lose_nothing_and_do_nothing_twice
  cargo test --test it -- --exact --nocapture \
    payments::storm::a_storm_of_kills_amid_refunds_and_disputes_leaves_both_sides_books_equal
done
