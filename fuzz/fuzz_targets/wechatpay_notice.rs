//! WeChat Pay's envelope and what is sealed in it. The input is `event_type LF inner text`. It is tried as a whole body under
//! a true signature, so that the envelope's reader is reached, and as the inner text of a true envelope, so that the
//! readers behind the encryption are.
#![no_main]

mod signed;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::signature::RsaKeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dispense::base::secret::Secret;
use dispense::infra::outbound::Outbound;
use dispense::payments::gateways::gateway::{AccountKeys, Evidence, Gateway, RawNotice};
use dispense::payments::gateways::wechatpay::WechatPay;
use libfuzzer_sys::fuzz_target;

const SERIAL: &str = "PUB_KEY_ID_1";
const KEY: &[u8; 32] = b"the APIv3 key of the fuzzed shop";

std::thread_local! {
    static GATEWAY: WechatPay = WechatPay::new(Outbound::new().expect("an HTTP client"));
    static PAIR: RsaKeyPair = signed::rsa_pair();
}

fn notice(signature: &str, body: &[u8]) -> RawNotice {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let headers = vec![
        pair("wechatpay-timestamp", "1800000000"),
        pair("wechatpay-nonce", "n"),
        pair("wechatpay-signature", signature),
        pair("wechatpay-serial", SERIAL),
    ];
    signed::notice(headers, body)
}

fn sealed(inner: &[u8]) -> String {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, KEY).expect("a key of 32 bytes"));
    let nonce = Nonce::try_assume_unique_for_key(b"twelve bytes").expect("a nonce of 12 bytes");
    let mut bytes = inner.to_vec();
    key.seal_in_place_append_tag(nonce, Aad::from(b"a"), &mut bytes).expect("sealed");
    STANDARD.encode(bytes)
}

fuzz_target!(|input: &[u8]| {
    let (kind, inner) = signed::split(input);
    PAIR.with(|pair| {
        let settings = [("mchid", "1900009191"), ("appid", "wxd678efh567hg6787")];
        let keys = AccountKeys {
            decryption_key: Some(Secret::new(String::from_utf8_lossy(KEY))),
            settings: settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            ..signed::keys(&format!("{SERIAL}:{}", signed::rsa_public(pair)))
        };
        let sign = |body: &[u8]| signed::rsa(pair, &[b"1800000000\nn\n", body, b"\n"].concat());
        GATEWAY.with(|gateway| {
            let read = |raw: &RawNotice| gateway.authenticate(&keys, raw, &Evidence::default());
            assert!(read(&notice(&kind, inner)).is_err(), "believed a forgery");
            let letters: String = kind.chars().filter(|c| c.is_ascii_uppercase() || *c == '.').collect();
            let envelope = format!(
                r#"{{"id":"e","event_type":"{letters}","resource":{{"algorithm":"AEAD_AES_256_GCM","nonce":"twelve bytes","associated_data":"a","ciphertext":"{}"}}}}"#,
                sealed(inner)
            );
            for body in [input, envelope.as_bytes()] {
                match read(&notice(&sign(body), body)) {
                    Ok(notice) => signed::check(&notice),
                    Err(refusal) => assert!(
                        matches!(refusal.stage.as_str(), "format" | "decrypt"),
                        "a true signature was not believed"
                    ),
                }
            }
        });
    });
});
