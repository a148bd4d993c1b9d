//! Order numbers: short, without look-alikes, and drawn by chance, so that one says nothing about how much is sold, and
//! no other shop, copy or restored backup at the same gateway ever comes to the same one.

use crate::base::clock;

/// Digits and capitals without 0, 1, I, L, O, U: nothing to misread on the telephone.
const ALPHABET: &[u8; 30] = b"23456789ABCDEFGHJKMNPQRSTVWXYZ";

/// 30^10, about 6 * 10^14: of a million orders of another life, one in a thousand million new numbers was used before.
const PLACES: usize = 10;

/// A number that has most likely never been given: the prefix and ten places. That it is new here, the database says.
pub fn number(prefix: &str) -> String {
    format!("{prefix}{}", random_part(PLACES))
}

/// So many places of the alphabet, each drawn evenly.
pub fn random_part(places: usize) -> String {
    let mut part = String::with_capacity(places);
    while part.len() < places {
        // 240 is the largest multiple of 30 in a byte; what is above would favour the first places.
        let drawn = clock::random::<16>().into_iter().filter(|byte| *byte < 240);
        part.extend(drawn.map(|byte| ALPHABET[usize::from(byte % 30)] as char).take(places - part.len()));
    }
    part
}

/// Whether a text has the form of this shop's order numbers. Orders of early versions have seven places; they are known by
/// their rows alone, because seven letters behind a short prefix match many texts of somebody else's.
pub fn has_form(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|places| is_random_part(places, PLACES))
}

/// Whether a text is so many places of the alphabet.
pub fn is_random_part(text: &str, places: usize) -> bool {
    text.len() == places && text.bytes().all(|byte| ALPHABET.contains(&byte))
}
