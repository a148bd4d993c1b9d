//! Notices, calls and answers of the generic gateway are signed as Standard Webhooks say.

use crate::base::secret::Secret;
pub(super) use crate::infra::webhook_signature::key_bytes;
use crate::infra::webhook_signature::{self as standard, SignatureError, SignedMessage};
use crate::payments::gateways::gateway::AccountKeys;
use crate::payments::gateways::notice::{NoticeRefusal, RawNotice};

/// What a verified message was signed as.
/// The headers that sign a message.
pub(super) const HEADERS: [&str; 3] = [standard::ID, standard::TIMESTAMP, standard::SIGNATURE];

pub(super) struct Signed<'a> {
    pub id: &'a str,
    /// Which secret, counted from 0.
    pub secret: usize,
}

pub(super) fn verify<'a>(secrets: &[Secret], raw: &'a RawNotice) -> Result<Signed<'a>, NoticeRefusal> {
    let need = |name: &str| raw.header(name)?.ok_or(NoticeRefusal::signature("header_missing"));
    let (id, timestamp, signatures) =
        (need(standard::ID)?, need(standard::TIMESTAMP)?, need(standard::SIGNATURE)?);
    verify_parts(secrets, id, timestamp, signatures, &raw.body, raw.now_unix)
}

/// The same for an answer of the API.
pub(super) fn verify_parts<'a>(
    secrets: &[Secret],
    id: &'a str,
    timestamp: &str,
    signatures: &str,
    body: &[u8],
    now_unix: i64,
) -> Result<Signed<'a>, NoticeRefusal> {
    let message = SignedMessage { id, timestamp, signatures, body };
    let secret = standard::verify(secrets, message, now_unix).map_err(|error| match error {
        SignatureError::BadHeader => NoticeRefusal::signature("bad_header"),
        SignatureError::NoSignature => NoticeRefusal::signature("no_v1_signature"),
        SignatureError::Mismatch => NoticeRefusal::signature("sign_mismatch"),
        SignatureError::TooOld => NoticeRefusal::replay("timestamp_too_old"),
        SignatureError::InTheFuture => NoticeRefusal::replay("timestamp_in_the_future"),
    })?;
    Ok(Signed { id, secret })
}

/// The three headers of a message of ours, the signature of the secret that signs first.
pub(super) fn sign(
    keys: &AccountKeys,
    id: &str,
    now_unix: i64,
    body: &[u8],
) -> Option<[(String, String); 3]> {
    let first = keys.signing_secret()?;
    let others = keys.secrets.iter().enumerate().filter(|(place, _)| *place != keys.signs_with);
    let secrets = std::iter::once(first).chain(others.map(|(_, secret)| secret));
    standard::sign(secrets, id, now_unix, body)
}
