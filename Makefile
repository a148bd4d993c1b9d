# The commands of this repository. `make demo` and `make test` need a Rust toolchain and nothing else: what is missing
# of PostgreSQL they install, or they say the one command that does.

.PHONY: demo test run interop bench scale fuzz chaos storm lint

## Plays one whole purchase against a private, temporary shop and prints it as a story.
demo:
	tests/cluster.sh ensure
	cargo build
	target/debug/dispense demo

## The whole test suite. TEST_THREADS=1 runs one test at a time.
test:
	tests/cluster.sh with tests/run.sh

## A demo shop that keeps serving, with the simulator of gateways inside.
run:
	tests/cluster.sh ensure
	cargo run -- serve --demo --sandbox

## Checks by software that is not ours; installs what it uses.
interop:
	tests/interop/run.sh

## Ratios of speed and memory, release build.
bench:
	benches/run.sh

## What operations cost in a small shop and in a large one (BENCH_SCALE times 200,000 orders), release build.
scale:
	benches/run.sh scale

## Feeds random bytes to what reads notices, for FUZZ_SECONDS each (default 60).
fuzz:
	fuzz/run.sh

## A thousand seeded stories of refunds and disputes over all gateways; CHAOS_SEED=… plays one of them again.
chaos:
	tests/cluster.sh with tests/chaos.sh

## Three storms: a minute of kills among two servers and two workers, then two minutes of kills of two servers and their
## database amid purchases, refunds and disputes.
storm:
	tests/cluster.sh with tests/storm.sh

# The tools of `make lint`, built once by cargo, debug because what takes time is building them: five minutes and fifteen on
# one core. A new version here builds anew.
DENY := target/tools/cargo-deny-0.20.2
MACHETE := target/tools/cargo-machete-0.9.2

$(DENY) $(MACHETE):
	cargo install --locked --debug --no-default-features --root $@ --target-dir $@/build \
	  $(shell echo $(@F) | sed 's/-\([0-9.]*\)$$/@\1/')
	rm -rf $@/build

## Format, lints, unused dependencies, and what deny.toml demands of the dependencies.
lint: $(DENY) $(MACHETE)
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	$(MACHETE)/bin/cargo-machete --with-metadata --skip-target-dir .
	$(DENY)/bin/cargo-deny check bans licenses sources
