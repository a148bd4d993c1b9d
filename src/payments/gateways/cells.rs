//! Cells of statements. Amounts of Chinese ones are yuan in decimals, with a sign where money went the other way.

use csv::{ByteRecord, Position, StringRecord};

use crate::base::money::parse_minor;
use crate::payments::gateways::gateway::{EntryPlace, StatementEntry};

/// Decimals that a fee may have in a statement; it is counted in fen only once it is summed up.
const FEE_DECIMALS: u32 = 5;

/// What is wrong with a table of comma-separated values, and where.
pub(super) fn unreadable(error: &csv::Error) -> String {
    let line = error.position().map_or(1, Position::line);
    format!("line {line}: cannot be read: {error}")
}

/// The line on which a record begins.
pub(super) fn place(position: Option<&Position>) -> EntryPlace {
    EntryPlace::line(position.map_or(0, |at| usize::try_from(at.line()).unwrap_or(usize::MAX)))
}

/// A record's text, or the unreadable entry for one that is not in UTF-8.
pub(super) fn text(place: EntryPlace, record: ByteRecord) -> Result<StringRecord, Box<StatementEntry>> {
    StringRecord::from_byte_record(record).map_err(|error| {
        let raw = error.into_byte_record();
        Box::new(StatementEntry::unread(place, None, raw.as_slice(), "is not in UTF-8"))
    })
}

/// An amount in fen. The error is the end of a sentence about the line.
pub(super) fn fen(text: &str) -> Result<i64, String> {
    let (sign, digits) = signed(text);
    parse_minor(digits, 2).map(|fen| sign * fen).map_err(|_| format!("`{text}` is no amount in yuan"))
}

/// A fee in fen, half a fen away from zero.
pub(super) fn fee(text: &str) -> Result<i64, String> {
    let (sign, digits) = signed(text);
    let fine = parse_minor(digits, FEE_DECIMALS).map_err(|_| format!("`{text}` is no fee in yuan"))?;
    Ok(sign * (fine.saturating_add(500) / 1_000))
}

fn signed(text: &str) -> (i64, &str) {
    text.strip_prefix('-').map_or((1, text), |digits| (-1, digits))
}
