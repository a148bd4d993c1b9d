//! Order numbers: short, without look-alikes, unique, and silent about how much is sold.

/// Digits and capitals without 0, 1, I, L, O, U: nothing to misread on the telephone.
const ALPHABET: &[u8; 30] = b"23456789ABCDEFGHJKMNPQRSTVWXYZ";

/// 30^7: seven places.
const SPACE: u64 = 21_870_000_000;

/// Has no common factor with 30, so that multiplying by it visits every number of the space once.
const STEP: u64 = 13_666_327_217;

/// The number of the n-th order, counted from 1: the prefix and seven places or more. Two different n never give the
/// same number: within one round of the space the step permutes it, and each further round has a place of its own.
pub fn number(prefix: &str, n: u64) -> String {
    let round = n / SPACE;
    let mut scattered = ((u128::from(n % SPACE) * u128::from(STEP)) % u128::from(SPACE)) as u64;
    let mut places = [0_u8; 7];
    for place in places.iter_mut().rev() {
        *place = ALPHABET[(scattered % 30) as usize];
        scattered /= 30;
    }
    let body = String::from_utf8_lossy(&places).into_owned();
    if round == 0 { format!("{prefix}{body}") } else { format!("{prefix}{body}-{round}") }
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
