//! Text from outside, parsed into types that cannot hold anything else.

use unicode_normalization::UnicodeNormalization;

pub use crate::base::email::{Email, masked_email};
use crate::base::error_code::ErrorCode;
use crate::base::outcome::Refusal;

/// What a person gives as a reason: as [`clean`], with line breaks. `REASON_REQUIRED`, which asks for it in these words, when
/// there is none; `INVALID`.
pub fn reason(text: &str, field: &str, longest: usize, ask: &str) -> Result<String, Refusal> {
    if text.trim().is_empty() {
        return Err(Refusal::new(ErrorCode::ReasonRequired, ask).at([field]));
    }
    clean(text, field, longest, true)
}

/// Trimmed, NFC, without control characters (line breaks and tabs allowed when `multiline`), 1 to `longest`
/// characters. The refusal names `field`.
pub fn clean(text: &str, field: &str, longest: usize, multiline: bool) -> Result<String, Refusal> {
    let refuse = |message: String| Err(Refusal::new(ErrorCode::Invalid, message).at([field]));
    let text: String = text.trim().nfc().collect();
    if text.is_empty() {
        return refuse(format!("`{field}` must not be empty"));
    }
    if text.chars().count() > longest {
        return refuse(format!("`{field}` has at most {longest} characters"));
    }
    let allowed = |c: char| !c.is_control() || (multiline && matches!(c, '\n' | '\r' | '\t'));
    if !text.chars().all(allowed) {
        return refuse(format!("`{field}` must not contain control characters"));
    }
    Ok(text)
}

/// Languages the shop speaks. Texts in other languages fall back to the shop's default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Locale {
    En,
    Zh,
}

impl Locale {
    pub const ALL: [Locale; 2] = [Locale::En, Locale::Zh];

    pub fn as_str(self) -> &'static str {
        match self {
            Locale::En => "en",
            Locale::Zh => "zh",
        }
    }

    /// Reads a language tag (`zh-CN`, `en_GB`); what is not spoken is English.
    pub fn choose(tag: &str) -> Self {
        let language = tag.trim().split(['-', '_']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("zh") { Locale::Zh } else { Locale::En }
    }

    /// The first spoken language of an `Accept-Language` header.
    pub fn negotiate(header: &str) -> Option<Self> {
        let mut wishes: Vec<(f32, usize, &str)> = header
            .split(',')
            .enumerate()
            .filter_map(|(index, part)| {
                let (tag, q) = part.split_once(";q=").unwrap_or((part, "1"));
                let q: f32 = q.trim().parse().ok()?;
                (q > 0.0).then_some((q, index, tag.trim()))
            })
            .collect();
        wishes.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        wishes.iter().find_map(|(_, _, tag)| {
            let language = tag.split(['-', '_']).next()?;
            Self::ALL.into_iter().find(|l| l.as_str().eq_ignore_ascii_case(language))
        })
    }
}

/// Part of a web address: lower-case letters, digits and single hyphens, 1 to 80 characters.
pub fn slug(text: &str, field: &str) -> Result<String, Refusal> {
    let ok = (1..=80).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.contains("--");
    if ok {
        return Ok(text.to_owned());
    }
    Err(Refusal::new(
        ErrorCode::Invalid,
        "a slug has lower-case letters, digits and single hyphens, at most 80",
    )
    .at([field]))
}
