//! What is recorded of downloads, of the terms of a grant that staff change, of what buyers report, and of recalls.

use chrono::{DateTime, Utc};

use crate::base::actor::Actor;
use crate::base::ids::{
    BatchId, CaseId, DownloadSessionId, FileVersionId, GrantId, LineId, RecallId, UnitId,
};
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

    pub struct OpenedCase {
        delivery: UnitId,
        line: LineId,
        /// Open code of the problem.
        problem: String,
        /// Open code of what the buyer wishes.
        wish: String,
    }

    pub struct AnsweredCase {
        delivery: UnitId,
        /// Open code of what is done: `replace`, `refund`, `reject`, `help`.
        action: String,
    }

    pub struct AdvancedRecall {
        recall: RecallId,
        /// Pieces that have not been seen to yet.
        open: i64,
    }

    pub struct EndedRecall {
        recall: RecallId,
        /// Pieces that were replaced, those that wait for their successor's goods included.
        replaced: i64,
        /// Pieces whose money goes back.
        refunded: i64,
        /// Pieces that were taken back or replaced before.
        skipped: i64,
        /// Pieces that a person has to look at.
        failed: i64,
    }
}

event_kinds! {
    /// Events of cases.
    pub enum CaseEvent {
        /// A buyer reported that a piece does not work; `delivery.reported` is about the piece.
        "case.opened" Opened(CaseId, OpenedCase),
        /// It was answered.
        "case.answered" Answered(CaseId, AnsweredCase),
    }
}

event_kinds! {
    /// Events of recalls.
    pub enum RecallEvent {
        /// Some of those who held keys of a recalled batch were seen to; at most one in a second.
        "batch.recall_advanced" Advanced(BatchId, AdvancedRecall),
        /// All who held keys of a recalled batch were seen to.
        "batch.recall_ended" Ended(BatchId, EndedRecall),
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
