//! Walks the whole chain and names the first row that is not what was sealed.

use chrono::TimeDelta;

use crate::audit::read;
use crate::base::outcome::Fault;
use crate::infra::kit::Kit;
use crate::infra::sequence::seal;

/// How long after its event a seal may have been made at most, when the event was the last of what left.
const SEALED_WITHIN: TimeDelta = TimeDelta::days(1);
const PAGE: i64 = 2_000;

/// What the walk found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainVerdict {
    /// Seals looked at, up to the first bad one.
    pub checked: i64,
    /// The last good seal's number and hash, in hex: compare it with one recorded elsewhere, because whoever owns
    /// the database can build the whole chain anew.
    pub seq: i64,
    pub hash: String,
    pub broken: Option<Broken>,
}

/// The first row that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// This number is missing: its seal was taken out.
    SealMissing { seq: i64 },
    /// The seal does not continue the one before it.
    ChainBroken { seq: i64 },
    /// The event is not the one that was sealed.
    EventChanged { seq: i64, event_id: i64 },
    /// The event is gone, and is too young to be.
    EventMissing { seq: i64, event_id: i64 },
    /// The chain ends elsewhere than the head says: seals at its end were taken out or added.
    HeadDiffers { seq: i64 },
    /// An event that was put in without a seal.
    EventUnsealed { event_id: i64 },
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SealMissing { seq } => write!(f, "seal {seq} is missing"),
            Self::ChainBroken { seq } => write!(f, "seal {seq} does not continue the one before it"),
            Self::EventChanged { seq, event_id } => write!(f, "event {event_id} (seal {seq}) was changed"),
            Self::EventMissing { seq, event_id } => write!(f, "event {event_id} (seal {seq}) is gone"),
            Self::HeadDiffers { seq } => write!(f, "the chain does not end where its head says (seal {seq})"),
            Self::EventUnsealed { event_id } => write!(f, "event {event_id} was put in without a seal"),
        }
    }
}

/// Verifies the chain from its beginning. Needs no rest of the shop: events may go on being written meanwhile.
pub async fn verify(kit: &Kit) -> Result<ChainVerdict, Fault> {
    let mut conn = kit.db.conn().await?;
    let head = read::get_head(&mut conn).await?;
    // What is older may have left; its seals stay. None: nothing has.
    let horizon = read::find_horizon(&mut conn).await?.map(|horizon| horizon + SEALED_WITHIN);
    let (mut seq, mut hash, mut checked) = (0, vec![0_u8; 32], 0);
    let verdict =
        |checked, seq, hash: &[u8], broken| ChainVerdict { checked, seq, hash: hex::encode(hash), broken };
    loop {
        let seals = read::list_seals(&mut conn, seq, PAGE).await?;
        if seals.is_empty() {
            break;
        }
        for row in seals {
            checked += 1;
            let broken = if row.seq != seq + 1 {
                Some(Broken::SealMissing { seq: seq + 1 })
            } else if row.prev_hash != hash {
                Some(Broken::ChainBroken { seq: row.seq })
            } else {
                match &row.canonical {
                    Some(text) if seal(&hash, row.seq, text) == row.hash => None,
                    Some(_) => Some(Broken::EventChanged { seq: row.seq, event_id: row.event_id }),
                    None if horizon.is_some_and(|horizon| row.sealed_at < horizon) => None,
                    None => Some(Broken::EventMissing { seq: row.seq, event_id: row.event_id }),
                }
            };
            if broken.is_some() {
                return Ok(verdict(checked, seq, &hash, broken));
            }
            if row.seq == head.seq && row.hash != head.hash {
                return Ok(verdict(checked, seq, &hash, Some(Broken::HeadDiffers { seq: row.seq })));
            }
            (seq, hash) = (row.seq, row.hash);
        }
    }
    let broken = if seq < head.seq {
        Some(Broken::HeadDiffers { seq: head.seq })
    } else {
        let now = read::get_head(&mut conn).await?;
        if seq > now.seq {
            Some(Broken::HeadDiffers { seq })
        } else {
            let unsealed = read::find_unsealed(&mut conn).await?;
            unsealed.map(|event_id| Broken::EventUnsealed { event_id })
        }
    };
    Ok(verdict(checked, seq, &hash, broken))
}
