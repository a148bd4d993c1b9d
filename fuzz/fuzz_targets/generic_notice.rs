//! The generic notice: `id LF timestamp LF signatures LF body`, tried as it stands and under a true signature.
#![no_main]

mod signed;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dispense::infra::outbound::Outbound;
use dispense::payments::gateways::gateway::{Evidence, Gateway};
use dispense::payments::gateways::generic::Generic;
use libfuzzer_sys::fuzz_target;

const KEY: &[u8; 32] = b"the key of the fuzzed endpoint 1";

std::thread_local! {
    static GATEWAY: Generic = Generic::new(Outbound::new().expect("an HTTP client"));
}

fuzz_target!(|input: &[u8]| {
    let (id, rest) = signed::split(input);
    let (at, rest) = signed::split(rest);
    let (signatures, body) = signed::split(rest);
    let keys = signed::keys(&format!("whsec_{}", STANDARD.encode(KEY)));
    let headers = |id: &str, at: &str, signatures: &str| {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        vec![pair("webhook-id", id), pair("webhook-timestamp", at), pair("webhook-signature", signatures)]
    };
    let mac = |id: &str, at: &str| {
        STANDARD.encode(signed::mac(KEY, &[id.as_bytes(), b".", at.as_bytes(), b".", body]))
    };
    GATEWAY.with(|gateway| {
        let given = signed::notice(headers(&id, &at, &signatures), body);
        if let Ok(notice) = gateway.authenticate(&keys, &given, &Evidence::default()) {
            assert!(signatures.contains(&mac(&id, &at)), "believed a forgery");
            signed::check(&notice);
        }
        let honest = headers("msg_1", "1800000000", &format!("v1,{}", mac("msg_1", "1800000000")));
        match gateway.authenticate(&keys, &signed::notice(honest, body), &Evidence::default()) {
            Ok(notice) => signed::check(&notice),
            Err(refusal) => assert_eq!(refusal.stage.as_str(), "format", "a true signature was not believed"),
        }
    });
});
