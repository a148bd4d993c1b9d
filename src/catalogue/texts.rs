//! Names and descriptions in the shop's languages.

use crate::base::error_code::ErrorCode;
use crate::base::outcome::Refusal;
use crate::base::text::{Locale, clean};

/// Texts of one object in one language. What is `None` stays as it is; an empty summary or description is taken
/// away.
#[derive(Clone, Debug, Default)]
pub struct TextInput {
    /// `en` or `zh`.
    pub locale: String,
    pub name: Option<String>,
    pub summary: Option<String>,
    /// Markdown.
    pub description: Option<String>,
}

impl TextInput {
    pub fn named(locale: &str, name: &str) -> Self {
        Self { locale: locale.into(), name: Some(name.into()), ..Self::default() }
    }
}

/// A text that was checked; `None` takes it away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub locale: &'static str,
    pub field: &'static str,
    pub value: Option<String>,
}

/// Checks the texts of an input list: known languages, each once, lengths.
pub(super) fn check(inputs: &[TextInput]) -> Result<Vec<Text>, Refusal> {
    let mut texts = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        let path = |field: &str| vec!["texts".to_owned(), index.to_string(), field.to_owned()];
        let locale = locale(&input.locale).map_err(|r| r.at(path("locale")))?;
        if inputs[..index].iter().any(|earlier| earlier.locale == input.locale) {
            return Err(Refusal::new(ErrorCode::Invalid, "this language is listed twice").at(path("locale")));
        }
        let fields = [
            ("name", &input.name, 120, false),
            ("summary", &input.summary, 300, false),
            ("description", &input.description, 20_000, true),
        ];
        for (field, value, longest, multiline) in fields {
            let Some(value) = value else { continue };
            let value = match value.trim().is_empty() {
                true if field != "name" => None,
                _ => Some(clean(value, field, longest, multiline).map_err(|r| r.at(path(field)))?),
            };
            texts.push(Text { locale, field, value });
        }
    }
    Ok(texts)
}

/// A language the shop speaks.
pub(super) fn locale(tag: &str) -> Result<&'static str, Refusal> {
    let known = Locale::ALL.into_iter().map(Locale::as_str).find(|l| *l == tag);
    known.ok_or_else(|| {
        Refusal::new(ErrorCode::Invalid, format!("the shop does not speak `{tag}`")).at(["locale"])
    })
}
