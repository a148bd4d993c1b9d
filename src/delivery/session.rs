//! The unit that is counted. A session begins with the first byte of a fresh link and takes in every request of its
//! links: ranges, resumes, parallel segments. Another link of the same grant joins the open session.

use crate::base::error_code::ErrorCode;
use crate::files;
use chrono::TimeDelta;
use diesel_async::AsyncPgConnection;

use crate::base::ids::DownloadSessionId;
use crate::base::outcome::{Fault, Outcome, Refusal};
use crate::delivery::access;
use crate::delivery::link::Ticket;
use crate::delivery::model::{GrantStanding, Link};
use crate::delivery::store;
use crate::delivery::{events, read};
use crate::files::model::FileVersion;
use crate::infra;
use crate::infra::kit::Kit;
use crate::orders::visits::{self, Visit, VisitAct};

/// How long a session may be resumed after its first byte, seconds.
const LIFE: i64 = 86_400;

pub fn life() -> TimeDelta {
    TimeDelta::seconds(LIFE)
}

/// What a ticket opens at this moment.
#[derive(Clone, Debug)]
pub struct Admission {
    pub link: Link,
    pub standing: GrantStanding,
    pub version: FileVersion,
    /// The open session of this link; none while it is fresh.
    pub session_id: Option<DownloadSessionId>,
}

/// Judges the ticket without counting or changing anything.
pub async fn look(conn: &mut AsyncPgConnection, kit: &Kit, ticket: &Ticket) -> Outcome<Admission> {
    let forged = || Refusal::new(ErrorCode::LinkForged, "this link was not made by this shop");
    let unknown = || ticket.unknown(kit.clock.unix());
    let link = read::find_download_link(conn, ticket.link_id).await?.ok_or_else(unknown)?;
    let standing = read::find_standing(conn, link.grant_id).await?.ok_or_else(forged)?;
    let version =
        files::read::find_version(conn, ticket.version_id.ok_or_else(forged)?).await?.ok_or_else(forged)?;
    access::may_download(&standing)?;
    access::may_use(&link, &standing)?;
    if version.yanked_at.is_some() {
        return Err(
            Refusal::new(ErrorCode::FileYanked, "this version of the file is not offered any more").into()
        );
    }
    let expired = match link.session_id {
        // The token's own time is for starting; what has started goes by its session.
        Some(session) => standing.session_id != Some(session),
        None => link.expires_at <= standing.now,
    };
    if expired {
        return Err(Refusal::new(
            ErrorCode::LinkExpired,
            "the time of this link has passed, ask for a new one",
        )
        .into());
    }
    Ok(Admission { session_id: link.session_id, link, standing, version })
}

/// The session of a link that is to get its first byte: the one its grant has open, or a new one, which counts. Of
/// any number of first requests at once, the first to lock the grant opens it and the others find it.
/// `visit`: from where it is asked for.
pub async fn open(kit: &Kit, ticket: &Ticket, visit: Option<&Visit>) -> Outcome<Admission> {
    let mut tx = kit.db.begin().await?;
    store::lock_grant_of_link(&mut tx, ticket.link_id).await?;
    store::advance_lapsed_of_link(&mut tx, ticket.link_id).await?;
    // Looked at again by statements that begin after the lock was granted.
    let mut entry = look(&mut tx, kit, ticket).await?;
    if entry.session_id.is_none() {
        let session = match entry.standing.session_id {
            Some(session) if joins(&entry) => {
                store::advance_session_version(&mut tx, session, &entry.version).await?;
                session
            }
            open => {
                if let Some(worn_out) = open {
                    store::advance_session_closed(&mut tx, worn_out).await?;
                }
                let session = count(&mut tx, kit, &entry).await?;
                let act = (VisitAct::Downloaded, Some(session));
                visits::keep(&mut tx, kit, entry.standing.order_id, act, visit).await?;
                session
            }
        };
        if store::advance_link_joined(&mut tx, entry.link.id, session).await? != 1 {
            return Err(Fault::bug("a fresh link under its grant's lock had a session").into());
        }
        entry.session_id = Some(session);
    }
    tx.commit().await?;
    crate::fault_point!("download.session_committed");
    Ok(entry)
}

/// Whether the link joins the open session: always, unless that has too little left for the whole file and another
/// download can be counted.
fn joins(entry: &Admission) -> bool {
    let standing = &entry.standing;
    let left = standing.session_cap.unwrap_or(0) - standing.session_served.unwrap_or(0);
    let newer = standing.session_version_id != Some(entry.version.id);
    newer || left >= entry.version.size || access::remaining(standing) == Some(0)
}

/// Counts a download and opens its session.
async fn count(conn: &mut AsyncPgConnection, kit: &Kit, entry: &Admission) -> Outcome<DownloadSessionId> {
    if files::store::advance_used(conn, entry.link.grant_id).await? != 1 {
        return Err(
            Refusal::new(ErrorCode::GrantExhausted, "all downloads of this purchase were used").into()
        );
    }
    let session = DownloadSessionId(kit.clock.uuid());
    store::insert_session(conn, session, &entry.link, &entry.version, LIFE).await?;
    infra::effects::events::append(conn, &[events::started(&entry.standing, session, entry.version.id)])
        .await?;
    Ok(session)
}
