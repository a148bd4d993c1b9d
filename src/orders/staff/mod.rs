//! Orders as those see them who work in the shop: lists over everybody's, and one order's whole story.

mod read;

pub use read::{
    Entry, OrderFilter, keys, last_seq, lines_of_sellers, list_orders, order_of_line, order_of_unit, timeline,
};
