use crate::base::actor::{Actor, Person, Role};
use crate::base::caller::Caller;
use crate::base::outcome::Outcome;
use crate::people::kit::PeopleKit;
use crate::people::state::UserState;
use crate::people::{clients, error, store};

/// Who asks. Without a token a guest; with one the person or API client behind it. A person's roles are read afresh, so that
/// a right taken away is gone at once. `TOKEN_EXPIRED` means "refresh and repeat", `UNAUTHENTICATED` "sign in". One query;
/// a second statement the first time a session's newest tokens are used, which confirms that they arrived.
pub async fn authenticate(kit: &PeopleKit, caller: &Caller) -> Outcome<Actor> {
    let guest =
        Actor { order_tokens: caller.order_tokens.clone(), address: Some(caller.address), ..Actor::guest() };
    let Some(token) = &caller.bearer else { return Ok(guest) };
    if clients::is_secret(token) {
        return clients::authenticate(kit, caller, token).await;
    }
    let access = kit.access_tokens.read(token, kit.clock.now())?;
    let mut conn = kit.db.conn().await?;
    let standing = store::find_standing(&mut conn, access.session_id, access.refresh_id)
        .await?
        .filter(|s| s.user_id == access.user_id && !s.session_ended && s.state == UserState::Active)
        // A changed password or role ends the sessions it does not want to keep.
        .filter(|s| s.session_generation == s.generation)
        .ok_or_else(error::unauthenticated)?;
    if access.generation != standing.generation {
        return Err(error::token_expired().into());
    }
    if standing.unconfirmed {
        store::advance_confirmed(&mut conn, access.refresh_id).await?;
    }
    let person = Person {
        user_id: standing.user_id,
        session_id: access.session_id,
        roles: standing.roles.iter().filter_map(|role| Role::parse(role)).collect(),
        sellers: standing.sellers,
    };
    Ok(Actor { person: Some(person), ..guest })
}
