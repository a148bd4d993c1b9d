//! Who may send bodies for sellers: key files and files.

use poem::http::StatusCode;

use crate::base::actor::{Actor, Role};
use crate::base::caller::Caller;
use crate::people;
use crate::rest::problem::Problem;
use crate::rest::state::RestBackend;

/// The person of the request, who must be a seller's or an admin. 401 without a session, 403 without the role.
pub async fn authenticate(backend: &RestBackend, caller: &Caller) -> Result<Actor, Problem> {
    let actor = people::authenticate(&backend.people, caller).await?;
    if actor.person.is_none() {
        return Err(Problem::from_status(StatusCode::UNAUTHORIZED));
    }
    if !actor.has(Role::Seller) && !actor.has(Role::Admin) {
        return Err(Problem::from_status(StatusCode::FORBIDDEN));
    }
    Ok(actor)
}
