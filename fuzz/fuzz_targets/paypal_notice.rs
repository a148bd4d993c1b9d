//! PayPal's headers and event: `id LF time LF certificate LF signature LF body`, tried as it stands and under a true
//! signature, so that the reader behind it is reached.
#![no_main]

mod signed;

use aws_lc_rs::signature::RsaKeyPair;
use dispense::infra::outbound::Outbound;
use dispense::payments::gateways::gateway::{AccountKeys, Evidence, Gateway};
use dispense::payments::gateways::paypal::PayPal;
use libfuzzer_sys::fuzz_target;

const CERTIFICATE: &str = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1";
const TIME: &str = "2027-01-15T07:59:57Z";
const WEBHOOK: &str = "8PT597110X687430LKGECATA";

std::thread_local! {
    static SIDE: (PayPal, RsaKeyPair, AccountKeys, Evidence) = side();
}

fn side() -> (PayPal, RsaKeyPair, AccountKeys, Evidence) {
    let settings = [("webhook_id", WEBHOOK), ("merchant_id", "M1")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let certificates = [
        ("trust_root", include_str!("../../tests/keys/paypal/root.pem")),
        (CERTIFICATE, include_str!("../../tests/keys/paypal/leaf.pem")),
    ];
    let certificates = certificates.map(|(name, pem)| (name.to_owned(), pem.to_owned())).into();
    let keys = AccountKeys { settings, secrets: Vec::new(), ..signed::keys("") };
    let paypal = PayPal::new(Outbound::new().expect("an HTTP client"));
    (paypal, signed::rsa_pair(), keys, Evidence { certificates })
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { (c >> 1) ^ 0xEDB8_8320 } else { c >> 1 })
    })
}

fn headers(id: &str, time: &str, certificate: &str, signature: &str) -> Vec<(String, String)> {
    let pairs = [
        ("paypal-auth-algo", "SHA256withRSA"),
        ("paypal-transmission-id", id),
        ("paypal-transmission-time", time),
        ("paypal-cert-url", certificate),
        ("paypal-transmission-sig", signature),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fuzz_target!(|input: &[u8]| {
    let (id, rest) = signed::split(input);
    let (time, rest) = signed::split(rest);
    let (certificate, rest) = signed::split(rest);
    let (signature, body) = signed::split(rest);
    SIDE.with(|(paypal, pair, keys, evidence)| {
        let honest = |id: &str, time: &str| {
            signed::rsa(pair, format!("{id}|{time}|{WEBHOOK}|{}", crc(body)).as_bytes())
        };
        let given = signed::notice(headers(&id, &time, &certificate, &signature), body);
        if let Ok(notice) = paypal.authenticate(keys, &given, evidence) {
            assert_eq!(certificate, CERTIFICATE, "believed another certificate");
            assert_eq!(signature, honest(&id, &time), "believed a forgery");
            signed::check(&notice);
        }
        let true_one = signed::notice(headers("T1", TIME, CERTIFICATE, &honest("T1", TIME)), body);
        match paypal.authenticate(keys, &true_one, evidence) {
            Ok(notice) => signed::check(&notice),
            Err(refusal) => assert_eq!(refusal.stage.as_str(), "format", "a true signature was not believed"),
        }
    });
});
