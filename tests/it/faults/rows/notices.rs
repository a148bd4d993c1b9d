//! Notices that come twice, too early, too late, wrong or forged, at two servers with a worker beside them (rows B2 to B9).

use dispense::orders::place::Placed;
use futures::future::BoxFuture;
use serde_json::json;

use crate::faults::town::Town;
use crate::harness::shop::generic_secret;
use crate::harness::{Said, Server, signing};

struct Street {
    town: Town,
    servers: [Server; 2],
    keys: dispense::base::ids::VariantId,
}

struct Row {
    row: &'static str,
    fault: &'static str,
    play: for<'a> fn(&'a Street) -> BoxFuture<'a, ()>,
}

const ROWS: [Row; 12] = [
    Row { row: "B2", fault: "one payment under two event ids", play: |s| Box::pin(two_names(s)) },
    Row { row: "B3", fault: "closed after paid", play: |s| Box::pin(closed_after_paid(s)) },
    Row { row: "B4", fault: "money for an expired order", play: |s| Box::pin(expired(s)) },
    Row { row: "B4", fault: "money for a cancelled order", play: |s| Box::pin(cancelled(s)) },
    Row {
        row: "B5",
        fault: "faster than its order, and repeated",
        play: |s| Box::pin(early_and_repeated(s)),
    },
    Row { row: "B5", fault: "faster than its order, and never again", play: |s| Box::pin(early_once(s)) },
    Row { row: "B6", fault: "another amount or currency", play: |s| Box::pin(wrong_money(s)) },
    Row { row: "B7", fault: "a signature that is bad, missing, old or early", play: |s| Box::pin(forged(s)) },
    Row { row: "B7", fault: "signed by either secret of a rotation", play: |s| Box::pin(rotated(s)) },
    Row { row: "B9", fault: "paid twice at once", play: |s| Box::pin(paid_twice(s)) },
    Row { row: "B8", fault: "again after 30 days", play: |s| Box::pin(a_month_later(s)) },
    Row { row: "B6b", fault: "an order that nobody knows", play: |s| Box::pin(unknown_order(s)) },
];

impl Street {
    async fn order(&self) -> Placed {
        self.town.t().order(self.keys, 1).await
    }

    /// A notice at one of the two servers; the status.
    async fn say(&self, server: usize, said: &Said) -> u16 {
        self.town.say(&self.servers[server], said).await
    }

    async fn one(&self, sql: &str) -> String {
        self.town.t().db.one(sql).await
    }

    /// A value of an order's rows.
    async fn of(&self, placed: &Placed, select: &str) -> String {
        self.one(&format!("{select} where order_id = '{}'", placed.order.id.0)).await
    }

    /// The order was paid once, and has its key.
    async fn is_paid_once(&self, placed: &Placed) {
        let t = self.town.t();
        assert_eq!(t.order_state(placed.order.id).await, "paid");
        assert_eq!(t.unit_states(placed.order.id).await, "assigned:1");
        let money = "select coalesce(sum(amount_minor) filter (where book = 'gateway'), 0) from ledger_entry";
        assert_eq!(self.of(placed, money).await, "990");
        assert_eq!(self.of(placed, "select count(*) filter (where allocated) from payment").await, "1");
        let mails = "select count(*) filter (where kind = 'order_delivered') from message";
        assert_eq!(self.of(placed, mails).await, "1");
    }

    async fn tasks(&self, placed: &Placed) -> String {
        self.of(placed, "select coalesce(string_agg(kind, ' ' order by kind), '') from task").await
    }

    /// A worker for as long as it takes until this is true.
    async fn worked_until(&self, what: &str, sql: &str) {
        let mut worker = self.town.worker().start();
        self.town.until(what, sql).await;
        // What it has in its hands is ended first.
        assert!(worker.terminate().success(), "{what}: {}", worker.log());
        self.town.t().search_log(&worker.log());
    }
}

fn paid(placed: &Placed) -> Said {
    Said::paid(placed, &format!("T{}", placed.order.number))
}

async fn two_names(s: &Street) {
    let placed = s.order().await;
    let first = paid(&placed);
    let second = Said { id: format!("{}_again", first.id), ..first.clone() };
    let answers = tokio::join!(s.say(0, &first), s.say(1, &second));
    assert_eq!(answers, (200, 200));
    s.is_paid_once(&placed).await;
    let verdicts = "select string_agg(verdict, ' ' order by verdict) from notice";
    assert_eq!(s.of(&placed, verdicts).await, "applied recorded");
}

async fn closed_after_paid(s: &Street) {
    let placed = s.order().await;
    let said = paid(&placed);
    assert_eq!(s.say(0, &said).await, 200);
    let closed = Said { id: format!("{}_closed", said.id), kind: "payment.closed", ..said };
    assert_eq!(s.say(1, &closed).await, 200);
    s.is_paid_once(&placed).await;
    assert_eq!(s.of(&placed, "select state from payment").await, "captured");
}

async fn expired(s: &Street) {
    let placed = s.order().await;
    let id = placed.order.id.0;
    let past = format!("update orders set pay_by = app_now() - interval '1 minute' where id = '{id}'");
    s.town.t().db.sql(&past).await;
    s.worked_until("it expires", &format!("select state = 'expired' from orders where id = '{id}'")).await;
    assert_eq!(s.say(1, &paid(&placed)).await, 200);
    s.is_paid_once(&placed).await;
}

async fn cancelled(s: &Street) {
    let placed = s.order().await;
    let buyer = s.town.t().visitor("192.0.2.7").at(&s.servers[0].url(""));
    let input =
        json!({ "orderId": placed.order.id.to_string(), "accessToken": placed.access_token.expose() });
    let done = buyer.act("orderCancel", input, "order { state }").await;
    assert_eq!(done["order"]["state"], "CANCELLED", "{done}");
    assert_eq!(s.say(1, &paid(&placed)).await, 200);
    assert_eq!(s.town.t().order_state(placed.order.id).await, "cancelled");
    assert_eq!(s.town.states(placed.order.id).await, "unassigned:1");
    assert_eq!(s.tasks(&placed).await, "payment_for_cancelled_order");
}

/// The payment's own transaction is open while its notice comes.
async fn early(s: &Street) -> (Placed, tokio_postgres::Client) {
    let placed = s.town.t().place(&[(s.keys, 1)]).await;
    let held = s.town.t().db.client().await;
    let attempt = format!(
        "begin; insert into payment (id, order_id, account_id, account_snapshot, attempt, gateway_number, expected_minor,
           expected_currency) select gen_random_uuid(), id, 'generic', '{{}}', 1, number, total_minor, currency
         from orders where number = '{}'",
        placed.order.number
    );
    held.batch_execute(&attempt).await.unwrap();
    assert!(s.say(0, &paid(&placed)).await >= 400, "no success for what is not known yet");
    let verdict = format!("select verdict from notice where event_key = '{}'", paid(&placed).id);
    assert_eq!(s.one(&verdict).await, "orphan");
    (placed, held)
}

async fn early_and_repeated(s: &Street) {
    let (placed, held) = early(s).await;
    held.batch_execute("commit").await.unwrap();
    assert_eq!(s.say(1, &paid(&placed)).await, 200);
    s.is_paid_once(&placed).await;
}

async fn early_once(s: &Street) {
    let (placed, held) = early(s).await;
    held.batch_execute("commit").await.unwrap();
    let id = placed.order.id.0;
    s.worked_until("the sweep", &format!("select state = 'paid' from orders where id = '{id}'")).await;
    s.is_paid_once(&placed).await;
}

async fn wrong_money(s: &Street) {
    for (amount_minor, currency, task) in [
        (989, "USD", "payment_wrong_amount"),
        (991, "USD", "payment_wrong_amount"),
        (990, "EUR", "payment_wrong_currency"),
    ] {
        let placed = s.order().await;
        let said = Said { amount_minor, currency, ..paid(&placed) };
        assert_eq!((s.say(0, &said).await, s.say(1, &said).await), (200, 200));
        assert_eq!(s.town.t().order_state(placed.order.id).await, "pending_payment");
        assert_eq!(s.town.states(placed.order.id).await, "unassigned:1");
        assert_eq!(s.tasks(&placed).await, task);
        let kept = "select sum(amount_minor) filter (where book = 'unallocated') from ledger_entry";
        assert_eq!(s.of(&placed, kept).await, (-amount_minor).to_string());
    }
}

async fn unknown_order(s: &Street) {
    let placed = s.town.t().place(&[(s.keys, 1)]).await;
    let said = Said { number: format!("{}-9", placed.order.number), ..paid(&placed) };
    assert!(s.say(0, &said).await >= 400 && s.say(1, &said).await >= 400);
    // By the clock of the database, in which its first sight was written down.
    s.town.pass(9 * 60).await;
    assert!(s.say(0, &said).await >= 400);
    s.town.pass(2 * 60).await;
    assert_eq!(s.say(1, &said).await, 200);
    assert_eq!(s.one("select count(*) from task where kind = 'notice_orphan'").await, "1");
    assert_eq!(s.town.t().order_state(placed.order.id).await, "pending_payment");
}

/// The body with these headers, at a server.
async fn send(s: &Street, server: &Server, headers: &[(String, String)], body: &str) -> u16 {
    let mut request = s.town.t().http().post(server.url("/webhooks/generic")).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.send().await.unwrap().status().as_u16()
}

async fn forged(s: &Street) {
    let placed = s.order().await;
    let (now, said) = (s.town.t().app.clock.unix(), paid(&placed));
    let (headers, body) = said.signed(now);
    let other = |drop: &str| headers.iter().filter(|(name, _)| name != drop).cloned().collect::<Vec<_>>();
    let changed = body.replace("990", "1");
    let cases = [
        (headers.clone(), changed.as_str(), "the body was changed"),
        (other("webhook-signature"), body.as_str(), "no signature"),
        (other("webhook-timestamp"), body.as_str(), "no time"),
        (other("webhook-id"), body.as_str(), "no name"),
        (said.signed(now - 301).0, &said.signed(now - 301).1, "too old"),
        (said.signed(now + 400).0, &said.signed(now + 400).1, "from the future"),
    ];
    for (headers, body, what) in &cases {
        let status = send(s, &s.servers[1], headers, body).await;
        assert!([400, 401].contains(&status), "{what}: {status}");
    }
    assert_eq!(s.town.t().order_state(placed.order.id).await, "pending_payment");
    assert_eq!(s.one("select count(*) from notice where verdict = 'forged'").await, "6", "each is kept");
    assert_eq!(s.say(0, &said).await, 200, "the true one behind them");
    s.is_paid_once(&placed).await;
}

async fn rotated(s: &Street) {
    let new = dispense::infra::webhook_signature::new_secret();
    s.town.t().canary(new.expose());
    let both = format!("secrets = [\"{}\", \"{}\"]", new.expose(), generic_secret());
    let one = format!("secrets = [\"{}\"]", generic_secret());
    let server = s.town.server().edit(|config| config.replace(&one, &both)).start();
    for secret in [new.expose().to_owned(), generic_secret()] {
        let placed = s.order().await;
        let (said, now) = (paid(&placed), s.town.t().app.clock.unix());
        let signed = signing::webhook(&secret, &said.id, now, &said.body_of(now));
        assert_eq!(send(s, &server, &signed.headers, &said.body_of(now)).await, 200);
        s.is_paid_once(&placed).await;
    }
    s.town.t().search_log(&server.log());
}

async fn a_month_later(s: &Street) {
    let placed = s.order().await;
    assert_eq!(s.say(0, &paid(&placed)).await, 200);
    let before = s.of(&placed, "select count(*) from event").await;
    s.town.pass(30 * 86_400).await;
    assert_eq!((s.say(0, &paid(&placed)).await, s.say(1, &paid(&placed)).await), (200, 200));
    s.is_paid_once(&placed).await;
    assert_eq!(s.of(&placed, "select count(*) from event").await, before, "nothing happened");
}

async fn paid_twice(s: &Street) {
    let placed = s.order().await;
    let (first, second) = (paid(&placed), Said::paid(&placed, "another-trade"));
    let answers = tokio::join!(s.say(0, &first), s.say(1, &second));
    assert_eq!(answers, (200, 200));
    assert_eq!(s.town.states(placed.order.id).await, "assigned:1");
    assert_eq!(s.of(&placed, "select count(*) filter (where state = 'captured') from payment").await, "2");
    assert_eq!(s.of(&placed, "select count(*) filter (where allocated) from payment").await, "1");
    assert_eq!(s.tasks(&placed).await, "payment_double");
    let kept = "select sum(amount_minor) filter (where book = 'unallocated') from ledger_entry";
    assert_eq!(s.of(&placed, kept).await, "-990");
}

/// Rows: P3, P4, P5, P6, O5, O6, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_with_a_notice_money_is_counted_once_and_nothing_is_lost() {
    let town = Town::open().await;
    let keys = town.t().selling_keys(30, 990).await;
    let servers = [town.server().start(), town.server().start()];
    let street = Street { town, servers, keys };
    for row in &ROWS {
        let what = format!("{}: {}", row.row, row.fault);
        println!("{what}");
        (row.play)(&street).await;
        street.town.check(&what);
    }
    let Street { town, servers, .. } = street;
    let logs: Vec<String> = servers.iter().map(Server::log).collect();
    drop(servers);
    town.finish(&logs).await;
}
