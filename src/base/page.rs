//! Relay pages: opaque cursors over a total order (sort key, then id).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::base::error_code::ErrorCode;
use crate::base::outcome::Refusal;

pub const DEFAULT_SIZE: i64 = 20;
pub const LARGEST_SIZE: i64 = 100;
/// Totals are exact up to here and unknown above: counting further would cost more than it says.
pub const LARGEST_TOTAL: i64 = 10_000;

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageArgs {
    /// How many rows at most.
    pub size: i64,
    /// Backwards (`last`/`before`) instead of forwards.
    pub backwards: bool,
    /// Sort values of the row to start after (or before), the id last.
    pub from: Option<Vec<String>>,
}

impl PageArgs {
    /// Reads the four arguments of a connection. `list` names the list with its sort and filter: a cursor of
    /// another one is refused as `INVALID_CURSOR`.
    pub fn read(
        list: &str,
        first: Option<i32>,
        after: Option<&str>,
        last: Option<i32>,
        before: Option<&str>,
        default: i64,
        largest: i64,
    ) -> Result<Self, Refusal> {
        let invalid = |text: String, field: &str| Err(Refusal::new(ErrorCode::BadRequest, text).at([field]));
        if (first.is_some() || after.is_some()) && (last.is_some() || before.is_some()) {
            return invalid("first/after and last/before cannot be used together".into(), "first");
        }
        let backwards = last.is_some() || before.is_some();
        let (size, name) = if backwards { (last, "last") } else { (first, "first") };
        let size = size.map_or(default, i64::from);
        if !(1..=largest).contains(&size) {
            return invalid(format!("`{name}` is between 1 and {largest}"), name);
        }
        let from = match if backwards { before } else { after } {
            Some(cursor) => Some(decode(list, cursor)?),
            None => None,
        };
        Ok(Self { size, backwards, from })
    }
}

/// Rows of one page and whether there are more on either side.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub rows: Vec<T>,
    pub has_next: bool,
    pub has_previous: bool,
}

impl<T> Page<T> {
    /// From a query that asked for `size + 1` rows in the direction of travel.
    pub fn cut(mut rows: Vec<T>, args: &PageArgs) -> Self {
        let more = rows.len() as i64 > args.size;
        rows.truncate(args.size as usize);
        if args.backwards {
            rows.reverse();
            return Self { rows, has_next: args.from.is_some(), has_previous: more };
        }
        Self { rows, has_next: more, has_previous: args.from.is_some() }
    }

    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            rows: self.rows.into_iter().map(f).collect(),
            has_next: self.has_next,
            has_previous: self.has_previous,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Cursor {
    v: u8,
    l: String,
    k: Vec<String>,
}

fn list_digest(list: &str) -> String {
    hex::encode(&Sha256::digest(list.as_bytes())[..6])
}

/// An opaque cursor of base64url.
pub fn encode(list: &str, keys: &[String]) -> String {
    let cursor = Cursor { v: 1, l: list_digest(list), k: keys.to_vec() };
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&cursor).unwrap_or_default())
}

fn decode(list: &str, text: &str) -> Result<Vec<String>, Refusal> {
    let refused =
        || Refusal::new(ErrorCode::InvalidCursor, "this cursor belongs to another list, sort or filter");
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| refused())?;
    let cursor: Cursor = serde_json::from_slice(&bytes).map_err(|_| refused())?;
    if cursor.v != 1 || cursor.l != list_digest(list) {
        return Err(refused());
    }
    Ok(cursor.k)
}
