//! Makes keys that nobody can guess, chunk by chunk.

use chrono::TimeDelta;

use crate::base::key_text::KeyText;
use crate::base::outcome::Fault;
use crate::vault::format::KeyFormat;
use crate::vault::import::{CHUNK, Chunk, Mark, NewKey};
use crate::vault::model::Batch;

/// How long whoever opened a batch is left alone with it before the job looks.
pub const HEAD_START: TimeDelta = TimeDelta::seconds(10);

/// The next chunk of a generated batch, or none when it has all its keys. A text that turned out to exist is
/// replaced by a later one, so the batch always gets the number that was asked for.
pub fn next_chunk(batch: &Batch) -> Result<Option<Chunk>, Fault> {
    let (Some(wanted), Some(format)) = (batch.wanted, &batch.format) else {
        return Err(Fault::bug("this batch is not one that is generated"));
    };
    let missing = (wanted - batch.added).min(CHUNK as i64);
    if missing <= 0 {
        return Ok(None);
    }
    let format: KeyFormat = serde_json::from_value(format.clone()).map_err(|e| Fault::bug(e.to_string()))?;
    let last_line = batch.lines + missing;
    let made = |line| match KeyText::parse(format.make().expose()) {
        Ok(Some(text)) => Ok(NewKey { line, text, expires_at: None }),
        Ok(None) | Err(_) => Err(Fault::bug("a key was made that import would refuse")),
    };
    let keys = (batch.lines + 1..=last_line).map(made).collect::<Result<_, Fault>>()?;
    let end = Mark { lines: last_line, ..Mark::default() };
    Ok(Some(Chunk { keys, end, ..Chunk::default() }))
}
