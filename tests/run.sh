#!/usr/bin/env bash
# The whole suite, beside the cluster of tests/cluster.sh. TEST_THREADS=1 runs one test at a time; arguments choose
# tests by a part of their name. Ends with the time it took, the slowest ten and the table of requirements.
set -euo pipefail
cd "$(dirname "$0")/.."

start=$(date +%s)
threads=${TEST_THREADS:-}
code=0
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run ${threads:+--test-threads "$threads"} "$@" || code=$?
  report=${CARGO_TARGET_DIR:-target}/nextest/default/junit.xml
  echo "The slowest ten, seconds:"
  grep -o '<testcase name="[^"]*"[^>]*time="[^"]*"' "$report" |
    sed 's/<testcase name="\([^"]*\)".*time="\([^"]*\)"/\2 \1/' | sort -rn | sed -n 1,10p
else
  cargo test --test it -- ${threads:+--test-threads "$threads"} "$@" || code=$?
fi
echo "The suite took $(($(date +%s) - start)) seconds, building included."
if [ $# = 0 ] && [ $code = 0 ]; then
  cargo test --quiet --test it -- --exact rows::every_requirement_has_a_test --nocapture || code=$?
fi
exit $code
