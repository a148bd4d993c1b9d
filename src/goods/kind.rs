//! What every kind of goods must say about itself.

use crate::base::text::Locale;

/// Where the pieces of a kind come from, and so how stock is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// Each piece is a key of the vault: the keys are counted.
    Keys,
    /// The same files for everybody: there is stock while a version is published.
    Files,
}

/// What the buyer is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Delivered in the moment of payment, stock given.
    pub instant: bool,
    pub within_seconds: Option<i32>,
    pub text: &'static str,
}

/// What is known of a variant when it is to be put on sale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Files with a version that may be downloaded.
    pub published_files: i64,
}

/// A kind of goods. No method has a default: each would be wrong for some kind.
pub trait GoodsKind: Sync {
    /// The open code that stands in variants and order lines.
    fn code(&self) -> &'static str;

    fn title(&self, locale: Locale) -> &'static str;

    /// What a variant of this kind lacks before its product may be submitted, ready to show.
    fn lacks(&self, facts: &Facts) -> Option<&'static str>;

    fn promise(&self, locale: Locale) -> Promise;

    fn supply(&self) -> Supply;
}
