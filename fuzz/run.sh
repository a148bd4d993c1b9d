#!/usr/bin/env bash
# Feeds each target FUZZ_SECONDS (default 60) each, on the stable toolchain: the coverage counters that libFuzzer
# steers by are ordinary code generation flags. Starts from fuzz/seeds; what it finds worth keeping goes to
# fuzz/corpus, what breaks a target to fuzz/artifacts, and then the exit code is not 0.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${FUZZ_SECONDS:-60}
target=$(rustc -vV | sed -n 's/^host: //p')
export RUSTFLAGS="--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
 -Cllvm-args=-sanitizer-coverage-trace-compares"
cargo build --locked --target "$target"

for name in stripe_notice generic_notice alipay_notice wechatpay_notice paypal_notice epay_v1_notice epay_v2_notice \
  statements answers key_file file_name; do
  mkdir -p "corpus/$name" "artifacts/$name"
  "target/$target/debug/$name" "corpus/$name" "seeds/$name" -artifact_prefix="artifacts/$name/" \
    -max_total_time="$seconds" -max_len=16384 -timeout=5 -rss_limit_mb=2048 -print_final_stats=1
done
