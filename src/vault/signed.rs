//! Keys that say themselves what they are good for, so that software believes them without asking: each is a JSON Web
//! Signature (RFC 7515) in its compact form, by Ed25519 (RFC 8037). The first key of `secrets.licences` signs; the public halves
//! of all are published.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::base::ids::{KeyId, ProductId, VariantId};
use crate::base::outcome::Fault;
use crate::base::secret::Secret;
use crate::config::{RingKey, Secrets};

/// Nothing else of this shop is of this type: a key never passes for a token.
const TYPE: &str = "licence+jwt";

/// What the keys of a batch say, beside their own id.
#[derive(Clone, Debug)]
pub struct Promised {
    pub product: ProductId,
    pub variant: VariantId,
    /// On how many devices each may be used at once; none: on any number.
    pub devices: Option<i32>,
    pub made_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// Signs the keys of a batch.
pub struct KeySigner {
    header: String,
    pair: Ed25519KeyPair,
    promised: Promised,
}

impl KeySigner {
    /// None: the shop has no key to sign with.
    pub fn of(secrets: &Secrets, promised: Promised) -> Result<Option<Self>, Fault> {
        let Some(key) = secrets.licences.first() else { return Ok(None) };
        let header = encode(&json!({ "alg": "EdDSA", "kid": key.id, "typ": TYPE }));
        Ok(Some(Self { header, pair: pair(key)?, promised }))
    }

    /// The text of a key.
    pub fn sign(&self, key: KeyId) -> Secret {
        let Promised { product, variant, devices, made_at, expires_at } = &self.promised;
        let mut payload = json!({
            "sub": key.to_string(),
            "aud": product.to_string(),
            "variant": variant.to_string(),
            "iat": made_at.timestamp(),
        });
        if let Some(end) = expires_at {
            payload["exp"] = json!(end.timestamp());
        }
        if let Some(devices) = devices {
            payload["devices"] = json!(devices);
        }
        let mut text = Zeroizing::new(format!("{}.{}", self.header, encode(&payload)));
        let signature = self.pair.sign(text.as_bytes());
        text.push('.');
        text.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Secret::new(text.as_str())
    }
}

/// The public halves of all keys that sign or signed, as a JSON Web Key Set (RFC 7517).
pub fn public_keys(secrets: &Secrets) -> Result<Value, Fault> {
    let key = |key: &RingKey| {
        let public = URL_SAFE_NO_PAD.encode(pair(key)?.public_key());
        Ok(
            json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": key.id, "x": public }),
        )
    };
    let keys: Vec<Value> = secrets.licences.iter().map(key).collect::<Result<_, Fault>>()?;
    Ok(json!({ "keys": keys }))
}

fn pair(key: &RingKey) -> Result<Ed25519KeyPair, Fault> {
    Ed25519KeyPair::from_seed_unchecked(key.bytes.expose())
        .map_err(|_| Fault::bug("`secrets.licences` holds no Ed25519 seed"))
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}
