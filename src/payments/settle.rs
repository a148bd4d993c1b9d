//! The heart: what gateways said becomes paid orders and assigned goods, in one transaction for a whole slice. The
//! number of statements does not depend on how many words are in the slice.

use std::collections::{HashMap, HashSet};

use diesel_async::AsyncPgConnection;
use futures::TryFutureExt;

use crate::base::clock::Clock;
use crate::base::ids::{OrderId, PaymentId};
use crate::base::outcome::{Failure, Fault};
use crate::fault_point;
use crate::fulfilment::assign;
use crate::infra::db::Purpose;
use crate::orders::limits;
use crate::orders::model::Order;
use crate::payments::accounts::Accounts;
use crate::payments::case::{self, Cases, Tracked};
use crate::payments::decide::{self, AccountView};
use crate::payments::kit::PaymentKit;
use crate::payments::store::inbox::{self, Delivery};
use crate::payments::store::slice::{self, Found, How};
use crate::payments::word::{Settled, Word};
use crate::payments::{belongs, effects, foreign, ledger, raw};

/// What became of one word of a slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SliceResult {
    Done(Settled),
    /// Somebody else holds its order: settle it by itself, waiting for the lock.
    Held(OrderId),
}

/// How orders are locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Locking {
    SkipHeld,
    /// One word by itself, when nobody holds its order.
    AloneSkipHeld,
    /// One word by itself, waiting for its order.
    AloneWait,
}

/// Settles a slice in one transaction. Words whose order somebody else holds are left out and answered `Held`.
pub async fn settle(kit: &PaymentKit, words: &[Word]) -> Result<Vec<SliceResult>, Fault> {
    run(kit, words, Locking::SkipHeld).await
}

/// Settles one word by itself, waiting for its order up to the session's `lock_timeout`. Should handing over the goods
/// raise, the payment is kept all the same and the order's lines go to a person.
pub async fn settle_alone(kit: &PaymentKit, word: &Word) -> Result<Settled, Fault> {
    match run(kit, std::slice::from_ref(word), Locking::AloneWait).await?.pop() {
        Some(SliceResult::Done(settled)) => Ok(settled),
        Some(SliceResult::Held(_)) | None => Err(held_too_long()),
    }
}

/// The same without waiting: `Held` when somebody else holds its order.
pub async fn settle_alone_if_free(kit: &PaymentKit, word: &Word) -> Result<SliceResult, Fault> {
    let result = run(kit, std::slice::from_ref(word), Locking::AloneSkipHeld).await?.pop();
    result.ok_or_else(|| Fault::bug("a word was settled to nothing"))
}

pub(super) fn held_too_long() -> Fault {
    Fault::Database("the order is held by another transaction".into())
}

async fn run(kit: &PaymentKit, words: &[Word], locking: Locking) -> Result<Vec<SliceResult>, Fault> {
    let mut tx = kit.db.begin_for(Purpose::Notices).await?;
    let results = within(&mut tx, kit, words, locking).await.map_err(fault)?;
    fault_point!("settle.t5");
    tx.commit().await?;
    fault_point!("settle.t6");
    kit.bell.ring();
    Ok(results)
}

fn fault(failure: Failure) -> Fault {
    match failure {
        Failure::Fault(fault) => fault,
        Failure::Refused(refusal) => Fault::bug(format!("settling was refused: {}", refusal.code)),
    }
}

async fn within(
    conn: &mut AsyncPgConnection,
    kit: &PaymentKit,
    words: &[Word],
    locking: Locking,
) -> Result<Vec<SliceResult>, Failure> {
    let found = slice::find(conn, words).await?;
    let subjects = subjects(words, &found);
    let elsewhere = belongs::elsewhere(words, &found, &subjects);
    let mut wanted: Vec<OrderId> = subjects.iter().filter_map(|s| s.map(|f| f.order_id)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut locked = match (locking, wanted.as_slice()) {
        (_, []) => Vec::new(),
        (Locking::AloneWait, [order]) => slice::lock(conn, *order).await?,
        (_, orders) => slice::lock_free(conn, orders).await?,
    };
    fault_point!("settle.t1");
    let judged = limits::judge(conn, &locked, locking == Locking::AloneWait).await?;
    locked.retain(|order| !judged.held.contains(&order.id));
    let money_back = words.iter().any(Word::is_about_money_back);
    let (mut cases, handled, kept) = {
        let conn = &*conn;
        let cases = case::load(conn, kit, &locked, money_back);
        let kept = foreign::kept(conn, words, &subjects).map_err(Failure::from);
        futures::try_join!(cases, handled(conn, words), kept)?
    };
    let judge = |word: &Word| foreign::judge(&kit.config.shop.order_prefix, word, &kept);
    for case in cases.values_mut() {
        case.over_limit = judged.over.contains(&case.order_id);
    }
    let views = account_views(&kit.accounts, words);
    let results = decide_all(&mut cases, words, &subjects, &elsewhere, handled, &views, &kit.clock, judge);
    write(conn, kit, words, &subjects, &results, &locked, cases, locking).await?;
    Ok(results)
}

/// The payment each word is about: by our number, else by the gateway's, unless two ways disagree or the number is
/// another account's.
fn subjects(words: &[Word], found: &[Found]) -> Vec<Option<Found>> {
    let mut best: Vec<Option<Found>> = vec![None; words.len()];
    for candidate in found {
        let slot = &mut best[candidate.index];
        if slot.is_none_or(|chosen| candidate.how < chosen.how) {
            *slot = Some(*candidate);
        }
    }
    best
}

async fn handled(conn: &AsyncPgConnection, words: &[Word]) -> Result<HashSet<(String, String)>, Failure> {
    let keys: Vec<(String, String)> =
        words.iter().filter_map(|w| Some((w.account_id().to_owned(), w.event_key()?.to_owned()))).collect();
    if keys.is_empty() {
        return Ok(HashSet::new());
    }
    Ok(inbox::list_handled(conn, &keys).await?.into_iter().collect())
}

fn account_views(accounts: &Accounts, words: &[Word]) -> HashMap<String, AccountView> {
    words
        .iter()
        .filter_map(|word| accounts.find(word.account_id()))
        .map(|(account, gateway)| {
            let identity = gateway.identity(&account.keys);
            let hints_only = !gateway.abilities(&account.keys).notice_is_proof;
            (account.id.clone(), AccountView { policy: account.policy.clone(), identity, hints_only })
        })
        .collect()
}

#[allow(clippy::too_many_arguments)]
fn decide_all(
    cases: &mut Cases,
    words: &[Word],
    subjects: &[Option<Found>],
    elsewhere: &[Option<PaymentId>],
    mut handled: HashSet<(String, String)>,
    views: &HashMap<String, AccountView>,
    clock: &Clock,
    judge: impl Fn(&Word) -> Settled,
) -> Vec<SliceResult> {
    let none = AccountView::default();
    let mut results = Vec::with_capacity(words.len());
    for ((word, subject), known) in words.iter().zip(subjects).zip(elsewhere) {
        let key = word.event_key().map(|key| (word.account_id().to_owned(), key.to_owned()));
        let result = match subject {
            None => SliceResult::Done(judge(word)),
            Some(found) if found.how == How::OtherAccount => {
                SliceResult::Done(Settled::Foreign("account".into()))
            }
            Some(found) if !cases.contains_key(&found.order_id) => SliceResult::Held(found.order_id),
            Some(found) => {
                let view = views.get(word.account_id()).unwrap_or(&none);
                let payment = word.payment_id().unwrap_or(found.payment_id);
                // Before what was handled: some gateways name their events by the trade alone.
                let other = belongs::refuse_elsewhere(cases, found.order_id, word, *known, payment);
                let settled = match (cases.get_mut(&found.order_id), other) {
                    _ if key.as_ref().is_some_and(|k| handled.contains(k)) => Some(Settled::Duplicate),
                    (_, Some(refused)) => Some(refused),
                    (Some(case), None) => {
                        let new_id = PaymentId(clock.uuid());
                        Some(decide::decide(case, word, payment, view, new_id))
                    }
                    (None, None) => None,
                };
                settled.map_or(SliceResult::Held(found.order_id), SliceResult::Done)
            }
        };
        if let (Some(key), SliceResult::Done(Settled::Applied | Settled::Recorded)) = (key, &result) {
            handled.insert(key);
        }
        results.push(result);
    }
    results
}

/// Writes what was decided: inbox, payments, orders, ledger, goods, and what tells of them.
#[allow(clippy::too_many_arguments)]
async fn write(
    conn: &mut AsyncPgConnection,
    kit: &PaymentKit,
    words: &[Word],
    subjects: &[Option<Found>],
    results: &[SliceResult],
    orders: &[Order],
    cases: Cases,
    locking: Locking,
) -> Result<(), Failure> {
    let tracked = || cases.values().flat_map(|c| &c.payments);
    let changed: Vec<&Tracked> = tracked().filter(|t| t.changed && !t.is_new).collect();
    slice::give_way(conn, &changed).await?;
    let mut paid: Vec<OrderId> = cases.values().filter(|c| c.paid_now).map(|c| c.order_id).collect();
    paid.sort_unstable();
    let rows = deliveries(kit, words, subjects, results);
    // What does not wait for another's answer goes to the server together: a slice costs few round trips.
    let (_, advanced, lines) = {
        let conn = &*conn;
        futures::try_join!(
            inbox::insert(conn, &rows).map_err(Failure::from),
            slice::advance(conn, &changed).map_err(Failure::from),
            assign::list_lines(conn, &paid).map_err(Failure::from),
        )?
    };
    if advanced != changed.len() {
        return Err(Fault::bug("a locked payment changed its state").into());
    }
    let strays: Vec<&Tracked> = tracked().filter(|t| t.is_new).collect();
    if !strays.is_empty() {
        slice::insert_strays(conn, &strays).await?;
    }
    fault_point!("settle.t2");
    let entries = ledger::captures(&kit.clock, cases.values(), &lines);
    let handed = match locking {
        Locking::SkipHeld => {
            let conn = &*conn;
            let entered = slice::insert_entries(conn, &entries).map_err(Failure::from);
            futures::try_join!(entered, assign::assign(conn, kit, &lines))?.1
        }
        Locking::AloneSkipHeld | Locking::AloneWait => {
            slice::insert_entries(conn, &entries).await?;
            assign::assign_or_leave_to_a_person(conn, kit, &lines).await?
        }
    };
    fault_point!("settle.t3");
    let delivered = assign::delivered(&handed, &paid);
    let effects = effects::gather(conn, kit, orders, cases, words, subjects, results, handed).await?;
    let advanced = {
        let conn = &*conn;
        let orders = slice::advance_orders_to_paid(conn, &paid, &delivered).map_err(Failure::from);
        futures::try_join!(orders, effects.write(conn, &kit.clock).map_err(Failure::from))?.0
    };
    if advanced != paid.len() {
        return Err(Fault::bug("a locked order changed its state").into());
    }
    fault_point!("settle.t4");
    Ok(())
}

/// The inbox rows of this slice, sorted by (account, event key). Held words are stored when they are settled, and
/// those that wait for the gateway's answer when it is there.
fn deliveries(
    kit: &PaymentKit,
    words: &[Word],
    subjects: &[Option<Found>],
    results: &[SliceResult],
) -> Vec<Delivery> {
    let mut rows: Vec<Delivery> = words
        .iter()
        .zip(subjects)
        .zip(results)
        .filter_map(|((word, subject), result)| {
            let (Word::Notice { notice, raw, .. }, SliceResult::Done(settled)) = (word, result) else {
                return None;
            };
            if matches!(settled, Settled::Confirm(_) | Settled::AskWhose) {
                return None;
            }
            let own = subject.filter(|f| f.how != How::OtherAccount);
            Some(Delivery {
                account_id: word.account_id().to_owned(),
                event_key: word.event_key().map(String::from),
                verdict: settled.verdict(),
                order_id: own.map(|f| f.order_id),
                payment_id: own.map(|f| f.payment_id),
                verified_by: Some(notice.verified_by() as i16),
                reason: settled.reason().map(String::from),
                kept: raw::keep(&kit.sealer, raw),
            })
        })
        .collect();
    rows.sort_by(|a, b| (&a.account_id, &a.event_key).cmp(&(&b.account_id, &b.event_key)));
    rows
}
