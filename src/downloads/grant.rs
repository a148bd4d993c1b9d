//! Giving and taking the right to download.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::clock::Clock;
use crate::base::ids::{GrantId, UnitId};
use crate::base::outcome::{Outcome, Refusal};
use crate::downloads::model::{GrantWant, Granted, Standing};
use crate::downloads::state::{GrantChange, GrantState};
use crate::downloads::{events, read, store};
use crate::infra;
use crate::infra::effects::events::NewEvent;
use crate::infra::kit::Kit;

/// One grant per unit and file of its variant, for the newest version that is not yanked, in one statement. A unit
/// whose variant has no such file is absent from the answer: its caller lets it wait. A grant that exists is left
/// alone and not returned. The caller writes the events in the same transaction.
pub async fn grant(
    conn: &AsyncPgConnection,
    clock: &Clock,
    wants: &[GrantWant],
) -> diesel::QueryResult<(Vec<Granted>, Vec<NewEvent>)> {
    if wants.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let granted = store::insert_grants(conn, clock, wants).await?;
    let events = events::created(&granted, "system");
    Ok((granted, events))
}

/// Revokes the grants of these units, ends their open sessions and links, and writes the events. Units without
/// grants, and grants revoked before, are passed over. Running streams end within 8 MiB.
pub async fn revoke(
    conn: &mut AsyncPgConnection,
    units: &[UnitId],
    actor: &str,
) -> diesel::QueryResult<Vec<Granted>> {
    if units.is_empty() {
        return Ok(Vec::new());
    }
    let revoked = store::advance_revoked(conn, units).await?;
    if revoked.is_empty() {
        return Ok(revoked);
    }
    let ids: Vec<_> = revoked.iter().map(|g| g.id).collect();
    // In a statement of its own: whoever opened a session while this transaction waited for the grant's lock is
    // only visible to a fresh snapshot.
    store::advance_sessions_closed(conn, &ids).await?;
    infra::effects::events::append(conn, &events::revoked(&revoked, actor)).await?;
    Ok(revoked)
}

/// Gives more downloads, or another end, or both (staff). An unlimited grant stays unlimited.
pub async fn extend_grant(
    kit: &Kit,
    actor: &Actor,
    id: GrantId,
    more: i32,
    until: Option<DateTime<Utc>>,
) -> Outcome<Standing> {
    if !actor.is_staff() {
        return Err(Refusal::new("FORBIDDEN", "only staff can extend downloads").into());
    }
    if !(0..=1_000).contains(&more) || (more == 0 && until.is_none()) {
        return Err(Refusal::new("INVALID", "give 1 to 1,000 downloads more, or another end")
            .at(["more"])
            .into());
    }
    let mut tx = kit.db.begin().await?;
    store::lock_grants(&mut tx, &[id]).await?;
    let standing = found(&mut tx, id).await?;
    if standing.state.after(GrantChange::Extend).is_err()
        || store::advance_extended(&mut tx, id, more, until).await? != 1
    {
        return Err(Refusal::new("ILLEGAL_TRANSITION", "this download was revoked").into());
    }
    infra::effects::events::append(&tx, &[events::extended(&standing, more, until, actor)]).await?;
    let standing = found(&mut tx, id).await?;
    tx.commit().await?;
    Ok(standing)
}

/// Takes one grant back (staff). Doing so twice is no error.
pub async fn revoke_grant(kit: &Kit, actor: &Actor, id: GrantId) -> Outcome<Standing> {
    if !actor.is_staff() {
        return Err(Refusal::new("FORBIDDEN", "only staff can revoke downloads").into());
    }
    let mut tx = kit.db.begin().await?;
    store::lock_grants(&mut tx, &[id]).await?;
    let standing = found(&mut tx, id).await?;
    if standing.state == GrantState::Active {
        let revoked = store::advance_grant_revoked(&mut tx, id).await?;
        store::advance_sessions_closed(&mut tx, &[id]).await?;
        infra::effects::events::append(&tx, &events::revoked(&revoked, &actor.label())).await?;
    }
    let standing = found(&mut tx, id).await?;
    tx.commit().await?;
    Ok(standing)
}

async fn found(conn: &mut AsyncPgConnection, id: GrantId) -> Outcome<Standing> {
    let none = || Refusal::new("NOT_FOUND", "there is no such download");
    Ok(read::find_standing(conn, id).await?.ok_or_else(none)?)
}
