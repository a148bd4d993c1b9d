//! How keys are laid out in a file.

use serde::{Deserialize, Serialize};

use crate::base::error_code::ErrorCode;
use crate::base::outcome::Refusal;

/// What kind of file keys come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyFileFormat {
    /// One key a line.
    #[default]
    Text,
    /// Rows of fields, as RFC 4180 has it.
    Csv,
    /// A JSON value a line: a text, or an object with the key in one field.
    Jsonl,
    /// Keys of several lines, with a line of its own between two of them.
    Blocks,
}

/// Where in a file a key is, as its seller says and its first line shows. Stored with the batch, so that a file can be gone
/// on with in its middle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Layout {
    pub format: KeyFileFormat,
    /// Between two fields of a row, or the line between two keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
    /// The rows begin without a row of names.
    pub headless: bool,
    /// Names of fields; of rows without names their numbers, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Known once the first row was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Columns>,
}

/// Which fields of a row are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// How many fields every row has.
    pub width: usize,
    pub key: usize,
    pub expires_at: Option<usize>,
}

/// Characters of a name or separator.
const LONGEST_WORD: usize = 200;

const EXPIRES_AT: &str = "expires_at";

impl Layout {
    pub fn of(format: KeyFileFormat) -> Self {
        Self { format, ..Self::default() }
    }

    /// Refuses with `INVALID` what says nothing about a file of this format.
    pub fn check(&self) -> Result<(), Refusal> {
        use KeyFileFormat::{Blocks, Csv, Jsonl, Text};
        let refuse = |field: &[&str], text: &str| {
            Err(Refusal::new(ErrorCode::Invalid, text).at(field.iter().map(|step| (*step).to_owned())))
        };
        let word = |text: &str| {
            let count = text.chars().count();
            (1..=LONGEST_WORD).contains(&count) && !text.chars().any(|c| c.is_control())
        };
        match (self.format, self.separator.as_deref()) {
            (_, None) => {}
            (Text | Jsonl, Some(_)) => {
                return refuse(&["separator"], "only rows and keys of several lines have a separator");
            }
            (Csv, Some(text)) => {
                let mut all = text.chars();
                let one = all.next().filter(|_| all.next().is_none());
                if !one.is_some_and(|c| c == '\t' || (!c.is_control() && !c.is_alphanumeric() && c != '"')) {
                    return refuse(
                        &["separator"],
                        "fields are separated by one character, such as `,` or `;`",
                    );
                }
            }
            (Blocks, Some(text)) => {
                if !word(text) || text.trim() != text {
                    return refuse(
                        &["separator"],
                        "keys are separated by a line that can be seen, such as `---`",
                    );
                }
            }
        }
        if self.headless && self.format != Csv {
            return refuse(&["header"], "only rows have a header");
        }
        for (field, name) in [("key", &self.key), ("expiresAt", &self.expires_at)] {
            let Some(name) = name else { continue };
            if !matches!(self.format, Csv | Jsonl) {
                return refuse(&["columns", field], "only rows and objects have fields");
            }
            if !word(name) {
                return refuse(&["columns", field], "a field has a name of 1 to 200 characters");
            }
            if self.headless && !name.parse::<usize>().is_ok_and(|number| number >= 1) {
                return refuse(&["columns", field], "fields of rows without a header are numbered, from 1");
            }
        }
        Ok(())
    }

    /// Between two fields of a row.
    pub fn delimiter(&self) -> char {
        self.separator.as_deref().and_then(|text| text.chars().next()).unwrap_or(',')
    }

    /// The line between two keys.
    pub fn between(&self) -> &str {
        self.separator.as_deref().unwrap_or("---")
    }

    /// The field of an object that has the key.
    pub fn key_name(&self) -> &str {
        self.key.as_deref().unwrap_or(if self.headless { "1" } else { "key" })
    }

    /// The field that has the key's date, if there is such a field.
    pub fn expiry_name(&self) -> Option<&str> {
        match &self.expires_at {
            Some(name) => Some(name),
            None => (!self.headless).then_some(EXPIRES_AT),
        }
    }

    /// Finds the fields of all rows by the first one. `INVALID` when it has no field of the key's name.
    pub fn columns_of(&self, first: &[&str]) -> Result<Columns, Refusal> {
        let find = |name: &str| match self.headless {
            true => name.parse::<usize>().ok().filter(|n| (1..=first.len()).contains(n)).map(|n| n - 1),
            false => first.iter().position(|field| field.trim() == name),
        };
        let missing = |name: &str| {
            let text = format!("the first row has no field `{name}`: name the right one in `columns`");
            Refusal::new(ErrorCode::Invalid, text)
        };
        let key = find(self.key_name()).ok_or_else(|| missing(self.key_name()))?;
        let expires_at = self.expiry_name().and_then(find);
        if let (Some(name), None) = (&self.expires_at, expires_at) {
            return Err(missing(name));
        }
        Ok(Columns { width: first.len(), key, expires_at })
    }
}
