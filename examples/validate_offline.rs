//! Believes a signed licence key without asking the shop: by the key set that `GET /licences/public-keys` publishes, which
//! software carries with it. Uses nothing of Dispense.
//!
//! ```text
//! curl https://shop.example/licences/public-keys > keys.json
//! echo "$KEY" | cargo run --example validate_offline -- keys.json prd_01kb…
//! ```
//!
//! What it cannot know is what happened since the key was made: a refund, a replacement, the devices in use. Ask
//! `/licences/validate` whenever there is a network.

use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

type Fallible<T> = Result<T, Box<dyn Error>>;

/// What the key says, when it is genuine, for this product, and its time is not over.
fn validate(key_set: &Value, product: &str, key: &str, now: u64) -> Fallible<Value> {
    let parts: Vec<&str> = key.trim().split('.').collect();
    let [header, payload, signature] = parts[..] else { return Err("this is no signed key".into()) };
    let read = |part: &str| -> Fallible<Value> {
        let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| "this is no signed key")?;
        Ok(serde_json::from_slice(&bytes).map_err(|_| "this is no signed key")?)
    };
    let head = read(header)?;
    // One algorithm and one type, whatever the key itself would like.
    if head["alg"] != "EdDSA" || head["typ"] != "licence+jwt" {
        return Err("this is no signed key".into());
    }
    let known = key_set["keys"].as_array().into_iter().flatten();
    let mut known = known.filter(|known| known["kty"] == "OKP" && known["crv"] == "Ed25519");
    let signer =
        known.find(|known| known["kid"] == head["kid"]).ok_or("signed by a key that is not known")?;
    let public = URL_SAFE_NO_PAD.decode(signer["x"].as_str().unwrap_or_default())?;
    let signed = &key.trim()[..header.len() + 1 + payload.len()];
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "this is no signed key")?;
    let verdict = UnparsedPublicKey::new(&ED25519, public).verify(signed.as_bytes(), &signature);
    verdict.map_err(|_| "the signature does not fit")?;
    let says = read(payload)?;
    if says["aud"] != product {
        return Err("this key is of another product".into());
    }
    if says.get("exp").is_some_and(|end| end.as_u64().is_none_or(|end| end <= now)) {
        return Err("the time of this key is over".into());
    }
    Ok(says)
}

#[allow(clippy::disallowed_methods)] // A program of somebody else, which has no clock of ours.
fn main() -> Fallible<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(product)) = (arguments.next(), arguments.next()) else {
        return Err("usage: validate_offline KEYS.json PRODUCT_ID, and the key on standard input".into());
    };
    let key_set: Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let key = std::io::read_to_string(std::io::stdin())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    match validate(&key_set, &product, &key, now) {
        Ok(says) => println!("VALID {says}"),
        Err(why) => {
            println!("INVALID {why}");
            std::process::exit(1);
        }
    }
    Ok(())
}
