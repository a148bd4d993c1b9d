//! A mail server in every trouble, a worker that sends to it (rows E1 to E5).

use std::time::{Duration, Instant};

use dispense::base::ids::VariantId;
use dispense::orders::place::Placed;
use serde_json::json;

use crate::faults::town::Town;
use crate::harness::visitor::{Visitor, codes};
use crate::harness::{Server, Trouble};
use Trouble::{Cut, CutAfterDot, NoGreeting, Say, SilentAfterDot};

struct Row {
    row: &'static str,
    fault: &'static str,
    /// One for each attempt; behind them all goes well.
    troubles: &'static [Trouble],
    /// What becomes of the mail, how its attempts ended, and how often the server has it.
    state: &'static str,
    outcomes: &'static str,
    taken: usize,
}

const ROWS: [Row; 8] = [
    Row {
        row: "E1",
        fault: "later, at every stage in turn",
        troubles: &[
            Say("greeting", "421 later please"),
            Say("MAIL", "451 later please"),
            Say("RCPT", "451 later please"),
            Say("DATA", "451 later please"),
            Say(".", "452 later please"),
        ],
        state: "sent 6",
        outcomes: "retry retry retry retry retry sent",
        taken: 2,
    },
    refused("no such mailbox", &[Say("RCPT", "550 5.1.1 no such person")], 0),
    refused("refused before its text", &[Say("DATA", "554 5.7.1 not wanted")], 0),
    refused("refused behind its text", &[Say(".", "554 5.7.1 not wanted")], 1),
    Row {
        row: "E3",
        fault: "cut, then silent, behind the last dot",
        troubles: &[CutAfterDot, SilentAfterDot],
        state: "sent 3",
        outcomes: "unknown unknown sent",
        taken: 3,
    },
    Row {
        row: "E4",
        fault: "no greeting",
        troubles: &[NoGreeting],
        state: "sent 2",
        outcomes: "retry sent",
        taken: 1,
    },
    Row {
        row: "E4",
        fault: "closed at its greeting",
        troubles: &[Cut("greeting")],
        state: "sent 2",
        outcomes: "retry sent",
        taken: 1,
    },
    Row {
        row: "E4",
        fault: "closed in the middle",
        troubles: &[Cut("RCPT")],
        state: "sent 2",
        outcomes: "retry sent",
        taken: 1,
    },
];

const fn refused(fault: &'static str, troubles: &'static [Trouble], taken: usize) -> Row {
    Row { row: "E2", fault, troubles, state: "needs_attention 1", outcomes: "refused", taken }
}

/// The mail with an order's goods: its state and attempts, and how these ended.
async fn mail(town: &Town, placed: &Placed) -> (String, String) {
    let of = |select: &str| {
        format!("{select} m.kind = 'order_delivered' and m.order_id = '{}'", placed.order.id.0)
    };
    let state = town.t().db.one(&of("select state || ' ' || attempts from message m where")).await;
    let outcomes = "select coalesce(string_agg(coalesce(a.outcome, 'open'), ' ' order by a.attempt), '')
        from message_attempt a join message m on m.id = a.message_id where";
    (state, town.t().db.one(&of(outcomes)).await)
}

/// Waits until the mail has come to this.
async fn comes_to(town: &Town, placed: &Placed, what: &str, wanted: (&str, &str)) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let found = mail(town, placed).await;
        if (found.0.as_str(), found.1.as_str()) == wanted {
            return;
        }
        assert!(Instant::now() < deadline, "{what}: {found:?} instead of {wanted:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn play(town: &Town, server: &Server, keys: VariantId, row: &Row) {
    let what = format!("{}: {}", row.row, row.fault);
    println!("{what}");
    town.smtp.hang_up();
    for trouble in row.troubles {
        town.smtp.next(trouble.clone());
    }
    let before = town.smtp.connections();
    let placed = town.t().order(keys, 1).await;
    assert_eq!(town.pay(server, &placed).await, 200);
    if row.troubles == [NoGreeting] {
        while town.smtp.connections() == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let held = "select count(*) from pg_stat_activity where datname = current_database() and state = 'idle in transaction'";
        assert_eq!(town.t().db.one(held).await, "0", "{what}: a transaction waits for the mail server");
    }
    comes_to(town, &placed, &what, (row.state, row.outcomes)).await;
    assert_eq!(town.states(placed.order.id).await, "assigned:1", "{what}: the goods stay");
    let number = &placed.order.number;
    let taken: Vec<_> = town.smtp.taken().into_iter().filter(|mail| mail.body().contains(number)).collect();
    assert_eq!(taken.len(), row.taken, "{what}");
    assert!(taken.iter().all(|mail| mail.text == taken[0].text), "{what}: the same to the last byte");
    let tasks = format!(
        "select count(*) from task where kind = 'message_undeliverable' and order_id = '{}'",
        placed.order.id.0
    );
    let lost = row.state.starts_with("needs_attention");
    assert_eq!(town.t().db.one(&tasks).await, if lost { "1" } else { "0" }, "{what}");
    if lost {
        let buyer = town.t().visitor("192.0.2.8").at(&server.url(""));
        let shown = town.reveal(&buyer, &placed).await;
        assert_eq!(
            shown["secrets"].as_array().map(Vec::len),
            Some(1),
            "{what}: the goods are on the page: {shown}"
        );
    }
    town.check(&what);
}

/// A worker whose mail server cannot be spoken to: the mail waits, and nothing was said.
async fn cannot_speak(town: &Town, server: &Server, placed: &Placed, what: &str, url: &str) {
    println!("E4: {what}");
    assert_eq!(town.pay(server, placed).await, 200);
    let taken = town.smtp.taken().len();
    let worker = town.worker().edit(|config| {
        let lines = config.lines().map(|line| if line.starts_with("url = \"smtp://") { url } else { line });
        lines.collect::<Vec<_>>().join("\n").replace("message_gaps = [1,", "message_gaps = [3600,")
    });
    let worker = worker.start();
    comes_to(town, placed, what, ("queued 1", "retry")).await;
    assert_eq!(town.smtp.taken().len(), taken, "{what}");
    town.t().search_log(&worker.log());
    drop(worker);
    town.check(what);
}

/// E5: what would become another header is refused before there is an order.
async fn bad_addresses(town: &Town, buyer: &Visitor, keys: VariantId) {
    let orders = town.t().db.one("select count(*) from orders").await;
    for email in ["a@b.example\r\nBcc: c@d.example", "a b@c.example", "a@b@c.example", "@b.example"] {
        let placed = buyer.order(&keys.to_string(), 1, "9.90", json!({ "email": email })).await;
        assert_eq!(codes(&placed), ["EMAIL_INVALID"], "{email:?}");
    }
    assert_eq!(town.t().db.one("select count(*) from orders").await, orders);
    town.check("E5: addresses");
    println!("E5: bad addresses");
}

/// Rows: D3, D4, D5, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_mail_server_does_the_mail_comes_or_a_person_knows_and_the_goods_stay() {
    let town = Town::open().await;
    let keys = town.t().selling_keys(ROWS.len() + 3, 990).await;
    let server = town.server().start();
    let (unheard, unsafe_) = (town.t().order(keys, 1).await, town.t().order(keys, 1).await);
    // Nobody listens on a port that was free a moment ago.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = format!("url = \"smtp://{closed}?tls=none\"");
    cannot_speak(&town, &server, &unheard, "nobody listens", &refused).await;
    let plain = format!("url = \"smtp://{}\"", town.smtp.address);
    cannot_speak(&town, &server, &unsafe_, "no TLS where it is demanded", &plain).await;
    // They are due an hour later.
    town.t()
        .db
        .sql("update job set run_at = app_now() where kind = 'message.send' and state = 'queued'")
        .await;
    let worker = town.worker().start();
    for placed in [&unheard, &unsafe_] {
        comes_to(&town, placed, "E4: spoken to at last", ("sent 2", "retry sent")).await;
    }
    let buyer = town.t().visitor("192.0.2.6").at(&server.url(""));
    bad_addresses(&town, &buyer, keys).await;
    for row in &ROWS {
        play(&town, &server, keys, row).await;
    }
    let logs = [server.log(), worker.log()];
    drop((server, worker));
    town.finish(&logs).await;
}
