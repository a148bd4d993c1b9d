//! Giving and taking the right to download.

use diesel_async::AsyncPgConnection;

use crate::base::clock::Clock;
use crate::base::ids::UnitId;
use crate::downloads::model::{GrantWant, Granted};
use crate::downloads::{events, store};
use crate::infra;

/// One grant per unit and file of its variant, for the newest version that is not yanked, in one statement. A unit
/// whose variant has no such file is absent from the answer: its caller lets it wait. A grant that exists is left
/// alone and not returned.
///
/// The caller writes `events::created` with its other events, so that settling keeps its number of statements.
pub async fn grant(
    conn: &mut AsyncPgConnection,
    clock: &Clock,
    wants: &[GrantWant],
) -> diesel::QueryResult<Vec<Granted>> {
    if wants.is_empty() {
        return Ok(Vec::new());
    }
    store::insert_grants(conn, clock, wants).await
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
    infra::events::append(conn, &events::revoked(&revoked, actor)).await?;
    Ok(revoked)
}
