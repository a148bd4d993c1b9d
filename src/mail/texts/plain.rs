//! Plain text: what a key looks like must not depend on a mail program.

use zeroize::Zeroizing;

use crate::base::secret::Secret;
use crate::config::Shop;
use crate::mail::texts::escape::{line, unlinked};
use crate::mail::texts::wording::{Delivered, Manner, Part, Wording};

pub(super) fn render(shop: &Shop, manner: &Manner, wording: &Wording) -> Zeroizing<String> {
    let mut text = Zeroizing::new(format!("{}\n\n", manner.hello));
    for part in &wording.parts {
        match part {
            Part::Words(words) => put(&mut text, &[words, "\n"]),
            Part::Quote(words) => {
                unlinked(words).lines().for_each(|line| put(&mut text, &["> ", line, "\n"]));
            }
            Part::Code(code) => put(&mut text, &["  ", code.expose(), "\n"]),
            Part::Goods(goods) => put_goods(&mut text, manner, goods),
            Part::Waiting(lines) => {
                lines.iter().for_each(|(title, note)| put(&mut text, &["  ", &line(title), note, "\n"]));
            }
            Part::Facts(facts) => facts.iter().for_each(|(name, value)| {
                put(&mut text, &["  ", name, manner.colon, &line(value.expose()), "\n"]);
            }),
        }
        text.push('\n');
    }
    put(&mut text, &["-- \n", &line(&shop.name), "\n"]);
    if let Some(address) = &shop.support_email {
        put(&mut text, &[manner.help, manner.colon, address, "\n"]);
    }
    text
}

fn put_goods(text: &mut String, manner: &Manner, goods: &Delivered) {
    put(text, &[&line(&goods.title), "\n"]);
    for key in &goods.keys {
        put_key(text, manner, goods.label, key);
    }
    for file in &goods.files {
        put(text, &["  ", &line(&file.name), "\n  ", file.url.expose(), "\n  ", &file.until, "\n"]);
    }
    goods.notes.iter().for_each(|note| put(text, &["  ", note, "\n"]));
}

/// A text of several lines begins at the edge: what is copied is the text and no more.
fn put_key(text: &mut String, manner: &Manner, label: &str, key: &Secret) {
    match key.expose().contains('\n') {
        false => put(text, &["  ", label, manner.colon, key.expose(), "\n"]),
        true => put(text, &["  ", label, manner.colon.trim_end(), "\n\n", key.expose(), "\n\n"]),
    }
}

fn put(text: &mut String, parts: &[&str]) {
    parts.iter().for_each(|part| text.push_str(part));
}
