//! From a token to bytes: what is to be answered.

use std::io;
use std::net::IpAddr;

use bytes::Bytes;
use futures::stream::BoxStream;

use crate::base::error_code::ErrorCode;
use crate::base::outcome::{Outcome, Refusal};
use crate::delivery::kit::DeliveryKit;
use crate::delivery::link::Ticket;
use crate::delivery::range::{self, Conditions, Plan};
use crate::delivery::session::{self, Admission};
use crate::delivery::streams::{BodyRight, Stream};
use crate::files::model::FileVersion;
use crate::orders::visits::Visit;

/// A request for a download.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    pub token: &'a str,
    /// Without a body: neither counts nor opens a session.
    pub head: bool,
    pub conditions: Conditions<'a>,
    pub address: Option<IpAddr>,
    /// `User-Agent`, cleaned and cut.
    pub device: Option<&'a str>,
}

/// What to answer. `body` is there when `plan` has one and the request wants it; an error in it means that the
/// connection must be cut.
pub struct ServedFile {
    pub plan: Plan,
    pub file: FileVersion,
    pub body: Option<BoxStream<'static, io::Result<Bytes>>>,
}

/// Verify, authorise, count, stream.
pub async fn serve(kit: &DeliveryKit, ask: Ask<'_>) -> Outcome<ServedFile> {
    let ticket = Ticket::of_download(kit, ask.token)?;
    ticket.allows(kit, ask.address)?;
    let visit = ask.address.map(|address| Visit { address, device: ask.device.map(str::to_owned) });
    let mut conn = kit.db.conn().await?;
    let mut entry = session::look(&mut conn, kit, &ticket).await?;
    drop(conn);
    let size = entry.version.size as u64;
    let plan = range::plan(size, &entry.version.etag(), &ask.conditions, !ask.head);
    let Some((start, length)) = plan.body(size).filter(|_| !ask.head) else {
        return Ok(ServedFile { plan, file: entry.version, body: None });
    };
    // Before anything is counted: a content that cannot be read must not cost the buyer a download.
    let bytes = kit.blobs.read(&entry.version.blob, size, start, length).await?;
    if entry.session_id.is_none() {
        // One after the other within this process: a crowd at one link must not hold every database connection
        // while it waits for the grant's lock.
        let turn = kit.streams.turn(entry.link.grant_id);
        let _turn = turn.lock().await;
        entry = session::open(kit, &ticket, visit.as_ref()).await?;
    }
    let Some(session) = entry.session_id else {
        return Err(crate::base::outcome::Fault::bug("an opened entry has a session").into());
    };
    let permit = kit.streams.enter(session)?;
    let right = BodyRight {
        id: kit.clock.uuid(),
        session,
        grant: entry.link.grant_id,
        version: entry.version.id,
        generation: entry.link.generation,
    };
    // An answer that the session cannot pay for to its end is not begun.
    let Some(stream) = Stream::begin(&kit.db, right, permit, (bytes, length as i64)).await? else {
        return Err(used_up(&entry).into());
    };
    Ok(ServedFile { plan, file: entry.version, body: Some(stream.pieces()) })
}

/// What the buyer can do: another download is counted by another link; where none is left, a part of this one can still be
/// had, which is enough to go on where it broke off.
fn used_up(entry: &Admission) -> Refusal {
    let standing = &entry.standing;
    let text = match standing.max_downloads.is_none_or(|most| standing.used < most) {
        true => "this download was served in full several times; ask for a new link",
        false => {
            "this download was begun from its start too often: go on where it broke off, with a range request to \
             this link"
        }
    };
    Refusal::new(ErrorCode::GrantExhausted, text)
}
