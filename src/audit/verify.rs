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
    /// The last good seal: compare it with one recorded elsewhere, because whoever owns the database can build the whole
    /// chain anew.
    pub mark: Mark,
    pub broken: Option<Broken>,
}

/// A place in the chain: the number of a seal and its hash. Written `17:9f86…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub seq: i64,
    pub hash: [u8; 32],
}

impl Mark {
    /// Before the first seal.
    const BEGINNING: Self = Self { seq: 0, hash: [0; 32] };

    fn of(seq: i64, hash: &[u8]) -> Result<Self, Fault> {
        let hash =
            hash.try_into().map_err(|_| Fault::bug(format!("the hash of seal {seq} is no SHA-256")))?;
        Ok(Self { seq, hash })
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.seq, hex::encode(self.hash))
    }
}

impl std::str::FromStr for Mark {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (seq, hash) = text.trim().split_once(':')?;
            let seq = seq.parse().ok().filter(|seq| *seq >= 0)?;
            Some(Self { seq, hash: hex::decode(hash).ok()?.try_into().ok()? })
        };
        read().ok_or(
            "a mark is what `dispense audit verify` printed: a number, a colon and 64 hexadecimal digits",
        )
    }
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
    /// The seal with the mark's number is gone or has another hash.
    MarkDiffers { seq: i64 },
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SealMissing { seq } => write!(f, "seal {seq} is missing"),
            Self::ChainBroken { seq } => write!(f, "seal {seq} does not continue the one before it"),
            Self::EventChanged { seq, event_id } => write!(f, "event {event_id} (seal {seq}) was changed"),
            Self::EventMissing { seq, event_id } => write!(f, "event {event_id} (seal {seq}) is gone"),
            Self::HeadDiffers { seq } => write!(f, "the chain does not end where its head says (seal {seq})"),
            Self::MarkDiffers { seq } => {
                write!(f, "seal {seq} is not the one of the mark: what came before was built anew")
            }
            Self::EventUnsealed { event_id } => write!(f, "event {event_id} was put in without a seal"),
        }
    }
}

/// Verifies the chain from its beginning, or from a mark that an earlier run gave: that one vouches for what lies before. Needs
/// no rest of the shop: events may go on being written meanwhile. Reads a page at a time, whatever the length.
pub async fn verify(kit: &Kit, since: Option<&Mark>) -> Result<ChainVerdict, Fault> {
    let mut conn = kit.db.conn().await?;
    let head = read::get_head(&mut conn).await?;
    // What is older may have left; its seals stay. None: nothing has.
    let horizon = read::find_horizon(&mut conn).await?.map(|horizon| horizon + SEALED_WITHIN);
    let mut mark = since.cloned().unwrap_or(Mark::BEGINNING);
    let mut checked = 0;
    let mut sealed_from = None;
    if mark.seq > 0 {
        let seal = read::find_seal(&mut conn, mark.seq).await?;
        let Some(seal) = seal.filter(|seal| seal.hash == mark.hash) else {
            let broken = Some(Broken::MarkDiffers { seq: mark.seq });
            return Ok(ChainVerdict { checked, mark, broken });
        };
        sealed_from = Some(seal.sealed_at - SEALED_WITHIN);
    }
    loop {
        let seals = read::list_seals(&mut conn, mark.seq, PAGE).await?;
        if seals.is_empty() {
            break;
        }
        for row in seals {
            checked += 1;
            let broken = if row.seq != mark.seq + 1 {
                Some(Broken::SealMissing { seq: mark.seq + 1 })
            } else if row.prev_hash != mark.hash {
                Some(Broken::ChainBroken { seq: row.seq })
            } else {
                match &row.canonical {
                    Some(text) if seal(&mark.hash, row.seq, text) == row.hash => None,
                    Some(_) => Some(Broken::EventChanged { seq: row.seq, event_id: row.event_id }),
                    None if horizon.is_some_and(|horizon| row.sealed_at < horizon) => None,
                    None => Some(Broken::EventMissing { seq: row.seq, event_id: row.event_id }),
                }
            };
            if broken.is_some() {
                return Ok(ChainVerdict { checked, mark, broken });
            }
            if row.seq == head.seq && row.hash != head.hash {
                let broken = Some(Broken::HeadDiffers { seq: row.seq });
                return Ok(ChainVerdict { checked, mark, broken });
            }
            mark = Mark::of(row.seq, &row.hash)?;
        }
    }
    let broken = if mark.seq < head.seq {
        Some(Broken::HeadDiffers { seq: head.seq })
    } else if mark.seq > read::get_head(&mut conn).await?.seq {
        Some(Broken::HeadDiffers { seq: mark.seq })
    } else {
        let unsealed = read::find_unsealed(&mut conn, sealed_from).await?;
        unsealed.map(|event_id| Broken::EventUnsealed { event_id })
    };
    Ok(ChainVerdict { checked, mark, broken })
}
