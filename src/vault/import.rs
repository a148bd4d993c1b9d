//! Reads a file of keys, one a line, as it streams by: memory stays the same however long the file is.

use tokio::io::{AsyncRead, AsyncReadExt};
use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, Zeroizing};

use crate::base::secret::Secret;

/// Bytes a line may have.
pub const LONGEST_LINE: usize = 4 * 1024;

/// Lines of a chunk, which is stored in one transaction.
pub const CHUNK: usize = 1_000;

/// Why a line was not taken. Never shows the line's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineProblem {
    InvalidUtf8,
    TooLong,
    ControlCharacter,
    Duplicate,
}

impl LineProblem {
    /// The code of the report.
    pub fn code(self) -> &'static str {
        match self {
            LineProblem::InvalidUtf8 => "INVALID_UTF8",
            LineProblem::TooLong => "TOO_LONG",
            LineProblem::ControlCharacter => "CONTROL_CHARACTER",
            LineProblem::Duplicate => "DUPLICATE",
        }
    }
}

/// A key that was read or made, with its place in the batch.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// From 1.
    pub line: i64,
    /// Trimmed and in NFC.
    pub text: Secret,
}

/// What is stored together: at most `CHUNK` lines.
#[derive(Debug, Default)]
pub struct Chunk {
    pub keys: Vec<NewKey>,
    pub problems: Vec<(i64, LineProblem)>,
    /// The last line of the chunk, blank ones counted.
    pub last_line: i64,
}

/// Cuts a stream of bytes into chunks of checked lines.
pub struct ChunkReader<R> {
    input: R,
    buffer: Zeroizing<Vec<u8>>,
    /// Bytes of `buffer` that were read and not used.
    unread: std::ops::Range<usize>,
    line: Zeroizing<Vec<u8>>,
    too_long: bool,
    number: i64,
    skip: i64,
    ended: bool,
}

impl<R: AsyncRead + Unpin> ChunkReader<R> {
    /// `skip` lines were stored by an earlier run of the same import.
    pub fn new(input: R, skip: i64) -> Self {
        Self {
            input,
            buffer: Zeroizing::new(vec![0; 64 * 1024]),
            unread: 0..0,
            line: Zeroizing::new(Vec::with_capacity(LONGEST_LINE)),
            too_long: false,
            number: 0,
            skip,
            ended: false,
        }
    }

    /// The next chunk, or none when the input has ended.
    pub async fn next(&mut self) -> std::io::Result<Option<Chunk>> {
        let mut chunk = Chunk::default();
        let mut lines = 0;
        while lines < CHUNK && self.read_line().await? {
            self.number += 1;
            if self.number > self.skip {
                lines += 1;
                chunk.last_line = self.number;
                self.judge(&mut chunk);
            }
            self.line.zeroize();
            self.too_long = false;
        }
        Ok((lines > 0).then_some(chunk))
    }

    fn judge(&self, chunk: &mut Chunk) {
        let judged =
            if self.too_long { Err(LineProblem::TooLong) } else { read_key(&self.line, self.number == 1) };
        match judged {
            Ok(Some(text)) => chunk.keys.push(NewKey { line: self.number, text }),
            Ok(None) => {}
            Err(problem) => chunk.problems.push((self.number, problem)),
        }
    }

    /// Collects one line without its end; whether there was one.
    async fn read_line(&mut self) -> std::io::Result<bool> {
        let mut any = false;
        loop {
            if self.unread.is_empty() {
                if self.ended {
                    return Ok(any);
                }
                let count = self.input.read(&mut self.buffer).await?;
                self.unread = 0..count;
                self.ended = count == 0;
                continue;
            }
            any = true;
            let bytes = &self.buffer[self.unread.clone()];
            let end = bytes.iter().position(|b| *b == b'\n');
            let part = &bytes[..end.unwrap_or(bytes.len())];
            if self.line.len() + part.len() > LONGEST_LINE {
                self.too_long = true;
            } else {
                self.line.extend_from_slice(part);
            }
            self.unread.start += part.len() + usize::from(end.is_some());
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

/// The key of a line: UTF-8, a byte order mark before the first line dropped, trimmed, NFC; none when blank.
fn read_key(line: &[u8], first: bool) -> Result<Option<Secret>, LineProblem> {
    let text = std::str::from_utf8(line).map_err(|_| LineProblem::InvalidUtf8)?;
    let text = if first { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text }.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.chars().any(char::is_control) {
        return Err(LineProblem::ControlCharacter);
    }
    let exact: Zeroizing<String> = Zeroizing::new(text.nfc().collect());
    Ok(Some(Secret::new(exact.as_str())))
}
