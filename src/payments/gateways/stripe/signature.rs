//! `Stripe-Signature: t=<unix>,v1=<hex>[,v1=<hex>…]`: HMAC-SHA256 over `t.body` with the whole secret as text. Any
//! v1 may fit (several are there while a secret is rotated); other schemes are ignored. The age is checked
//! after the signature: more than 300 seconds is refused as the SDKs do, and so is more than 300 seconds in
//! the future, which they do not.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

use crate::base::secret::Secret;
use crate::payments::gateways::notice::{NoticeRefusal, RawNotice};

/// The header that signs a notice.
pub(super) const HEADER: &str = "stripe-signature";

const TOLERANCE: i64 = 300;

/// Which secret fits, counted from 0.
pub(super) fn verify(secrets: &[Secret], raw: &RawNotice) -> Result<usize, NoticeRefusal> {
    let header = raw.header(HEADER)?.ok_or(NoticeRefusal::signature("sign_missing"))?;
    let (t, given) = parse(header)?;
    let mut found = None;
    for (index, secret) in secrets.iter().enumerate() {
        if secret.is_empty() {
            continue;
        }
        let mut context =
            hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()));
        for part in [t.as_bytes(), b".", &raw.body] {
            context.update(part);
        }
        let mac = hex::encode(context.sign().as_ref());
        let fits = |g: &&str| verify_slices_are_equal(g.as_bytes(), mac.as_bytes()).is_ok();
        if found.is_none() && given.iter().any(fits) {
            found = Some(index);
        }
    }
    let secret = found.ok_or(NoticeRefusal::signature("sign_mismatch"))?;
    let at: i64 = t.parse().map_err(|_| NoticeRefusal::signature("bad_header"))?;
    if raw.now_unix.saturating_sub(at) > TOLERANCE {
        return Err(NoticeRefusal::replay("timestamp_too_old"));
    }
    if at.saturating_sub(raw.now_unix) > TOLERANCE {
        return Err(NoticeRefusal::replay("timestamp_in_the_future"));
    }
    Ok(secret)
}

/// The one `t` and all `v1` of a digest's length.
fn parse(header: &str) -> Result<(&str, Vec<&str>), NoticeRefusal> {
    let bad = NoticeRefusal::signature("bad_header");
    let (mut t, mut given, mut any) = (None, Vec::new(), false);
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", value)) if t.replace(value).is_some() => return Err(bad),
            Some(("v1", value)) => {
                any = true;
                if value.len() == 64 {
                    given.push(value);
                }
            }
            _ => {}
        }
    }
    let digits = |t: &&str| (1..=15).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
    let t = t.filter(digits).ok_or(bad)?;
    if !any {
        return Err(NoticeRefusal::signature("no_v1_signature"));
    }
    Ok((t, given))
}
