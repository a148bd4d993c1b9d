//! What is recorded of downloads, and of the terms of a grant that staff change.

use chrono::{DateTime, Utc};

use crate::base::actor::Actor;
use crate::base::ids::{DownloadSessionId, FileVersionId, GrantId, UnitId};
use crate::delivery::model::GrantStanding;
use crate::files::events::{Extended, GrantEvent};
use crate::infra::effects::events::{Event, NewEvent, event_kinds};
use crate::infra::effects::record::record;

record! {
    pub struct Started {
        grant: GrantId,
        unit: UnitId,
        file_version: FileVersionId,
        /// Downloads counted so far, this one included.
        used: i32,
    }
}

event_kinds! {
    /// Events of downloads.
    pub enum DownloadEvent {
        /// A download was counted.
        "download.started" Started(DownloadSessionId, Started),
    }
}

pub(super) fn extended(
    standing: &GrantStanding,
    more: i32,
    until: Option<DateTime<Utc>>,
    actor: &Actor,
) -> NewEvent {
    GrantEvent::Extended(standing.grant_id, Extended { more, until })
        .by(actor.label())
        .of_order(standing.order_id)
        .of_seller(standing.seller_id)
}

pub(super) fn started(
    standing: &GrantStanding,
    session: DownloadSessionId,
    file_version: FileVersionId,
) -> NewEvent {
    let (grant, unit, used) = (standing.grant_id, standing.unit_id, standing.used + 1);
    DownloadEvent::Started(session, Started { grant, unit, file_version, used })
        .by("buyer")
        .of_order(standing.order_id)
        .of_seller(standing.seller_id)
}
