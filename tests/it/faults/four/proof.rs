//! Nobody is killed any more: the shop is left to its four processes until nothing is open, then everybody's books are
//! compared.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use dispense::base::ids::{HookDeliveryId, UnitId};
use serde_json::{Value, json};

use super::load::Purchase;
use super::world::{ENDPOINTS, EVENTS, World};
use crate::faults::town::{QUIET, checked};
use crate::hooks::receiver::body;
use crate::payments::stories::books;
use crate::payments::stories::shop::{ORDER, REVEAL};

/// Longest until all that was begun has come to its end.
const HEAL: Duration = Duration::from_secs(120);

/// How often the database's clock is moved meanwhile, and by how much: leases end and next times come by it, so that nobody
/// waits for the minutes after which a supplier is asked again.
const EVERY: Duration = Duration::from_secs(3);
const FURTHER: i64 = 20;

/// Waits for what must come true.
struct Healing<'a> {
    world: &'a World,
    began: Instant,
    moved: Instant,
    /// Seconds by which the clock was moved.
    passed: i64,
}

impl Healing<'_> {
    async fn until(&mut self, what: &str, sql: &str) {
        let db = &self.world.shop.street.t.db;
        while db.one(sql).await != "t" {
            if self.began.elapsed() > HEAL {
                for row in db.sql(OPEN).await {
                    let row: Vec<String> = row.into_iter().map(Option::unwrap_or_default).collect();
                    println!("  left: {}", row.join(" | "));
                }
                panic!("{what} never came true: {sql}");
            }
            if self.moved.elapsed() > EVERY {
                (self.moved, self.passed) = (Instant::now(), self.passed + FURTHER);
                let further = format!("update story_clock set ahead = ahead + interval '{FURTHER} seconds'");
                db.sql(&further).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// What is still open, for whoever looks for the fault.
const OPEN: &str = "select 'job', kind, state, attempt::text, run_at::text, coalesce(last_error, '') from job where state not in ('done')
    union all select 'message', kind, state, attempts::text, created_at::text, '' from message where state not in ('sent')
    union all select 'purchase', request_id, state, calls::text, next_at::text, coalesce(reason, '') from supplier_purchase where state <> 'delivered'
    union all select 'hook', event_type, state, attempts::text, next_at::text, '' from hook_delivery where state <> 'delivered'
    union all select 'unit', order_id::text, state, '', '', '' from unit where state <> 'assigned'
    union all select 'payment', account_id, state, checks::text, coalesce(next_check_at::text, ''), '' from payment where state <> 'captured'
    union all select 'cursor', consumer, seq::text, (select seq::text from event_head), '', '' from event_cursor
    limit 60";

/// Until everything has come to its end, by the work of the four alone; how long that took.
async fn heal(world: &World, bought: &[Purchase]) -> String {
    let now = Instant::now();
    let mut healing = Healing { world, began: now, moved: now, passed: 0 };
    let ids: Vec<String> = bought.iter().map(|one| format!("'{}'", one.bought.id.0)).collect();
    let (count, ids) = (ids.len(), ids.join(", "));
    let paid = format!("select count(*) = {count} from orders where paid_at is not null and id in ({ids})");
    healing.until("everybody has paid", &paid).await;
    // Enough for everybody who waits.
    for goods in world.goods.iter().filter(|goods| !goods.from_supplier) {
        world.shop.street.t.import(goods.variant, bought.len() * 3).await;
    }
    let delivered =
        format!("select not exists (select 1 from unit where state <> 'assigned' and order_id in ({ids}))");
    healing.until("everybody has the goods", &delivered).await;
    healing.until("nothing is open", QUIET).await;
    format!("{:.1} s and {} s of the database's clock", now.elapsed().as_secs_f64(), healing.passed)
}

pub async fn prove(world: World, bought: Vec<Purchase>) {
    assert!(!bought.is_empty(), "nobody bought anything");
    let healed = heal(&world, &bought).await;
    for held in &world.processes {
        let mut process = held.lock().await.take().unwrap();
        assert!(process.terminate().success(), "{}", process.log());
        world.logs.lock().unwrap().push(process.log());
    }
    world.logs.lock().unwrap().iter().for_each(|log| world.shop.street.t.search_log(log));
    // From now on the test's own program serves the pages.
    world.front.set(0, world.shop.street.t.base.trim_start_matches("http://"));
    let mut wrong = Vec::new();
    for one in &bought {
        wrong.extend(books::differences(&world.shop, &one.bought).await);
    }
    let shown = shown(&world, &bought).await;
    wrong.extend(supplier(&world, &bought, &shown).await);
    wrong.extend(hooks(&world).await);
    wrong.extend(imports(&world).await);
    wrong.extend(mails(&world, &bought, &shown));
    wrong.extend(checked(&world.setup).err());
    let audit = world.setup.command(&["audit", "verify"]).output().unwrap();
    if !audit.status.success() {
        wrong.push(String::from_utf8_lossy(&audit.stdout).into_owned());
    }
    report(&world, &bought, &healed, wrong.len()).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.shop.street.t.finish_with_jobs().await;
}

async fn report(world: &World, bought: &[Purchase], healed: &str, wrong: usize) {
    let counts = &world.counts;
    let kills: Vec<usize> = counts.kills.iter().map(|n| n.load(Ordering::Relaxed)).collect();
    let one = async |sql: &str| world.shop.street.t.db.one(sql).await;
    println!(
        "{} orders ({} of a supplier's), {} imports of {} keys, {} purchases in {} calls, {} events sent in {} attempts, \
         {} mails; kills {kills:?}, {} requests repeated, {} troubles, healed in {healed}: {wrong} wrong",
        bought.len(),
        bought.iter().filter(|one| one.goods.from_supplier).count(),
        counts.imports.load(Ordering::Relaxed),
        one(
            "select count(*) from vault_key k join key_batch b on b.id = k.batch_id where b.origin = 'import'"
        )
        .await,
        one("select count(*) from supplier_purchase").await,
        one("select coalesce(sum(calls), 0) from supplier_purchase").await,
        one("select count(*) from hook_delivery").await,
        one("select count(*) from hook_attempt").await,
        world.smtp.taken().len(),
        counts.repeats.load(Ordering::Relaxed),
        counts.troubles.load(Ordering::Relaxed),
    );
    assert!(kills.iter().sum::<usize>() > 0, "nobody was killed");
}

/// What buyers see on their orders' pages: texts by order number.
async fn shown(world: &World, bought: &[Purchase]) -> HashMap<String, BTreeSet<String>> {
    let mut all = HashMap::new();
    for one in bought {
        let (number, token) = (&one.bought.number, &one.bought.token);
        let ours = json!({ "n": number, "t": token });
        let page = world.insist(ORDER, ours, || None).await["order"].clone();
        let line = json!({ "l": page["lines"][0]["id"], "t": token });
        let revealed = world.insist(REVEAL, line, || None).await["deliveryReveal"]["secrets"].clone();
        let texts = revealed.as_array().into_iter().flatten().filter_map(|secret| secret["text"].as_str());
        all.insert(number.clone(), texts.map(str::to_owned).collect());
    }
    all
}

/// Each piece was bought once, for whoever paid for it, and what the supplier says that it sold is what the buyers have.
async fn supplier(
    world: &World,
    bought: &[Purchase],
    shown: &HashMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let (t, mut wrong) = (&world.shop.street.t, Vec::new());
    let journal = world.shop.street.simulator.supplier_journal()["sold"].as_object().unwrap().clone();
    let mut sold: BTreeMap<String, Value> =
        journal.into_iter().map(|(key, sold)| (key.rsplit('/').next().unwrap().to_owned(), sold)).collect();
    for one in bought.iter().filter(|one| one.goods.from_supplier) {
        let sql = format!("select id from unit where order_id = '{}'", one.bought.id.0);
        let mut texts = BTreeSet::new();
        for row in t.db.sql(&sql).await {
            let unit = UnitId(row[0].as_ref().unwrap().parse().unwrap()).to_string();
            match sold.remove(&unit) {
                Some(sold) => texts
                    .extend(sold["texts"].as_array().unwrap().iter().map(|t| t.as_str().unwrap().to_owned())),
                None => wrong.push(format!("{unit} was never sold by the supplier")),
            }
        }
        if texts != shown[&one.bought.number] || texts.len() != usize::try_from(one.bought.units).unwrap() {
            wrong.push(format!("{}: the supplier sold other texts than are shown", one.bought.number));
        }
    }
    wrong.extend(sold.keys().map(|unit| format!("the supplier sold {unit}, which nobody paid for")));
    let bought_keys =
        "select count(*) from vault_key k join key_batch b on b.id = k.batch_id where b.origin = 'bought'";
    let recorded = "select count(*) from supplier_purchase where state = 'delivered'";
    let (kept, recorded) = (t.db.one(bought_keys).await, t.db.one(recorded).await);
    if kept != recorded {
        wrong.push(format!("{kept} keys of the supplier and {recorded} purchases"));
    }
    wrong
}

/// Every event came to every endpoint at least once under one name, and in order where that is asked for.
async fn hooks(world: &World) -> Vec<String> {
    let (t, mut wrong) = (&world.shop.street.t, Vec::new());
    let kinds: Vec<String> = EVENTS.iter().map(|kind| format!("'{kind}'")).collect();
    let events = format!("select count(*) from event where kind in ({})", kinds.join(", "));
    let events: usize = t.db.one(&events).await.parse().unwrap();
    for (path, ordered) in ENDPOINTS {
        let sql = format!(
            "select d.id from hook_delivery d join hook_endpoint e on e.id = d.endpoint_id
             where e.url like '%{path}' and d.state = 'delivered'"
        );
        let name =
            |row: Vec<Option<String>>| HookDeliveryId(row[0].as_ref().unwrap().parse().unwrap()).to_string();
        let ours: BTreeSet<String> = t.db.sql(&sql).await.into_iter().map(name).collect();
        let theirs: BTreeSet<String> = world.receiver.ids(path).into_iter().collect();
        if ours != theirs || ours.len() != events {
            let (n, m) = (ours.len(), theirs.len());
            wrong.push(format!(
                "{path}: {events} events, {n} of them delivered by our books and {m} received"
            ));
        }
        let seqs: Vec<i64> = world
            .receiver
            .seen(path)
            .iter()
            .map(|seen| body(seen)["data"]["seq"].as_i64().unwrap())
            .collect();
        if seqs.iter().collect::<HashSet<_>>().len() != theirs.len() {
            wrong.push(format!("{path}: an event has two names"));
        }
        if ordered && !seqs.is_sorted() {
            wrong.push(format!("{path}: not in order: {seqs:?}"));
        }
    }
    wrong
}

/// Every file that was sent is in the vault, each of its lines once.
async fn imports(world: &World) -> Vec<String> {
    let (t, mut wrong) = (&world.shop.street.t, Vec::new());
    let brought = world.brought.lock().unwrap().clone();
    for (batch, texts) in &brought {
        let id = dispense::base::ids::BatchId::parse(batch).unwrap();
        let sql = format!(
            "select concat_ws(' ', state, lines, added, staged, (select count(*) from vault_key where batch_id = '{0}'))
             from key_batch where id = '{0}'",
            id.0
        );
        let (found, n) = (t.db.one(&sql).await, texts.len());
        if found != format!("done {n} {n} 0 {n}") {
            wrong.push(format!("an import of {n} lines: {found}"));
        }
    }
    wrong
}

/// Every order's goods were mailed, each time the same under the same name, and no key went to two.
fn mails(world: &World, bought: &[Purchase], shown: &HashMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut wrong = Vec::new();
    let numbers: HashSet<&str> = bought.iter().map(|one| one.bought.number.as_str()).collect();
    let (mut keys, mut texts): (HashMap<String, BTreeSet<String>>, HashMap<String, String>) =
        Default::default();
    for (number, secrets) in shown {
        for secret in secrets {
            keys.entry(secret.clone()).or_default().insert(number.clone());
        }
    }
    let mut mailed: HashSet<&str> = HashSet::new();
    for mail in world.smtp.taken() {
        let (text, name) = (mail.body(), mail.header("Message-ID").unwrap());
        if texts.entry(name.clone()).or_insert_with(|| mail.text.clone()) != &mail.text {
            wrong.push(format!("{name} was sent with two contents:\n{}\n---\n{}", texts[&name], mail.text));
        }
        let Some(number) = numbers.iter().find(|number| text.contains(**number)) else { continue };
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
        for word in words.filter(|word| word.starts_with("CANARY-KEY-") || word.starts_with("SUP-")) {
            keys.entry(word.to_owned()).or_default().insert((*number).to_owned());
            mailed.insert(number);
        }
    }
    for (key, orders) in keys.iter().filter(|(_, orders)| orders.len() > 1) {
        wrong.push(format!("{key} went to {orders:?}"));
    }
    for number in numbers.difference(&mailed) {
        wrong.push(format!("{number}: its goods were never mailed"));
    }
    wrong
}
