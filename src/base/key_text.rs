//! What the text of a key is: the one definition behind import, generation, fingerprints and the checks. Two texts that
//! look alike to everybody must be one key, else it is sold twice.
//!
//! The table is this program's own and not the Unicode library's: fingerprints are stored, so a newer version of Unicode
//! must not change them unnoticed. A test compares it with the library.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::base::secret::Secret;

/// `Default_Ignorable_Code_Point` of Unicode 17 (DerivedCoreProperties.txt), which contains every `Bidi_Control`: what
/// shows nothing by itself, marks of byte order, joiners and variation selectors among it.
const IGNORABLE: [(char, char); 17] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{202a}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fff8}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Whether a character shows nothing by itself, controls of writing direction included.
pub fn is_ignorable(c: char) -> bool {
    IGNORABLE.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

/// Why a text is no key. Never holds the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyTextProblem {
    /// A control character other than a tab, or a separator of lines or paragraphs, inside the text.
    ControlCharacter,
    /// A character inside the text that nobody sees.
    HiddenCharacter,
}

/// The text of a unique key as it is stored, compared and shown: never empty.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText(Secret);

impl KeyText {
    /// The key in a line of a file; none when nothing of it can be seen. Tabs inside are content (`account⇥password`).
    /// The refusal of hidden characters inside holds for unique keys only: other goods may be texts of any script.
    pub fn parse(line: &str) -> Result<Option<Self>, KeyTextProblem> {
        Self::judge(line, false)
    }

    /// The same of a text that was marked off otherwise than by the end of its line: ends of lines inside are content,
    /// whichever way they are written.
    pub fn parse_lines(text: &str) -> Result<Option<Self>, KeyTextProblem> {
        let text = Zeroizing::new(text.replace("\r\n", "\n"));
        Self::judge(&Zeroizing::new(text.replace('\r', "\n")), true)
    }

    fn judge(text: &str, in_lines: bool) -> Result<Option<Self>, KeyTextProblem> {
        let text = Zeroizing::new(canonical(text));
        for c in text.chars() {
            match c {
                '\t' => {}
                '\n' if in_lines => {}
                '\u{2028}' | '\u{2029}' => return Err(KeyTextProblem::ControlCharacter),
                c if c.is_control() => return Err(KeyTextProblem::ControlCharacter),
                // Marks of annotations, and the two that are no characters: a byte order mark read the wrong way round.
                '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' => {
                    return Err(KeyTextProblem::HiddenCharacter);
                }
                c if is_ignorable(c) => return Err(KeyTextProblem::HiddenCharacter),
                _ => {}
            }
        }
        Ok((!text.is_empty()).then(|| Self(Secret::new(text.as_str()))))
    }

    /// The content; every call is a place to look at in review.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText(…)")
    }
}

/// Without white space and ignorable characters at both ends.
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_ignorable(c))
}

/// NFC, without white space and ignorable characters at both ends. The same again changes nothing.
pub fn canonical(text: &str) -> String {
    trimmed(text).nfc().collect()
}

/// How texts are compared: canonical, and in lower case where the variant says that case means nothing.
pub fn compared(text: &str, fold_case: bool) -> Zeroizing<String> {
    let exact = Zeroizing::new(canonical(text));
    if fold_case { Zeroizing::new(exact.to_lowercase().nfc().collect()) } else { exact }
}

/// How texts were compared by programs that knew no ignorable characters: for fingerprints that they stored.
pub fn compared_before(text: &str, fold_case: bool) -> Zeroizing<String> {
    let exact: Zeroizing<String> = Zeroizing::new(text.trim().nfc().collect());
    if fold_case { Zeroizing::new(exact.to_lowercase().nfc().collect()) } else { exact }
}
