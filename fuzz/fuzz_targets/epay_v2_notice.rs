//! Epay V2's query, tried as it stands and with a time and a true signature behind it.
#![no_main]

mod signed;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dispense::infra::outbound::Outbound;
use dispense::payments::gateways::gateway::{AccountKeys, Evidence, Gateway};
use dispense::payments::gateways::epay_v2::EpayV2;
use libfuzzer_sys::fuzz_target;

std::thread_local! {
    static SIDE: (EpayV2, RsaKeyPair, AccountKeys) = side();
}

fn side() -> (EpayV2, RsaKeyPair, AccountKeys) {
    let pair = signed::rsa_pair();
    let public: aws_lc_rs::encoding::PublicKeyX509Der<'_> = pair.public_key().as_der().expect("a public key");
    let keys = signed::keys(&STANDARD.encode(public.as_ref()));
    (EpayV2::new(Outbound::new().expect("an HTTP client")), pair, keys)
}

fuzz_target!(|input: &[u8]| {
    let query = String::from_utf8_lossy(input).into_owned();
    SIDE.with(|(gateway, pair, keys)| {
        if let Ok(notice) = gateway.authenticate(keys, &signed::by_get(query.clone()), &Evidence::default()) {
            let sign = signed::rsa(pair, signed::epay_text(&query).as_bytes());
            let said = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "sign");
            assert_eq!(said.expect("a signature").1, sign, "believed a forgery");
            signed::check(&notice);
        }
        let query = format!("{query}&timestamp={}", signed::NOW);
        let sign = signed::rsa(pair, signed::epay_text(&query).as_bytes());
        let sign: String = url::form_urlencoded::byte_serialize(sign.as_bytes()).collect();
        let honest = signed::by_get(format!("{query}&sign={sign}&sign_type=RSA"));
        match gateway.authenticate(keys, &honest, &Evidence::default()) {
            Ok(notice) => signed::check(&notice),
            Err(refusal) => assert_eq!(refusal.stage.as_str(), "format", "a true signature was not believed"),
        }
    });
});
