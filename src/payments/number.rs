//! What an attempt is called at its gateway. The first attempt of an order goes by the order's own number, which has a
//! random part; each later one by `<number>-<attempt>-<five random places>`. An order that is older than this life of the
//! database may have attempts that the database does not know: then the first one it knows has a random part too.

use chrono::{DateTime, Utc};

use crate::infra::epoch::Epoch;
use crate::orders::number::random_part;

/// Random places of a later attempt.
const PLACES: usize = 5;

/// The number of an attempt, counted from 1, of an order that was placed at this time. At most 32 of `[0-9A-Z-]`.
pub fn of_attempt(order_number: &str, placed_at: DateTime<Utc>, attempt: i32, epoch: &Epoch) -> String {
    if attempt == 1 && placed_at > epoch.raised_at {
        return order_number.to_owned();
    }
    format!("{order_number}-{attempt}-{}", random_part(PLACES))
}
