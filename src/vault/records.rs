//! Keys out of the lines of a file, however it is laid out. One that cannot be read is reported by its line and keeps no
//! other out: where a quoted field does not end, the line that opened it is refused and the next one is read by itself.
//! Memory stays the same however long the file is.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::value::RawValue;
use tokio::io::AsyncRead;
use zeroize::Zeroizing;

use crate::base::error_code::ErrorCode;
use crate::base::key_text::{KeyText, trimmed};
use crate::base::outcome::Refusal;
use crate::infra::seal::LineChain;
use crate::vault::import::LineProblem;
use crate::vault::layout::{Columns, KeyFileFormat, Layout};
use crate::vault::lines::{Broken, LONGEST_LINE, LineReader, Mark};
use crate::vault::rows::{Row, RowReader};

/// Bytes of UTF-8 that a key of several lines may have.
pub const LONGEST_KEY: usize = 16 * 1024;

/// Bytes of one line of rows or objects: the longest key, escaped, with other fields.
const LONGEST_RECORD: usize = 128 * 1024;

/// Lines of one row. A field that is opened and not closed makes so many be looked at.
const ROW_LINES: usize = 100;

/// Why no more is read.
#[derive(Debug)]
pub enum Stopped {
    BrokeOff(std::io::Error),
    /// Nothing can be made of the whole file.
    Refused(Refusal),
}

impl From<std::io::Error> for Stopped {
    fn from(error: std::io::Error) -> Self {
        Self::BrokeOff(error)
    }
}

/// A key with the date that the file gives it.
pub struct FoundKey {
    pub text: KeyText,
    pub expires_at: Option<DateTime<Utc>>,
}

/// What was found at one place of a file; nothing where nothing can be seen.
pub struct Record {
    /// Where it begins, from 1.
    pub line: i64,
    pub found: Result<Option<FoundKey>, LineProblem>,
}

struct Line {
    number: i64,
    text: Result<Zeroizing<String>, Broken>,
}

pub(super) struct Records<R> {
    lines: LineReader<R>,
    layout: Layout,
    /// Lines that were looked at for the end of a row and are still to be read.
    pending: VecDeque<Line>,
}

impl<R: AsyncRead + Unpin> Records<R> {
    pub fn new(input: R, chain: LineChain, at: Mark, layout: Layout) -> Self {
        let longest = match layout.format {
            KeyFileFormat::Text | KeyFileFormat::Blocks => LONGEST_LINE,
            KeyFileFormat::Csv | KeyFileFormat::Jsonl => LONGEST_RECORD,
        };
        Self { lines: LineReader::new(input, chain, at, longest), layout, pending: VecDeque::new() }
    }

    /// The place behind the line read last. Between two records only, see `is_between`.
    pub fn mark(&self) -> Mark {
        self.lines.mark()
    }

    pub fn is_between(&self) -> bool {
        self.pending.is_empty()
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Passes a line over without looking at it; whether there was one.
    pub async fn pass(&mut self) -> std::io::Result<bool> {
        self.lines.next().await
    }

    pub async fn next(&mut self) -> Result<Option<Record>, Stopped> {
        match self.layout.format {
            KeyFileFormat::Text => self.line(|line, _| Ok(KeyText::parse(line)?.map(undated))).await,
            KeyFileFormat::Jsonl => self.line(object).await,
            KeyFileFormat::Blocks => Ok(self.block().await?),
            KeyFileFormat::Csv => self.row().await,
        }
    }

    async fn line(
        &mut self,
        read: impl Fn(&str, &Layout) -> Result<Option<FoundKey>, LineProblem>,
    ) -> Result<Option<Record>, Stopped> {
        if !self.lines.next().await? {
            return Ok(None);
        }
        let found = self.lines.line().map_err(LineProblem::from).and_then(|line| read(line, &self.layout));
        Ok(Some(Record { line: self.lines.mark().lines, found }))
    }

    /// Lines up to the separator.
    async fn block(&mut self) -> std::io::Result<Option<Record>> {
        let mut text = Zeroizing::new(String::with_capacity(LONGEST_KEY));
        let (mut begins, mut last, mut problem) = (None, None, None);
        while self.lines.next().await? {
            let number = self.lines.mark().lines;
            last = Some(number);
            match self.lines.line() {
                Ok(line) if trimmed(line) == self.layout.between() => break,
                Ok(line) => {
                    if begins.is_none() && !trimmed(line).is_empty() {
                        begins = Some(number);
                    }
                    if text.len() + line.len() + 1 > LONGEST_KEY {
                        problem.get_or_insert(LineProblem::TooLong);
                    } else if begins.is_some() {
                        text.push_str(line);
                        text.push('\n');
                    }
                }
                Err(broken) => {
                    begins.get_or_insert(number);
                    problem.get_or_insert(broken.into());
                }
            }
        }
        let Some(last) = last else { return Ok(None) };
        let found = match problem {
            Some(problem) => Err(problem),
            None => KeyText::parse_lines(&text).map(|text| text.map(undated)).map_err(LineProblem::from),
        };
        Ok(Some(Record { line: begins.unwrap_or(last), found }))
    }

    async fn row(&mut self) -> Result<Option<Record>, Stopped> {
        loop {
            let Some((line, row)) = self.whole_row().await? else { return Ok(None) };
            let Some(columns) = self.layout.columns else {
                let fields = row.map_err(|problem| {
                    let text = format!("the first row cannot be read ({})", problem.code());
                    Stopped::Refused(Refusal::new(ErrorCode::Invalid, text))
                })?;
                if fields.iter().all(|field| trimmed(field).is_empty()) {
                    continue;
                }
                let names: Vec<&str> = fields.iter().map(|field| trimmed(field)).collect();
                let columns = self.layout.columns_of(&names).map_err(Stopped::Refused)?;
                self.layout.columns = Some(columns);
                if self.layout.headless {
                    return Ok(Some(Record { line, found: of_fields(&fields, columns) }));
                }
                continue;
            };
            let found = row.and_then(|fields| of_fields(&fields, columns));
            return Ok(Some(Record { line, found }));
        }
    }

    /// The next row with the line that it begins with. Lines that were taken for a row that does not end are kept.
    async fn whole_row(
        &mut self,
    ) -> std::io::Result<Option<(i64, Result<Vec<Zeroizing<String>>, LineProblem>)>> {
        let Some(Line { number, text }) = self.next_line().await? else { return Ok(None) };
        let text = match text {
            Ok(text) => text,
            Err(broken) => return Ok(Some((number, Err(broken.into())))),
        };
        let mut reader = RowReader::new(self.layout.delimiter());
        let mut length = text.len();
        let mut row = reader.line(&text);
        let mut taken: VecDeque<Line> = VecDeque::new();
        loop {
            let problem = match row {
                Row::Whole(fields) => return Ok(Some((number, Ok(fields)))),
                Row::Malformed => LineProblem::InvalidCsv,
                Row::Open if taken.len() + 1 >= ROW_LINES || length > LONGEST_RECORD => {
                    LineProblem::UnclosedQuote
                }
                Row::Open => match self.next_line().await? {
                    Some(Line { number, text: Ok(more) }) => {
                        length += more.len() + 1;
                        row = reader.line(&more);
                        taken.push_back(Line { number, text: Ok(more) });
                        continue;
                    }
                    Some(broken) => {
                        taken.push_back(broken);
                        LineProblem::UnclosedQuote
                    }
                    None => LineProblem::UnclosedQuote,
                },
            };
            taken.append(&mut self.pending);
            self.pending = taken;
            return Ok(Some((number, Err(problem))));
        }
    }

    async fn next_line(&mut self) -> std::io::Result<Option<Line>> {
        if let Some(line) = self.pending.pop_front() {
            return Ok(Some(line));
        }
        if !self.lines.next().await? {
            return Ok(None);
        }
        let text = self.lines.line().map(|line| Zeroizing::new(line.to_owned()));
        Ok(Some(Line { number: self.lines.mark().lines, text }))
    }
}

fn undated(text: KeyText) -> FoundKey {
    FoundKey { text, expires_at: None }
}

/// A row whose fields are not as many as the first one's is refused: half of a key that holds a separator is no key.
fn of_fields(fields: &[Zeroizing<String>], columns: Columns) -> Result<Option<FoundKey>, LineProblem> {
    if fields.iter().all(|field| trimmed(field).is_empty()) {
        return Ok(None);
    }
    if fields.len() != columns.width {
        return Err(LineProblem::WrongColumns);
    }
    let expires_at = columns.expires_at.map(|at| expiry(&fields[at])).transpose()?.flatten();
    keyed(&fields[columns.key], expires_at)
}

/// A line of JSON: the key itself, or an object that has it.
fn object(line: &str, layout: &Layout) -> Result<Option<FoundKey>, LineProblem> {
    let line = trimmed(line);
    if line.is_empty() {
        return Ok(None);
    }
    let text = |value: &RawValue| -> Result<Zeroizing<String>, serde_json::Error> {
        serde_json::from_str::<String>(value.get()).map(Zeroizing::new)
    };
    if line.starts_with('"') {
        let key: String = serde_json::from_str(line).map_err(|_| LineProblem::InvalidJson)?;
        return keyed(&Zeroizing::new(key), None);
    }
    let fields: HashMap<String, &RawValue> =
        serde_json::from_str(line).map_err(|_| LineProblem::InvalidJson)?;
    let key = fields.get(layout.key_name()).ok_or(LineProblem::NoKey)?;
    let key = text(key).map_err(|_| LineProblem::NoKey)?;
    let date = layout.expiry_name().and_then(|name| fields.get(name)).filter(|value| value.get() != "null");
    let date = date.map(|value| text(value).map_err(|_| LineProblem::InvalidExpiry)).transpose()?;
    let expires_at = date.map(|date| expiry(&date)).transpose()?.flatten();
    keyed(&key, expires_at)
}

/// In a row or object that says something, an empty key is a mistake.
fn keyed(text: &str, expires_at: Option<DateTime<Utc>>) -> Result<Option<FoundKey>, LineProblem> {
    if text.len() > LONGEST_KEY {
        return Err(LineProblem::TooLong);
    }
    let text = KeyText::parse_lines(text)?.ok_or(LineProblem::NoKey)?;
    Ok(Some(FoundKey { text, expires_at }))
}

/// An RFC 3339 time, or a day, whose beginning in UTC is meant: a key that is good until the end of it is sold no longer
/// that day rather than too long.
fn expiry(text: &str) -> Result<Option<DateTime<Utc>>, LineProblem> {
    let text = trimmed(text);
    if text.is_empty() {
        return Ok(None);
    }
    let time = DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
    let day = || Some(text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN).and_utc());
    time.or_else(day).map(Some).ok_or(LineProblem::InvalidExpiry)
}
