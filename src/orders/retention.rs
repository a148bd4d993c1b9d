//! What leaves by age: from where buyers acted.

use crate::infra::retention::Rule;
use crate::old_rows;

/// Rules of the tables of orders.
pub const RETENTION: &[Rule] = &[Rule {
    table: "order_visit",
    days: |config| config.shop.keep_addresses_days,
    leaves: old_rows!("order_visit", "id", "at", "true"),
}];
