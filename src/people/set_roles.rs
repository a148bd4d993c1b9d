use crate::base::actor::{Actor, Role};
use crate::base::error_code::ErrorCode;
use crate::base::ids::{SHOP, UserId};
use crate::base::outcome::Outcome;
use crate::infra::effects::events as event_rows;
use crate::infra::kit::Kit;
use crate::people::model::Profile;
use crate::people::revoke::end_sessions;
use crate::people::{error, events, read, store};

/// Gives a person exactly these roles; `seller` acts for the shop itself. The person's tokens and sessions end with
/// it. For admins. Refuses with `FORBIDDEN`, `NOT_FOUND`, `LAST_ADMIN`, `INVALID` (no role at all).
pub async fn set_roles(kit: &Kit, actor: &Actor, user: UserId, roles: &[Role]) -> Outcome<Profile> {
    if !actor.has(Role::Admin) {
        return Err(error::forbidden().into());
    }
    let mut roles = roles.to_vec();
    roles.sort();
    roles.dedup();
    if roles.is_empty() {
        return Err(crate::base::outcome::Refusal::new(ErrorCode::Invalid, "a person has at least one role")
            .at(["roles"])
            .into());
    }
    let mut tx = kit.db.begin().await?;
    // Read again under the lock: the actor may have lost the right since the request came in.
    let admins = store::lock_admins(&mut tx).await?;
    if !actor.system && !actor.user_id().is_some_and(|id| admins.contains(&id)) {
        return Err(error::forbidden().into());
    }
    if admins == [user] && !roles.contains(&Role::Admin) {
        return Err(error::last_admin().into());
    }
    store::lock_user(&mut tx, user).await?.ok_or_else(error::user_not_found)?;
    let before: Vec<Role> =
        store::list_roles(&mut tx, user).await?.iter().filter_map(|r| Role::parse(r)).collect();
    if before.len() != roles.len() || !before.iter().all(|role| roles.contains(role)) {
        let mut sellers = store::list_sellers(&mut tx, user).await?;
        if !roles.contains(&Role::Seller) {
            sellers.clear();
        } else if sellers.is_empty() {
            sellers.push(SHOP);
        }
        store::insert_roles(&mut tx, user, &roles).await?;
        store::insert_sellers(&mut tx, user, &sellers).await?;
        store::advance_generation(&mut tx, user).await?;
        event_rows::append(&tx, &[events::roles_changed(user, actor.label(), &before, &roles)]).await?;
        end_sessions(&mut tx, user, None, &actor.label(), "roles_changed").await?;
    }
    let profile = read::profile(&mut tx, user).await?.ok_or_else(error::user_not_found)?;
    tx.commit().await?;
    Ok(profile)
}
