//! Judges the lines of a file of keys, one a line, as they stream by, a chunk at a time.

use tokio::io::AsyncRead;

use crate::base::ids::KeyId;
use crate::base::key_text::{KeyText, KeyTextProblem};
use crate::infra::seal::LineChain;
use crate::vault::lines::{Broken, LineReader};
pub use crate::vault::lines::{Encoding, LONGEST_LINE, Mark};

/// Lines of a chunk, which is stored in one transaction.
pub const CHUNK: usize = 1_000;

/// Why a line was not taken. Never shows the line's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineProblem {
    InvalidUtf8,
    InvalidUtf16,
    TooLong,
    ControlCharacter,
    HiddenCharacter,
    Duplicate,
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
    /// From 1.
    pub line: i64,
    pub text: KeyText,
    /// What it is stored under, where the text names that.
    pub id: Option<KeyId>,
}

/// What is stored together: at most `CHUNK` lines.
#[derive(Debug, Default)]
pub struct Chunk {
    pub keys: Vec<NewKey>,
    pub problems: Vec<(i64, LineProblem)>,
    /// The place behind the chunk's last line.
    pub end: Mark,
}

/// Cuts a stream of bytes into chunks of checked lines.
pub struct ChunkReader<R> {
    lines: LineReader<R>,
}

impl<R: AsyncRead + Unpin> ChunkReader<R> {
    /// `at` is where in its file the input begins.
    pub fn new(input: R, chain: LineChain, at: Mark) -> Self {
        Self { lines: LineReader::new(input, chain, at) }
    }

    /// Reads on, without looking at what it reads, until `lines` lines of the file are behind; the place reached, which
    /// is an earlier one when the input ended before.
    pub async fn pass(&mut self, lines: i64) -> std::io::Result<Mark> {
        while self.lines.mark().lines < lines && self.lines.next().await? {}
        Ok(self.lines.mark())
    }

    /// The next chunk, or none when the input has ended.
    pub async fn next(&mut self) -> std::io::Result<Option<Chunk>> {
        let mut chunk = Chunk::default();
        let mut lines = 0;
        while lines < CHUNK && self.lines.next().await? {
            lines += 1;
            let number = self.lines.mark().lines;
            match self.judge() {
                Ok(Some(text)) => chunk.keys.push(NewKey { line: number, text, id: None }),
                Ok(None) => {}
                Err(problem) => chunk.problems.push((number, problem)),
            }
        }
        chunk.end = self.lines.mark();
        Ok((lines > 0).then_some(chunk))
    }

    /// The key in the present line; none when nothing of the line can be seen.
    fn judge(&self) -> Result<Option<KeyText>, LineProblem> {
        Ok(KeyText::parse(self.lines.line()?)?)
    }
}
