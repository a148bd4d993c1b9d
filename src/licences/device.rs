//! What the seller's software says of a key and a device, checked.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::base::error_code::ErrorCode;
use crate::base::ids::ProductId;
use crate::base::key_text::KeyText;
use crate::base::outcome::Refusal;
use crate::base::text::clean;

/// Longest text that names a device, and longest name, characters.
const LONGEST: usize = 200;

/// How much of a device's fingerprint becomes its name where the software gives none.
const SHOWN: usize = 8;

/// Most entries of the metadata, and their longest names and texts, characters.
const MOST_ENTRIES: usize = 20;
const LONGEST_ENTRY_NAME: usize = 40;
const LONGEST_ENTRY: usize = 500;

/// Longest text that is looked up as a key, characters.
pub const LONGEST_KEY: usize = 4_096;

/// A device, by the fingerprint that the software made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// What is stored: of the product too, so that nobody can see that two products are used on one device.
    pub digest: [u8; 32],
    /// The beginning of the fingerprint, to recognise it by.
    hint: String,
}

impl Device {
    /// `INVALID` for an empty or long text, and for control characters.
    pub fn parse(product: ProductId, text: &str) -> Result<Self, Refusal> {
        let text = clean(text, "device", LONGEST, false)?;
        let mut hash = Sha256::new();
        hash.update(b"licence device");
        hash.update(product.0.as_bytes());
        hash.update(text.as_bytes());
        let hint: String = text.chars().take(SHOWN).collect();
        let hint = if hint.len() < text.len() { format!("{hint}…") } else { hint };
        Ok(Self { digest: hash.finalize().into(), hint })
    }

    pub fn hint(&self) -> &str {
        &self.hint
    }
}

/// A name for the device.
pub fn name(text: &str) -> Result<String, Refusal> {
    clean(text, "name", LONGEST, false)
}

/// What the software keeps with an activation: a flat object of texts, numbers and booleans.
pub fn metadata(object: &Map<String, Value>) -> Result<Value, Refusal> {
    let refuse = |text: String| Err(Refusal::new(ErrorCode::Invalid, text).at(["metadata"]));
    if object.len() > MOST_ENTRIES {
        return refuse(format!("`metadata` has at most {MOST_ENTRIES} entries"));
    }
    let is_plain = |text: &str| !text.chars().any(char::is_control);
    for (key, value) in object {
        if key.is_empty() || key.chars().count() > LONGEST_ENTRY_NAME || !is_plain(key) {
            return refuse(format!("names in `metadata` have 1 to {LONGEST_ENTRY_NAME} characters"));
        }
        match value {
            Value::String(text) if text.chars().count() > LONGEST_ENTRY || !is_plain(text) => {
                return refuse(format!("texts in `metadata` have at most {LONGEST_ENTRY} characters"));
            }
            Value::String(_) | Value::Number(_) | Value::Bool(_) => {}
            Value::Null | Value::Array(_) | Value::Object(_) => {
                return refuse("values in `metadata` are texts, numbers and booleans".into());
            }
        }
    }
    Ok(Value::Object(object.clone()))
}

/// The texts that are stored as they are hold no key: only the vault does.
pub fn keep_key_out(key: &KeyText, field: &str, stored: &str) -> Result<(), Refusal> {
    match stored.contains(key.expose()) {
        true => Err(Refusal::new(ErrorCode::Invalid, "this must not contain the key itself").at([field])),
        false => Ok(()),
    }
}
