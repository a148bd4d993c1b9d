//! What staff change of a right to download.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::GrantId;
use crate::base::outcome::{Outcome, Refusal};
use crate::delivery::model::GrantStanding;
use crate::delivery::{events, read};
use crate::files;
use crate::files::state::{GrantChange, GrantState};
use crate::files::store;
use crate::infra;
use crate::infra::kit::Kit;

/// Gives more downloads, or another end, or both (staff). An unlimited grant stays unlimited.
pub async fn extend_grant(
    kit: &Kit,
    actor: &Actor,
    id: GrantId,
    more: i32,
    until: Option<DateTime<Utc>>,
) -> Outcome<GrantStanding> {
    if !actor.is_staff() {
        return Err(Refusal::new(ErrorCode::Forbidden, "only staff can extend downloads").into());
    }
    if !(0..=1_000).contains(&more) || (more == 0 && until.is_none()) {
        return Err(Refusal::new(ErrorCode::Invalid, "give 1 to 1,000 downloads more, or another end")
            .at(["moreDownloads"])
            .into());
    }
    let mut tx = kit.db.begin().await?;
    store::lock_grants(&mut tx, &[id]).await?;
    let standing = found(&mut tx, id).await?;
    if standing.state.after(GrantChange::Extend).is_err()
        || store::advance_extended(&mut tx, id, more, until).await? != 1
    {
        return Err(Refusal::new(ErrorCode::IllegalTransition, "this download was revoked")
            .at(["grantId"])
            .into());
    }
    infra::effects::events::append(&tx, &[events::extended(&standing, more, until, actor)]).await?;
    let standing = found(&mut tx, id).await?;
    tx.commit().await?;
    Ok(standing)
}

/// Takes one grant back (staff). Doing so twice is no error.
pub async fn revoke_grant(kit: &Kit, actor: &Actor, id: GrantId) -> Outcome<GrantStanding> {
    if !actor.is_staff() {
        return Err(Refusal::new(ErrorCode::Forbidden, "only staff can revoke downloads").into());
    }
    let mut tx = kit.db.begin().await?;
    store::lock_grants(&mut tx, &[id]).await?;
    let standing = found(&mut tx, id).await?;
    if standing.state == GrantState::Active {
        let revoked = store::advance_grant_revoked(&mut tx, id).await?;
        crate::delivery::store::advance_withdrawn(&mut tx, &[id]).await?;
        infra::effects::events::append(&tx, &files::events::revoked(&revoked, &actor.label())).await?;
    }
    let standing = found(&mut tx, id).await?;
    tx.commit().await?;
    Ok(standing)
}

/// Closes what leads to a grant that was revoked: its links and its open session. Nothing is served by them any more, since
/// each use asks for the grant's state; closed they show it.
pub async fn close(kit: &Kit, id: GrantId) -> Outcome<()> {
    let mut tx = kit.db.begin().await?;
    store::lock_grants(&mut tx, &[id]).await?;
    // In a statement after the lock: whoever opened a session while it was waited for is visible only to a fresh snapshot.
    if found(&mut tx, id).await?.state == GrantState::Revoked {
        crate::delivery::store::advance_withdrawn(&mut tx, &[id]).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn found(conn: &mut AsyncPgConnection, id: GrantId) -> Outcome<GrantStanding> {
    let none = || Refusal::new(ErrorCode::NotFound, "there is no such download").at(["grantId"]);
    Ok(read::find_standing(conn, id).await?.ok_or_else(none)?)
}
