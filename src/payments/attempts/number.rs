//! What an attempt is called at its gateway. The first attempt of an order goes by the order's own number, which has a
//! random part; each later one by `<number>-<attempt>-<five random places>`. An order that is older than this life of the
//! database may have attempts that the database does not know: then the first one it knows has a random part too.

use chrono::{DateTime, Utc};

use crate::infra::epoch::Epoch;
use crate::orders::number::{has_form, is_random_part, random_part};

/// Random places of a later attempt.
const PLACES: usize = 5;

/// The number of an attempt, counted from 1, of an order that was placed at this time. At most 32 of `[0-9A-Z-]`.
pub fn of_attempt(order_number: &str, placed_at: DateTime<Utc>, attempt: i32, epoch: &Epoch) -> String {
    if attempt == 1 && placed_at > epoch.raised_at {
        return order_number.to_owned();
    }
    format!("{order_number}-{attempt}-{}", random_part(PLACES))
}

/// Whether a text that the database does not know has the form of a number that this shop sends to gateways: an order's,
/// or that of a later attempt. The one test of what is ours by name, for every gateway's notices and statements.
pub fn is_ours(prefix: &str, text: &str) -> bool {
    let Some((order, attempt)) = text.split_once('-') else { return has_form(prefix, text) };
    // What looks like an attempt of one of our orders is better kept for a person than ignored.
    let (count, random) = attempt.split_once('-').map_or((attempt, None), |(n, random)| (n, Some(random)));
    let counted = count.parse::<i32>().is_ok_and(|n| n >= 1 && n.to_string() == count);
    has_form(prefix, order) && counted && random.is_none_or(|random| is_random_part(random, PLACES))
}
