//! Faults in notices, messages, seals and the audit chain.

use super::clean::busy_shop;
use super::planted::{Planted, find_all};

/// Rows: P3, P5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_that_was_handled_twice_or_lost_its_bytes_is_found() {
    let t = busy_shop().await;
    let faults = [
        Planted {
            sql: "insert into notice (account_id, event_key, verdict, order_id, payment_id, verified_by, body_sha256)
                select account_id, event_key, verdict, order_id, payment_id, verified_by, body_sha256 from notice
                where verdict = 'applied' limit 1",
            found_by: "no event of an account is handled twice",
            names: "account generic notices ",
        },
        Planted {
            sql: "update notice set payment_id = (select id from payment where id <> notice.payment_id limit 1)
                where id = (select min(id) from notice where verdict = 'applied')",
            found_by: "a handled notice names a payment of its account and that payment's order",
            names: "notice ",
        },
        Planted {
            sql: "delete from event where order_id = (select order_id from notice where verdict = 'applied' limit 1)",
            found_by: "an applied notice had its effect in its own transaction",
            names: "notice ",
        },
        Planted {
            sql: "update payment set state = 'started', received_minor = null, received_currency = null, captured_at = null,
                allocated = false where id = (select payment_id from notice where verdict = 'applied' limit 1)",
            found_by: "an applied notice moved its payment",
            names: "notice ",
        },
        Planted {
            sql: "insert into asked_trade (account_id, trade_no) select account_id, trade_no from payment
                where trade_no is not null limit 1",
            found_by: "a trade that was taken for another's sale is no payment's",
            names: "payment ",
        },
        Planted {
            sql: "insert into notice (account_id, event_key, verdict, order_id, payment_id, verified_by, body_sha256)
                select account_id, 'never', 'duplicate', order_id, payment_id, verified_by, body_sha256 from notice
                where verdict = 'applied' limit 1",
            found_by: "a repeat repeats something handled",
            names: "notice ",
        },
        Planted {
            sql: "delete from notice_body where notice_id = (select min(notice_id) from notice_body)",
            found_by: "a notice that was authentic has its bytes",
            names: "notice ",
        },
        Planted {
            sql: "update notice_body set body = body || '\\x20' where notice_id = (select min(notice_id) from notice_body)",
            found_by: "the bytes of a notice are those that came",
            names: "notice ",
        },
    ];
    find_all(&t, &faults).await;
    t.finish_with_jobs().await;
}

/// Rows: D3, D4, D8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_nobody_will_send_and_a_lease_nobody_ends_are_found() {
    let t = busy_shop().await;
    let faults = [
        Planted {
            sql: "delete from job where id = (select min(id) from job where kind = 'message.send')",
            found_by: "a message that is not done has a job that goes on with it",
            names: "message ",
        },
        Planted {
            sql: "insert into message_attempt (message_id, attempt, recipient) select id, 2, '' from message limit 1",
            found_by: "attempts are numbered from 1 without gaps, as many as the message counts",
            names: "message ",
        },
        Planted {
            sql: "update message set state = 'sent', sent_at = app_now() where id = (select id from message limit 1)",
            found_by: "a sent message has one attempt that sent it, its last",
            names: "message ",
        },
        Planted {
            sql: "update message set attempts = 1 where id = (select id from message order by id limit 1);
                insert into message_attempt (message_id, attempt, recipient, ended_at, outcome)
                select id, 1, '', app_now(), 'sent' from message order by id limit 1",
            found_by: "a message whose attempt was accepted is sent",
            names: "message ",
        },
        Planted {
            sql: "update message set state = 'needs_attention' where id = (select id from message where order_id is not null order by id limit 1)",
            found_by: "a mail about an order that did not arrive is before a person",
            names: "message ",
        },
        Planted {
            sql: "insert into order_gift (order_id, name, email, email_normalised, mailbox)
                select o.id, 'Bob', 'bob@friend.example', 'bob@friend.example', 'bob@friend.example'
                  from orders o join message m on m.order_id = o.id where m.kind = 'order_delivered' order by m.id limit 1;
                insert into message_attempt (message_id, attempt, recipient, started_at, ended_at, outcome)
                select m.id, 1, '', app_now(), app_now(), 'sent'
                  from order_gift g join message m on m.order_id = g.order_id where m.kind = 'order_delivered'",
            found_by: "the goods of a gift are mailed to its recipient alone",
            names: "message ",
        },
        Planted {
            sql: "insert into mail_report (id, webhook_id, kind, permanent, email_normalised)
                values (gen_random_uuid(), 'w', 'bounce', true, 'a@b.example')",
            found_by: "an address that mail came back from for good is suppressed, or was until staff lifted it",
            names: "report ",
        },
        Planted {
            sql: "insert into mail_suppression (id, email_normalised, cause, created_at)
                select gen_random_uuid(), o.email_normalised, 'bounce', app_now() - interval '1 hour'
                  from orders o join message m on m.order_id = o.id order by m.id limit 1;
                insert into message_attempt (message_id, attempt, recipient, started_at, ended_at, outcome)
                select m.id, 1, '', app_now(), app_now(), 'sent'
                  from orders o join message m on m.order_id = o.id order by m.id limit 1",
            found_by: "nothing was sent to an address that was suppressed before",
            names: "message ",
        },
        Planted {
            sql: "update job set state = 'running', leased_by = 'w', leased_until = app_now() - interval '2 minutes'
                where id = (select min(id) from job)",
            found_by: "no lease is older than its limit",
            names: "job ",
        },
        Planted {
            sql: "update job set state = 'dead' where id = (select min(id) from job where kind <> 'message.send')",
            found_by: "a job has no more attempts than it may have, and one that was given up is before a person",
            names: "job ",
        },
        Planted {
            sql: "delete from message where order_id = (select order_id from message where order_id is not null limit 1)",
            found_by: "the buyer of every paid order was written to",
            names: "order ",
        },
    ];
    find_all(&t, &faults).await;
    t.finish_with_jobs().await;
}

/// Rows: K3, A5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_moved_swapped_or_rewritten_at_rest_is_found() {
    let t = busy_shop().await;
    let faults = [
        Planted {
            sql: "update vault_key k set sealed = o.sealed from vault_key o
                where k.id = (select min(id::text)::uuid from vault_key) and o.id = (select max(id::text)::uuid from vault_key)",
            found_by: "a sealed key opens in its row, under its variant, by its data key",
            names: "key ",
        },
        Planted {
            sql: "update data_key set wrapped = set_byte(wrapped, 20, 255 - get_byte(wrapped, 20))",
            found_by: "a sealed key opens in its row, under its variant, by its data key",
            names: "key ",
        },
        Planted {
            sql: "update vault_key set fp = sha256(fp) where id = (select min(id::text)::uuid from vault_key)",
            found_by: "the fingerprint of a key recomputes from its text",
            names: "key ",
        },
        Planted {
            sql: "update vault_key set fp_next = sha256(fp_next) where id = (select min(id::text)::uuid from vault_key)",
            found_by: "the fingerprint of a key recomputes from its text",
            names: "key ",
        },
        Planted {
            sql: "update vault_key set fp_next = (select max(fp_next::text)::bytea from vault_key)",
            found_by: "no fingerprint is stored twice within a seller",
            names: "keys ",
        },
        Planted {
            sql: "update data_key set uses = 0",
            found_by: "a data key counts at least the values it sealed",
            names: "data key ",
        },
        Planted {
            sql: "insert into refresh_token (id, session_id, digest, sealed, expires_at)
                select gen_random_uuid(), s.id, sha256('x'), 'x', app_now() from session s;
                insert into app_user (id, email, email_normalised) values ('00000000-0000-7000-8000-000000000009', 'e', 'e');
                insert into session (id, user_id, device, user_generation, expires_at)
                  values ('00000000-0000-7000-8000-000000000008', '00000000-0000-7000-8000-000000000009', '', 1, app_now());
                insert into refresh_token (id, session_id, digest, sealed, expires_at)
                  values (gen_random_uuid(), '00000000-0000-7000-8000-000000000008', sha256('x'), 'x', app_now())",
            found_by: "a sealed refresh token opens in its row and is the one whose digest is stored there",
            names: "refresh token ",
        },
        Planted {
            sql: "update event set body = body || '{\"forged\": true}' where id = (select event_id from event_seq where seq = 3)",
            found_by: "the seal of an event recomputes from what is written",
            names: "number 3, ",
        },
        Planted {
            sql: "delete from event where id = (select event_id from event_seq where seq = 4)",
            found_by: "the seal of an event recomputes from what is written",
            names: "number 4, ",
        },
        Planted {
            sql: "delete from event_seq where seq = 2",
            found_by: "the numbers of events have no gap",
            names: "number 3 after 1",
        },
        Planted {
            sql: "update event_seq set prev_hash = sha256('x') where seq = 5",
            found_by: "each seal names the one before it",
            names: "number 5",
        },
        Planted {
            sql: "delete from event_seq where seq = (select max(seq) from event_seq)",
            found_by: "the head of the sequence is its last seal",
            names: "the head is at ",
        },
        Planted {
            sql: "delete from event where kind = 'order.paid'",
            found_by: "the audit chain names every paid order",
            names: "order ",
        },
        Planted {
            sql: "delete from event where kind = 'line.assigned'",
            found_by: "the audit chain names which unit got which key",
            names: "key ",
        },
        Planted {
            sql: "delete from event where kind = 'refund.succeeded'",
            found_by: "the audit chain names every refund that was made",
            names: "refund ",
        },
    ];
    find_all(&t, &faults).await;
    t.finish_with_jobs().await;
}

/// Rows: K4, K14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_text_under_two_fingerprints_is_found_by_opening() {
    let t = busy_shop().await;
    let exact = t.variant_on_sale("key", 100).await;
    let folded = t.variant_on_sale("key", 100).await;
    t.db.sql(&format!("update variant set fold_case = true where id = '{}'", folded.0)).await;
    let text = vec!["SAME-TEXT-IN-BOTH".to_owned()];
    t.import_texts(folded, &text).await;
    t.import_texts(exact, &text).await;
    assert_eq!(t.db.one("select refused from key_batch order by id desc limit 1").await, "1");
    // Behind the back of the import, which looks for the text in variants that see case the other way.
    t.db.sql("update variant set fold_case = false").await;
    t.import_texts(exact, &text).await;
    t.db.sql(&format!("update variant set fold_case = true where id = '{}'", folded.0)).await;
    let report = dispense::check::run(&t.app.db, &t.app.config.secrets).await.unwrap();
    let found: Vec<_> = report.findings().map(|f| f.question).collect();
    assert_eq!(found, ["no text of a key is stored twice within a seller"], "{report}");
    t.finish_with_jobs().await;
}

/// Rows: O2, X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reference_of_another_order_and_a_document_under_another_digest_are_found() {
    let t = busy_shop().await;
    let faults = [
        Planted {
            sql: "insert into order_reference select 'guest:x', 'R-1', id from orders order by id limit 1",
            found_by: "a reference that was taken is its order's",
            names: "reference of order ",
        },
        Planted {
            sql: "update orders set reference = 'R-1' where id = (select min(id::text)::uuid from orders);
                insert into order_reference select 'user:x', 'R-1', id from orders where reference = 'R-1';
                insert into app_user (id, email, email_normalised, locale) select id, 'x@example.com', 'x@example.com', 'en'
                  from orders where reference = 'R-1';
                update orders set user_id = id where reference = 'R-1'",
            found_by: "a person's reference is taken by an order of that person",
            names: "reference of order ",
        },
        Planted {
            sql: "insert into persisted_query (hash, query, source) values (sha256('a'), '{ b }', 'x')",
            found_by: "a document is kept under the digest of its own text",
            names: "document ",
        },
    ];
    find_all(&t, &faults).await;
    t.finish_with_jobs().await;
}
