//! File names as strangers typed them, made harmless on every system that may keep the file.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;
use unicode_segmentation::UnicodeSegmentation;

use crate::base::key_text;
use crate::base::outcome::Refusal;
use crate::base::text;

/// Longest name in bytes of UTF-8: what file systems take (NAME_MAX of Linux; those that count UTF-16 take no less).
pub const LONGEST: usize = 255;

/// Longest extension, bytes. What is longer after a dot is part of a sentence.
const LONGEST_EXTENSION: usize = 32;

/// Extensions that say what was done to another file, whose own extension comes before them and stays too.
const WRAPPERS: [&str; 24] = [
    "gz", "bz2", "xz", "zst", "lz", "lz4", "lzma", "lzo", "br", "sz", "z", "enc", "gpg", "pgp", "age", "asc",
    "sig", "minisig", "md5", "sha1", "sha256", "sha512", "torrent", "part",
];

/// Names of devices of Windows, with whatever extension (Microsoft, "Naming Files, Paths, and Namespaces").
const DEVICES: [&str; 7] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"];

/// A name from outside, of 1 to 1,000 characters.
pub fn typed(name: &str) -> Result<String, Refusal> {
    let kept: String = name.chars().filter(|c| !c.is_control()).collect();
    Ok(plain(&text::clean(&kept, "name", 1_000, false)?))
}

/// The last part of a path of either system, without what hides or reorders text, without characters and names that
/// Windows keeps for itself, at most 255 bytes: what is too long is cut before the extension, between characters as people
/// see them. Never empty; the same again changes nothing.
pub fn plain(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    // Composed again behind each removal: what was between two characters kept them apart.
    let kept = visible(last.chars().filter(|c| !is_gone(*c)).nfc().map(harmless).collect());
    let name = trimmed(&kept.into_iter().nfc().collect::<String>()).to_owned();
    let name = if is_device(&name) { format!("_{name}") } else { name };
    let name = shortened(&name);
    if name.is_empty() { "download".into() } else { name }
}

/// Control characters and separators of lines, and what shows nothing except joiners, variation selectors and tags, of
/// which [`visible`] keeps what is needed.
fn is_gone(c: char) -> bool {
    let hides = key_text::is_ignorable(c) && !is_joiner(c) && !is_selector(c) && !is_tag(c);
    hides
        || c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}')
}

fn harmless(c: char) -> char {
    if matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*') { '_' } else { c }
}

/// ZERO WIDTH NON-JOINER and JOINER, and the vowel separator of Mongolian.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{180e}')
}

/// Letters and digits that show nothing and name the region of a flag.
fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}' | END_OF_TAGS)
}

const END_OF_TAGS: char = '\u{e007f}';

/// How many characters behind a black flag name its region: three to six and their end (UTS 51, emoji tag sequences).
/// None when it is no such flag.
fn tags_of_flag(rest: &[char]) -> Option<usize> {
    let end = rest.iter().position(|c| *c == END_OF_TAGS)?;
    ((3..=6).contains(&end) && rest[..end].iter().all(|c| is_tag(*c))).then_some(end + 1)
}

/// Variation selectors, those of Mongolian and of ideographs among them.
fn is_selector(c: char) -> bool {
    matches!(c, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Letters whose script joins or stacks them, so that a joiner between two of them is spelling: Arabic and its
/// neighbours, the Brahmic scripts, Mongolian, and those of the supplementary planes.
fn is_shaped(c: char) -> bool {
    matches!(c, '\u{600}'..='\u{8ff}' | '\u{900}'..='\u{109f}' | '\u{1700}'..='\u{18af}' | '\u{1900}'..='\u{1cff}'
        | '\u{a800}'..='\u{aaff}' | '\u{abc0}'..='\u{abff}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'
        | '\u{10a00}'..='\u{10fff}' | '\u{11000}'..='\u{11fff}' | '\u{16100}'..='\u{1612f}' | '\u{1e900}'..='\u{1e95f}')
}

/// Letters of Arabic and its neighbours: a joiner behind one shows it as if more of the word followed.
fn is_cursive(c: char) -> bool {
    matches!(c, '\u{600}'..='\u{8ff}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')
        && c.is_alphabetic()
}

/// The sign that takes a letter's vowel away: a joiner behind it chooses the letter's form, whatever follows (RFC 5892,
/// appendix A.1 and A.2).
fn is_virama(c: char) -> bool {
    canonical_combining_class(c) == 9
}

/// Pictures that a joiner makes one of, with their skins.
fn is_emoji(c: char) -> bool {
    matches!(c, '\u{a9}' | '\u{ae}' | '\u{2190}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}'
        | '\u{1f000}'..='\u{1faff}')
}

/// Drops joiners, variation selectors and tags where nothing needs them: there they only make two names of one.
fn visible(name: Vec<char>) -> Vec<char> {
    let mut kept: Vec<char> = Vec::with_capacity(name.len());
    let mut tags = 0;
    for (place, c) in name.iter().copied().enumerate() {
        if c == '\u{1f3f4}' {
            tags = tags_of_flag(&name[place + 1..]).map_or(0, |count| count + 1);
        }
        if tags > 0 {
            tags -= 1;
            kept.push(c);
            continue;
        }
        let before = kept.last().copied();
        let after = name[place + 1..].iter().copied().find(|c| !is_selector(*c) && !is_joiner(*c));
        let needed = match (before, after) {
            _ if is_tag(c) => false,
            _ if !is_joiner(c) && !is_selector(c) => true,
            (Some(before), _) if is_selector(c) => {
                let keycap = matches!(before, '0'..='9' | '#') && after == Some('\u{20e3}');
                let bare = before.is_ascii() || before.is_whitespace();
                keycap || !(bare || is_selector(before) || is_joiner(before))
            }
            (Some(before), after) if !is_joiner(before) => {
                let seen = kept.iter().rev().copied().find(|c| !is_selector(*c)).unwrap_or(before);
                let between = |is: fn(char) -> bool| is(seen) && after.is_some_and(is);
                (is_virama(seen) && c != '\u{180e}')
                    || between(is_shaped)
                    || (c == '\u{200d}' && (is_cursive(seen) || between(is_emoji)))
            }
            _ => false,
        };
        if needed {
            kept.push(c);
        }
    }
    kept
}

/// Without spaces and dots at its ends: a dot hides a file, and Windows drops both at the end.
fn trimmed(name: &str) -> &str {
    name.trim_matches(|c: char| c.is_whitespace() || c == '.')
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    let numbered = ["COM", "LPT"].iter().find_map(|port| stem.strip_prefix(port));
    DEVICES.contains(&stem.as_str())
        || numbered.is_some_and(|number| {
            let mut characters = number.chars();
            matches!((characters.next(), characters.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
        })
}

/// At most `LONGEST` bytes, with the extension kept.
fn shortened(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let (stem, extension) = name.split_at(name.len() - extension(name).len());
    let room = LONGEST - extension.len();
    let whole =
        stem.grapheme_indices(true).map(|(at, part)| at + part.len()).take_while(|end| *end <= room).last();
    // One character as people see it can be longer than a name: then it is cut within.
    let end = whole.unwrap_or_else(|| stem.floor_char_boundary(room));
    let stem = stem[..end].trim_end_matches(|c: char| c.is_whitespace() || c == '.' || is_joiner(c));
    format!("{stem}{extension}")
}

/// The end of a name that says what the file is, with its dot: `.zip`, `.tar.gz`. Empty when there is none.
fn extension(name: &str) -> &str {
    let mut start = name.len();
    while let Some(dot) = name[..start].rfind('.') {
        let part = &name[dot + 1..start];
        let inner = start < name.len();
        let fits =
            !part.is_empty() && !part.contains(char::is_whitespace) && name.len() - dot <= LONGEST_EXTENSION;
        // A version (`1.2.gz`) is no extension of its own.
        let named =
            !inner || (part.len() <= 8 && part.bytes().any(|b| b.is_ascii_alphabetic()) && part.is_ascii());
        if dot == 0 || !fits || !named {
            break;
        }
        start = dot;
        if !WRAPPERS.contains(&part.to_ascii_lowercase().as_str()) {
            break;
        }
    }
    &name[start..]
}

/// `Content-Disposition` of RFC 6266: an ASCII name for old clients, the true one in UTF-8 (RFC 8187) beside it when
/// they differ.
pub fn content_disposition(name: &str) -> String {
    let name = plain(name);
    // A percent sign is decoded by some clients, quotes and backslashes end or escape the string.
    let plain_ascii = |c: char| (c.is_ascii_graphic() || c == ' ') && !matches!(c, '"' | '\\' | '%');
    let ascii: String =
        name.graphemes(true).map(|part| if part.chars().all(plain_ascii) { part } else { "_" }).collect();
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
