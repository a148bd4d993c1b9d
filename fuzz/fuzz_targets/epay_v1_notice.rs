//! Epay V1's query, tried as it stands and with a true signature behind it.
#![no_main]

mod signed;

use dispense::infra::outbound::Outbound;
use dispense::payments::gateways::gateway::{Evidence, Gateway};
use dispense::payments::gateways::epay_v1::EpayV1;
use libfuzzer_sys::fuzz_target;
use md5::{Digest, Md5};

const KEY: &str = "k9XvT2mQ7wLs4RbN8cJf5HdG1pZaYe3U";

std::thread_local! {
    static GATEWAY: EpayV1 = EpayV1::new(Outbound::new().expect("an HTTP client"));
}

fuzz_target!(|input: &[u8]| {
    let query = String::from_utf8_lossy(input).into_owned();
    let keys = signed::keys(KEY);
    let sign = hex::encode(Md5::digest(format!("{}{KEY}", signed::epay_text(&query))));
    GATEWAY.with(|gateway| {
        if let Ok(notice) = gateway.authenticate(&keys, &signed::by_get(query.clone()), &Evidence::default()) {
            assert!(query.contains(&sign), "believed a forgery");
            signed::check(&notice);
        }
        let honest = signed::by_get(format!("{query}&sign={sign}&sign_type=MD5"));
        match gateway.authenticate(&keys, &honest, &Evidence::default()) {
            Ok(notice) => signed::check(&notice),
            Err(refusal) => assert_eq!(refusal.stage.as_str(), "format", "a true signature was not believed"),
        }
    });
});
