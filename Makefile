# The commands of this repository. `make demo` and `make test` need a Rust toolchain and nothing else: what is missing
# of PostgreSQL they install, or they say the one command that does.

.PHONY: demo test run interop bench fuzz chaos storm lint

## Plays one whole purchase against a private, temporary shop and tells it as a story.
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

## Feeds random bytes to what reads notices, for FUZZ_SECONDS each (default 60).
fuzz:
	fuzz/run.sh

## A thousand seeded stories of refunds and disputes over all gateways; CHAOS_SEED=… tells one of them again.
chaos:
	tests/cluster.sh with tests/chaos.sh

## Three storms of two minutes: kills of two servers and their database amid purchases, refunds and disputes.
storm:
	tests/cluster.sh with tests/storm.sh

lint:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
