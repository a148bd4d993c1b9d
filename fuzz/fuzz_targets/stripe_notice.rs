//! Stripe's header and body. The input is `header LF body`. Every body is tried twice: under the header given, which
//! must never be believed unless its signature fits, and under a true signature, so that the reader behind the
//! signature is reached.
#![no_main]

mod signed;

use dispense::infra::outbound::Outbound;
use dispense::payments::gateways::gateway::{Evidence, Gateway};
use dispense::payments::gateways::stripe::Stripe;
use libfuzzer_sys::fuzz_target;

const SECRET: &str = "whsec_of_the_fuzzed_endpoint_0001";

std::thread_local! {
    static GATEWAY: Stripe = Stripe::new(Outbound::new().expect("an HTTP client"));
}

fuzz_target!(|input: &[u8]| {
    let (head, body) = signed::split(input);
    let keys = signed::keys(SECRET);
    GATEWAY.with(|gateway| {
        let given = signed::notice(vec![("stripe-signature".into(), head.clone())], body);
        let true_mac = hex::encode(signed::mac(SECRET.as_bytes(), &[b"1800000000.", body]));
        if let Ok(notice) = gateway.authenticate(&keys, &given, &Evidence::default()) {
            assert!(
                head.contains(&format!("v1={}", signed::stripe_mac(SECRET, &head, body))),
                "believed a forgery"
            );
            signed::check(&notice);
        }
        let header = format!("t=1800000000,v1={true_mac}");
        let honest = signed::notice(vec![("stripe-signature".into(), header)], body);
        match gateway.authenticate(&keys, &honest, &Evidence::default()) {
            Ok(notice) => signed::check(&notice),
            Err(refusal) => assert_eq!(refusal.stage.as_str(), "format", "a true signature was not believed"),
        }
    });
});
