//! Goods that go to somebody else than their buyer.

use dispense::base::actor::Role;
use dispense::base::secret::Secret;
use serde_json::{Value, json};

use crate::harness::visitor::Visitor;
use crate::harness::{Said, SmtpServer, Taken, TestApp, Trouble, behind_a_proxy, codes, with_generic};

const NONE: [&str; 0] = [];
const BOB: &str = "bob@friend.example";
const ADA: &str = "ada@buyer.example";

struct Scene {
    t: TestApp,
    smtp: SmtpServer,
    guest: Visitor,
    variant: String,
}

async fn scene() -> Scene {
    let smtp = SmtpServer::start().await;
    let url = format!("smtp://{}?tls=none", smtp.address);
    let t = TestApp::start_with(|config| {
        with_generic(config);
        behind_a_proxy(config);
        config.mail.url = Some(Secret::new(url));
    })
    .await;
    let variant = t.selling_keys(6, 500).await.to_string();
    let guest = t.visitor("192.0.2.1");
    Scene { t, smtp, guest, variant }
}

fn gift() -> Value {
    json!({ "email": BOB, "name": "Bob <b>", "from": "Ada", "message": "Happy birthday!\nSee https://evil.example/x or mail a@b.example <script>" })
}

impl Scene {
    async fn buy(&self, gift: Value) -> Value {
        let more = json!({ "email": ADA, "gift": gift });
        let order = self.guest.order(&self.variant, 1, "5.00", more).await;
        assert_eq!(codes(&order), NONE, "{order}");
        self.t.pay(&order).await;
        self.t.drain().await;
        order
    }

    fn mails_to(&self, address: &str) -> Vec<Taken> {
        self.smtp.taken().into_iter().filter(|mail| mail.to == [address]).collect()
    }

    /// The gift's token in the last mail to this address.
    fn token(&self, address: &str) -> String {
        let body = self.mails_to(address).pop().unwrap().body();
        let token = body.split_whitespace().find(|word| word.starts_with("gft_")).unwrap().to_owned();
        self.t.canary(token.as_str());
        token
    }

    async fn gift(&self, token: &str) -> Value {
        let query = "query($t: String!) { gift(accessToken: $t) { name from message
            lines { id title quantity deliveries { id state ... on SecretDelivery { masked } } grants { id } } } }";
        self.guest.ask(query, json!({ "t": token })).await["gift"].clone()
    }

    async fn reveal(&self, line: &Value, token: &Value) -> Value {
        let input = json!({ "target": { "lineId": line }, "accessToken": token });
        self.guest.act("deliveryReveal", input, "secrets { text delivery { state } } line { id }").await
    }

    async fn order(&self, order: &Value) -> Value {
        let query = "query($n: String!, $t: String) { order(number: $n, accessToken: $t) {
            whyNotDelivered { code } gift { name from email message sentAt }
            lines { id deliveries(first: 5) { nodes { state ... on SecretDelivery { masked licence { status } } } } } } }";
        let (n, t) = (&order["order"]["number"], &order["accessToken"]);
        self.guest.ask(query, json!({ "n": n, "t": t })).await["order"].clone()
    }

    async fn staff(&self) -> Visitor {
        self.t.person("sam@example.com", &[Role::Support]).await;
        self.guest.signed_in(&self.t.sign_in("sam@example.com").await.tokens.access)
    }

    async fn sound(self) {
        let report = dispense::check::run(&self.t.app.db, &self.t.app.config.secrets).await.unwrap();
        assert!(report.is_clean(), "{report}");
        self.t.finish_with_jobs().await;
    }
}

/// Rows: D2 (orderPlace), D3, K6 (deliveryReveal).
/// Sends: gift.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gift_goes_to_its_recipient_who_alone_sees_it_until_it_is_refunded() {
    let s = scene().await;
    let order = s.buy(gift()).await;
    let (to_bob, to_ada) = (s.mails_to(BOB), s.mails_to(ADA));
    assert_eq!((to_bob.len(), to_ada.len()), (1, 1));
    let (plain, page) = (to_bob[0].body(), to_bob[0].html());
    assert!(plain.contains("CANARY-KEY-") && page.contains("CANARY-KEY-"));
    assert!(
        plain.contains(
            "> Happy birthday!\n> See https:\u{200b}/\u{200b}/\u{200b}evil.\u{200b}example/\u{200b}x"
        ),
        "{plain}"
    );
    assert!(
        !page.contains("evil.example") && !page.contains("a@b.example") && !page.contains("<script>"),
        "{page}"
    );
    assert!(!plain.contains(order["accessToken"].as_str().unwrap()) && !plain.contains("oat_"));
    assert!(!plain.contains(order["order"]["number"].as_str().unwrap()), "nothing of the purchase");
    let notice = to_ada[0].body();
    assert!(!notice.contains("CANARY-KEY-") && !notice.contains("gft_") && !notice.contains(BOB), "{notice}");
    assert!(notice.contains("b\u{2026}") || notice.contains("b…"), "the address is masked: {notice}");

    // What its buyer sees.
    let seen = s.order(&order).await;
    assert_eq!(seen["gift"]["name"], "Bob <b>");
    assert!(seen["gift"]["sentAt"].is_string() && seen["gift"]["email"].as_str().unwrap().contains('…'));
    assert_eq!(
        seen["lines"][0]["deliveries"]["nodes"][0],
        json!({ "state": "READY", "masked": "", "licence": null })
    );
    let line = &seen["lines"][0]["id"];
    assert_eq!(codes(&s.reveal(line, &order["accessToken"]).await), ["FORBIDDEN"]);

    // What its recipient sees.
    let token = s.token(BOB);
    let given = s.gift(&token).await;
    assert_eq!((&given["from"], &given["lines"][0]["id"]), (&json!("Ada"), line));
    assert_ne!(given["lines"][0]["deliveries"][0]["masked"], "");
    let shown = s.reveal(line, &json!(token)).await;
    assert!(shown["secrets"][0]["text"].as_str().unwrap().starts_with("CANARY-KEY-"));
    assert!(shown["line"].is_null(), "nothing of the money");
    let query = "query($n: String!, $t: String) { order(number: $n, accessToken: $t) { id } }";
    let found = s.guest.ask(query, json!({ "n": order["order"]["number"], "t": token })).await;
    assert!(found["order"].is_null());
    let input = json!({ "orderId": order["order"]["id"], "accessToken": token });
    assert_eq!(codes(&s.guest.act("deliveryResend", input, "order { id }").await), ["NOT_FOUND"]);
    for wrong in [
        "",
        "gft_",
        "gft_00000000000000000000000000_00",
        &format!("{token}0"),
        order["accessToken"].as_str().unwrap(),
    ] {
        assert!(s.gift(wrong).await.is_null(), "{wrong}");
    }

    // Money that goes back takes it from the recipient.
    let placed = s.t.placed(&order).await;
    let refund = Said {
        id: "evt_refund".into(),
        kind: "payment.refunded",
        refunded_minor: Some(500),
        ..Said::paid(&placed, &format!("T{}", placed.order.number))
    };
    assert_eq!(s.t.notify(&refund).await.0, 200);
    assert_eq!(codes(&s.reveal(line, &json!(token)).await), ["REFUNDED"]);
    s.t.drain().await;
    assert_eq!(s.mails_to(BOB).len(), 1, "the refund is its buyer's");
    s.sound().await;
}

/// Rows: O1 (orderPlace), X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gift_that_cannot_be_sent_or_is_one_too_many_is_refused_with_its_field() {
    let s = scene().await;
    let long = |n: usize| "x".repeat(n);
    for (change, code, field) in [
        (json!({ "email": "nobody" }), "EMAIL_INVALID", "email"),
        (json!({ "email": "zo\u{eb}@friend.example" }), "EMAIL_INVALID", "email"),
        (json!({ "email": "ADA@buyer.example" }), "INVALID", "email"),
        (json!({ "name": " " }), "INVALID", "name"),
        (json!({ "name": long(101) }), "INVALID", "name"),
        (json!({ "name": "a\nb" }), "INVALID", "name"),
        (json!({ "from": long(101) }), "INVALID", "from"),
        (json!({ "message": long(501) }), "INVALID", "message"),
    ] {
        let mut gift = gift();
        gift.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let order = s.guest.order(&s.variant, 1, "5.00", json!({ "email": ADA, "gift": gift })).await;
        let wanted = (vec![code], &json!(["gift", field]));
        assert_eq!((codes(&order), &order["userErrors"][0]["field"]), wanted, "{change}");
    }
    // The same key with another gift is another request.
    let key = "one-key-for-all-0123456789";
    let place = |gift: Value| {
        let more = json!({ "email": ADA, "gift": gift, "idempotencyKey": key });
        s.guest.order(&s.variant, 1, "5.00", more)
    };
    let order = place(gift()).await;
    assert_eq!(codes(&order), NONE);
    assert_eq!(place(gift()).await["order"]["id"], order["order"]["id"]);
    assert_eq!(
        codes(&place(json!({ "email": "eve@evil.example", "name": "Eve" })).await),
        ["IDEMPOTENCY_CONFLICT"]
    );
    assert_eq!(s.t.db.one("select count(*) from order_gift").await, "1");

    // Goods of nothing: whoever gives them, one person is sent few.
    let free = s.t.selling_keys(20, 0).await.to_string();
    let most = s.t.app.config.shop.free_orders_per_day;
    for n in 0..=most {
        s.t.buyer(&format!("giver{n}@buyer.example")).await;
        let giver = s.guest.signed_in(&s.t.sign_in(&format!("giver{n}@buyer.example")).await.tokens.access);
        let more = json!({ "gift": { "email": BOB, "name": "Bob" } });
        let order = giver.order(&free, 1, "0.00", more).await;
        if n < most {
            assert_eq!(codes(&order), NONE, "{n}");
        } else {
            assert_eq!(
                (codes(&order), &order["userErrors"][0]["field"]),
                (vec!["BUYER_LIMIT_REACHED"], &json!(["gift", "email"]))
            );
        }
    }
    s.t.drain().await;
    s.sound().await;
}

/// Rows: C9 (deliveryCorrectAddress), D6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gift_whose_mail_came_back_goes_to_the_corrected_address() {
    let s = scene().await;
    let more = json!({ "email": ADA, "gift": gift() });
    let order = s.guest.order(&s.variant, 1, "5.00", more).await;
    s.t.pay(&order).await;
    s.smtp.next(Trouble::Say("RCPT", "550 5.1.1 no such user"));
    s.t.drain().await;
    let staff = s.staff().await;
    assert_eq!((s.mails_to(BOB).len(), s.mails_to(ADA).len()), (0, 0));
    let seen = s.order(&order).await;
    assert_eq!(
        (&seen["gift"]["sentAt"], &seen["whyNotDelivered"]["code"]),
        (&Value::Null, &json!("MAIL_NOT_SENT"))
    );
    let correct = |id: Value, email: &'static str, gift: bool| {
        let input = json!({ "orderId": id, "email": email, "gift": gift, "reason": "mistyped" });
        staff.act("deliveryCorrectAddress", input, "order { email gift { email } }")
    };
    let id = order["order"]["id"].clone();
    assert_eq!(codes(&correct(id.clone(), BOB, true).await), ["ADDRESS_SUPPRESSED"]);
    let done = correct(id.clone(), "bobby@friend.example", true).await;
    assert_eq!((codes(&done), &done["order"]["email"]), (NONE.to_vec(), &json!(ADA)));
    assert_eq!(done["order"]["gift"]["email"], "bobby@friend.example", "staff sees it whole");
    s.t.drain().await;
    assert_eq!((s.mails_to("bobby@friend.example").len(), s.mails_to(ADA).len()), (1, 1));
    let first = s.token("bobby@friend.example");
    assert!(!s.gift(&first).await.is_null());
    // Once more after it arrived: what the first holds opens nothing.
    assert_eq!(codes(&correct(id.clone(), "robert@friend.example", true).await), NONE);
    s.t.drain().await;
    assert!(s.gift(&first).await.is_null());
    assert!(!s.gift(&s.token("robert@friend.example")).await.is_null());
    // The buyer's address is another thing; an order that is no gift has no recipient.
    assert_eq!(codes(&correct(id, "ada@home.example", false).await), NONE);
    s.t.drain().await;
    assert!(s.mails_to("ada@home.example").iter().all(|mail| !mail.body().contains("CANARY-KEY-")));
    let plain = s.guest.order(&s.variant, 1, "5.00", json!({ "email": ADA })).await;
    assert_eq!(codes(&correct(plain["order"]["id"].clone(), BOB, true).await), ["ADDRESS_SUPPRESSED"]);
    assert_eq!(codes(&correct(plain["order"]["id"].clone(), "x@friend.example", true).await), ["INVALID"]);
    s.t.drain().await;
    s.sound().await;
}

/// Rows: C7 (orderClaim), D2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gift_that_is_claimed_by_its_buyer_is_sent_to_its_recipient_again() {
    let s = scene().await;
    let order = s.buy(gift()).await;
    let before = s.token(BOB);
    s.t.buyer(ADA).await;
    let ada = s.guest.signed_in(&s.t.sign_in(ADA).await.tokens.access);
    let input = json!({ "orderId": order["order"]["id"], "accessToken": order["accessToken"] });
    assert_eq!(codes(&ada.act("orderClaim", input, "order { id }").await), NONE);
    assert!(s.gift(&before).await.is_null());
    s.t.drain().await;
    assert_eq!(s.mails_to(BOB).len(), 2);
    let line = s.gift(&s.token(BOB)).await["lines"][0]["id"].clone();
    // Signed in, it is a gift all the same.
    let input = json!({ "target": { "lineId": line } });
    assert_eq!(codes(&ada.act("deliveryReveal", input, "secrets { text }").await), ["FORBIDDEN"]);
    s.sound().await;
}
