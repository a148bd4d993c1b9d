//! Keys that are believed without asking.

use std::io::Write;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dispense::base::ids::VariantId;
use dispense::config::{Bytes32, RingKey};
use serde_json::{Value, json};

use super::shop::LicenceShop;
use crate::harness::{TestApp, program};

const GENERATE: &str = "mutation($in: KeysGenerateInput!) { keysGenerate(input: $in) {
    batch { state added } userErrors { code field } } }";

impl LicenceShop {
    async fn generate(&self, variant: VariantId, quantity: i32, format: Value) -> Value {
        let input = json!({ "variantId": variant.to_string(), "quantity": quantity, "format": format });
        self.shop.boss.data(GENERATE, json!({ "in": input })).await["keysGenerate"].clone()
    }
}

async fn key_set(t: &TestApp) -> Value {
    let answer = t.get("/licences/public-keys").await;
    assert_eq!(answer.headers()["cache-control"], "public, max-age=3600");
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

/// Runs the example program with a key set; whether it believes the key, and what it prints.
fn offline(keys: &Value, product: &str, key: &str) -> (bool, String) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(keys.to_string().as_bytes()).unwrap();
    let example = program().with_file_name("examples").join("validate_offline");
    let mut child = Command::new(&example)
        .arg(file.path())
        .arg(product)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{}: {e}", example.display()));
    child.stdin.take().unwrap().write_all(key.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

fn payload(key: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(key.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// Rows: K16, K1, K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_key_is_believed_offline_and_online_and_no_other_is() {
    let s = LicenceShop::open(0, Some(3)).await;
    let t = &s.shop.t;
    let made = s.generate(s.variant, 3, json!({ "signed": true })).await;
    assert_eq!(made, json!({ "batch": { "state": "DONE", "added": "3" }, "userErrors": [] }));
    let sold = s.buy().await;
    t.canary(sold.key.as_str());
    let online = s.validate(&sold, None).await;
    assert_eq!(online["code"], "VALID");
    let keys = key_set(t).await;
    let one = &keys["keys"][0];
    assert_eq!((&one["kty"], &one["crv"], &one["alg"]), (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA")));
    assert!(one.get("d").is_none(), "the public half alone");

    let (good, said) = offline(&keys, &s.product, &sold.key);
    assert!(good, "{said}");
    let says = payload(&sold.key);
    assert!(said.contains(&says["sub"].to_string()), "{said}");
    assert_eq!((&says["sub"], &says["aud"]), (&online["licence"]["id"], &json!(s.product)));
    assert_eq!((&says["variant"], &says["devices"]), (&json!(s.variant.to_string()), &json!(3)));

    let parts: Vec<&str> = sold.key.split('.').collect();
    let forged = |payload: &Value| {
        format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(payload.to_string()), parts[2])
    };
    let mut more = says.clone();
    more["devices"] = json!(300);
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"licence+jwt"}"#);
    let other_kid = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "other", "x": one["x"] }] });
    for (keys, product, key, why) in [
        (&keys, s.product.as_str(), forged(&more), "the signature does not fit"),
        (&keys, s.product.as_str(), format!("{none}.{}.", parts[1]), "no signed key"),
        (&keys, s.product.as_str(), "VC-7H4QK".to_owned(), "no signed key"),
        (&keys, "prd_another", sold.key.clone(), "another product"),
        (&other_kid, s.product.as_str(), sold.key.clone(), "not known"),
    ] {
        let (good, said) = offline(keys, product, &key);
        assert!(!good && said.contains(why), "{said}");
    }
    // The forged one is not in the vault either.
    let forged = json!({ "productId": s.product, "key": forged(&more) });
    assert_eq!(super::shop::send(t, "validate", &forged).await.1["code"], "NO_SUCH_KEY");
    // The same text again is no second key.
    t.import_texts(s.variant, std::slice::from_ref(&sold.key)).await;
    assert_eq!(t.db.one("select count(*) from vault_key").await, "3");
    // Offline nobody knows of a refund; online everybody does.
    s.shop.refund(&sold.placed).await;
    assert!(offline(&keys, &s.product, &sold.key).0);
    assert_eq!(s.code(&sold, None).await, "REFUNDED");
    s.sound().await;
}

/// Rows: K16, K1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_keys_are_changed_and_earlier_licences_stay_good() {
    let old = RingKey { id: "old1".into(), bytes: Bytes32::new(dispense::base::clock::random()) };
    let new = RingKey { id: "new2".into(), bytes: Bytes32::new(dispense::base::clock::random()) };
    let mut earlier: Vec<(String, String)> = Vec::new();
    for (ring, signs) in [(vec![old.clone()], "old1"), (vec![new, old.clone()], "new2")] {
        let kids: Vec<String> = ring.iter().map(|key| key.id.clone()).collect();
        let s = LicenceShop::open_with(0, None, |config| config.secrets.licences = ring).await;
        let t = &s.shop.t;
        s.generate(s.variant, 1, json!({ "signed": true })).await;
        let sold = s.buy().await;
        let header = URL_SAFE_NO_PAD.decode(sold.key.split('.').next().unwrap()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header, json!({ "alg": "EdDSA", "kid": signs, "typ": "licence+jwt" }));
        let keys = key_set(t).await;
        let published: Vec<&str> =
            keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
        assert_eq!(published, kids);
        earlier.push((s.product.clone(), sold.key));
        for (product, key) in &earlier {
            assert!(offline(&keys, product, key).0, "also what an earlier key signed");
        }
        s.sound().await;
    }
}

/// Rows: K16, K1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_signed_only_where_case_counts_and_the_shop_has_a_key_to_sign_with() {
    let s = LicenceShop::open_with(0, None, |config| config.secrets.licences = Vec::new()).await;
    let t = &s.shop.t;
    assert_eq!(key_set(t).await, json!({ "keys": [] }));
    let no = json!([{ "code": "INVALID", "field": ["format", "signed"] }]);
    assert_eq!(s.generate(s.variant, 1, json!({ "signed": true })).await["userErrors"], no);
    let folding = t.variant_on_sale("key", 500).await;
    assert_eq!(s.shop.edit(folding, json!({ "foldCase": true })).await, None);
    assert_eq!(s.generate(folding, 1, json!({ "signed": true })).await["userErrors"], no);
    assert_eq!(s.generate(s.variant, 1, json!({ "signed": true, "prefix": "VC-" })).await["userErrors"], no);
    assert_eq!(s.generate(s.variant, 1, json!({})).await["userErrors"], json!([]));
    s.sound().await;
}
