//! Texts that are no keys: a shared secret, one text in versions for all its buyers, and texts of single pieces.

mod give;
mod publish;
mod store;

pub use give::{give_text, mark_given, offers};
pub use publish::publish;
pub use store::{Offer, SecretVersion, Share, Taken, advance_taken_back, taken, taken_of};
