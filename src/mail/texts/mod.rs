//! The mails' words, a file per language, and their two forms: plain text, and a page for mail programs that show one.

mod en;
mod escape;
mod html;
mod plain;
mod wording;
mod zh;

use zeroize::Zeroizing;

use crate::base::text::Locale;
use crate::config::Shop;
use crate::mail::facts::Content;
use escape::{line, unlinked};

/// A mail in both forms, which may hold secrets.
pub struct Text {
    pub subject: String,
    pub plain: Zeroizing<String>,
    pub html: Zeroizing<String>,
}

/// Turns the content into a mail.
pub fn render(shop: &Shop, locale: Locale, content: &Content) -> Text {
    let (manner, wording) = match locale {
        Locale::En => (&en::MANNER, en::wording(shop, content)),
        Locale::Zh => (&zh::MANNER, zh::wording(shop, content)),
    };
    Text {
        plain: plain::render(shop, manner, &wording),
        html: html::render(shop, locale, manner, &wording),
        subject: wording.subject,
    }
}
