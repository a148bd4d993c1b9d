//! Gateways' answers to our calls. The first byte names the gateway, the second the call, the third the status; the rest is
//! what the gateway answers, signed where its answers are signed, so that the readers behind the signature are reached.
//! Whatever it says is understood or unknown; it never panics, and nothing is paid without a trade and an amount.
#![no_main]

mod signed;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::signature::RsaKeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dispense::base::money::{Currency, Money};
use dispense::base::secret::Secret;
use dispense::infra::outbound::Outbound;
use dispense::payments::gateways::gateway::{AccountKeys, Call, Gateway, Meaning, NewRefund, PaymentRef, Queried, RefundRef};
use dispense::payments::gateways;
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 7] = ["stripe", "paypal", "epay_v1", "generic", "alipay", "wechatpay", "epay_v2"];
const GENERIC_KEY: &[u8] = b"the key of the fuzzed gateway 01";
const PUBLIC_ID: &str = "PUB_KEY_ID_FUZZED";

/// What is answered next.
#[derive(Default)]
struct Answer {
    gateway: &'static str,
    status: u16,
    body: Vec<u8>,
}

static NEXT: LazyLock<Mutex<Answer>> = LazyLock::new(Mutex::default);
static PAIR: LazyLock<RsaKeyPair> = LazyLock::new(signed::rsa_pair);

/// The other side: one answer for each connection.
static BASE: LazyLock<String> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| drop(answer(stream))));
    format!("http://{address}")
});

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut target, mut id, mut length) = (String::new(), String::new(), 0);
    for index in 0.. {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        match line.split_once(':') {
            _ if index == 0 => target = line.split(' ').nth(1).unwrap_or_default().to_owned(),
            Some((name, value)) if name.eq_ignore_ascii_case("webhook-id") => id = value.trim().to_owned(),
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().unwrap_or(0);
            }
            _ => {}
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let (status, headers, body) = said(&target, &id);
    let head = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)
}

fn said(target: &str, id: &str) -> (u16, String, Vec<u8>) {
    if target.contains("oauth2/token") {
        return (200, String::new(), br#"{"access_token":"t","expires_in":3600}"#.to_vec());
    }
    let next = NEXT.lock().unwrap_or_else(PoisonError::into_inner);
    let body = next.body.clone();
    match next.gateway {
        "generic" => {
            let at = signed::NOW.to_string();
            let mac = signed::mac(GENERIC_KEY, &[id.as_bytes(), b".", at.as_bytes(), b".", &body]);
            let headers = format!(
                "webhook-id: {id}\r\nwebhook-timestamp: {at}\r\nwebhook-signature: v1,{}\r\n",
                STANDARD.encode(mac)
            );
            (next.status, headers, body)
        }
        "wechatpay" => {
            let at = signed::NOW;
            let message = [format!("{at}\nNONCE\n").as_bytes(), &body, b"\n"].concat();
            let headers = format!(
                "wechatpay-timestamp: {at}\r\nwechatpay-nonce: NONCE\r\nwechatpay-serial: {PUBLIC_ID}\r\nwechatpay-signature: {}\r\n",
                signed::rsa(&PAIR, &message)
            );
            (next.status, headers, body)
        }
        "alipay" => {
            let method = url::form_urlencoded::parse(target.split_once('?').map_or("", |(_, query)| query).as_bytes())
                .find(|(name, _)| name == "method")
                .map(|(_, value)| value.replace('.', "_"))
                .unwrap_or_default();
            let inner = String::from_utf8_lossy(&body).into_owned();
            let sign = signed::rsa(&PAIR, inner.as_bytes());
            let text = format!("{{\"{method}_response\":{inner},\"sign\":\"{sign}\"}}");
            (200, String::new(), text.into_bytes())
        }
        _ => (next.status, String::new(), body),
    }
}

fn keys(name: &str) -> AccountKeys {
    let public = signed::rsa_public(&PAIR);
    let secret = match name {
        "generic" => format!("whsec_{}", STANDARD.encode(GENERIC_KEY)),
        "wechatpay" => format!("{PUBLIC_ID}:{public}"),
        "alipay" | "epay_v2" => public,
        _ => "a-shared-key-of-the-fuzzed-side".to_owned(),
    };
    let api_key = match name {
        "alipay" | "wechatpay" | "epay_v2" => include_str!("../../tests/keys/paypal/leaf.key"),
        _ => "sk_test_of_the_fuzzed_side",
    };
    let settings = [
        ("client_id", "c"), ("merchant_id", "M1"), ("webhook_id", "W1"), ("pid", "1001"), ("app_id", "2021"),
        ("seller_id", "2088"), ("mchid", "1900"), ("appid", "wx1"), ("serial_no", "AB"),
    ];
    AccountKeys {
        id: "fuzz".into(),
        secrets: vec![Secret::new(secret)],
        api_key: Some(Secret::new(api_key)),
        settings: settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        api_url: Some(BASE.clone()),
        sandbox: true,
        ..AccountKeys::default()
    }
}

std::thread_local! {
    static KNOWN: Vec<Arc<dyn Gateway>> = gateways::all(&Outbound::new().expect("an HTTP client"));
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
}

fuzz_target!(|input: &[u8]| {
    let [gateway, which, status, body @ ..] = input else { return };
    let name = NAMES[usize::from(*gateway) % NAMES.len()];
    let status = [200, 201, 204, 400, 404, 409, 422, 500][usize::from(*status) % 8];
    *NEXT.lock().unwrap_or_else(PoisonError::into_inner) = Answer { gateway: name, status, body: body.to_vec() };
    let keys = keys(name);
    let call = Call { keys: &keys, now_unix: signed::NOW, timeout: Duration::from_secs(2) };
    let code = if matches!(name, "stripe" | "paypal" | "generic") { "USD" } else { "CNY" };
    let money = Money::new(1_000, Currency::parse(code).expect("a code"));
    let reference = if name == "paypal" { "ORDER1" } else { "cs_1" };
    let payment = PaymentRef { number: "D1", gateway_reference: Some(reference), trade_no: Some("T1"), money };
    let paid = |queried: Queried| {
        if let Queried::Known(state) = queried
            && state.meaning == Meaning::Paid
        {
            assert!(state.trade_no.is_some() && state.amount_minor.is_some_and(|minor| minor >= 0));
        }
    };
    KNOWN.with(|known| {
        let gateway = known.iter().find(|gateway| gateway.name() == name).expect("a known gateway");
        RUNTIME.with(|runtime| {
            runtime.block_on(async {
                match which % 6 {
                    0 => paid(gateway.query(&call, &payment).await),
                    1 => paid(gateway.capture(&call, &payment).await),
                    2 => drop(gateway.close(&call, &payment).await),
                    3 => drop(gateway.number_of(&call, "T1").await),
                    4 => {
                        let refund = NewRefund { refund_id: "rfd_1", payment, amount: money, reason: None };
                        drop(gateway.refund(&call, &refund).await);
                    }
                    _ => {
                        let refund = RefundRef { refund_id: "rfd_1", gateway_refund_id: None, payment, amount: money };
                        drop(gateway.refund_query(&call, &refund).await);
                    }
                }
            });
        });
    });
});
