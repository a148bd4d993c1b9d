//! Judges the keys of a file as they stream by, a chunk at a time.

use chrono::{DateTime, Utc};
use tokio::io::AsyncRead;

use crate::base::ids::KeyId;
use crate::base::key_text::{KeyText, KeyTextProblem};
use crate::infra::seal::LineChain;
use crate::vault::layout::Layout;
use crate::vault::lines::Broken;
pub use crate::vault::lines::{Encoding, LONGEST_LINE, Mark};
use crate::vault::records::{FoundKey, Records};
pub use crate::vault::records::{LONGEST_KEY, Stopped};

/// Lines of a chunk, which is stored in one transaction.
pub const CHUNK: usize = 1_000;

/// Bytes of keys after which a chunk ends before that.
const CHUNK_BYTES: usize = 1024 * 1024;

/// Why a key was not taken. Never shows its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineProblem {
    InvalidUtf8,
    InvalidUtf16,
    TooLong,
    ControlCharacter,
    HiddenCharacter,
    Duplicate,
    InvalidCsv,
    UnclosedQuote,
    WrongColumns,
    InvalidJson,
    NoKey,
    InvalidExpiry,
    Expired,
}

impl LineProblem {
    /// The code of the report.
    pub fn code(self) -> &'static str {
        match self {
            LineProblem::InvalidUtf8 => "INVALID_UTF8",
            LineProblem::InvalidUtf16 => "INVALID_UTF16",
            LineProblem::TooLong => "TOO_LONG",
            LineProblem::ControlCharacter => "CONTROL_CHARACTER",
            LineProblem::HiddenCharacter => "HIDDEN_CHARACTER",
            LineProblem::Duplicate => "DUPLICATE",
            LineProblem::InvalidCsv => "INVALID_CSV",
            LineProblem::UnclosedQuote => "UNCLOSED_QUOTE",
            LineProblem::WrongColumns => "WRONG_COLUMNS",
            LineProblem::InvalidJson => "INVALID_JSON",
            LineProblem::NoKey => "NO_KEY",
            LineProblem::InvalidExpiry => "INVALID_EXPIRY",
            LineProblem::Expired => "EXPIRED",
        }
    }
}

impl From<Broken> for LineProblem {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::TooLong => LineProblem::TooLong,
            Broken::Utf8 => LineProblem::InvalidUtf8,
            Broken::Utf16 => LineProblem::InvalidUtf16,
        }
    }
}

impl From<KeyTextProblem> for LineProblem {
    fn from(problem: KeyTextProblem) -> Self {
        match problem {
            KeyTextProblem::ControlCharacter => LineProblem::ControlCharacter,
            KeyTextProblem::HiddenCharacter => LineProblem::HiddenCharacter,
        }
    }
}

/// A key that was read or made, with its place in the batch.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Where it begins, from 1.
    pub line: i64,
    pub text: KeyText,
    /// When it stops being sold; none: as the batch says.
    pub expires_at: Option<DateTime<Utc>>,
    /// What it is stored under, where the text names that.
    pub id: Option<KeyId>,
}

/// What is stored together: at most `CHUNK` lines, or a few more where a row that does not end was looked for its end.
#[derive(Debug, Default)]
pub struct Chunk {
    pub keys: Vec<NewKey>,
    pub problems: Vec<(i64, LineProblem)>,
    /// The place behind the chunk's last line.
    pub end: Mark,
    /// How its file is laid out, with what its first row showed; none for plain lines.
    pub layout: Option<Layout>,
}

/// Cuts a stream of bytes into chunks of checked keys.
pub struct ChunkReader<R> {
    records: Records<R>,
}

impl<R: AsyncRead + Unpin> ChunkReader<R> {
    /// `at` is where in its file the input begins.
    pub fn new(input: R, chain: LineChain, at: Mark, layout: Layout) -> Self {
        Self { records: Records::new(input, chain, at, layout) }
    }

    /// Reads on, without looking at what it reads, until `lines` lines of the file are behind; the place reached, which
    /// is an earlier one when the input ended before.
    pub async fn pass(&mut self, lines: i64) -> std::io::Result<Mark> {
        while self.records.mark().lines < lines && self.records.pass().await? {}
        Ok(self.records.mark())
    }

    /// The next chunk, or none when the input has ended.
    pub async fn next(&mut self) -> Result<Option<Chunk>, Stopped> {
        let mut chunk = Chunk::default();
        let begin = self.records.mark().lines;
        let (mut any, mut bytes) = (false, 0);
        loop {
            let lines = self.records.mark().lines - begin;
            let full = lines >= CHUNK as i64 || bytes >= CHUNK_BYTES;
            if full && self.records.is_between() {
                break;
            }
            let Some(record) = self.records.next().await? else { break };
            any = true;
            match record.found {
                Ok(Some(FoundKey { text, expires_at })) => {
                    bytes += text.expose().len();
                    chunk.keys.push(NewKey { line: record.line, text, expires_at, id: None });
                }
                Ok(None) => {}
                Err(problem) => chunk.problems.push((record.line, problem)),
            }
        }
        chunk.end = self.records.mark();
        chunk.layout = Some(self.records.layout().clone()).filter(|layout| *layout != Layout::default());
        // A row of names alone is a line that was read.
        Ok((any || chunk.end.lines > begin).then_some(chunk))
    }
}
