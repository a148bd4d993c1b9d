//! How generated keys look, and how hard they are to guess.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::base::clock;
use crate::base::error_code::ErrorCode;
use crate::base::outcome::Refusal;
use crate::base::secret::Secret;

/// Bits of strength below which a format is refused.
pub const MIN_BITS: f64 = 80.0;

/// No two of its characters are taken for each other: neither 0 and O, 1, I and L, 2 and Z, 5 and S, 8 and B, nor
/// U and V.
const PLAIN: &str = "23456789ACDEFGHJKMNPQRTVWXY";

/// Characters that people take for each other; an alphabet has at most one of each group.
const LOOK_ALIKES: [&str; 6] = ["0Oo", "1IilL", "2Zz", "5Ss", "8B", "UuVv"];

/// The format of a variant's keys: `VC-7H4QK-…`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyFormat {
    /// Stands before the first group, `VC-` for instance. Up to 16 printable ASCII characters.
    pub prefix: String,
    /// 10 to 62 different ASCII letters and digits.
    pub alphabet: String,
    pub groups: u8,
    pub group_length: u8,
    /// The last character is computed from the others (Luhn's algorithm modulo the alphabet's size), so that a
    /// typing mistake is noticed. It adds no strength.
    pub check: bool,
    /// Not drawn by chance in groups: a signed text that says itself what it is good for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub signed: bool,
}

impl Default for KeyFormat {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            alphabet: PLAIN.into(),
            groups: 4,
            group_length: 5,
            check: false,
            signed: false,
        }
    }
}

impl KeyFormat {
    /// Random characters of a key.
    fn random_characters(&self) -> usize {
        (usize::from(self.groups) * usize::from(self.group_length)).saturating_sub(usize::from(self.check))
    }

    /// Bits of entropy of a key of this format.
    pub fn bits(&self) -> f64 {
        self.random_characters() as f64 * (self.alphabet.chars().count().max(1) as f64).log2()
    }

    /// Refuses what makes no sense as `INVALID`, and less than `min_bits` as `FORMAT_TOO_WEAK` with the strength in
    /// the message. `fold_case`: the variant compares keys without regard to case.
    pub fn check(&self, fold_case: bool, min_bits: f64) -> Result<(), Refusal> {
        let invalid =
            |field: &str, text: &str| Err(Refusal::new(ErrorCode::Invalid, text).at(["format", field]));
        if self.signed {
            if fold_case {
                return invalid("signed", "in a signed key case counts, which this variant does not see");
            }
            if *self != (Self { signed: true, ..Self::default() }) {
                return invalid("signed", "a signed key has no prefix, alphabet, groups or check character");
            }
            return Ok(());
        }
        if self.prefix.len() > 16 || !self.prefix.bytes().all(|b| b.is_ascii_graphic()) {
            return invalid("prefix", "the prefix has at most 16 printable ASCII characters");
        }
        let characters: Vec<char> = self.alphabet.chars().collect();
        if !(10..=62).contains(&characters.len()) || !characters.iter().all(char::is_ascii_alphanumeric) {
            return invalid("alphabet", "the alphabet has 10 to 62 ASCII letters and digits");
        }
        let folded = |c: &char| if fold_case { c.to_ascii_lowercase() } else { *c };
        let mut seen: Vec<char> = characters.iter().map(folded).collect();
        seen.sort_unstable();
        if seen.windows(2).any(|pair| pair[0] == pair[1]) {
            return invalid("alphabet", "a character occurs twice in the alphabet");
        }
        for group in LOOK_ALIKES {
            if characters.iter().filter(|c| group.contains(**c)).count() > 1 {
                return invalid(
                    "alphabet",
                    &format!("people take the characters {group} for each other: keep one"),
                );
            }
        }
        if !(1..=16).contains(&self.groups) || !(2..=16).contains(&self.group_length) {
            return invalid("groups", "a key has 1 to 16 groups of 2 to 16 characters");
        }
        if self.bits() < min_bits {
            return Err(Refusal::new(
                ErrorCode::FormatTooWeak,
                format!(
                    "keys of this format have {:.1} bits of strength ({} random characters out of {}); at least \
                     {min_bits} are needed",
                    self.bits(),
                    self.random_characters(),
                    characters.len()
                ),
            )
            .at(["format"]));
        }
        Ok(())
    }

    /// A new key from the operating system's random source.
    pub fn make(&self) -> Secret {
        let alphabet = self.alphabet.as_bytes();
        let mut digits =
            Zeroizing::new(Vec::with_capacity(usize::from(self.groups) * usize::from(self.group_length)));
        let mut noise = Zeroizing::new([0_u8; 64]);
        // Bytes above the largest multiple of the alphabet's size are thrown away: no character is likelier.
        let fair = 256 - 256 % alphabet.len().max(1);
        while digits.len() < self.random_characters() {
            clock::fill(noise.as_mut());
            let usable = noise.iter().map(|b| usize::from(*b)).filter(|b| *b < fair);
            let missing = self.random_characters() - digits.len();
            digits.extend(usable.map(|b| b % alphabet.len()).take(missing));
        }
        if self.check {
            let check = self.check_digit(&digits);
            digits.push(check);
        }
        let mut text = Zeroizing::new(String::with_capacity(self.prefix.len() + digits.len() * 2));
        text.push_str(&self.prefix);
        for (index, digit) in digits.iter().enumerate() {
            if index > 0 && index % usize::from(self.group_length) == 0 {
                text.push('-');
            }
            text.push(char::from(alphabet[*digit]));
        }
        Secret::new(text.as_str())
    }

    /// Whether `text` has this format, and its check character fits when there is one.
    pub fn fits(&self, text: &str) -> bool {
        let Some(rest) = text.strip_prefix(self.prefix.as_str()) else { return false };
        let groups: Vec<&str> = rest.split('-').collect();
        let shape = groups.len() == usize::from(self.groups)
            && groups.iter().all(|g| g.chars().count() == usize::from(self.group_length));
        let digits: Option<Vec<usize>> = groups.concat().chars().map(|c| self.alphabet.find(c)).collect();
        match (shape, digits, self.check) {
            (true, Some(_), false) => true,
            (true, Some(digits), true) => {
                digits.split_last().is_some_and(|(check, rest)| *check == self.check_digit(rest))
            }
            _ => false,
        }
    }

    /// Luhn modulo N over the characters' places in the alphabet.
    fn check_digit(&self, digits: &[usize]) -> usize {
        let n = self.alphabet.len().max(1);
        let sum: usize = digits
            .iter()
            .rev()
            .enumerate()
            .map(|(index, digit)| {
                let weighted = if index % 2 == 0 { digit * 2 } else { *digit };
                weighted / n + weighted % n
            })
            .sum();
        (n - sum % n) % n
    }
}
