//! DKIM signatures (RFC 6376; Ed25519 by RFC 8463), `relaxed/relaxed`: what a relay may do to spaces and folded lines
//! leaves them valid. Keys are those of aws-lc, whose RSA takes the same time for every key; lettre's own signer would
//! bring a second implementation that does not, and dates signatures by the wall clock, so that a repeat is another mail.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};

use crate::base::secret::Secret;
use crate::config::Mail;

/// The headers that are signed. Each is named once more than the mail has it, so that nobody can add another one (RFC
/// 6376, 8.15).
const SIGNED: [&str; 9] = [
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "content-type",
    "content-language",
    "auto-submitted",
];

enum Key {
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// Signs mails for a domain.
pub struct Signer {
    domain: String,
    selector: String,
    key: Key,
}

impl Signer {
    /// The signer that `[mail]` asks for, if any; what is wrong with its key otherwise.
    pub fn of(config: &Mail) -> Result<Option<Self>, &'static str> {
        let (Some(domain), Some(selector), Some(pem)) =
            (&config.dkim_domain, &config.dkim_selector, &config.dkim_key)
        else {
            return Ok(None);
        };
        Ok(Some(Self { domain: domain.clone(), selector: selector.clone(), key: key(pem)? }))
    }

    /// The header to be put before a whole message with its lines ended by CR LF. None when the key signs nothing.
    pub fn header(&self, message: &[u8], at: DateTime<Utc>) -> Option<String> {
        let (head, body) = divide(message);
        let algorithm = match self.key {
            Key::Rsa(_) => "rsa-sha256",
            Key::Ed25519(_) => "ed25519-sha256",
        };
        let fields = fields(head);
        let mut names = Vec::new();
        let mut signed = Vec::new();
        for name in SIGNED {
            // Of several of one name the last is signed first.
            for (_, line) in fields.iter().rev().filter(|(n, _)| n == name) {
                names.push(name);
                signed.extend_from_slice(line);
                signed.extend_from_slice(b"\r\n");
            }
            names.push(name);
        }
        let hash = STANDARD.encode(digest(&SHA256, &relaxed_body(body)));
        let (domain, selector, time, names) = (&self.domain, &self.selector, at.timestamp(), names.join(":"));
        let tags = format!("v=1; a={algorithm}; c=relaxed/relaxed; d={domain}; s={selector}; t={time}");
        signed.extend_from_slice(format!("dkim-signature:{tags}; h={names}; bh={hash}; b=").as_bytes());
        let signature = self.sign(&signed)?;
        let mut header = format!("DKIM-Signature: {tags};\r\n h={names};\r\n bh={hash};\r\n b=");
        for (index, c) in signature.chars().enumerate() {
            if index > 0 && index % 72 == 0 {
                header.push_str("\r\n ");
            }
            header.push(c);
        }
        header.push_str("\r\n");
        Some(header)
    }

    fn sign(&self, text: &[u8]) -> Option<String> {
        match &self.key {
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).ok()?;
                Some(STANDARD.encode(signature))
            }
            // Of the digest, RFC 8463, 3.
            Key::Ed25519(key) => Some(STANDARD.encode(key.sign(digest(&SHA256, text).as_ref()).as_ref())),
        }
    }
}

/// PKCS#8 of either kind, or PKCS#1, in PEM.
fn key(text: &Secret) -> Result<Key, &'static str> {
    let block = pem::parse(text.expose()).map_err(|_| "takes a private key in PEM")?;
    let der = zeroize::Zeroizing::new(block.into_contents());
    if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der) {
        return Ok(Key::Ed25519(key));
    }
    let key = RsaKeyPair::from_pkcs8(&der).or_else(|_| RsaKeyPair::from_der(&der));
    key.map(Key::Rsa).map_err(|_| "takes a private key of Ed25519, or of RSA with 2048 to 8192 bits")
}

fn divide(message: &[u8]) -> (&[u8], &[u8]) {
    match message.windows(4).position(|four| four == b"\r\n\r\n") {
        Some(at) => (&message[..at + 2], &message[at + 4..]),
        None => (message, &[]),
    }
}

/// The header's fields: name in lower case, and the whole as it is signed, without its end (3.4.2).
fn fields(head: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut fields: Vec<Vec<u8>> = Vec::new();
    for line in head.split_inclusive(|b| *b == b'\n') {
        match fields.last_mut() {
            Some(last) if line.starts_with(b" ") || line.starts_with(b"\t") => last.extend_from_slice(line),
            _ => fields.push(line.to_vec()),
        }
    }
    let relaxed = |field: Vec<u8>| {
        let colon = field.iter().position(|b| *b == b':')?;
        let name = String::from_utf8_lossy(&field[..colon]).trim_end().to_lowercase();
        let unfolded: Vec<u8> = field[colon + 1..].iter().copied().filter(|b| !b"\r\n".contains(b)).collect();
        let mut line = format!("{name}:").into_bytes();
        let value = single_spaced(&unfolded);
        let value = value.strip_prefix(b" ").unwrap_or(&value);
        line.extend_from_slice(value.strip_suffix(b" ").unwrap_or(value));
        Some((name, line))
    };
    fields.into_iter().filter_map(relaxed).collect()
}

/// 3.4.4: spaces at the end of lines and empty lines at the end go, other spaces become one.
fn relaxed_body(body: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(body.len());
    for line in body.split_inclusive(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = single_spaced(line);
        text.extend_from_slice(line.strip_suffix(b" ").unwrap_or(&line));
        text.extend_from_slice(b"\r\n");
    }
    while text.ends_with(b"\r\n\r\n") {
        text.truncate(text.len() - 2);
    }
    if text == b"\r\n" { Vec::new() } else { text }
}

fn single_spaced(line: &[u8]) -> Vec<u8> {
    let mut text: Vec<u8> = Vec::with_capacity(line.len());
    for byte in line {
        match byte {
            b' ' | b'\t' if text.last() == Some(&b' ') => {}
            b' ' | b'\t' => text.push(b' '),
            other => text.push(*other),
        }
    }
    text
}
