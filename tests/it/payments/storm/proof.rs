//! After the storm: the shop is left to itself until nothing is open, then both sides' books are compared.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::TimeDelta;
use dispense::infra::queue;

use super::world::World;
use crate::payments::stories::shop::Bought;
use crate::payments::stories::story::end;
use crate::payments::stories::{books, broken_by_now};

/// Longest until the gateways have said everything.
const LAST_NOTICES: Duration = Duration::from_secs(120);

pub async fn prove(world: World, bought: Vec<Bought>, blown: Duration, by_their_books: bool) {
    let (shop, t) = (&world.shop, &world.shop.street.t);
    let reported = tokio::time::timeout(LAST_NOTICES, shop.street.simulator.settled()).await;
    assert!(reported.is_ok(), "notices are still on their way");
    println!("every notice was sent");
    for held in &world.servers {
        let mut server = held.lock().await.take().unwrap();
        assert!(server.terminate().success(), "{}", server.log());
        world.logs.lock().unwrap().push(server.log());
    }
    world.logs.lock().unwrap().iter().for_each(|log| t.search_log(log));
    // From now on this process is the shop, whose clock can be moved.
    world.front.set(0, t.base.trim_start_matches("http://"));
    // Enough for everybody who waits, and past the leases of what was killed.
    for (_, variant) in &world.variants {
        t.import(*variant, bought.len() * 3).await;
    }
    println!("the servers have stopped");
    shop.street.settled().await;
    shop.advance(TimeDelta::minutes(10)).await;
    while queue::rescue(&t.app.db, &t.app.clock).await.unwrap() > 0 {}
    end(shop, &bought).await;
    // A gateway that found the shop closed at every one of its attempts has given up: its statement of the day still has
    // what it could not report.
    if given_up(&world) {
        for _ in 0..3 {
            shop.advance(TimeDelta::days(1)).await;
            end(shop, &bought).await;
        }
    }
    println!("nothing is open any more");
    let mut wrong = Vec::new();
    for one in &bought {
        let differences = books::differences(shop, one).await;
        if !differences.is_empty() {
            println!("{}\n{}\n", differences.join("\n"), evidence(&world, one).await);
        }
        if by_their_books {
            wrong.extend(differences);
        }
    }
    wrong.extend(broken_by_now(shop).await);
    wrong.extend(twice(&world, &bought));
    let audit = shop.street.setup().data(t.data.path()).command(&["audit", "verify"]).output().unwrap();
    if !audit.status.success() {
        wrong.push(String::from_utf8_lossy(&audit.stdout).into_owned());
    }
    let count = |n: &std::sync::atomic::AtomicUsize| n.load(Ordering::Relaxed);
    let journal = shop.street.simulator.journal();
    let all = |kind: &str| {
        journal["payments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p[kind].as_array().unwrap().len())
            .sum::<usize>()
    };
    let counts = &world.counts;
    println!(
        "{:.0} s: {} orders, {} captures, {} refunds at the gateways ({} asked for by the shop), {} disputes, {} notices, \
         {} keys imported, {} mails; {} kills of servers, {} of the database, {} pauses, {} requests repeated: {} wrong",
        blown.as_secs_f64(),
        bought.len(),
        all("captures"),
        all("refunds"),
        count(&counts.refunds),
        all("disputes"),
        journal["notices"].as_array().unwrap().len(),
        count(&counts.imported),
        world.smtp.taken().len(),
        count(&counts.kills),
        count(&counts.database_kills),
        count(&counts.pauses),
        count(&counts.repeats),
        wrong.len(),
    );
    assert!(
        count(&counts.kills) + count(&counts.database_kills) + count(&counts.pauses) > 0
            && all("refunds") > 0
            && !bought.is_empty(),
        "it was no storm"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let World { shop, cluster, .. } = world;
    shop.street.t.finish_with_jobs().await;
    drop(cluster);
}

fn given_up(world: &World) -> bool {
    let journal = world.shop.street.simulator.journal();
    journal["notices"].as_array().unwrap().iter().any(|notice| notice["state"] == "given_up")
}

/// What both sides have written down about an order, for whoever looks for the fault.
async fn evidence(world: &World, bought: &Bought) -> String {
    let mut lines = Vec::new();
    let order = bought.id.0;
    for sql in [
        "select attempt, state, received_minor, allocated, refunded_minor, lost_minor, told_sum_minor, told_sum_at,
           told_sum_heard_at, told_sum_asked, trade_no, gateway_reference from payment where order_id = '{}' order by attempt",
        "select state, amount_minor, counted_minor, basis, origin, gateway_refund_id, requested_at, made_at, heard_at,
           failed_at, mailed_minor, failure_code from refund where order_id = '{}' order by requested_at, id",
        "select state, amount_minor, counted_minor, gateway_dispute_id from dispute where order_id = '{}'",
        "select kind, resolved_at, body from task where order_id = '{}'",
        "select n.received_at, n.verdict, n.event_key, n.reason from notice n where order_id = '{}' order by id",
    ] {
        for row in world.shop.street.t.db.sql(&sql.replace("{}", &order.to_string())).await {
            let values: Vec<_> = row.into_iter().map(|value| value.unwrap_or_default()).collect();
            lines.push(format!("  ours   {}", values.join(" | ")));
        }
    }
    let there = world.shop.there(bought);
    for kind in ["captures", "refunds", "disputes"] {
        for row in there["payment"][kind].as_array().unwrap() {
            lines.push(format!("  theirs {kind} {row}"));
        }
    }
    for notice in there["notices"].as_array().unwrap() {
        let answers: Vec<String> =
            notice["attempts"].as_array().unwrap().iter().map(|a| a["status"].to_string()).collect();
        lines.push(format!(
            "  notice {} {} {} {} → {}",
            notice["made_at"],
            notice["id"],
            notice["kind"],
            notice["state"],
            answers.join(" ")
        ));
    }
    lines.join("\n")
}

/// Keys that two orders saw, on their pages or in their mails.
fn twice(world: &World, bought: &[Bought]) -> Vec<String> {
    let mut seen: HashMap<String, HashSet<String>> = HashMap::new();
    for (key, numbers) in world.shown.lock().unwrap().iter() {
        seen.entry(key.clone()).or_default().extend(numbers.iter().cloned());
    }
    let numbers: HashSet<&str> = bought.iter().map(|b| b.number.as_str()).collect();
    for mail in world.smtp.taken() {
        let body = mail.body();
        let Some(number) = numbers.iter().find(|number| body.contains(*number)) else { continue };
        for word in body
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .filter(|w| w.starts_with("CANARY-KEY-"))
        {
            seen.entry(word.to_owned()).or_default().insert((*number).to_owned());
        }
    }
    let twice = seen.iter().filter(|(_, orders)| orders.len() > 1);
    twice.map(|(key, orders)| format!("key {key} went to {orders:?}")).collect()
}
