//! One test binary; its folders mirror `src`. Real PostgreSQL, a database per test.

mod catalogue;
mod downloads;
mod graphql;
mod harness;
mod http;
mod infra;
mod payments;
mod people;
mod sandbox;
mod vault;
mod worker;
