//! Countries as networks in front of the shop name them.

use std::fmt;

/// A country by its code of two characters (ISO 3166-1 alpha-2). Some networks use codes of their own beside them, such as
/// `T1` for Tor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// In letters of either case. `XX` is what networks write that do not know.
    pub fn parse(text: &str) -> Option<Self> {
        let [first, second] = *text.trim().as_bytes() else { return None };
        let code = [first.to_ascii_uppercase(), second.to_ascii_uppercase()];
        let fits = code[0].is_ascii_uppercase() && code[1].is_ascii_alphanumeric();
        (fits && code != *b"XX").then_some(Self(code))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
