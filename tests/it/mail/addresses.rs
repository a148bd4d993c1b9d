//! Mail to addresses beyond ASCII, against a server that speaks nothing but ASCII, as most relays.

use dispense::base::secret::Secret;
use dispense::infra::mailer::{Letter, Mailer};
use dispense::infra::smtp::SendAttempt;
use serde_json::json;

use crate::harness::{SmtpServer, TestApp, Trouble, codes, with_generic};

fn relay(config: &mut dispense::config::Config, server: &SmtpServer) {
    with_generic(config);
    config.mail.url = Some(Secret::new(format!("smtp://{}?tls=none", server.address)));
}

/// Rows: D3 (orderPlace), D5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_to_a_domain_beyond_ascii_goes_to_its_ascii_form() {
    let server = SmtpServer::start().await;
    let t = TestApp::start_with(|config| relay(config, &server)).await;
    let variant = t.selling_keys(3, 500).await.to_string();
    let visitor = t.visitor("192.0.2.1");
    let order = visitor.order(&variant, 1, "5.00", json!({ "email": "Ada@B\u{fc}cher.example" })).await;
    assert_eq!(codes(&order), [""; 0]);
    t.pay(&order).await;
    t.drain().await;
    let taken = server.taken();
    assert_eq!(taken[0].to, ["Ada@xn--bcher-kva.example"]);
    assert_eq!(taken[0].header("To").as_deref(), Some("Ada@xn--bcher-kva.example"));
    assert_eq!(
        t.db.one("select email || ' ' || email_normalised from orders").await,
        "Ada@Bücher.example ada@xn--bcher-kva.example"
    );
    // Lost orders, accounts and claims know both spellings as one.
    let input = json!({ "email": "ada@xn--bcher-kva.example" });
    visitor.act("orderAccessRequest", input, "").await;
    t.answer_requests().await;
    assert_eq!(t.db.one("select count(*) from message where kind = 'order_access_code'").await, "1");
    t.buyer("ada@bücher.example").await;
    let ada = visitor.signed_in(&t.sign_in("ADA@XN--BCHER-KVA.example").await.tokens.access);
    let input = json!({ "orderId": order["order"]["id"], "accessToken": order["accessToken"] });
    assert_eq!(codes(&ada.act("orderClaim", input, "order { id }").await), [""; 0]);
    t.drain().await;
    t.finish_with_jobs().await;
}

/// Rows: D3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_part_beyond_ascii_is_refused_before_the_payment_unless_the_server_takes_it() {
    let server = SmtpServer::start().await;
    let t = TestApp::start_with(|config| relay(config, &server)).await;
    let variant = t.selling_keys(3, 500).await.to_string();
    let visitor = t.visitor("192.0.2.1");
    let email = "zo\u{eb}@example.com";
    let order = visitor.order(&variant, 1, "5.00", json!({ "email": email })).await;
    assert_eq!((codes(&order), &order["userErrors"][0]["field"]), (vec!["EMAIL_INVALID"], &json!(["email"])));
    for (name, input) in [
        ("userRegister", json!({ "email": email, "password": "a long enough password" })),
        ("emailCodeRequest", json!({ "email": email })),
    ] {
        assert_eq!(codes(&visitor.act(name, input, "").await), ["EMAIL_INVALID"], "{name}");
    }
    // A person's own address too, one that was taken when the relay could do it.
    t.buyer("own@example.com").await;
    let own = visitor.signed_in(&t.sign_in("own@example.com").await.tokens.access);
    let renamed = format!("update app_user set email = '{email}', email_normalised = '{email}'");
    t.db.sql(&renamed).await;
    let order = own.order(&variant, 1, "5.00", json!({})).await;
    assert_eq!(codes(&order), ["EMAIL_INVALID"]);
    assert_eq!(t.db.one("select count(*) from orders").await, "0");
    t.finish_with_jobs().await;

    let wide = SmtpServer::start().await;
    let t = TestApp::start_with(|config| {
        relay(config, &wide);
        config.mail.smtputf8 = true;
    })
    .await;
    let variant = t.selling_keys(3, 500).await.to_string();
    wide.next(Trouble::Say("EHLO", "250-test\r\n250-8BITMIME\r\n250 SMTPUTF8"));
    let order = t.visitor("192.0.2.1").order(&variant, 1, "5.00", json!({ "email": email })).await;
    assert_eq!(codes(&order), [""; 0]);
    t.pay(&order).await;
    t.drain().await;
    assert_eq!(wide.taken()[0].to, ["zo\u{eb}@example.com"]);
    t.finish_with_jobs().await;
}

/// Rows: D3.
#[tokio::test]
async fn a_sender_with_a_domain_beyond_ascii_is_sent_in_ascii_too() {
    let server = SmtpServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let config = dispense::config::Mail {
        url: Some(Secret::new(format!("smtp://{}?tls=none", server.address))),
        from: "Laden <laden@b\u{fc}cher.example>".into(),
        ..Default::default()
    };
    let mailer = Mailer::new(&config, std::time::Duration::from_secs(5), folder.path()).unwrap();
    let letter = Letter {
        message_id: "1@dispense".into(),
        recipient: "ada@b\u{fc}cher.example".into(),
        subject: "Hi".into(),
        plain: zeroize::Zeroizing::new("Hi".into()),
        html: zeroize::Zeroizing::new("<p>Hi</p>".into()),
        language: "en",
        date: chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
    };
    assert!(
        matches!(mailer.send(&letter, letter.date).await, SendAttempt::Sent(Some(said)) if said.starts_with("250"))
    );
    assert_eq!(server.taken()[0].from, "laden@xn--bcher-kva.example");
}

/// Rows: C5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_stored_before_get_the_spelling_of_now() {
    let t = TestApp::start().await;
    // The statements of the migration, over rows as the version before wrote them.
    let up = std::fs::read_to_string("migrations/2026-11-27-000013_people/up.sql").unwrap();
    let functions = &up[up.find("create function ascii_label").unwrap()..];
    for (index, domain) in [
        "bücher.example",
        "例え.テスト",
        "a.straße.example",
        "xn--bcher-kva.example",
        "plain.example",
        "éa-ñb.éxample",
        "президент.рф",
    ]
    .iter()
    .enumerate()
    {
        t.db.sql(&format!(
            "insert into app_user (id, email, email_normalised) values
               ('00000000-0000-7000-8000-00000000000{index}', 'x', 'ada{index}@{domain}')"
        ))
        .await;
        let row = format!("select email_normalised from app_user where email_normalised like 'ada{index}@%'");
        t.db.sql(functions).await;
        let expected = dispense::base::text::Email::parse(&format!("ada{index}@{domain}")).unwrap();
        assert_eq!(t.db.one(&row).await, expected.normalised());
    }
    t.finish_with_jobs().await;
}
