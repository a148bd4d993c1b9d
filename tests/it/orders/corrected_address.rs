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
    let url = format!("smtp://{}?tls=none", smtp.address);
    let t = TestApp::start_with(|config| {
        with_generic(config);
        behind_a_proxy(config);
        config.mail.url = Some(Secret::new(url));
    })
    .await;
    let variant = t.selling_keys(5, 500).await.to_string();
    let guest = t.visitor("192.0.2.1");
    t.person("sam@example.com", &[Role::Support]).await;
    let staff = guest.signed_in(&t.sign_in("sam@example.com").await.tokens.access);
    t.drain().await;
    let order = guest.order(&variant, 1, "5.00", json!({ "email": WRONG })).await;
    t.pay(&order).await;
    t.drain().await;
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

/// Rows: C9, D6, C7.
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

/// Rows: C9, K6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_sees_a_key_only_with_a_reason_it_is_counted_and_the_key_never_goes_back_on_sale() {
    let t = TestApp::start_with(|config| {
        with_generic(config);
        behind_a_proxy(config);
    })
    .await;
    let variant = t.shelf("key", 500).await;
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
