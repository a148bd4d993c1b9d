//! A mistyped address is mended by staff, or the key is shown to them: saying why, on record.

use dispense::base::actor::Role;
use dispense::base::secret::Secret;
use serde_json::{Value, json};

use crate::harness::visitor::Visitor;
use crate::harness::{SmtpServer, TestApp, Trouble, behind_a_proxy, codes, with_generic};

const NONE: [&str; 0] = [];
const WRONG: &str = "jhon@gmal.example";
const RIGHT: &str = "john@gmail.example";

struct Scene {
    t: TestApp,
    smtp: SmtpServer,
    guest: Visitor,
    staff: Visitor,
    order: Value,
}

/// A paid order whose mail went to an address that is not the buyer's.
async fn scene(smtp: SmtpServer) -> Scene {
    let scene = unsent(smtp, 1).await;
    scene.t.drain().await;
    scene
}

/// The same before the mail leaves, of this many lines.
async fn unsent(smtp: SmtpServer, lines: usize) -> Scene {
    let url = format!("smtp://{}?tls=none", smtp.address);
    let t = TestApp::start_with(|config| {
        with_generic(config);
        behind_a_proxy(config);
        config.mail.url = Some(Secret::new(url));
    })
    .await;
    let mut wanted = Vec::new();
    for line in 0..lines {
        let variant = t.selling_keys(5, 500).await.to_string();
        wanted.push(json!({ "key": line.to_string(), "variantId": variant, "quantity": 1 }));
    }
    let variant = wanted[0]["variantId"].as_str().unwrap().to_owned();
    let guest = t.visitor("192.0.2.1");
    t.person("sam@example.com", &[Role::Support]).await;
    let staff = guest.signed_in(&t.sign_in("sam@example.com").await.tokens.access);
    t.drain().await;
    let total = format!("{}.00", 5 * lines);
    let order = guest.order(&variant, 1, &total, json!({ "email": WRONG, "lines": wanted })).await;
    t.pay(&order).await;
    Scene { t, smtp, guest, staff, order }
}

impl Scene {
    async fn correct(&self, by: &Visitor, email: &str, reason: &str) -> Value {
        let input = json!({ "orderId": self.order["order"]["id"], "email": email, "reason": reason });
        by.act("deliveryCorrectAddress", input, "order { email }").await
    }

    fn mails_to(&self, address: &str) -> Vec<crate::harness::Taken> {
        self.smtp.taken().into_iter().filter(|mail| mail.to.iter().any(|to| to == address)).collect()
    }

    async fn opens(&self, token: &str) -> bool {
        let query = "query($n: String!, $t: String) { order(number: $n, accessToken: $t) { id } }";
        let found = self.guest.ask(query, json!({ "n": self.order["order"]["number"], "t": token })).await;
        !found["order"].is_null()
    }
}

/// The access token in a mail.
fn token_in(body: &str) -> String {
    body.split_whitespace().find(|word| word.starts_with("oat_")).unwrap().to_owned()
}

/// Rows: C9 (deliveryCorrectAddress), D6, C7 (orderAccessRequest).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_corrects_an_address_the_mail_goes_there_and_the_old_one_opens_nothing() {
    let s = scene(SmtpServer::start().await).await;
    let first = s.mails_to(WRONG);
    assert_eq!(first.len(), 1);
    let old = token_in(&first[0].body());
    assert!(s.opens(&old).await);
    assert_eq!(codes(&s.correct(&s.staff, RIGHT, "  ").await), ["REASON_REQUIRED"]);
    assert_eq!(codes(&s.correct(&s.staff, "nonsense", "typo").await), ["EMAIL_INVALID"]);
    assert_eq!(codes(&s.correct(&s.staff, "zoë@gmail.example", "typo").await), ["EMAIL_INVALID"]);
    assert_eq!(codes(&s.correct(&s.staff, RIGHT, &"x".repeat(501)).await), ["INVALID"]);
    let input = json!({ "orderId": s.order["order"]["id"], "email": RIGHT, "reason": "typo" });
    let query =
        "mutation($i: DeliveryCorrectAddressInput!) { deliveryCorrectAddress(input: $i) { order { id } } }";
    let answer = s.guest.raw(query, json!({ "i": input })).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
    let done = s.correct(&s.staff, RIGHT, "mistyped; Jane Roe called").await;
    assert_eq!((codes(&done), &done["order"]["email"]), (NONE.to_vec(), &json!(RIGHT)));
    assert_eq!(codes(&s.correct(&s.staff, RIGHT, "again").await), NONE, "naturally repeatable");
    s.t.drain().await;
    let mails = s.mails_to(RIGHT);
    assert_eq!(mails.len(), 1);
    assert!(mails[0].body().contains("CANARY-KEY-"));
    let new = token_in(&mails[0].body());
    s.t.canary(new.as_str());
    assert!(!s.opens(&old).await && s.opens(&new).await);
    // The guest's way to lost orders goes by the new address, and the guest's key by none.
    for (email, expected) in [(WRONG, 0), (RIGHT, 1)] {
        s.guest.act("orderAccessRequest", json!({ "email": email }), "").await;
        s.t.answer_requests().await;
        let sql = format!(
            "select count(*) from message where kind = 'order_access_code' and recipient = '{email}'"
        );
        assert_eq!(s.t.db.one(&sql).await, expected.to_string());
    }
    let acts = "select string_agg(kind || ': ' || reason, ',') from staff_act";
    assert_eq!(s.t.db.one(acts).await, "address_corrected: mistyped; Jane Roe called");
    let events = "select string_agg(kind, ',' order by id) from event where kind like 'order.a%'";
    assert_eq!(s.t.db.one(events).await, "order.address_corrected,order.access_revoked");
    assert_eq!(s.t.db.one("select count(*) from event where body::text like '%Jane%'").await, "0");
    let story = "query($n: String!) { order(number: $n) { timeline { source kind detail } } }";
    let story = s.staff.ask(story, json!({ "n": s.order["order"]["number"] })).await;
    let entry =
        json!({ "source": "STAFF", "kind": "address_corrected", "detail": "mistyped; Jane Roe called" });
    assert!(story["order"]["timeline"].as_array().unwrap().contains(&entry));
    s.t.drain().await;
    s.t.finish_with_jobs().await;
}

/// Rows: D5, D6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_was_refused_goes_to_the_corrected_address_and_its_task_ends() {
    let smtp = SmtpServer::start().await;
    let s = {
        // The staff's own confirmation mail goes first. A connection is kept after what went well.
        smtp.next(Trouble::Say("RCPT", "550 5.1.1 no such user"));
        smtp.next(Trouble::Say("RCPT", "550 5.1.1 no such user"));
        scene(smtp).await
    };
    let open = "select count(*) from task where kind = 'message_undeliverable' and state <> 'resolved' \
                and order_id is not null";
    assert_eq!(s.t.db.one(open).await, "1");
    assert_eq!(s.mails_to(RIGHT).len(), 0);
    assert_eq!(codes(&s.correct(&s.staff, RIGHT, "mistyped").await), NONE);
    assert_eq!(s.t.db.one(open).await, "0");
    s.t.drain().await;
    assert_eq!(s.mails_to(RIGHT).len(), 1, "that very mail, once");
    assert_eq!(
        s.t.db.one("select count(*) from message where kind in ('order_delivered', 'order_resend')").await,
        "1"
    );
    let report = dispense::check::run(&s.t.app.db, &s.t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    s.t.finish_with_jobs().await;
}

/// Rows: D5, D6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_corrected_while_its_mail_is_being_sent_gets_the_mail_all_the_same() {
    let smtp = SmtpServer::start().await;
    // The staff's own confirmation mail goes first; a connection is kept after what went well.
    smtp.next(Trouble::Say("RCPT", "550 5.1.1 no such user"));
    smtp.next(Trouble::WaitAfterDot);
    let s = unsent(smtp, 1).await;
    let meanwhile = async {
        while s.mails_to(WRONG).is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(codes(&s.correct(&s.staff, RIGHT, "mistyped").await), NONE);
        assert_eq!(codes(&s.correct(&s.staff, RIGHT, "again").await), NONE);
        s.smtp.go_on();
    };
    tokio::join!(s.t.drain(), meanwhile);
    s.t.drain().await;
    let mails = s.mails_to(RIGHT);
    assert_eq!(mails.len(), 1);
    assert!(mails[0].body().contains("CANARY-KEY-"));
    assert!(s.opens(&token_in(&mails[0].body())).await);
    assert!(!s.opens(&token_in(&s.mails_to(WRONG)[0].body())).await);
    let attempts = "select string_agg(a.outcome, ',' order by a.attempt) from message_attempt a \
        join message m on m.id = a.message_id where m.order_id is not null";
    assert_eq!(s.t.db.one(attempts).await, "sent,sent");
    let report = dispense::check::run(&s.t.app.db, &s.t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    s.t.finish_with_jobs().await;
}

/// Rows: D5, D6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrected_address_gets_every_delivered_line_although_the_mail_of_one_is_still_to_be_sent() {
    for state in ["queued", "needs_attention"] {
        let s = unsent(SmtpServer::start().await, 2).await;
        s.t.drain().await;
        assert_eq!(s.mails_to(WRONG).len(), 1);
        // The second line was filled later, and its mail has not left.
        s.t.db
            .sql(&format!(
                "insert into message (id, kind, subject, order_id, recipient, locale, payload, message_id, state)
                 select gen_random_uuid(), 'order_delivered', 'later', order_id, recipient, locale,
                   jsonb_build_object('lines', jsonb_build_array((select id from order_line order by position desc limit 1))),
                   'later@dispense', '{state}' from message where kind = 'order_delivered'"
            ))
            .await;
        assert_eq!(codes(&s.correct(&s.staff, RIGHT, "mistyped").await), NONE);
        s.t.drain().await;
        let reported: String = s.mails_to(RIGHT).iter().map(crate::harness::Taken::body).collect();
        assert_eq!(reported.matches("CANARY-KEY-").count(), 2, "{state}: each line once: {reported}");
        assert_eq!(s.mails_to(WRONG).len(), 1);
        s.t.finish_with_jobs().await;
    }
}

/// Rows: C9 (deliveryRevealForStaff), K6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_sees_a_key_only_with_a_reason_it_is_counted_and_the_key_never_goes_back_on_sale() {
    let t = TestApp::start_with(|config| {
        with_generic(config);
        behind_a_proxy(config);
    })
    .await;
    let variant = t.variant_on_sale("key", 500).await;
    let texts = t.import(variant, 2).await;
    t.db.sql("update variant set mail_policy = 'link'").await;
    let guest = t.visitor("192.0.2.1");
    t.person("sam@example.com", &[Role::Support]).await;
    let staff = guest.signed_in(&t.sign_in("sam@example.com").await.tokens.access);
    let order = guest.order(&variant.to_string(), 1, "5.00", json!({ "email": WRONG })).await;
    let line =
        dispense::base::ids::LineId(t.db.one("select id from order_line").await.parse().unwrap()).to_string();
    let ask = |reason: &str| json!({ "target": { "lineId": line }, "reason": reason });
    let fields = "secrets { text delivery { state } } timesShown";
    assert_eq!(codes(&staff.act("deliveryRevealForStaff", ask("typo"), fields).await), ["NOT_PAID"]);
    t.pay(&order).await;
    assert_eq!(codes(&staff.act("deliveryRevealForStaff", ask(""), fields).await), ["REASON_REQUIRED"]);
    let query = "mutation($i: DeliveryRevealForStaffInput!) { deliveryRevealForStaff(input: $i) { secrets { text } } }";
    let answer = guest.raw(query, json!({ "i": ask("I am staff") })).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
    assert_eq!(t.db.one("select count(*) from staff_act").await, "0");
    for times in 1..=2 {
        let shown = staff.act("deliveryRevealForStaff", ask("buyer lost the mail"), fields).await;
        assert!(texts.iter().any(|text| shown["secrets"][0]["text"] == json!(text)));
        assert_eq!(shown["timesShown"], json!(times.to_string()));
        assert_eq!(shown["secrets"][0]["delivery"]["state"], "READY", "the buyer has not seen it");
    }
    assert_eq!(t.db.one("select count(*) from event where kind = 'unit.shown_to_staff'").await, "2");
    assert_eq!(t.db.one("select revealed_at is not null from vault_key where state = 'sold'").await, "t");
    assert_eq!(t.unit_states(t.placed(&order).await.order.id).await, "assigned:1");
    // All of the money goes back: the key that staff saw is voided, not restocked.
    let mut said = crate::harness::Said::paid(
        &t.placed(&order).await,
        &format!("T{}", order["order"]["number"].as_str().unwrap()),
    );
    (said.id, said.kind, said.refunded_minor) = ("evt_back".into(), "payment.refunded", Some(500));
    assert_eq!(t.notify(&said).await.0, 200);
    assert_eq!(
        t.db.one("select string_agg(state, ',' order by state) from vault_key").await,
        "available,voided"
    );
    assert_eq!(codes(&staff.act("deliveryRevealForStaff", ask("again"), fields).await), ["REFUNDED"]);
    let app = t.db.client_as_app().await;
    let denied = app.batch_execute("update staff_act set reason = 'x'").await;
    assert!(denied.is_err(), "what staff did is not rewritten");
    t.finish_with_jobs().await;
}
