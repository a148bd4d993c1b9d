use crate::base::actor::{Actor, Role};
use crate::base::ids::UserId;
use crate::base::outcome::{Outcome, Refusal};
use crate::infra::db::one;
use crate::infra::effects::events as event_rows;
use crate::infra::kit::Kit;
use crate::people::model::Profile;
use crate::people::revoke::end_sessions;
use crate::people::state::UserChange;
use crate::people::{error, events, read, store};

/// Keeps a person out: every session ends. For admins. Refuses with `FORBIDDEN`, `NOT_FOUND`, `ILLEGAL_TRANSITION`,
/// `LAST_ADMIN`.
pub async fn suspend(kit: &Kit, actor: &Actor, user: UserId) -> Outcome<Profile> {
    change(kit, actor, user, UserChange::Suspend).await
}

/// Lets a suspended person in again.
pub async fn reinstate(kit: &Kit, actor: &Actor, user: UserId) -> Outcome<Profile> {
    change(kit, actor, user, UserChange::Reinstate).await
}

async fn change(kit: &Kit, actor: &Actor, user: UserId, change: UserChange) -> Outcome<Profile> {
    if !actor.has(Role::Admin) {
        return Err(error::forbidden().into());
    }
    let mut tx = kit.db.begin().await?;
    let admins = store::lock_admins(&mut tx).await?;
    if change == UserChange::Suspend && admins == [user] {
        return Err(error::last_admin().into());
    }
    let person = store::lock_user(&mut tx, user).await?.ok_or_else(error::user_not_found)?;
    let next = person.state.after(change).map_err(Refusal::from)?;
    if next != person.state {
        one(store::advance_state(&mut tx, user, person.state, next).await?, "person")?;
        let fact = events::state_changed(user, actor.label(), person.state.as_str(), next.as_str());
        event_rows::append(&tx, &[fact]).await?;
        end_sessions(&mut tx, user, None, &actor.label(), next.as_str()).await?;
    }
    let profile = read::profile(&mut tx, user).await?.ok_or_else(error::user_not_found)?;
    tx.commit().await?;
    Ok(profile)
}
