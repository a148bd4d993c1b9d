use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use chrono::TimeDelta;
use dispense::base::secret::Secret;
use dispense::people::authenticate;
use serde_json::{Value, json};

use super::refused;
use crate::harness::TestApp;

/// Makes tokens by hand, good and bad.
struct Forge {
    pair: Ed25519KeyPair,
    header: Value,
    claims: Value,
}

impl Forge {
    fn new(t: &TestApp, good: &Secret) -> Self {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(t.app.config.secrets.tokens[0].bytes.expose()).unwrap();
        let part = |n: usize| {
            serde_json::from_slice(&B64.decode(good.expose().split('.').nth(n).unwrap()).unwrap()).unwrap()
        };
        Self { pair, header: part(0), claims: part(1) }
    }

    fn sign(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", B64.encode(header), B64.encode(claims));
        let signature = self.pair.sign(signed.as_bytes());
        format!("{signed}.{}", B64.encode(signature))
    }

    fn with_header(&self, key: &str, value: Value) -> String {
        let mut header = self.header.clone();
        header[key] = value;
        self.sign(&header.to_string(), &self.claims.to_string())
    }

    fn with_claim(&self, key: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims[key] = value;
        self.sign(&self.header.to_string(), &claims.to_string())
    }

    fn without(&self, part: &str, key: &str) -> String {
        let (mut header, mut claims) = (self.header.clone(), self.claims.clone());
        let object = if part == "header" { &mut header } else { &mut claims };
        object.as_object_mut().unwrap().remove(key).unwrap();
        self.sign(&header.to_string(), &claims.to_string())
    }

    /// HMAC with the public key, which is no secret.
    fn confused(&self, alg: &str) -> String {
        let mut header = self.header.clone();
        header["alg"] = json!(alg);
        let signed = format!("{}.{}", B64.encode(header.to_string()), B64.encode(self.claims.to_string()));
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.pair.public_key().as_ref());
        format!("{signed}.{}", B64.encode(hmac::sign(&key, signed.as_bytes())))
    }

    fn unsigned(&self, alg: &str) -> String {
        let mut header = self.header.clone();
        header["alg"] = json!(alg);
        format!("{}.{}.", B64.encode(header.to_string()), B64.encode(self.claims.to_string()))
    }
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_access_token_is_what_rfc_9068_says_and_nothing_else_passes() {
    let t = TestApp::start().await;
    t.buyer("ada@example.com").await;
    let good = t.sign_in("ada@example.com").await.tokens.access;
    let forge = Forge::new(&t, &good);
    assert_eq!(forge.header["alg"], "EdDSA");
    assert_eq!(forge.header["typ"], "at+jwt");
    assert_eq!(forge.claims["exp"].as_i64().unwrap() - forge.claims["iat"].as_i64().unwrap(), 600);
    // The forge itself makes good tokens.
    t.actor(&Secret::new(forge.sign(&forge.header.to_string(), &forge.claims.to_string()))).await;

    let (header, claims) = (forge.header.to_string(), forge.claims.to_string());
    let exp = forge.claims["exp"].as_i64().unwrap();
    let (head, rest) = good.expose().split_once('.').unwrap();
    let (body, signature) = rest.split_once('.').unwrap();
    let stranger = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
    let by_stranger = Forge { pair: stranger, header: forge.header.clone(), claims: forge.claims.clone() };
    let corpus = [
        ("empty", String::new()),
        ("no token", "bearer".into()),
        ("two parts", format!("{head}.{body}")),
        ("four parts", format!("{}.x", good.expose())),
        ("no signature", format!("{head}.{body}.")),
        ("another's signature", by_stranger.sign(&header, &claims)),
        ("cut signature", format!("{head}.{body}.{}", &signature[..40])),
        (
            "changed body",
            format!("{head}.{}.{signature}", B64.encode(claims.replace("\"gen\":1", "\"gen\":2"))),
        ),
        ("alg none", forge.unsigned("none")),
        ("alg None", forge.unsigned("None")),
        ("alg empty", forge.unsigned("")),
        ("HS256 with the public key", forge.confused("HS256")),
        ("HS512 with the public key", forge.confused("HS512")),
        ("alg RS256", forge.with_header("alg", json!("RS256"))),
        ("alg ES256", forge.with_header("alg", json!("ES256"))),
        ("no alg", forge.without("header", "alg")),
        ("typ JWT", forge.with_header("typ", json!("JWT"))),
        ("no typ", forge.without("header", "typ")),
        ("unknown kid", forge.with_header("kid", json!("t9"))),
        ("no kid", forge.without("header", "kid")),
        ("kid with a path", forge.with_header("kid", json!("../../dev/null"))),
        ("jku", forge.with_header("jku", json!("https://example.com/keys"))),
        ("jwk", forge.with_header("jwk", json!({ "kty": "OKP" }))),
        ("x5u", forge.with_header("x5u", json!("https://example.com/cert"))),
        ("unknown crit", forge.with_header("crit", json!(["exp"]))),
        ("b64 false", forge.with_header("b64", json!(false))),
        ("header twice", forge.sign(&header.replace('{', "{\"alg\":\"none\","), &claims)),
        ("claim twice", forge.sign(&header, &claims.replace('{', &format!("{{\"exp\":{},", exp + 99)))),
        ("wrong iss", forge.with_claim("iss", json!("https://shop.example"))),
        ("no iss", forge.without("claims", "iss")),
        ("wrong aud", forge.with_claim("aud", json!("another-api"))),
        ("no aud", forge.without("claims", "aud")),
        ("no exp", forge.without("claims", "exp")),
        ("exp as text", forge.with_claim("exp", json!(exp.to_string()))),
        ("exp beyond ten minutes", forge.with_claim("exp", json!(exp + 3_600))),
        ("exp at the end of numbers", forge.with_claim("exp", json!(i64::MAX))),
        ("iat at the start of numbers", forge.with_claim("iat", json!(i64::MIN))),
        ("iat in the future", forge.with_claim("iat", json!(exp))),
        ("no sub", forge.without("claims", "sub")),
        (
            "another's sub",
            forge.with_claim("sub", json!(dispense::base::ids::UserId(t.app.clock.uuid()).to_string())),
        ),
        ("sub of another kind", forge.with_claim("sub", json!("ord_00000000000000000000000000"))),
        (
            "unknown session",
            forge.with_claim("sid", json!(dispense::base::ids::SessionId(t.app.clock.uuid()).to_string())),
        ),
        ("unknown claim", forge.with_claim("scope", json!("admin"))),
        ("huge", format!("{}.{}", good.expose(), "A".repeat(100_000))),
    ];
    for (name, token) in corpus {
        let outcome = authenticate(&t.app.people, &t.caller_with(&Secret::new(token))).await;
        assert_eq!(refused(outcome), "UNAUTHENTICATED", "{name}");
    }
    t.finish_with_jobs().await;
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_token_says_so_and_a_bad_one_never_does() {
    let t = TestApp::start().await;
    t.buyer("ada@example.com").await;
    let good = t.sign_in("ada@example.com").await.tokens.access;
    let forge = Forge::new(&t, &good);
    t.advance(TimeDelta::seconds(599)).await;
    t.actor(&good).await;
    t.advance(TimeDelta::seconds(61)).await;
    assert_eq!(refused(authenticate(&t.app.people, &t.caller_with(&good)).await), "TOKEN_EXPIRED");
    let forged = Secret::new(forge.unsigned("none"));
    assert_eq!(refused(authenticate(&t.app.people, &t.caller_with(&forged)).await), "UNAUTHENTICATED");
    t.finish_with_jobs().await;
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_signing_key_lets_the_tokens_of_the_old_one_run_out() {
    let t = TestApp::start().await;
    let mut config = t.app.config.clone();
    config.secrets.tokens.insert(
        0,
        dispense::config::RingKey { id: "t2".into(), bytes: dispense::config::Bytes32::new([42; 32]) },
    );
    let both = dispense::people::token::AccessTokens::new(&config).unwrap();
    t.buyer("ada@example.com").await;
    let old = t.sign_in("ada@example.com").await;
    let now = t.app.clock.now();
    let access = both.read(&old.tokens.access, now).unwrap();
    let (new, _) = both.issue(&access, now).unwrap();
    assert_eq!(Forge::new(&t, &new).header["kid"], "t2");
    assert_eq!(both.read(&new, now).unwrap(), access);
    assert_eq!(t.app.people.access_tokens.read(&new, now).unwrap_err().code.as_str(), "UNAUTHENTICATED");
    t.finish_with_jobs().await;
}
