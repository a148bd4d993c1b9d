//! The captcha hook, against a provider on loopback.

use std::sync::{Arc, Mutex};

use dispense::base::secret::Secret;
use dispense::config::Config;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{PASSWORD, TestApp, behind_a_proxy, codes};

const SECRET: &str = "captcha-secret-canary";

/// Says yes to `good…` once, no to others, and what it was reported to for `odd`.
#[derive(Clone)]
struct Provider {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
    odd: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Provider {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let provider = Self { port, seen: Arc::default(), odd: Arc::default() };
        let own = provider.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let own = own.clone();
                tokio::spawn(async move {
                    let mut text = String::new();
                    let mut buffer = vec![0; 16_384];
                    while !text.contains("response=") {
                        match stream.read(&mut buffer).await {
                            Ok(0) | Err(_) => return,
                            Ok(n) => text.push_str(&String::from_utf8_lossy(&buffer[..n])),
                        }
                    }
                    let form = text.split("\r\n\r\n").nth(1).unwrap().to_owned();
                    let fresh = !own.seen.lock().unwrap().contains(&form);
                    own.seen.lock().unwrap().push(form.clone());
                    let odd = own.odd.lock().unwrap().clone();
                    let right = fresh && form.contains(SECRET) && form.contains("response=good");
                    let body = json!({ "success": right, "hostname": "shop.example" }).to_string();
                    let usual = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                    let answer = odd.unwrap_or(usual.into_bytes());
                    if answer.is_empty() {
                        std::future::pending::<()>().await;
                    }
                    let _ = stream.write_all(&answer).await;
                });
            }
        });
        provider
    }

    fn say(&self, answer: &[u8]) {
        *self.odd.lock().unwrap() = Some(answer.to_vec());
    }

    fn asked(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    fn configure(&self, config: &mut Config) {
        behind_a_proxy(config);
        config.captcha.site_key = Some("site-key".into());
        config.captcha.verify_url = Some(format!("http://127.0.0.1:{}/siteverify", self.port));
        config.captcha.secret = Some(Secret::new(SECRET));
        config.captcha.timeout_ms = 500;
        config.outbound.plain_http = true;
        config.outbound.ports = vec![self.port];
        config.outbound.private_networks = vec!["127.0.0.1/32".into()];
    }
}

/// Rows: X3, C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mutation_that_asks_for_a_captcha_is_done_with_one_and_refused_without() {
    let provider = Provider::start().await;
    let t = TestApp::start_with(|config| provider.configure(config)).await;
    t.canary(SECRET);
    t.canary(PASSWORD);
    t.buyer("ada@example.com").await;
    let visitor = t.visitor("192.0.2.1");
    let shop = visitor.ask("{ shop { captcha { provider siteKey } } }", json!({})).await;
    assert_eq!(shop["shop"]["captcha"], json!({ "provider": "turnstile", "siteKey": "site-key" }));
    let inputs = [
        ("orderAccessRequest", json!({ "email": "ada@example.com" })),
        ("emailCodeRequest", json!({ "email": "bob@example.com" })),
        ("userRegister", json!({ "email": "bob@example.com", "password": PASSWORD })),
        ("emailConfirmationResend", json!({ "email": "bob@example.com" })),
        ("passwordResetRequest", json!({ "email": "ada@example.com" })),
        ("sessionCreate", json!({ "email": "ada@example.com", "password": PASSWORD })),
    ];
    for (name, input) in inputs {
        let with = |answer: &str| {
            let mut input = input.clone();
            input["captchaToken"] = json!(answer);
            input
        };
        assert_eq!(codes(&visitor.act(name, input.clone(), "").await), ["CAPTCHA_REQUIRED"], "{name}");
        assert_eq!(codes(&visitor.act(name, with(" "), "").await), ["CAPTCHA_REQUIRED"], "{name}");
        assert_eq!(codes(&visitor.act(name, with("bad"), "").await), ["CAPTCHA_REQUIRED"], "{name}");
        let good = format!("good {name} & more");
        assert_eq!(codes(&visitor.act(name, with(&good), "").await), [""; 0], "{name}");
        assert_eq!(codes(&visitor.act(name, with(&good), "").await), ["CAPTCHA_REQUIRED"], "{name}: spent");
    }
    t.finish_with_jobs().await;
}

/// Rows: X3, O8 (orderPlace).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_orders_free_goods_with_a_captcha_and_a_repeat_needs_none() {
    let provider = Provider::start().await;
    let t = TestApp::start_with(|config| {
        provider.configure(config);
        config.shop.free_orders_per_client = 3;
    })
    .await;
    let free = t.selling_keys(20, 0).await.to_string();
    let paid = t.selling_keys(5, 500).await.to_string();
    let visitor = t.visitor("192.0.2.1");
    let with = |n: usize, email: &str, answer: &str| json!({ "email": email, "captchaToken": answer, "idempotencyKey": format!("a-key-of-sixteen-{n}") });
    let none = visitor.order(&free, 1, "0.00", json!({ "email": "v@stranger.example" })).await;
    assert_eq!(codes(&none), ["CAPTCHA_REQUIRED"]);
    // A cart that cannot be placed costs no captcha.
    let dear = visitor.order(&paid, 9, "45.00", with(0, "v@stranger.example", "good 0")).await;
    assert_eq!(codes(&dear), ["NOT_ENOUGH_STOCK"]);
    assert_eq!(provider.asked(), 0);
    let first = visitor.order(&free, 1, "0.00", with(1, "v@stranger.example", "good 1")).await;
    assert_eq!(first["order"]["state"], "PAID", "{first}");
    let again = visitor.order(&free, 1, "0.00", with(1, "v@stranger.example", "good 1")).await;
    assert_eq!((again["replayed"].clone(), &again["order"]["id"]), (json!(true), &first["order"]["id"]));
    assert_eq!(provider.asked(), 1, "the lost answer's captcha was spent");
    for n in 2..4 {
        let next = visitor
            .order(&free, 1, "0.00", with(n, &format!("v{n}@stranger.example"), &format!("good {n}")))
            .await;
        assert_eq!(codes(&next), [""; 0]);
    }
    let bounded = visitor.order(&free, 1, "0.00", with(9, "v9@stranger.example", "good 9")).await;
    assert_eq!(codes(&bounded), ["BUYER_LIMIT_REACHED"], "a captcha farm is bounded by its address");
    // Goods that cost ask a guest too, and nobody who is known.
    assert_eq!(
        codes(&visitor.order(&paid, 1, "5.00", json!({ "email": "v@x.example" })).await),
        ["CAPTCHA_REQUIRED"]
    );
    t.buyer("ada@example.com").await;
    let ada = visitor.signed_in(&t.sign_in("ada@example.com").await.tokens.access);
    assert_eq!(codes(&ada.order(&paid, 1, "5.00", json!({})).await), [""; 0]);
    assert_eq!(codes(&ada.order(&free, 1, "0.00", json!({})).await), [""; 0]);
    t.finish_with_jobs().await;
}

/// Rows: X3, O8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_who_takes_free_goods_for_an_address_uses_up_nothing_of_its_owners() {
    let provider = Provider::start().await;
    let t = TestApp::start_with(|config| {
        provider.configure(config);
        config.shop.free_orders_per_day = 2;
        config.captcha.asked_by = vec!["orderPlace".into()];
    })
    .await;
    let free = t.selling_keys(20, 0).await.to_string();
    let (stranger, victim) = (t.visitor("192.0.2.66"), t.visitor("192.0.2.1"));
    let order = async |visitor: &crate::harness::visitor::Visitor, answer: &str| {
        visitor.order(&free, 1, "0.00", json!({ "email": "v@example.com", "captchaToken": answer })).await
    };
    for n in 0..2 {
        assert_eq!(codes(&order(&stranger, &format!("good {n}")).await), [""; 0]);
    }
    for (visitor, answer) in [(&stranger, "good s"), (&victim, "good v")] {
        let reported = order(visitor, answer).await;
        assert_eq!(codes(&reported), ["EMAIL_CODE_REQUIRED"], "no more mail, and no word of why");
        assert_eq!(reported["userErrors"][0]["field"], json!(["emailCode"]));
    }
    let asked = victim.act("emailCodeRequest", json!({ "email": "v@example.com" }), "").await;
    assert_eq!(codes(&asked), [""; 0]);
    let code = t.mailed_code(dispense::people::code::Purpose::ProveEmail, "v@example.com").await;
    let proven = json!({ "email": "v@example.com", "emailCode": code.expose() });
    for _ in 0..2 {
        assert_eq!(victim.order(&free, 1, "0.00", proven.clone()).await["order"]["state"], "PAID");
    }
    t.finish_with_jobs().await;
}

/// Rows: X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_cannot_be_asked_closes_the_door_or_opens_it_as_the_shop_wishes() {
    for open in [false, true] {
        let provider = Provider::start().await;
        let t = TestApp::start_with(|config| {
            provider.configure(config);
            config.captcha.fail_open = open;
        })
        .await;
        let visitor = t.visitor("192.0.2.1");
        let ask = async |n: usize| {
            let input = json!({ "email": format!("a{n}@example.com"), "captchaToken": format!("good {n}") });
            visitor.act("emailCodeRequest", input, "").await
        };
        let huge = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'{'; 200_000]].concat();
        let odd: [&[u8]; 6] = [
            b"",
            b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nno json",
            b"HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\n{\"success\":\"true\"}",
            b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 16\r\n\r\n{\"success\":true}",
            &huge,
        ];
        for (n, answer) in odd.iter().enumerate() {
            provider.say(answer);
            let payload = ask(n).await;
            let expected: &[&str] = if open { &[] } else { &["CAPTCHA_REQUIRED"] };
            assert_eq!(codes(&payload), expected, "answer {n}");
        }
        // A clear no is a no in either case.
        provider.say(b"HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{\"success\":false}");
        assert_eq!(codes(&ask(9).await), ["CAPTCHA_REQUIRED"]);
        provider.say(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 17\r\n\r\n{\"success\":false}");
        assert_eq!(codes(&ask(10).await), ["CAPTCHA_REQUIRED"]);
        t.finish_with_jobs().await;
    }
}

/// Rows: X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verify_address_inside_the_network_is_not_called_unless_the_settings_allow_it() {
    let provider = Provider::start().await;
    let t = TestApp::start_with(|config| {
        provider.configure(config);
        config.outbound.private_networks = Vec::new();
    })
    .await;
    let input = json!({ "email": "a@example.com", "captchaToken": "good 1" });
    assert_eq!(codes(&t.visitor("192.0.2.1").act("emailCodeRequest", input, "").await), ["CAPTCHA_REQUIRED"]);
    assert_eq!(provider.asked(), 0);
    t.finish_with_jobs().await;
}
