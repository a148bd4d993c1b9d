//! Whose signature counts: the platform's certificates, named by their serial number, and its public key, named by its id
//! (`PUB_KEY_ID_…`). While a merchant moves from the one to the other, messages come signed by either. A message
//! names its key, and no other key is ever tried.

use webpki::EndEntityCert;

use crate::base::secret::Secret;
use crate::infra::outbound::HttpAnswer;
use crate::payments::gateways::gateway::AccountKeys;
use crate::payments::gateways::notice::{NoticeRefusal, RawNotice};
use crate::payments::gateways::rsa::PublicKey;

/// How many seconds a message may be off; at this number the official Go SDK refuses it.
const TOLERANCE: u64 = 300;
const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";
/// Deliberately wrong signatures, by which the platform finds out who does not check (official FAQ of 2025-10-14).
const PROBE: &str = "WECHATPAY/SIGNTEST/";
pub(super) const PUBLIC_KEY_ID: &str = "PUB_KEY_ID_";

/// One of the platform's keys and the name messages give it.
pub(super) struct PlatformKey {
    pub serial: String,
    pub key: PublicKey,
}

impl PlatformKey {
    /// A certificate in PEM, or `PUB_KEY_ID_…:` and a public key.
    pub fn parse(secret: &Secret) -> Option<Self> {
        let text = secret.expose().trim();
        match text.split_once(':').filter(|_| text.starts_with(PUBLIC_KEY_ID)) {
            Some((id, key)) if id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => {
                Some(Self { serial: id.to_owned(), key: PublicKey::parse(key)? })
            }
            Some(_) => None,
            None => Self::certificate(text),
        }
    }

    fn certificate(text: &str) -> Option<Self> {
        let block = pem::parse(text).ok().filter(|block| block.tag() == "CERTIFICATE")?;
        let der = block.contents().into();
        let serial = hex::encode_upper(EndEntityCert::try_from(&der).ok()?.serial());
        Some(Self { serial: bare(&serial).to_owned(), key: PublicKey::of_certificate(block.contents())? })
    }
}

/// Serial numbers are compared without leading zeros, which some tools write and others do not.
fn bare(serial: &str) -> &str {
    serial.trim_start_matches('0')
}

/// The configured key of this name and its place among the account's secrets.
pub(super) fn configured(keys: &AccountKeys, serial: &str) -> Option<(usize, PlatformKey)> {
    let parsed = keys.secrets.iter().enumerate().filter_map(|(n, s)| Some((n, PlatformKey::parse(s)?)));
    parsed.into_iter().find(|(_, platform)| platform.serial == bare(serial))
}

/// A fetched certificate, when it has this serial number.
pub(super) fn fetched(pem: &str, serial: &str) -> Option<PlatformKey> {
    PlatformKey::certificate(pem).filter(|platform| platform.serial == bare(serial))
}

/// The id of the public key by which answers are asked to be signed: the one that `signs_with` names, else the first of
/// the list. While the key is changed at the platform both are listed there, and an id that it does not know yet is
/// asked for in vain.
pub(super) fn public_key_id(keys: &AccountKeys) -> Option<String> {
    let from = keys.secrets.iter().skip(keys.signs_with).chain(&keys.secrets);
    let serials = from.filter_map(|secret| Some(PlatformKey::parse(secret)?.serial));
    serials.into_iter().find(|serial| serial.starts_with(PUBLIC_KEY_ID))
}

/// The headers that sign a notice, and the one that may say how.
pub(super) const HEADERS: [&str; 5] = [
    "wechatpay-timestamp",
    "wechatpay-nonce",
    "wechatpay-signature",
    "wechatpay-serial",
    "wechatpay-signature-type",
];

/// What they say, of a notice or an answer.
pub(super) struct Signed<'a> {
    timestamp: &'a str,
    nonce: &'a str,
    signature: &'a str,
    pub serial: &'a str,
}

impl<'a> Signed<'a> {
    pub fn of_notice(raw: &'a RawNotice) -> Result<Self, NoticeRefusal> {
        let wanted = |name| raw.header(name)?.ok_or(NoticeRefusal::signature("header_missing"));
        let signed = Self {
            timestamp: wanted("wechatpay-timestamp")?,
            nonce: wanted("wechatpay-nonce")?,
            signature: wanted("wechatpay-signature")?,
            serial: wanted("wechatpay-serial")?,
        };
        signed.check_form(raw.header("wechatpay-signature-type")?)?;
        Ok(signed)
    }

    /// None when the answer is not signed.
    pub fn of_answer(answer: &'a HttpAnswer) -> Option<Result<Self, NoticeRefusal>> {
        let header = |name| answer.header(name);
        let signed = Self {
            signature: header("wechatpay-signature")?,
            timestamp: header("wechatpay-timestamp")?,
            nonce: header("wechatpay-nonce")?,
            serial: header("wechatpay-serial")?,
        };
        let checked = signed.check_form(header("wechatpay-signature-type"));
        Some(checked.map(|()| signed))
    }

    /// The scheme may be missing (the Go SDK then takes this one); it is compared, never obeyed.
    fn check_form(&self, scheme: Option<&str>) -> Result<(), NoticeRefusal> {
        if scheme.is_some_and(|scheme| scheme != SCHEME) {
            return Err(NoticeRefusal::signature("scheme_unknown"));
        }
        if self.signature.starts_with(PROBE) {
            return Err(NoticeRefusal::signature("probe"));
        }
        let digits = self.timestamp.bytes().all(|b| b.is_ascii_digit());
        if !digits || !(1..=15).contains(&self.timestamp.len()) {
            return Err(NoticeRefusal::signature("timestamp_malformed"));
        }
        Ok(())
    }

    /// Over `timestamp LF nonce LF body LF`.
    pub fn check(&self, platform: &PlatformKey, body: &[u8]) -> Result<(), NoticeRefusal> {
        let head = format!("{}\n{}\n", self.timestamp, self.nonce);
        let message = [head.as_bytes(), body, b"\n"].concat();
        let genuine = platform.key.verifies(&message, self.signature);
        genuine.then_some(()).ok_or(NoticeRefusal::signature("sign_mismatch"))
    }

    pub fn check_age(&self, now_unix: i64) -> Result<(), NoticeRefusal> {
        let at: i64 = self.timestamp.parse().map_err(|_| NoticeRefusal::signature("timestamp_malformed"))?;
        match at.abs_diff(now_unix) {
            0..TOLERANCE => Ok(()),
            _ if at < now_unix => Err(NoticeRefusal::replay("timestamp_too_old")),
            _ => Err(NoticeRefusal::replay("timestamp_in_the_future")),
        }
    }
}
