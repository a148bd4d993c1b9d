//! File names as strangers typed them, made harmless.

use unicode_normalization::UnicodeNormalization;

/// Longest name in characters.
pub const LONGEST: usize = 200;

/// The last part of a path of either system, without control and formatting characters, dots and spaces at its ends.
/// Never empty.
pub fn plain(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.nfc().filter(|c| !c.is_control() && !is_format(*c)).take(LONGEST).collect();
    let kept = kept.trim_matches(|c: char| c.is_whitespace() || c == '.');
    if kept.is_empty() { "download".into() } else { kept.to_owned() }
}

/// Marks that reorder or hide text: they make `gpj.exe` look like `exe.jpg`.
fn is_format(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// `Content-Disposition` of RFC 6266: an ASCII name for old clients, the true one in UTF-8 (RFC 8187) beside it when
/// they differ.
pub fn content_disposition(name: &str) -> String {
    let name = plain(name);
    // A percent sign is decoded by some clients, quotes and backslashes end or escape the string.
    let plain_ascii = |c: char| (c.is_ascii_graphic() || c == ' ') && !matches!(c, '"' | '\\' | '%');
    let ascii: String = name.chars().map(|c| if plain_ascii(c) { c } else { '_' }).collect();
    if ascii == name {
        return format!("attachment; filename=\"{ascii}\"");
    }
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            encoded.push(byte as char);
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

/// A media type that is safe in a header (`type/subtype`, parameters dropped); anything else is
/// `application/octet-stream`.
pub fn media_type(text: &str) -> String {
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let token = |part: &str| {
        !part.is_empty()
            && part.len() <= 80
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    match essence.split_once('/') {
        Some((kind, subtype)) if token(kind) && token(subtype) => essence,
        _ => "application/octet-stream".into(),
    }
}
