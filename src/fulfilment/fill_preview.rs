//! Which lines new keys would fill, without changing anything.

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{LineId, OrderId, VariantId};
use crate::base::outcome::{Outcome, Refusal};
use crate::catalogue::intake;
use crate::fulfilment::fill::{free, pick};
use crate::fulfilment::store::{self, Queue};
use crate::infra::kit::Kit;
use crate::vault::batch::LARGEST_BATCH;

/// Lines looked at.
const LINES: i64 = 1_000;

/// A line that would get keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filling {
    pub order_id: OrderId,
    pub line_id: LineId,
    /// How many of its pieces.
    pub pieces: usize,
}

/// What would become of new keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FillPreview {
    /// In the order in which they would be filled.
    pub lines: Vec<Filling>,
    /// Keys that would stay for sale.
    pub left: usize,
    /// Pieces that would go on waiting.
    pub waiting: usize,
}

/// What so many new keys of a variant would fill, as an import fills: first what was left to a person, then what waits for
/// stock, the earliest paid first; keys that are free already count too. Looks at the first 1,000 lines of each. `NOT_FOUND`,
/// `INVALID`, `TOO_MANY`.
pub async fn preview(kit: &Kit, actor: &Actor, variant: VariantId, count: i64) -> Outcome<FillPreview> {
    if !(0..=LARGEST_BATCH).contains(&count) {
        let text = format!("a preview is of at most {LARGEST_BATCH} keys");
        return Err(Refusal::new(ErrorCode::TooMany, text).at(["count"]).into());
    }
    let mut tx = kit.db.begin().await?;
    intake::key_variant(&mut tx, actor, variant).await?;
    let mut preview = FillPreview { lines: Vec::new(), left: count as usize, waiting: 0 };
    let mut counted = false;
    for queue in [Queue::AwaitingPerson, Queue::AwaitingStock] {
        let waiting = store::list_waiting(&mut tx, variant, queue, LINES).await?;
        let wanted: usize = waiting.iter().map(|line| line.unit_ids.len()).sum();
        if !counted && !waiting.is_empty() {
            counted = true;
            preview.left += free(&mut tx, variant, &waiting).await?.unwrap_or_default();
        }
        let picked = pick(waiting, preview.left, kit.clock.now());
        preview.left = picked.left;
        let pieces: usize = picked.lines.iter().map(|(_, pieces)| pieces).sum();
        preview.waiting += wanted - pieces;
        preview.lines.extend(picked.lines.into_iter().map(|(line, pieces)| Filling {
            order_id: line.order_id,
            line_id: line.line_id,
            pieces,
        }));
    }
    Ok(preview)
}
