//! PostgreSQL: the pool, transactions, migrations, and the SQL side of the program's own types.

mod address;
mod columns;
pub mod embedded;
pub mod errors;
pub mod migrate;
pub mod partitions;
mod place;
mod pool;
mod purpose;
#[rustfmt::skip]
pub mod schema;
pub mod settled;
pub mod statement;
pub mod total;

pub use address::Address;
pub use errors::{ResultExt, one, violated};
pub use place::DatabasePlace;
pub use pool::{Connection, Db, Limits, Transaction};
pub use purpose::{Purpose, within};

diesel::define_sql_function! {
    /// The database's clock; a test moves it.
    fn app_now() -> diesel::sql_types::Timestamptz;
}
