//! Workers that die or stand still with work in their hands (rows D1, D2, D3 and F2). Whoever takes the work over ends it;
//! whoever comes back to life finds that it has been ended, and changes nothing.

use std::time::{Duration, Instant};

use dispense::orders::place::Placed;
use nix::sys::signal::Signal;

use crate::faults::town::Town;
use crate::harness::Server;

/// What the worker has in its hands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Work {
    /// The mail with the goods.
    Mail,
    /// A piece that is bought at the supplier.
    Purchase,
    /// An event for an endpoint.
    Hook,
}

/// What happens to the worker there.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Dies,
    /// Stands still until its lease is over and another has done its work, then goes on.
    StandsStill,
}
use Fate::{Dies, StandsStill};
use Work::{Hook, Mail, Purchase};

struct Row {
    row: &'static str,
    work: Work,
    /// Where: a fault point; none: while the supplier has the call and has not answered yet.
    at: &'static str,
    fate: Fate,
    /// How often the mail server, the supplier or the receiver was sent it in the end; at most, where somebody comes back.
    sends: usize,
}

const fn row(row: &'static str, work: Work, at: &'static str, fate: Fate, sends: usize) -> Row {
    Row { row, work, at, fate, sends }
}

const ROWS: [Row; 16] = [
    row("D1", Mail, "job.leased", Dies, 1),
    row("D1", Mail, "mail.before_send", Dies, 1),
    row("D1", Hook, "hooks.begun", Dies, 1),
    row("D2", Mail, "job.leased", StandsStill, 1),
    row("D2", Mail, "mail.before_send", StandsStill, 2),
    row("D2", Mail, "mail.after_send", StandsStill, 2),
    row("D2", Hook, "hooks.begun", StandsStill, 2),
    row("D2", Hook, "hooks.sent", StandsStill, 2),
    row("D2", Purchase, "supplier.stored", StandsStill, 2),
    row("D2", Purchase, "supplier.heard", StandsStill, 1),
    row("D3", Mail, "mail.after_send", Dies, 2),
    row("D3", Hook, "hooks.sent", Dies, 2),
    row("F2", Purchase, "supplier.stored", Dies, 1),
    row("F2", Purchase, "", Dies, 1),
    row("F2", Purchase, "supplier.heard", Dies, 1),
    row("F2", Purchase, "supplier.applied", Dies, 1),
];

/// Longer than every lease of the hurried shop: a job's, an event's, a call's. All rows together move the database's clock by
/// less than the five minutes by which a gateway's clock may be behind it.
const PAST_EVERY_LEASE: i64 = 18;

/// What one of the three says when what it did counts for nothing any more.
const FENCED: [&str; 4] = [
    "the lease had ended; what this worker did counts for nothing",
    "lost the lease while working",
    "this attempt's end counts for nothing any more",
    // Its connection was closed meanwhile: it could not even try to record an end.
    "could not record how an attempt",
];

struct Hands<'a> {
    town: &'a Town,
    server: Server,
    logs: Vec<String>,
}

impl Hands<'_> {
    /// The worker that dies or stands still with the work in its hands.
    async fn lame(&mut self, row: &Row) -> Option<Server> {
        let town = self.town;
        let mut setup = town.worker();
        if !row.at.is_empty() {
            setup = setup.env("DISPENSE_FAULT", row.at);
        }
        if row.fate == StandsStill {
            setup = setup.env("DISPENSE_FAULT_SIGNAL", "STOP");
        }
        let called = town.shop.calls();
        if row.at.is_empty() {
            town.shop.trouble(&["lose_answer"]);
        }
        let mut lame = setup.start();
        if row.at.is_empty() {
            let deadline = Instant::now() + Duration::from_secs(20);
            while town.shop.calls() == called {
                assert!(Instant::now() < deadline, "the supplier was never called");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            lame.kill();
        } else if row.fate == StandsStill {
            lame.wait_until_stopped(Duration::from_secs(20));
            return Some(lame);
        } else {
            assert!(lame.was_killed(Duration::from_secs(20)), "{} at {}", row.row, row.at);
        }
        self.logs.push(lame.log());
        None
    }

    /// How often what belongs to an order was sent, each time under the same name.
    async fn sends(&self, work: Work, placed: &Placed) -> usize {
        let (town, order) = (self.town, placed.order.id.0);
        let names: Vec<String> = match work {
            Mail => {
                let number = &placed.order.number;
                let taken = town.smtp.taken().into_iter().filter(|mail| mail.body().contains(number));
                let mails: Vec<_> = taken.collect();
                assert!(mails.iter().all(|mail| mail.text == mails[0].text), "the same to the last byte");
                mails.iter().map(|mail| mail.header("Message-ID").unwrap()).collect()
            }
            Hook => {
                let sql = format!("select id from hook_delivery where order_id = '{order}'");
                let id = dispense::base::ids::HookDeliveryId(town.t().db.one(&sql).await.parse().unwrap());
                town.receiver.ids("/paid").into_iter().filter(|name| *name == id.to_string()).collect()
            }
            Purchase => {
                let unit = town.shop.units(placed.order.id).await[0].to_string();
                let rounds = town.shop.sold().keys().filter(|name| name.contains(&unit)).count();
                assert_eq!(rounds, 1, "it was bought once");
                let sold = town.shop.sold_of(&unit).unwrap();
                assert_eq!(sold["texts"].as_array().unwrap().len(), 1);
                vec![unit; usize::try_from(sold["orders"].as_u64().unwrap()).unwrap()]
            }
        };
        assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
        names.len()
    }

    /// What a worker that comes back could still change of an order.
    async fn rows(&self, placed: &Placed) -> String {
        let of = |table: &str, columns: &str| {
            format!(
                "coalesce((select string_agg(concat_ws(' ', {columns}), ', ' order by id) from {table} \
                 where order_id = '{}'), '')",
                placed.order.id.0
            )
        };
        let columns = [
            of("message", "state, attempts, sent_at"),
            of("hook_delivery", "state, attempts, next_at, ended_at"),
            of("supplier_purchase", "state, calls, key_id, ended_at"),
            of("unit", "state"),
            "(select string_agg(concat_ws(' ', id, state, attempt, lease_generation, finished_at), ', ' order by id) from job)".into(),
        ];
        self.town.t().db.one(&format!("select concat_ws('; ', {})", columns.join(", "))).await
    }

    async fn play(&mut self, row: &Row, placed: &Placed) {
        let (town, what) = (self.town, format!("{} {:?} {} {:?}", row.row, row.work, row.at, row.fate));
        let began = Instant::now();
        assert_eq!(town.pay(&self.server, placed).await, 200, "{what}");
        let lame = self.lame(row).await;
        town.pass(PAST_EVERY_LEASE).await;
        let mut other = town.worker().start();
        town.settled(&what).await;
        assert_eq!(town.states(placed.order.id).await, "assigned:1", "{what}");
        if let Some(mut lame) = lame {
            let before = self.rows(placed).await;
            lame.signal(Signal::SIGCONT);
            let deadline = Instant::now() + Duration::from_secs(20);
            while !FENCED.iter().any(|words| lame.log().contains(words)) {
                assert!(Instant::now() < deadline, "{what}: it never noticed:\n{}", lame.log());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(self.rows(placed).await, before, "{what}: it changed something");
            lame.kill();
            self.logs.push(lame.log());
        }
        let sends = self.sends(row.work, placed).await;
        // One that notices at once that its lease is lost sends nothing more.
        let fewest = if row.fate == StandsStill { 1 } else { row.sends };
        assert!((fewest..=row.sends).contains(&sends), "{what}: {sends} times");
        other.kill();
        self.logs.push(other.log());
        town.check(&what);
        println!("{what}: sent {sends} times, ended once, {:.1} s", began.elapsed().as_secs_f64());
    }
}

/// Rows: D5, D7, D9, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_or_stands_still_with_work_in_its_hands_is_followed_by_another_and_fenced() {
    let town = Town::open().await;
    let t = town.t();
    let keys = t.selling_keys(ROWS.len(), 990).await;
    let supplier = town.shop.connect("Gifts").await;
    let bought = town.shop.selling(&[&supplier]).await;
    t.drain().await;
    town.connect_hook("/paid", &["order.paid"], false).await;
    t.drain().await;
    let mut hands = Hands { town: &town, server: town.server().start(), logs: Vec::new() };
    for row in &ROWS {
        let placed = t.order(if row.work == Purchase { bought } else { keys }, 1).await;
        hands.play(row, &placed).await;
    }
    let Hands { server, mut logs, .. } = hands;
    logs.push(server.log());
    drop(server);
    town.finish(&logs).await;
}
