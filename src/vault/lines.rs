//! Cuts a stream of bytes into lines, in UTF-8 or in UTF-16 with its mark: lines end with LF, CR or both, mixed as they
//! come. Memory stays the same however long the stream or one of its lines is.

use tokio::io::{AsyncRead, AsyncReadExt};
use zeroize::{Zeroize, Zeroizing};

use crate::infra::seal::{LineChain, LineDigest};

/// Bytes of UTF-8 that a line may have that is a key, or a part of one.
pub const LONGEST_LINE: usize = 4 * 1024;

/// Bytes read at once.
const BUFFER: usize = 64 * 1024;

/// How the bytes of a file represent characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
}

impl Encoding {
    pub const ALL: [Self; 3] = [Self::Utf8, Self::Utf16Le, Self::Utf16Be];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16Le => "utf-16le",
            Self::Utf16Be => "utf-16be",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.as_str() == text)
    }

    /// Bytes of one unit: no line begins or ends within one.
    fn width(self) -> usize {
        if self == Self::Utf8 { 1 } else { 2 }
    }
}

/// A place between two lines of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Lines before it, blank and refused ones counted.
    pub lines: i64,
    /// Bytes before it.
    pub bytes: i64,
    /// Of all lines before it; see `Sealer::line_chain`.
    pub digest: [u8; 32],
    /// Known once the first bytes were seen.
    pub encoding: Option<Encoding>,
}

/// Why the bytes of a line are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    TooLong,
    Utf8,
    Utf16,
}

/// Reads lines one after the other.
pub struct LineReader<R> {
    input: R,
    chain: LineChain,
    buffer: Zeroizing<Vec<u8>>,
    /// Bytes of `buffer` that were read and not used.
    unread: std::ops::Range<usize>,
    ended: bool,
    /// Bytes of UTF-8 that a line may have.
    longest: usize,
    mark: Mark,
    /// The present line without its end, in UTF-8.
    line: Zeroizing<Vec<u8>>,
    broken: Option<Broken>,
    /// The first half of a pair of UTF-16.
    high: Option<u16>,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// `at` is where in its file the input begins.
    pub fn new(input: R, chain: LineChain, at: Mark, longest: usize) -> Self {
        Self {
            input,
            chain,
            buffer: Zeroizing::new(vec![0; BUFFER]),
            unread: 0..0,
            ended: false,
            longest,
            mark: at,
            line: Zeroizing::new(Vec::with_capacity(longest)),
            broken: None,
            high: None,
        }
    }

    /// The place behind the line read last.
    pub fn mark(&self) -> Mark {
        self.mark
    }

    /// The line read last, without its end.
    pub fn line(&self) -> Result<&str, Broken> {
        match self.broken {
            Some(broken) => Err(broken),
            None => std::str::from_utf8(&self.line).map_err(|_| Broken::Utf8),
        }
    }

    /// Reads one line; whether there was one. What comes after the last line end counts when it is not empty.
    pub async fn next(&mut self) -> std::io::Result<bool> {
        self.line.zeroize();
        self.broken = None;
        self.high = None;
        let encoding = match self.mark.encoding {
            Some(encoding) => encoding,
            None => self.detect().await?,
        };
        let mut digest = self.chain.begin(&self.mark.digest);
        let mut any = false;
        loop {
            if self.fill(encoding.width()).await? < encoding.width() {
                // Half a unit at the very end is no character.
                let rest = self.unread.len();
                if rest > 0 {
                    any = true;
                    digest.add(&self.buffer[self.unread.clone()]);
                    self.broken = Some(Broken::Utf16);
                    self.used(rest);
                }
                if any {
                    self.end_line(digest);
                }
                return Ok(any);
            }
            any = true;
            if self.take_part(encoding, &mut digest) {
                self.take_end(encoding).await?;
                self.end_line(digest);
                return Ok(true);
            }
        }
    }

    fn end_line(&mut self, digest: LineDigest) {
        self.end_of_pair();
        self.mark.digest = digest.end();
        self.mark.lines += 1;
    }

    /// Takes what is in the buffer up to the first line end; whether there is one, which is then next.
    fn take_part(&mut self, encoding: Encoding, digest: &mut LineDigest) -> bool {
        let width = encoding.width();
        let usable = self.unread.len() / width * width;
        let bytes = &self.buffer[self.unread.start..self.unread.start + usable];
        let at = bytes.chunks_exact(width).position(|unit| matches!(one_byte(encoding, unit), b'\n' | b'\r'));
        let length = at.map_or(usable, |units| units * width);
        digest.add(&bytes[..length]);
        match encoding {
            Encoding::Utf8 => {
                if self.line.len() + length > self.longest {
                    self.broken = Some(Broken::TooLong);
                } else if self.broken.is_none() {
                    self.line.extend_from_slice(&bytes[..length]);
                }
            }
            Encoding::Utf16Le | Encoding::Utf16Be => {
                for place in (0..length).step_by(2) {
                    let unit = &self.buffer[self.unread.start + place..][..2];
                    let unit = [unit[0], unit[1]];
                    let little = encoding == Encoding::Utf16Le;
                    let unit = if little { u16::from_le_bytes(unit) } else { u16::from_be_bytes(unit) };
                    push(&mut self.line, &mut self.broken, &mut self.high, unit, self.longest);
                }
            }
        }
        self.used(length);
        at.is_some()
    }

    /// Takes the line end that is next. An LF behind a CR belongs to it, wherever the reads were cut.
    async fn take_end(&mut self, encoding: Encoding) -> std::io::Result<()> {
        let width = encoding.width();
        let was = one_byte(encoding, &self.buffer[self.unread.start..][..width]);
        self.used(width);
        if was == b'\r' && self.fill(width).await? >= width {
            let behind = one_byte(encoding, &self.buffer[self.unread.start..][..width]);
            if behind == b'\n' {
                self.used(width);
            }
        }
        Ok(())
    }

    fn end_of_pair(&mut self) {
        if self.high.take().is_some() && self.broken.is_none() {
            self.broken = Some(Broken::Utf16);
        }
    }

    fn used(&mut self, bytes: usize) {
        self.unread.start += bytes;
        self.mark.bytes += bytes as i64;
    }

    /// The encoding by the mark at the beginning, which is left where it is: a mark shows nothing, and is dropped from
    /// the ends of a key as all that shows nothing. Without one it is UTF-8.
    async fn detect(&mut self) -> std::io::Result<Encoding> {
        self.fill(2).await?;
        let encoding = match &self.buffer[self.unread.clone()] {
            [0xff, 0xfe, ..] => Encoding::Utf16Le,
            [0xfe, 0xff, ..] => Encoding::Utf16Be,
            _ => Encoding::Utf8,
        };
        self.mark.encoding = Some(encoding);
        Ok(encoding)
    }

    /// Reads until at least `wanted` bytes are unread or the input ends; how many are unread.
    async fn fill(&mut self, wanted: usize) -> std::io::Result<usize> {
        while self.unread.len() < wanted && !self.ended {
            if self.unread.start > 0 {
                self.buffer.copy_within(self.unread.clone(), 0);
                self.unread = 0..self.unread.len();
            }
            let count = self.input.read(&mut self.buffer[self.unread.end..]).await?;
            self.unread.end += count;
            self.ended = count == 0;
        }
        Ok(self.unread.len())
    }
}

/// A unit that is one byte's worth of ASCII, else 0.
fn one_byte(encoding: Encoding, unit: &[u8]) -> u8 {
    match (encoding, unit) {
        (Encoding::Utf8, [byte]) | (Encoding::Utf16Le, [byte, 0]) | (Encoding::Utf16Be, [0, byte]) => *byte,
        _ => 0,
    }
}

/// Adds one unit of UTF-16 to a line of UTF-8. Unpaired surrogates break the line.
fn push(line: &mut Vec<u8>, broken: &mut Option<Broken>, high: &mut Option<u16>, unit: u16, longest: usize) {
    let decoded = match (high.take(), unit) {
        (None, 0xd800..=0xdbff) => {
            *high = Some(unit);
            return;
        }
        (None, unit) => char::from_u32(u32::from(unit)),
        (Some(first), 0xdc00..=0xdfff) => {
            char::from_u32(0x1_0000 + ((u32::from(first) - 0xd800) << 10) + (u32::from(unit) - 0xdc00))
        }
        (Some(_), _) => None,
    };
    match decoded {
        _ if broken.is_some() => {}
        None => *broken = Some(Broken::Utf16),
        Some(c) if line.len() + c.len_utf8() > longest => *broken = Some(Broken::TooLong),
        Some(c) => line.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}
