//! What leaves by age: from where buyers acted.

use crate::infra::retention::Rule;

/// Rules of the tables of orders.
pub const RETENTION: &[Rule] = &[Rule {
    table: "order_visit",
    days: |config| config.shop.keep_addresses_days,
    leaves: crate::infra::retention::old_rows!("order_visit", "id", "at", "true"),
}];
