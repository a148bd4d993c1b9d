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
