//! The mails' texts, a file per language. Plain text: what a key looks like must not depend on a mail program.

mod en;
mod zh;

use crate::base::text::Locale;
use crate::config::Shop;
use crate::mail::facts::Content;

/// A mail as text. The body may hold secrets.
pub struct Text {
    pub subject: String,
    pub body: String,
}

/// Turns the content into text.
pub fn render(shop: &Shop, locale: Locale, content: &Content) -> Text {
    match locale {
        Locale::En => en::text(shop, content),
        Locale::Zh => zh::text(shop, content),
    }
}

/// Text of sellers on one line, so that a title cannot pretend to be a part of the mail.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
