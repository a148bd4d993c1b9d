//! Logs on stderr, an event a line, as text or JSON. Only named fields are logged, never whole requests, rows or
//! messages of parsers; text that a client sent goes through [`plain`], and whatever slips by cannot start a
//! second line or steer a terminal, because every line is neutralised once more on its way out.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Characters of a client's text that a log line takes.
const LONGEST: usize = 200;

/// How logs look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    /// One object a line.
    Json,
}

/// Starts logging for the whole process. `filter` names levels (`info,dispense=debug`); a second call changes
/// nothing.
pub fn start(format: Format, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(Lines(io::stderr));
    let _ = match format {
        Format::Text => lines.try_init(),
        Format::Json => {
            lines.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
        }
    };
}

/// Text from outside as it may be written to a log: at most 200 characters, control characters (line breaks, escape
/// sequences) and the invisible characters that turn the direction of writing shown as `\u{…}`.
pub fn plain(text: &str) -> Plain<'_> {
    Plain(text)
}

/// See [`plain`].
#[derive(Clone, Copy)]
pub struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars().take(LONGEST) {
            if harmless(c) { f.write_char(c)? } else { write!(f, "{}", c.escape_unicode())? }
        }
        if self.0.chars().nth(LONGEST).is_some() { f.write_char('…') } else { Ok(()) }
    }
}

impl fmt::Debug for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn harmless(c: char) -> bool {
    let turns_direction =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}') && !turns_direction
}

/// Writes events, each of which arrives in one piece with its line break at the end.
#[derive(Clone)]
pub struct Lines<M>(pub M);

/// See [`Lines`].
pub struct LogLine<W>(W);

impl<'a, W: Write, M: Fn() -> W + 'a> MakeWriter<'a> for Lines<M> {
    type Writer = LogLine<W>;

    fn make_writer(&'a self) -> LogLine<W> {
        LogLine((self.0)())
    }
}

impl<W: Write> Write for LogLine<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(piece);
        let (line, end) = match text.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (&*text, ""),
        };
        if line.chars().all(harmless) {
            self.0.write_all(piece)?;
        } else {
            let mut out = String::with_capacity(line.len() + 16);
            line.chars().for_each(|c| if harmless(c) { out.push(c) } else { out.extend(c.escape_unicode()) });
            self.0.write_all((out + end).as_bytes())?;
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
