//! One test binary; its folders mirror `src`. Real PostgreSQL, a database per test.

mod downloads;
mod graphql;
mod harness;
mod http;
mod infra;
mod vault;
mod payments;
mod worker;
mod sandbox;
