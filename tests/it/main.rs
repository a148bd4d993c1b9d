//! One test binary; its folders mirror `src`. Real PostgreSQL, a database per test.

mod architecture;
mod audit;
mod catalogue;
mod check;
mod config;
mod demo;
mod docs;
mod downloads;
mod error_codes;
mod faults;
mod goods;
mod graphql;
#[allow(dead_code)] // Offers what tests of any feature may want.
mod harness;
mod hooks;
mod http;
mod infra;
mod licences;
mod live;
mod mail;
mod migrations;
mod orders;
mod payments;
mod people;
mod rest;
mod retention;
mod rows;
mod sandbox;
mod suppliers;
mod tables;
mod vault;
mod warranty;
mod worker;
