//! Orders as those see them who work in the shop: lists over everybody's.

mod read;
pub mod store;

pub(in crate::orders) use read::newest_first;
pub use read::{
    OrderFilter, count_lines_of_sellers, count_orders, lines_of_sellers, list_changed_orders, list_orders,
    order_of_line, order_of_unit,
};
