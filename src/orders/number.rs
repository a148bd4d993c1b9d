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

/// Whether a text may be a number of this shop's, of an order or of an attempt to pay it: the prefix, seven places of the
/// alphabet, and whatever may stand behind them.
pub fn has_form(prefix: &str, text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
    let Some((places, rest)) = text.strip_prefix(prefix).and_then(|all| all.split_at_checked(7)) else {
        return false;
    };
    text.len() <= 32 && places.bytes().all(|b| ALPHABET.contains(&b)) && rest.bytes().all(allowed)
}
