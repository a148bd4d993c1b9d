//! Delta sync: what changed since a moment, in the order it changed, so that a client that goes on from its last cursor
//! or its last time misses nothing. An order changes with each event about it.

mod read;

pub use read::{
    ChangedLine, ChangedOrder, LibraryFilter, SeenOrder, changed_since, changes_of_lines, changes_of_orders,
    count_library, keys, library, orders_since, place, seen,
};
