//! One test binary; its folders mirror `src`. Real PostgreSQL, a database per test.

mod harness;
mod infra;
