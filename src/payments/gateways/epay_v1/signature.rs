//! MD5 over the signed text and the merchant's key. Who knows the key can sign, and the key travels with every question
//! about an order: a signature alone proves nothing here.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use md5::{Digest, Md5};

use crate::payments::gateways::gateway::{AccountKeys, NoticeRefusal};
use crate::payments::gateways::{epay, form};

/// The digest under one key, in lower-case hex. `joint` says what is between text and key: nothing, or `&key=` as
/// some forks have it; it is never tried both ways.
pub(super) fn sign<'a>(
    keys: &AccountKeys,
    key: &str,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let joint = if keys.setting("joint") == Some("key") { "&key=" } else { "" };
    let mut digest = Md5::new();
    for part in [epay::signed_text(pairs).as_str(), joint, key] {
        digest.update(part);
    }
    hex::encode(digest.finalize())
}

/// Which key fits, counted from 0.
pub(super) fn verify(keys: &AccountKeys, pairs: &[(String, String)]) -> Result<usize, NoticeRefusal> {
    if form::value(pairs, "sign_type").is_some_and(|kind| kind != "MD5") {
        return Err(NoticeRefusal::signature("sign_type_not_allowed"));
    }
    let given = form::value(pairs, "sign").filter(|sign| !sign.is_empty());
    let given = given.ok_or(NoticeRefusal::signature("sign_missing"))?;
    let mut found = None;
    for (index, key) in keys.secrets.iter().enumerate().filter(|(_, key)| !key.is_empty()) {
        let wanted = sign(keys, key.expose(), epay::borrowed(pairs));
        let fits = verify_slices_are_equal(given.as_bytes(), wanted.as_bytes()).is_ok();
        if fits && found.is_none() {
            found = Some(index);
        }
    }
    found.ok_or(NoticeRefusal::signature("sign_mismatch"))
}
