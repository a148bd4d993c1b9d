//! Mail addresses: as typed, in the one spelling they are compared by, and as the mailbox that limits count.

use std::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::base::error_code::ErrorCode;
use crate::base::outcome::Refusal;

/// The longest address (RFC 5321, 4.5.3.1.3, without the angle brackets), bytes.
const LONGEST: usize = 254;

/// A mail address. Two spellings of one address are equal in `normalised`: lower case, composed (NFC), the domain in
/// its ASCII form (UTS #46), so that `ada@bücher.example` and `ada@xn--bcher-kva.example` are one.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    typed: String,
    normalised: String,
    /// As typed, the domain in ASCII.
    for_smtp: String,
}

impl Email {
    /// One `@`, a domain with a dot or `localhost`, printable ASCII or letters with their marks, no spaces, no quotes, no line
    /// breaks: what every mail server takes, and nothing that could grow a second header. A domain beyond ASCII is one
    /// that IDNA allows.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let typed: String = text.trim().nfc().collect();
        let (local, domain) = typed.rsplit_once('@').ok_or_else(invalid)?;
        let local_ok = !local.is_empty()
            && local.len() <= 64
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && is_written(local);
        if !local_ok {
            return Err(invalid());
        }
        let ascii = ascii_domain(domain).ok_or_else(invalid)?;
        if ascii.len() + local.len() + 1 > LONGEST {
            return Err(invalid());
        }
        let local_lower: String = local.to_lowercase().nfc().collect();
        let (normalised, for_smtp) = (format!("{local_lower}@{ascii}"), format!("{local}@{ascii}"));
        Ok(Self { typed, normalised, for_smtp })
    }

    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// The spelling that addresses are compared by, everywhere.
    pub fn normalised(&self) -> &str {
        &self.normalised
    }

    /// The address for `RCPT TO`: the local part as typed, the domain in ASCII.
    pub fn for_smtp(&self) -> &str {
        &self.for_smtp
    }

    /// Whether only a server with SMTPUTF8 (RFC 6531) takes it: its local part has characters beyond ASCII.
    pub fn needs_smtputf8(&self) -> bool {
        !self.for_smtp.is_ascii()
    }

    /// The mailbox that limits count: without the tag behind a plus, and without the dots that Google's mailboxes do
    /// not distinguish. Never a key to anything: at some providers two such addresses are two people.
    pub fn mailbox(&self) -> String {
        let (local, domain) = self.normalised.rsplit_once('@').unwrap_or((&self.normalised, ""));
        let untagged = match local.split_once('+') {
            Some((front, _)) if !front.is_empty() => front,
            _ => local,
        };
        match domain {
            "gmail.com" | "googlemail.com" => format!("{}@gmail.com", untagged.replace('.', "")),
            other => format!("{untagged}@{other}"),
        }
    }
}

/// Letters, digits and the signs that need no quotes; marks of a script (vowel signs, tones) behind a letter.
fn is_written(local: &str) -> bool {
    let mut in_letter = false;
    local.chars().all(|c| {
        let mark = is_combining_mark(c);
        let allowed =
            if mark { in_letter } else { c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c) };
        in_letter = if mark { in_letter } else { c.is_alphabetic() };
        allowed
    })
}

fn invalid() -> Refusal {
    Refusal::new(ErrorCode::EmailInvalid, "this is not a mail address").at(["email"])
}

/// The ASCII form of a domain name, in lower case; `None` when there is none.
fn ascii_domain(domain: &str) -> Option<String> {
    // Hyphens in the third and fourth place are refused by IDNA and used by real domains.
    let ascii = Uts46::new()
        .to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
        .ok()?;
    (ascii.contains('.') || ascii == "localhost").then(|| ascii.into_owned())
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked_email(&self.typed))
    }
}

/// `a…@e….com`: enough to recognise one's own address, too little to learn another's.
pub fn masked_email(address: &str) -> String {
    let first = |s: &str| s.chars().next().map(String::from).unwrap_or_default();
    match address.rsplit_once('@') {
        Some((local, domain)) => {
            let end = domain.rsplit_once('.').map(|(_, end)| format!(".{end}")).unwrap_or_default();
            format!("{}…@{}…{end}", first(local), first(domain))
        }
        None => "…".into(),
    }
}
