//! Alipay's form. Every input is tried twice: as it stands, which must never be believed unless its signature fits, and
//! with a true signature over its fields, so that the reader behind the signature is reached.
#![no_main]

mod signed;

use aws_lc_rs::signature::RsaKeyPair;
use dispense::infra::outbound::Outbound;
use dispense::payments::gateways::gateway::{AccountKeys, Evidence, Gateway};
use dispense::payments::gateways::alipay::Alipay;
use libfuzzer_sys::fuzz_target;

std::thread_local! {
    static GATEWAY: Alipay = Alipay::new(Outbound::new().expect("an HTTP client"));
    static PAIR: RsaKeyPair = signed::rsa_pair();
}

/// The fields as the program reads them, without those the signature does not cover. None when a form like this is
/// refused before its signature is looked at.
fn fields(body: &[u8]) -> Option<Vec<(String, String)>> {
    std::str::from_utf8(body).ok()?;
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(body).into_owned().collect();
    Some(pairs.into_iter().filter(|(name, _)| name != "sign" && name != "sign_type").collect())
}

fuzz_target!(|input: &[u8]| {
    PAIR.with(|pair| {
        let settings = [("app_id", "2021000118601234"), ("seller_id", "2088621955701234")];
        let keys = AccountKeys {
            settings: settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            ..signed::keys(&signed::rsa_public(pair))
        };
        GATEWAY.with(|gateway| {
            let given = signed::notice(Vec::new(), input);
            assert!(gateway.authenticate(&keys, &given, &Evidence::default()).is_err(), "believed a forgery");
            let Some(mut fields) = fields(input) else { return };
            fields.sort();
            let lines: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
            fields.push(("sign_type".into(), "RSA2".into()));
            fields.push(("sign".into(), signed::rsa(pair, lines.join("&").as_bytes())));
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
            let honest = signed::notice(Vec::new(), body.as_bytes());
            match gateway.authenticate(&keys, &honest, &Evidence::default()) {
                Ok(notice) => signed::check(&notice),
                Err(refusal) => {
                    assert_eq!(refusal.stage.as_str(), "format", "a true signature was not believed")
                }
            }
        });
    });
});
