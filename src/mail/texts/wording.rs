//! A mail in the words of one language, before it has a form: its text and its page are made from the same parts, so that
//! neither says more than the other. Holds secrets and therefore has no `Debug`.

use crate::base::secret::Secret;

/// The whole mail.
pub(super) struct Wording {
    pub subject: String,
    pub parts: Vec<Part>,
}

pub(super) enum Part {
    /// A paragraph of ours; what others supplied in it is on one line.
    Words(String),
    /// What somebody else wrote, set off from our words.
    Quote(String),
    /// Something to be typed somewhere.
    Code(Secret),
    Goods(Delivered),
    /// What waits: a title, and how many.
    Waiting(Vec<(String, String)>),
    /// Names with their values.
    Facts(Vec<(&'static str, Secret)>),
}

/// A line of an order with what was delivered of it.
pub(super) struct Delivered {
    pub title: String,
    /// What its texts are called, in front of each.
    pub label: &'static str,
    pub keys: Vec<Secret>,
    pub files: Vec<File>,
    pub notes: Vec<String>,
}

pub(super) struct File {
    pub name: String,
    pub url: Secret,
    pub until: String,
}

/// The words that every mail of a language has.
pub(super) struct Manner {
    pub hello: &'static str,
    /// Before the shop's support address.
    pub help: &'static str,
    /// On the way to a file.
    pub download: &'static str,
    /// Between a name and its value.
    pub colon: &'static str,
}

impl Part {
    pub fn words(text: impl Into<String>) -> Self {
        Self::Words(text.into())
    }
}
