//! What a mail service reports: it came back, was complained about, arrived.

use dispense::base::actor::Role;
use dispense::base::secret::Secret;
use serde_json::{Value, json};

use crate::harness::signing::{self, webhook_secret};
use crate::harness::visitor::Visitor;
use crate::harness::{SmtpServer, TestApp, Trouble, codes, with_generic};

const NONE: [&str; 0] = [];
const BUYER: &str = "Ada@B\u{fc}cher.example";
const NORMALISED: &str = "ada@xn--bcher-kva.example";

struct Scene {
    t: TestApp,
    smtp: SmtpServer,
    guest: Visitor,
    staff: Visitor,
    order: Value,
    variant: String,
}

/// A paid order whose mail was sent, unless `unsent`.
async fn scene(sent: bool) -> Scene {
    let smtp = SmtpServer::start().await;
    let url = format!("smtp://{}?tls=none", smtp.address);
    let t = TestApp::start_with(|config| {
        with_generic(config);
        config.mail.url = Some(Secret::new(url));
        config.mail.event_secrets = vec![Secret::new(webhook_secret(7)), Secret::new(webhook_secret(8))];
        config.shop.support_email = Some("help@shop.example".into());
    })
    .await;
    let variant = t.selling_keys(5, 500).await.to_string();
    let guest = t.visitor("192.0.2.1");
    let order = guest.order(&variant, 1, "5.00", json!({ "email": BUYER })).await;
    t.pay(&order).await;
    let mut s = Scene { staff: guest.clone(), t, smtp, guest, order, variant };
    if sent {
        s.t.drain().await;
        s.hire().await;
    }
    s
}

impl Scene {
    /// Somebody of support. After the first mail: a connection to the mail server is kept, and troubles are of new ones.
    async fn hire(&mut self) {
        self.t.person("sam@example.com", &[Role::Support]).await;
        self.staff = self.guest.signed_in(&self.t.sign_in("sam@example.com").await.tokens.access);
        self.t.drain().await;
    }

    /// Reports as the mail service, by the second of the secrets; the status and the code of a problem.
    async fn report(&self, id: &str, body: Value) -> (u16, String) {
        self.post(&webhook_secret(8), id, self.t.app.clock.unix(), &body.to_string()).await
    }

    async fn post(&self, secret: &str, id: &str, at: i64, body: &str) -> (u16, String) {
        let mut call = self.t.http().post(format!("{}/mail/events", self.t.base));
        for (name, value) in signing::webhook(secret, id, at, body).headers {
            call = call.header(name, value);
        }
        let answer = call.body(body.to_owned()).send().await.unwrap();
        let status = answer.status().as_u16();
        let problem: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default();
        (status, problem["code"].as_str().unwrap_or_default().to_owned())
    }

    async fn message_id(&self) -> String {
        self.t.db.one("select message_id from message where kind = 'order_delivered'").await
    }

    async fn state(&self) -> String {
        self.t.db.one("select state from message where kind = 'order_delivered'").await
    }

    async fn why(&self) -> Value {
        let query = "query($n: String!, $t: String) { order(number: $n, accessToken: $t) {
            whyNotDelivered { code message } live { watchTicket } } }";
        let (n, t) = (&self.order["order"]["number"], &self.order["accessToken"]);
        let order = self.guest.ask(query, json!({ "n": n, "t": t })).await["order"].clone();
        // Where nothing more will happen there is no ticket.
        if let Some(ticket) = order["live"]["watchTicket"].as_str() {
            let status = "query($t: String!) { orderStatus(ticket: $t) { whyNotDelivered { code } } }";
            let seen = self.guest.ask(status, json!({ "t": ticket })).await;
            assert_eq!(seen["orderStatus"]["whyNotDelivered"]["code"], order["whyNotDelivered"]["code"]);
        }
        order["whyNotDelivered"]["code"].clone()
    }

    async fn suppressions(&self, filter: Value) -> Vec<Value> {
        let query = "query($f: MailSuppressionFilter) { desk { mailSuppressions(filter: $f) {
            totalCount nodes { id email cause reason createdAt liftedAt liftedBy liftReason } } } }";
        let list = self.staff.ask(query, json!({ "f": filter })).await["desk"]["mailSuppressions"].clone();
        let nodes = list["nodes"].as_array().unwrap().clone();
        assert_eq!(list["totalCount"], json!(nodes.len()));
        nodes
    }

    async fn lift(&self, by: &Visitor, id: &Value, reason: &str) -> Value {
        let input = json!({ "suppressionId": id, "reason": reason });
        by.act("mailSuppressionLift", input, "suppression { email liftedAt liftReason }").await
    }

    async fn open_tasks(&self) -> String {
        self.t
            .db
            .one(
                "select coalesce(string_agg(body ->> 'outcome', ',' order by created_at), '') from task \
            where kind = 'message_undeliverable' and state <> 'resolved'",
            )
            .await
    }

    async fn sound(self) {
        let report = dispense::check::run(&self.t.app.db, &self.t.app.config.secrets).await.unwrap();
        assert!(report.is_clean(), "{report}");
        self.t.finish_with_jobs().await;
    }
}

/// Rows: D5, D6, C9 (deliveryCorrectAddress).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bounced_mail_is_before_a_person_the_page_says_so_and_a_corrected_address_gets_it() {
    let s = scene(true).await;
    assert_eq!((s.state().await.as_str(), s.why().await), ("sent", Value::Null));
    let bounce = json!({ "type": "bounce", "messageId": format!("<{}>", s.message_id().await), "permanent": true,
        "providerId": "p-1", "reason": format!("550 5.1.1 <{BUYER}> unknown"), "extra": 1 });
    // The same report eight times at once, and once more later.
    let sends = (0..8).map(|_| s.report("evt_1", bounce.clone()));
    let answers = futures::future::join_all(sends).await;
    assert!(answers.iter().all(|answer| answer.0 == 204), "{answers:?}");
    assert_eq!(s.report("evt_1", bounce.clone()).await.0, 204);
    assert_eq!(s.t.db.one("select count(*) from mail_report").await, "1");
    assert_eq!(s.state().await, "needs_attention");
    assert_eq!((s.open_tasks().await.as_str(), s.why().await), ("bounced", json!("MAIL_BOUNCED")));
    let listed = s.suppressions(json!({})).await;
    assert_eq!(
        (listed.len(), &listed[0]["email"], &listed[0]["cause"]),
        (1, &json!(NORMALISED), &json!("BOUNCE"))
    );
    let reason = listed[0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("550 5.1.1 <") && !reason.contains("cher.example"), "{reason}");
    let events = "select string_agg(kind, ',' order by id) from event where kind in ('message.bounced', 'mail.suppressed')";
    assert_eq!(s.t.db.one(events).await, "message.bounced,mail.suppressed");

    // Not to the address that no mail is sent to; to the right one.
    let correct = |email: &'static str| {
        let input = json!({ "orderId": s.order["order"]["id"], "email": email, "reason": "mistyped" });
        s.staff.act("deliveryCorrectAddress", input, "order { email }")
    };
    assert_eq!(codes(&correct(BUYER).await), ["ADDRESS_SUPPRESSED"]);
    assert_eq!(codes(&correct("right@buyer.example").await), NONE);
    assert_eq!(s.open_tasks().await, "");
    let old = s
        .smtp
        .taken()
        .iter()
        .find(|mail| mail.to == ["Ada@xn--bcher-kva.example"])
        .unwrap()
        .header("Message-ID");
    s.t.drain().await;
    let mail = s.smtp.taken().pop().unwrap();
    assert_eq!(
        (mail.to.as_slice(), s.state().await.as_str()),
        (["right@buyer.example".to_owned()].as_slice(), "sent")
    );
    assert!(mail.body().contains("CANARY-KEY-"));
    assert_ne!(mail.header("Message-ID"), old, "another mail");
    assert_eq!(s.why().await, Value::Null);
    // What is reported of the mail before says nothing of this one.
    assert_eq!(s.report("evt_2", bounce).await.0, 204);
    assert_eq!(s.state().await, "sent");
    s.sound().await;
}

/// Rows: D6.
/// Sends: mailSuppressionLift.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_to_a_suppressed_address_until_staff_lifts_it() {
    let s = scene(true).await;
    assert_eq!(s.report("c_1", json!({ "type": "complaint", "address": BUYER })).await.0, 204);
    assert_eq!((s.state().await.as_str(), s.open_tasks().await.as_str()), ("sent", ""), "it was read");
    let sent = s.smtp.taken().len();
    // Of another order, and a code.
    let order = s.guest.order(&s.variant, 1, "5.00", json!({ "email": NORMALISED })).await;
    s.t.pay(&order).await;
    s.guest.act("orderAccessRequest", json!({ "email": NORMALISED }), "").await;
    s.t.drain().await;
    let to_staff = s.smtp.taken().into_iter().skip(sent).all(|mail| mail.to == ["help@shop.example"]);
    assert!(to_staff, "staff is notified, the buyer is not written to");
    assert_eq!(s.open_tasks().await, "suppressed", "a code is asked for again by who needs one");
    let outcomes = "select string_agg(m.kind || ' ' || m.state || ' ' || a.outcome, ',' order by m.kind) \
        from message m join message_attempt a on a.message_id = m.id where a.outcome = 'suppressed'";
    assert_eq!(
        s.t.db.one(outcomes).await,
        "order_access_code needs_attention suppressed,order_delivered needs_attention suppressed"
    );
    assert_eq!(s.t.db.one("select count(*) from vault_key where mailed_at is not null").await, "1");

    let found = s.suppressions(json!({ "email": "ADA@B\u{fc}cher.example" })).await;
    assert_eq!((found.len(), &found[0]["cause"]), (1, &json!("COMPLAINT")));
    assert!(s.suppressions(json!({ "email": "other@buyer.example" })).await.is_empty());
    let id = &found[0]["id"];
    assert_eq!(codes(&s.lift(&s.staff, id, " ").await), ["REASON_REQUIRED"]);
    assert_eq!(codes(&s.lift(&s.staff, &json!("msp_00000000000000000000000000"), "x").await), ["NOT_FOUND"]);
    let mutation =
        "mutation($i: MailSuppressionLiftInput!) { mailSuppressionLift(input: $i) { userErrors { code } } }";
    let answer = s.guest.raw(mutation, json!({ "i": { "suppressionId": id, "reason": "x" } })).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
    assert!(
        s.guest.ask("{ desk { mailSuppressions { nodes { email } } } }", json!({})).await["desk"].is_null()
    );
    let lifted = s.lift(&s.staff, id, "Ada called").await;
    assert_eq!((codes(&lifted), &lifted["suppression"]["liftReason"]), (NONE.to_vec(), &json!("Ada called")));
    assert_eq!(codes(&s.lift(&s.staff, id, "again").await), ["ILLEGAL_TRANSITION"]);
    assert_eq!(s.open_tasks().await, "", "what was held back goes out");
    s.t.drain().await;
    let mail = s.smtp.taken().pop().unwrap();
    assert_eq!(mail.to, ["ada@xn--bcher-kva.example"]);
    assert!(mail.body().contains("CANARY-KEY-"));
    assert!(s.suppressions(json!({})).await.is_empty());
    let all = s.suppressions(json!({ "lifted": true })).await;
    assert!(all[0]["liftedAt"].is_string() && all[0]["liftedBy"].as_str().unwrap().starts_with("usr_"));
    let events = "select count(*) from event where kind = 'mail.suppression_lifted' and actor like 'usr_%' \
        and body::text not like '%Ada%'";
    assert_eq!(s.t.db.one(events).await, "1");
    // It may come back again.
    assert_eq!(
        s.report("c_2", json!({ "type": "bounce", "address": BUYER, "permanent": true })).await.0,
        204
    );
    assert_eq!(s.suppressions(json!({})).await.len(), 1);
    let states = "select string_agg(distinct state, ',') from message where kind = 'order_delivered'";
    assert_eq!(s.t.db.one(states).await, "needs_attention", "mails of the address that a report names");
    s.t.drain().await;
    s.sound().await;
}

/// Rows: D5, X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_signed_or_not_understood_changes_nothing() {
    let s = scene(true).await;
    let now = s.t.app.clock.unix();
    let bounce = json!({ "type": "bounce", "address": BUYER, "permanent": true }).to_string();
    let forged = (401, "UNAUTHENTICATED".to_owned());
    assert_eq!(s.post(&webhook_secret(9), "f_1", now, &bounce).await, forged);
    assert_eq!(s.post(&webhook_secret(7), "f_2", now - 301, &bounce).await, forged);
    let unsigned = s.t.post("/mail/events", &json!({ "type": "bounce", "address": BUYER })).await;
    assert_eq!(unsigned.status().as_u16(), 401);
    for body in [
        "",
        "[]",
        "{}",
        "{\"type\":\"open\",\"address\":\"a@b.example\"}",
        "{\"type\":\"bounce\"}",
        "{\"type\":\"bounce\",\"address\":\"nobody\"}",
    ] {
        assert_eq!(s.post(&webhook_secret(7), "f_3", now, body).await, (400, "INVALID".into()), "{body}");
    }
    let large = format!("{{\"type\":\"bounce\",\"reason\":\"{}\"}}", "x".repeat(70_000));
    assert_eq!(s.post(&webhook_secret(7), "f_4", now, &large).await, (413, "BODY_TOO_LARGE".into()));
    assert_eq!(s.t.db.one("select count(*) from mail_report").await, "0");
    // What is no trouble for good is kept, and nothing follows; neither does what is about nobody here.
    for (id, body) in [
        ("s_1", json!({ "type": "bounce", "address": BUYER, "messageId": s.message_id().await })),
        ("s_2", json!({ "type": "delivered", "messageId": s.message_id().await })),
        ("s_3", json!({ "type": "bounce", "messageId": "<nothing@elsewhere.example>", "permanent": true })),
        // Another address than the mail went to.
        (
            "s_4",
            json!({ "type": "bounce", "messageId": s.message_id().await, "address": "x@y.example", "permanent": true }),
        ),
    ] {
        assert_eq!(s.report(id, body).await.0, 204, "{id}");
    }
    assert_eq!((s.state().await.as_str(), s.open_tasks().await.as_str()), ("sent", ""));
    assert_eq!(s.suppressions(json!({})).await[0]["email"], "x@y.example");
    s.t.advance(chrono::TimeDelta::days(91)).await;
    s.t.sweep().await;
    assert_eq!(s.t.db.one("select count(*) from mail_report").await, "0", "old reports go");
    s.t.drain_all().await;
    s.t.finish_with_jobs().await;

    let t = TestApp::start_with(with_generic).await;
    assert_eq!(
        t.post("/mail/events", &json!({})).await.status().as_u16(),
        404,
        "not served without a secret"
    );
    t.finish_with_jobs().await;
}

/// Rows: D5, D8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bounce_that_is_reported_before_the_server_answers_counts() {
    let s = scene(false).await;
    s.smtp.next(Trouble::WaitAfterDot);
    let app = s.t.app.clone();
    let draining = tokio::spawn(async move { dispense::worker::drain(&app.worker()).await });
    while !s.smtp.taken().iter().any(|mail| mail.to == ["Ada@xn--bcher-kva.example"]) {
        tokio::task::yield_now().await;
    }
    let bounce = json!({ "type": "bounce", "messageId": s.message_id().await, "permanent": true });
    assert_eq!(s.report("early", bounce).await.0, 204);
    assert_eq!(s.state().await, "sending");
    s.smtp.go_on();
    draining.await.unwrap().unwrap();
    s.t.drain().await;
    assert_eq!((s.state().await.as_str(), s.open_tasks().await.as_str()), ("needs_attention", "bounced"));
    assert_eq!(s.why().await, "MAIL_BOUNCED");
    s.sound().await;
}

/// Rows: D5, D6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_knows_no_such_mailbox_suppresses_the_address_and_one_that_is_full_does_not() {
    for (answer, suppressed) in
        [("550 5.1.1 no such user", 1), ("550 5.1.10 null mx", 1), ("552 5.2.2 full", 0), ("550 no", 0)]
    {
        let mut s = scene(false).await;
        s.smtp.next(Trouble::Say("RCPT", answer));
        s.t.drain().await;
        s.hire().await;
        assert_eq!(s.suppressions(json!({ "email": BUYER })).await.len(), suppressed, "{answer}");
        assert_eq!((s.state().await.as_str(), s.why().await), ("needs_attention", json!("MAIL_NOT_SENT")));
        s.t.drain_all().await;
        s.sound().await;
    }
}
