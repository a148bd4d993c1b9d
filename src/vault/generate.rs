//! Makes keys that nobody can guess, chunk by chunk.

use chrono::TimeDelta;

use crate::base::clock::Clock;
use crate::base::ids::KeyId;
use crate::base::key_text::KeyText;
use crate::base::outcome::Fault;
use crate::vault::format::KeyFormat;
use crate::vault::import::{CHUNK, Chunk, Mark, NewKey};
use crate::vault::model::Batch;
use crate::vault::signed::KeySigner;

/// How long whoever opened a batch is left alone with it before the job looks.
pub const HEAD_START: TimeDelta = TimeDelta::seconds(10);

/// Whether the keys of a generated batch are signed.
pub fn is_signed(batch: &Batch) -> Result<bool, Fault> {
    Ok(format(batch)?.signed)
}

fn format(batch: &Batch) -> Result<KeyFormat, Fault> {
    let format = batch.format.clone().ok_or_else(|| Fault::bug("this batch is not one that is generated"))?;
    serde_json::from_value(format).map_err(|e| Fault::bug(e.to_string()))
}

/// The next chunk of a generated batch, or none when it has all its keys. A text that turned out to exist is
/// replaced by a later one, so the batch always gets the number that was asked for.
///
/// `signer` is needed where `is_signed` says so.
pub fn next_chunk(batch: &Batch, clock: &Clock, signer: Option<&KeySigner>) -> Result<Option<Chunk>, Fault> {
    let format = format(batch)?;
    let wanted = batch.wanted.unwrap_or_default();
    let missing = (wanted - batch.added).min(CHUNK as i64);
    if missing <= 0 {
        return Ok(None);
    }
    let last_line = batch.lines + missing;
    let made = |line| {
        let id = format.signed.then(|| KeyId(clock.uuid()));
        let text = match (id, signer) {
            (None, _) => format.make(),
            (Some(id), Some(signer)) => signer.sign(id),
            (Some(_), None) => return Err(Fault::bug("nobody signs the keys of this batch")),
        };
        match KeyText::parse(text.expose()) {
            Ok(Some(text)) => Ok(NewKey { line, text, expires_at: None, id }),
            Ok(None) | Err(_) => Err(Fault::bug("a key was made that import would refuse")),
        }
    };
    let keys = (batch.lines + 1..=last_line).map(made).collect::<Result<_, Fault>>()?;
    let end = Mark { lines: last_line, ..Mark::default() };
    Ok(Some(Chunk { keys, end, ..Chunk::default() }))
}
