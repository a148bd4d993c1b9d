//! Giving and taking the right to download.

use diesel_async::AsyncPgConnection;

use crate::base::clock::Clock;
use crate::base::ids::UnitId;
use crate::files::events;
use crate::files::model::{GrantWant, Granted};
use crate::files::store;
use crate::infra;
use crate::infra::effects::events::NewEvent;

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

/// Revokes the grants of these units and writes the events. Units without grants, and grants revoked before, are passed
/// over. From the commit on nothing of them is served, since every request asks for the grant's state, and running streams
/// end within 8 MiB. Their links and sessions are closed by whoever reacts to the events.
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
    infra::effects::events::append(conn, &events::revoked(&revoked, actor)).await?;
    Ok(revoked)
}
