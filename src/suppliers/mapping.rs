//! How a supplier's own fields are called. Without a mapping, the names are those of the documented protocol.

use crate::base::error_code::ErrorCode;
use crate::base::outcome::Refusal;
pub use crate::suppliers::model::Mapping;

impl Default for Mapping {
    fn default() -> Self {
        let text = str::to_owned;
        Self {
            request_id: text("request_id"),
            product: text("product"),
            max_price: text("max_price"),
            currency: text("currency"),
            callback_url: text("callback_url"),
            answer_request_id: text("/request_id"),
            answer_state: text("/state"),
            answer_texts: text("/texts"),
            answer_price: text("/price"),
            answer_currency: text("/currency"),
            answer_reference: text("/reference"),
            answer_reason: text("/reason"),
            delivered: vec![text("delivered")],
            pending: vec![text("pending")],
            refused: vec![text("refused")],
        }
    }
}

/// Longest name, pointer or word, characters.
const LONGEST: usize = 100;

impl Mapping {
    /// `INVALID` with the field.
    pub fn check(&self) -> Result<(), Refusal> {
        let refuse =
            |field: &str, text: String| Err(Refusal::new(ErrorCode::Invalid, text).at(["mapping", field]));
        let names = [
            ("requestId", &self.request_id),
            ("product", &self.product),
            ("maxPrice", &self.max_price),
            ("currency", &self.currency),
            ("callbackUrl", &self.callback_url),
        ];
        for (field, name) in names {
            if name.is_empty() || name.chars().count() > LONGEST {
                return refuse(field, format!("a name has 1 to {LONGEST} characters"));
            }
            if names.iter().any(|(other, same)| *other != field && *same == name) {
                return refuse(field, "two fields have the same name".into());
            }
        }
        for (field, pointer) in [
            ("answerRequestId", &self.answer_request_id),
            ("answerState", &self.answer_state),
            ("answerTexts", &self.answer_texts),
            ("answerPrice", &self.answer_price),
            ("answerCurrency", &self.answer_currency),
            ("answerReference", &self.answer_reference),
            ("answerReason", &self.answer_reason),
        ] {
            if !pointer.starts_with('/') || pointer.chars().count() > LONGEST {
                return refuse(field, "this is no JSON pointer such as /data/state".into());
            }
        }
        let all = || self.delivered.iter().chain(&self.pending).chain(&self.refused);
        for (field, words) in
            [("delivered", &self.delivered), ("pending", &self.pending), ("refused", &self.refused)]
        {
            let bad = |word: &&String| word.is_empty() || word.chars().count() > LONGEST;
            if words.is_empty() || words.len() > 20 || words.iter().any(|word| bad(&word)) {
                return refuse(field, format!("1 to 20 words of 1 to {LONGEST} characters are needed"));
            }
            if words.iter().any(|word| all().filter(|other| *other == word).count() > 1) {
                return refuse(field, "a word means one state only".into());
            }
        }
        Ok(())
    }
}
