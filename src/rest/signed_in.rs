//! Who signed in, and who may send bodies for sellers: key files and files.

use poem::http::StatusCode;

use crate::base::actor::{Actor, Role};
use crate::base::caller::Caller;
use crate::people;
use crate::rest::problem::Problem;
use crate::rest::state::RestBackend;

/// The person of the request, whatever their roles. 401 without a session.
pub async fn person(backend: &RestBackend, caller: &Caller) -> Result<Actor, Problem> {
    let actor = people::authenticate(&backend.people, caller).await?;
    match actor.person {
        Some(_) => Ok(actor),
        None => Err(Problem::from_status(StatusCode::UNAUTHORIZED)),
    }
}

/// The person of the request, who must be a seller's or an admin. 401 without a session, 403 without the role.
pub async fn seller(backend: &RestBackend, caller: &Caller) -> Result<Actor, Problem> {
    let actor = person(backend, caller).await?;
    if !actor.has(Role::Seller) && !actor.has(Role::Admin) {
        return Err(Problem::from_status(StatusCode::FORBIDDEN));
    }
    Ok(actor)
}
