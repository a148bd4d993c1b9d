//! Rows that leave in batches, by the moved clock, after they came by the shop's own doors.

use chrono::TimeDelta;
use dispense::base::actor::Role;
use dispense::base::caller::Caller;
use dispense::base::ids::GrantId;
use dispense::base::secret::Secret;
use dispense::people::Registration;
use dispense::{audit, check, people};

use crate::downloads::shop::{FileShop, content, link};
use crate::harness::shop::GENERIC;
use crate::harness::{PASSWORD, TestApp, with_generic};

/// What is in tables that leave, as `table count`.
const LEAVING: [&str; 14] = [
    "idempotency",
    "job where state = 'done'",
    "message where order_id is null",
    "message_attempt",
    "registration",
    "email_code",
    "session",
    "refresh_token",
    "order_visit",
    "download_link",
    "download_session",
    "refused_body",
    "refused_tally",
    "notice where verdict in ('forged', 'malformed')",
];

/// Tables of which nothing ever leaves.
const STAYING: [&str; 17] = [
    "app_user",
    "orders",
    "order_line",
    "unit",
    "payment",
    "ledger_entry",
    "event_seq",
    "vault_key",
    "key_batch",
    "download_grant",
    "file_version",
    "staff_act",
    "task",
    "message where order_id is not null",
    "notice where verdict not in ('forged', 'malformed')",
    "notice_repeat",
    "data_key",
];

async fn counts(t: &TestApp, tables: &[&str]) -> Vec<(String, i64)> {
    let mut counts = Vec::new();
    for table in tables {
        let count = t.db.one(&format!("select count(*) from {table}")).await.parse().unwrap();
        counts.push(((*table).to_owned(), count));
    }
    counts
}

/// A shop in which everything happened once that leaves a row which leaves.
async fn lived_in() -> (TestApp, GrantId) {
    let t = TestApp::start_with(with_generic).await;
    t.person("admin@shop.example", &[Role::Admin]).await;
    t.sign_in("admin@shop.example").await;
    let stranger = Registration {
        email: "never@confirmed.example".into(),
        password: Secret::new(PASSWORD),
        name: None,
        locale: None,
    };
    people::register(&t.app.people, &Caller::local(), stranger).await.unwrap();
    let keys = t.selling_keys(3, 990).await;
    let paid = t.paid_order(keys, 1).await;
    let said = crate::harness::Said::paid(&paid, &format!("T{}", paid.order.number));
    assert_eq!(t.notify(&said).await.0, 200);
    t.order(keys, 1).await;
    let files = FileShop { variant: t.variant_on_sale("file", 500).await };
    files.publish(&t, "book.zip", "1", &content(5_000, 1)).await;
    t.paid_order(files.variant, 1).await;
    let grant = t.db.one("select id from download_grant").await.parse().map(GrantId).unwrap();
    let url = link(&t, grant).await.url;
    assert_eq!(t.http().get(url).send().await.unwrap().status().as_u16(), 200);
    link(&t, grant).await;
    let forged = t.http().post(format!("{}/webhooks/{GENERIC}", t.base)).body("{}").send().await.unwrap();
    assert_eq!(forged.status().as_u16(), 400);
    let order = t.db.one("select id from orders limit 1").await;
    t.db.sql(&format!(
        "insert into order_visit (id, order_id, act, sealed) values (gen_random_uuid(), '{order}', 'placed', 'x');
         insert into idempotency (scope, operation, key, request_digest, result_id)
           values ('x', 'deliveryReport', 'a key of this test', '', gen_random_uuid())"
    ))
    .await;
    t.drain().await;
    (t, grant)
}

/// Rows: D8, D9, K4, P4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_years_what_is_over_has_left_and_what_anybody_needs_is_there() {
    let (t, grant) = lived_in().await;
    for (table, count) in counts(&t, &LEAVING).await {
        assert!(count > 0, "{table} has rows to leave");
    }
    t.retain().await;
    for (table, count) in counts(&t, &LEAVING).await {
        assert!(count > 0, "{table}: nothing leaves on its first day");
    }
    let url = link(&t, grant).await.url;
    t.advance(TimeDelta::days(3)).await;
    t.sweep().await;
    t.drain().await;
    t.advance(TimeDelta::days(1_000)).await;
    t.sweep().await;
    t.drain().await;
    let staying = counts(&t, &STAYING).await;
    t.advance(TimeDelta::days(500)).await;
    t.retain().await;
    for (table, count) in counts(&t, &LEAVING).await {
        assert_eq!(count, 0, "{table} has left");
    }
    assert_eq!(counts(&t, &STAYING).await, staying);
    assert_eq!(t.db.one("select used || ' ' || forgotten from download_grant").await, "1 1");
    // A link that is not known any more is one whose time has passed.
    let answer = t.http().get(url).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 410);
    assert!(answer.text().await.unwrap().contains("LINK_EXPIRED"));
    t.drain().await;
    let report = check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(audit::verify(&t.app, None).await.unwrap().broken, None);
    // What is left is looked at and costs no row.
    assert_eq!(t.retain().await, 0);
    t.finish_with_jobs().await;
}

/// Rows: D8, P9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_old_and_still_needed_stays() {
    let (t, _) = lived_in().await;
    t.advance(TimeDelta::days(2)).await;
    t.sweep().await;
    t.drain().await;
    // A dispute is open about the download; a job and a mail wait for a person; a task is open of which staff was written to.
    let task = t.app.clock.uuid();
    t.db.sql(&format!(
        "insert into dispute (id, order_id, payment_id, account_id, gateway_dispute_id, state, amount_minor, currency)
           select gen_random_uuid(), p.order_id, p.id, p.account_id, 'D1', 'opened', 1, 'USD' from payment p
             join download_grant g on g.order_id = p.order_id;
         insert into job (kind, state, attempt, max_attempts, finished_at) values ('test.dead', 'dead', 1, 1, app_now());
         insert into task (id, kind, subject) values ('{task}', 'test', 'x');
         insert into message (id, kind, subject, recipient, locale, state, sent_at, message_id) values
           (gen_random_uuid(), 'test.alert', '{task}', 'staff@shop.example', 'en', 'sent', app_now(), 'one'),
           (gen_random_uuid(), 'test.unsent', 'x', 'staff@shop.example', 'en', 'needs_attention', null, 'two')"
    ))
    .await;
    let needed = [
        "download_session",
        "job where kind = 'test.dead'",
        "message where kind = 'test.alert'",
        "message where kind = 'test.unsent'",
    ];
    let before = counts(&t, &needed).await;
    t.advance(TimeDelta::days(900)).await;
    t.retain().await;
    assert_eq!(counts(&t, &needed).await, before);
    t.db.sql("update dispute set state = 'won', decided_at = app_now()").await;
    t.db.sql("update task set state = 'resolved', resolved_at = app_now()").await;
    t.retain().await;
    assert_eq!(t.db.one("select count(*) from download_session").await, "0");
    assert_eq!(t.db.one("select count(*) from message where kind = 'test.alert'").await, "0");
    t.finish_with_jobs().await;
}

/// Rows: D8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_deletes_a_batch_and_goes_on_where_it_was_stopped() {
    let t = TestApp::start().await;
    t.db.sql(
        "insert into job (kind, state, finished_at) select 'test.old', 'done', app_now() - interval '8 days'
           from generate_series(1, 2500);
         insert into job (kind, state, finished_at) values ('test.young', 'done', app_now() - interval '6 days'),
           ('test.undone', 'queued', null)",
    )
    .await;
    t.db.sql("update job set run_at = app_now() + interval '1 day' where kind = 'test.undone'").await;
    let left = async || t.db.one("select count(*) from job where kind = 'test.old'").await;
    // Somebody holds a row: it is passed over, and nobody waits.
    let mut other = t.db.client().await;
    let tx = other.transaction().await.unwrap();
    tx.batch_execute("select 1 from job where kind = 'test.old' order by finished_at limit 1 for update")
        .await
        .unwrap();
    assert_eq!(dispense::worker::retention::sweep(&t.app).await.unwrap(), 1_000);
    assert_eq!(left().await, "1500");
    t.retain().await;
    assert_eq!(left().await, "1");
    tx.rollback().await.unwrap();
    t.retain().await;
    assert_eq!(left().await, "0");
    assert_eq!(
        t.db.one("select string_agg(kind, ' ' order by kind) from job").await,
        "test.undone test.young"
    );
    let metrics = t.figures().await;
    assert!(metrics.contains("dispense_retention_rows_total{table=\"job\"}"), "{metrics}");
    let oldest =
        metrics.lines().find(|line| line.starts_with("dispense_retention_oldest_seconds{table=\"job\"}"));
    let age: f64 = oldest.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!((500_000.0..530_000.0).contains(&age), "{age}");
    t.finish_with_jobs().await;
}
