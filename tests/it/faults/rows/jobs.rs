//! Work that can never be done (row D4), and work that is committed late under a lower number (row D5), before two workers.

use crate::faults::town::Town;
use crate::harness::Server;

/// Jobs that fail whenever they are run: of a kind that nobody knows, and with a payload that nobody understands.
const POISON: &str = "insert into job (kind, dedupe_key, payload, max_attempts)
    values ('nobody.knows', 'a', '{}', 3), ('fulfilment.fill', 'b', '{\"variant\": \"no id\"}', 3)";

async fn poison(town: &Town, server: &Server, keys: dispense::base::ids::VariantId) {
    let t = town.t();
    t.db.sql(POISON).await;
    let others = [t.order(keys, 1).await, t.order(keys, 1).await];
    for placed in &others {
        assert_eq!(town.pay(server, placed).await, 200);
    }
    for tried in 1..=3 {
        let dead = if tried == 3 { "dead" } else { "queued" };
        let ended = format!(
            "select count(*) = 2 from job where dedupe_key in ('a', 'b') and attempt = {tried} and state = '{dead}'"
        );
        town.until("D4: it fails again", &ended).await;
        let waits = "select count(*) = 2 from job where dedupe_key in ('a', 'b') and run_at > app_now() + interval '1 second'";
        assert!(tried == 3 || t.db.one(waits).await == "t", "it waits for its next time");
        t.db.sql("update job set run_at = app_now() where state = 'queued' and dedupe_key in ('a', 'b')")
            .await;
    }
    let tasks =
        "select string_agg(body->>'kind', ' ' order by body->>'kind') from task where kind = 'job_dead'";
    assert_eq!(t.db.one(tasks).await, "fulfilment.fill nobody.knows");
    town.settled("D4").await;
    for placed in &others {
        assert_eq!(town.states(placed.order.id).await, "assigned:1");
        let number = &placed.order.number;
        assert!(town.smtp.taken().iter().any(|mail| mail.body().contains(number)), "the others' mails left");
    }
    town.check("D4");
}

/// An event and a job are written and not committed while later ones come and are seen to.
async fn late(town: &Town, server: &Server, keys: dispense::base::ids::VariantId) {
    let t = town.t();
    let (placed, other) = (t.order(keys, 1).await, t.order(keys, 1).await);
    assert_eq!(town.pay(server, &placed).await, 200);
    town.settled("D5: the first").await;
    let id = placed.order.id.0;
    let slow = t.db.client().await;
    slow.batch_execute(&format!(
        "begin;
         insert into event (seller_id, kind, object_id, order_id, actor, body)
           select seller_id, 'order.mail_asked_again', '{id}', '{id}', 'system', '{{}}' from order_line where order_id = '{id}';
         insert into job (kind, dedupe_key, payload) select 'message.send', 'late', jsonb_build_object('message', id)
           from message where order_id = '{id}' and kind = 'order_delivered'"
    ))
    .await
    .unwrap();
    assert_eq!(town.pay(server, &other).await, 200);
    let seen = format!(
        "select count(*) = 1 from hook_delivery where order_id = '{}' and state = 'delivered'",
        other.order.id.0
    );
    town.until("D5: the later one is seen to", &seen).await;
    let before = town.receiver.seen("/all").len();
    slow.batch_execute("commit").await.unwrap();
    town.until(
        "D5: the late event has its number",
        "select not exists (select 1 from event e where kind = 'order.mail_asked_again'
        and not exists (select 1 from event_seq s where s.event_id = e.id))",
    )
    .await;
    town.settled("D5").await;
    let lower = "select bool_and(e.id < l.id and es.seq > ls.seq) from event e join event_seq es on es.event_id = e.id,
        event l join event_seq ls on ls.event_id = l.id where e.kind = 'order.mail_asked_again' and l.kind = 'order.paid'
        and l.order_id <> e.order_id and l.id > e.id";
    assert_eq!(t.db.one(lower).await, "t", "a lower id, and a later number");
    assert!(town.receiver.seen("/all").len() > before, "it is sent");
    assert_eq!(t.db.one("select state from job where dedupe_key = 'late'").await, "done");
    town.check("D5");
}

/// Rows: D5, D6, D9, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_always_fails_ends_before_a_person_and_work_committed_late_is_not_passed_over() {
    let town = Town::open().await;
    let t = town.t();
    let keys = t.selling_keys(8, 990).await;
    t.drain().await;
    town.connect_hook("/all", &["order.paid", "order.mail_asked_again"], false).await;
    t.drain().await;
    let server = town.server().start();
    let workers = [town.worker().start(), town.worker().start()];
    poison(&town, &server, keys).await;
    late(&town, &server, keys).await;
    let mut logs: Vec<String> = workers.iter().map(Server::log).collect();
    logs.push(server.log());
    drop((server, workers));
    // The buried jobs are of no kind that the shop declares.
    t.db.sql("delete from job where dedupe_key in ('a', 'b')").await;
    town.finish(&logs).await;
}
