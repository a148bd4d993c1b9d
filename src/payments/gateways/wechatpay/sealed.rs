//! What is encrypted for the merchant: AES-256-GCM with the APIv3 key. That it opens proves nothing about who wrote it;
//! only the signature does.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::base::secret::Secret;
use crate::payments::gateways::gateway::AccountKeys;
use crate::payments::gateways::json;

/// Bytes of the APIv3 key.
pub(super) const KEY_LENGTH: usize = 32;

/// Opens `{algorithm, nonce, associated_data?, ciphertext}` with the first of the account's keys that fits: the platform
/// changes over to a new APIv3 key at a moment of its own. The tag follows the ciphertext. The error is a stable code.
pub(super) fn open(keys: &AccountKeys, sealed: &Value) -> Result<Vec<u8>, &'static str> {
    let mut last = "decryption_key_missing";
    for key in keys.decryption_keys() {
        match open_with(key, sealed) {
            Ok(plain) => return Ok(plain),
            Err(word) => last = word,
        }
    }
    Err(last)
}

fn open_with(key: &Secret, sealed: &Value) -> Result<Vec<u8>, &'static str> {
    if json::text(sealed, &["algorithm"]) != Some("AEAD_AES_256_GCM") {
        return Err("algorithm_unknown");
    }
    let nonce = json::text(sealed, &["nonce"]).ok_or("nonce_missing")?;
    let nonce = Nonce::try_assume_unique_for_key(nonce.as_bytes()).map_err(|_| "nonce_malformed")?;
    let data = match sealed.get("associated_data") {
        None | Some(Value::Null) => "",
        Some(data) => data.as_str().ok_or("associated_data_malformed")?,
    };
    let ciphertext = json::text(sealed, &["ciphertext"]).ok_or("ciphertext_missing")?;
    let mut bytes = STANDARD.decode(ciphertext).map_err(|_| "ciphertext_malformed")?;
    let key =
        UnboundKey::new(&AES_256_GCM, key.expose().as_bytes()).map_err(|_| "decryption_key_malformed")?;
    let aad = Aad::from(data.as_bytes());
    let plain = LessSafeKey::new(key).open_in_place(nonce, aad, &mut bytes).map_err(|_| "tag_mismatch")?;
    Ok(plain.to_vec())
}
