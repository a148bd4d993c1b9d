//! A look at a query's text before the parser sees it: how many tokens, how deeply brackets nest. The parser recurses
//! per bracket, so both are bounded first; one pass, no memory.

use crate::base::error_code::ErrorCode;
use crate::graphql::error::Refused;

/// Brackets of any kind inside each other. The deepest operation a screen needs has 9.
const DEEPEST_NESTING: usize = 48;

/// Refuses text with more than `most` tokens or with brackets nested too deeply.
pub fn scan(query: &str, most: usize) -> Result<(), Refused> {
    let bytes = query.as_bytes();
    let mut tokens = 0_usize;
    let mut nesting = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => {
                at += 1;
                continue;
            }
            b'#' => {
                at = skip_while(bytes, at, |b| b != b'\n' && b != b'\r');
                continue;
            }
            b'"' => at = skip_string(bytes, at),
            b'{' | b'[' | b'(' => {
                nesting += 1;
                at += 1;
            }
            b'}' | b']' | b')' => {
                nesting = nesting.saturating_sub(1);
                at += 1;
            }
            b if is_word(b) => at = skip_while(bytes, at, is_word),
            _ => at += 1,
        }
        tokens += 1;
        if tokens > most {
            return Err(Refused::new(
                ErrorCode::TooComplex,
                format!("the query has more than {most} tokens"),
            ));
        }
        if nesting > DEEPEST_NESTING {
            return Err(Refused::new(
                ErrorCode::TooComplex,
                format!("brackets nest deeper than {DEEPEST_NESTING}"),
            ));
        }
    }
    Ok(())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'+') || byte >= 0x80
}

fn skip_while(bytes: &[u8], from: usize, keep: impl Fn(u8) -> bool) -> usize {
    bytes[from..].iter().position(|b| !keep(*b)).map_or(bytes.len(), |n| from + n)
}

fn skip_string(bytes: &[u8], from: usize) -> usize {
    if bytes[from..].starts_with(b"\"\"\"") {
        let mut at = from + 3;
        while at < bytes.len() {
            if bytes[at..].starts_with(b"\\\"\"\"") {
                at += 4;
            } else if bytes[at..].starts_with(b"\"\"\"") {
                return at + 3;
            } else {
                at += 1;
            }
        }
        return at;
    }
    let mut at = from + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            b'\n' | b'\r' => return at,
            _ => at += 1,
        }
    }
    bytes.len()
}
