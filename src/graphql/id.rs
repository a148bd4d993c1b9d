//! Ids of clients: text of at most 64 characters that may be anything. One that is no id of the expected kind is
//! treated as the id of nothing.

use async_graphql::ID;

use crate::base::error_code::ErrorCode;
use crate::base::ids;
use crate::base::outcome::Refusal;

/// Reads an input's id; what is none of that kind is not found.
pub fn read<T>(id: &ID, field: &str, parse: fn(&str) -> Result<T, ids::IdError>) -> Result<T, Refusal> {
    parse(id.as_str()).map_err(|_| Refusal::new(ErrorCode::NotFound, "there is no such thing").at([field]))
}
