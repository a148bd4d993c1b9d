//! The heart: what gateways said becomes paid orders and assigned goods, in one transaction for a whole slice. The
//! number of statements does not depend on how many reports are in the slice.

use std::collections::{HashMap, HashSet};

use diesel_async::AsyncPgConnection;
use futures::TryFutureExt;

use crate::base::ids::{OrderId, PaymentId};
use crate::base::outcome::{Failure, Fault};
use crate::fault_point;
use crate::fulfilment::assign;
use crate::infra::db::Purpose;
use crate::orders::limits;
use crate::orders::model::Order;
use crate::orders::store as order_store;
use crate::payments::accounts::Accounts;
use crate::payments::case::{self, Cases, Tracked};
use crate::payments::kit::PaymentKit;
use crate::payments::ledger;
use crate::payments::notices::decide::{self, AccountView};
use crate::payments::notices::repeats::{self, Inbox};
pub use crate::payments::notices::slice::SliceResult;
use crate::payments::notices::slice::{Slice, SliceEntry};
use crate::payments::notices::store::asked::AskedTrade;
use crate::payments::notices::store::inbox::{self, Delivery};
use crate::payments::notices::store::slice::{self as store, Found, How};
use crate::payments::notices::{belongs, effects, foreign, raw};
use crate::payments::report::{PaymentReport, Settled};

/// How orders are locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Locking {
    SkipHeld,
    /// One report by itself, when nobody holds its order.
    AloneSkipHeld,
    /// One report by itself, waiting for its order.
    AloneWait,
}

/// Settles a slice in one transaction. Reports whose order somebody else holds are left out and answered `Held`.
pub async fn settle(kit: &PaymentKit, reports: &[PaymentReport]) -> Result<Vec<SliceResult>, Fault> {
    run(kit, reports, Locking::SkipHeld).await
}

/// Settles one report by itself, waiting for its order up to the session's `lock_timeout`. Should delivering the goods
/// fail, the payment is kept all the same and the order's lines go to a person.
pub async fn settle_alone(kit: &PaymentKit, report: &PaymentReport) -> Result<Settled, Fault> {
    match run(kit, std::slice::from_ref(report), Locking::AloneWait).await?.pop() {
        Some(SliceResult::Done(settled)) => Ok(settled),
        Some(SliceResult::Held(_)) | None => Err(held_too_long()),
    }
}

/// The same without waiting: `Held` when somebody else holds its order.
pub async fn settle_alone_if_free(kit: &PaymentKit, report: &PaymentReport) -> Result<SliceResult, Fault> {
    let result = run(kit, std::slice::from_ref(report), Locking::AloneSkipHeld).await?.pop();
    result.ok_or_else(|| Fault::bug("a report was settled to nothing"))
}

pub(super) fn held_too_long() -> Fault {
    Fault::Database("the order is held by another transaction".into())
}

async fn run(
    kit: &PaymentKit,
    reports: &[PaymentReport],
    locking: Locking,
) -> Result<Vec<SliceResult>, Fault> {
    let mut tx = kit.db.begin_for(Purpose::Notices).await?;
    let results = within(&mut tx, kit, reports, locking).await.map_err(fault)?;
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
    reports: &[PaymentReport],
    locking: Locking,
) -> Result<Vec<SliceResult>, Failure> {
    let mut slice = Slice::new(reports, &store::find(conn, reports).await?);
    let mut locked = match (locking, slice.orders().as_slice()) {
        (_, []) => Vec::new(),
        (Locking::AloneWait, [order]) => order_store::lock(conn, *order).await?.into_iter().collect(),
        (_, orders) => order_store::lock_free(conn, orders).await?,
    };
    fault_point!("settle.t1");
    let judged = limits::judge(conn, &locked, locking == Locking::AloneWait).await?;
    locked.retain(|order| !judged.held.contains(&order.id));
    let (mut cases, handled, kept) = {
        let conn = &*conn;
        let cases = case::load(conn, kit, &locked, slice.is_about_money_back());
        let kept = foreign::kept(conn, &slice).map_err(Failure::from);
        futures::try_join!(cases, handled(conn, &slice), kept)?
    };
    for case in cases.values_mut() {
        case.over_limit = judged.over.contains(&case.order_id);
    }
    decide_all(kit, &mut slice, &mut cases, handled, &kept);
    write(conn, kit, &slice, &locked, cases, locking).await?;
    let results = slice.entries.into_iter().map(|entry| entry.result);
    results.map(|r| r.ok_or_else(|| Fault::bug("a report was not judged").into())).collect()
}

async fn handled(conn: &AsyncPgConnection, slice: &Slice<'_>) -> Result<HashSet<(String, String)>, Failure> {
    let keys: Vec<(String, String)> = slice.entries.iter().filter_map(SliceEntry::key).collect();
    if keys.is_empty() {
        return Ok(HashSet::new());
    }
    Ok(inbox::list_handled(conn, &keys).await?.into_iter().collect())
}

fn account_views(accounts: &Accounts, slice: &Slice<'_>) -> HashMap<String, AccountView> {
    let found = slice.entries.iter().filter_map(|entry| accounts.find(entry.report.account_id()));
    found
        .map(|(account, gateway)| {
            let identity = gateway.identity(&account.keys);
            let hints_only = !gateway.abilities(&account.keys).notice_is_proof;
            (account.id.clone(), AccountView { policy: account.policy.clone(), identity, hints_only })
        })
        .collect()
}

/// Judges the reports in their order. `handled`: events that were settled before; `kept`: what gateways answered about
/// trades that nobody here knows.
fn decide_all(
    kit: &PaymentKit,
    slice: &mut Slice<'_>,
    cases: &mut Cases,
    mut handled: HashSet<(String, String)>,
    kept: &[AskedTrade],
) {
    let views = account_views(&kit.accounts, slice);
    for entry in &mut slice.entries {
        let key = entry.key();
        let is_handled = key.as_ref().is_some_and(|k| handled.contains(k));
        let result = match entry.subject {
            None => SliceResult::Done(foreign::judge(&kit.config.shop.order_prefix, entry.report, kept)),
            Some(found) if found.how == How::OtherAccount => {
                SliceResult::Done(Settled::Foreign("account".into()))
            }
            Some(found) => {
                let settled = decide_one(kit, entry, found, cases, is_handled, &views);
                settled.map_or(SliceResult::Held(found.order_id), SliceResult::Done)
            }
        };
        if let (Some(key), SliceResult::Done(Settled::Applied | Settled::Recorded)) = (key, &result) {
            handled.insert(key);
        }
        entry.result = Some(result);
    }
}

/// What becomes of a report about a payment; none when its order is not locked.
fn decide_one(
    kit: &PaymentKit,
    entry: &SliceEntry<'_>,
    found: Found,
    cases: &mut Cases,
    is_handled: bool,
    views: &HashMap<String, AccountView>,
) -> Option<Settled> {
    if !cases.contains_key(&found.order_id) {
        return None;
    }
    let payment = entry.report.payment_id().unwrap_or(found.payment_id);
    // Before what was handled: some gateways name their events by the trade alone.
    let other = belongs::refuse_elsewhere(cases, found.order_id, entry.report, entry.elsewhere, payment);
    if is_handled {
        return Some(Settled::Duplicate);
    }
    if other.is_some() {
        return other;
    }
    let none = AccountView::default();
    let view = views.get(entry.report.account_id()).unwrap_or(&none);
    let case = cases.get_mut(&found.order_id)?;
    Some(decide::decide(case, entry.report, payment, view, PaymentId(kit.clock.uuid())))
}

/// Stores what was decided: inbox, payments, orders, ledger, goods, and the events and mails that report them.
async fn write(
    conn: &mut AsyncPgConnection,
    kit: &PaymentKit,
    slice: &Slice<'_>,
    orders: &[Order],
    cases: Cases,
    locking: Locking,
) -> Result<(), Failure> {
    let tracked = || cases.values().flat_map(|c| &c.payments);
    let changed: Vec<&Tracked> = tracked().filter(|t| t.changed && !t.is_new).collect();
    store::give_way(conn, &changed).await?;
    let mut paid: Vec<OrderId> = cases.values().filter(|c| c.paid_now).map(|c| c.order_id).collect();
    paid.sort_unstable();
    let Inbox { rows, repeats, differing } = repeats::apart(deliveries(kit, slice));
    inbox::count_repeats(conn, &repeats).await?;
    inbox::insert_differing(conn, &differing).await?;
    // What does not wait for another's answer goes to the server together: a slice costs few round trips.
    let (_, advanced, lines) = {
        let conn = &*conn;
        futures::try_join!(
            inbox::insert(conn, &rows).map_err(Failure::from),
            store::advance(conn, &changed).map_err(Failure::from),
            assign::list_lines(conn, &paid).map_err(Failure::from),
        )?
    };
    if advanced != changed.len() {
        return Err(Fault::bug("a locked payment changed its state").into());
    }
    let strays: Vec<&Tracked> = tracked().filter(|t| t.is_new).collect();
    if !strays.is_empty() {
        store::insert_strays(conn, &strays).await?;
    }
    fault_point!("settle.t2");
    let entries = ledger::captures(&kit.clock, cases.values(), &lines);
    let handed = match locking {
        Locking::SkipHeld => {
            let conn = &*conn;
            let entered = store::insert_entries(conn, &entries).map_err(Failure::from);
            futures::try_join!(entered, assign::assign(conn, kit, &lines))?.1
        }
        Locking::AloneSkipHeld | Locking::AloneWait => {
            store::insert_entries(conn, &entries).await?;
            assign::assign_or_leave_to_a_person(conn, kit, &lines).await?
        }
    };
    fault_point!("settle.t3");
    let delivered = assign::delivered(&handed, &paid);
    let effects = effects::gather(conn, kit, slice, orders, cases, handed).await?;
    let advanced = {
        let conn = &*conn;
        let orders = order_store::advance_to_paid(conn, &paid, &delivered).map_err(Failure::from);
        futures::try_join!(orders, effects.write(conn, &kit.clock).map_err(Failure::from))?.0
    };
    if advanced != paid.len() {
        return Err(Fault::bug("a locked order changed its state").into());
    }
    fault_point!("settle.t4");
    Ok(())
}

/// What is stored of this slice, sorted by (account, event key). Held reports are stored when they are settled, and
/// those that wait for the gateway's answer when it is there.
fn deliveries(kit: &PaymentKit, slice: &Slice<'_>) -> Vec<Delivery> {
    let row = |entry: &SliceEntry<'_>| {
        let (PaymentReport::Notice { notice, raw, .. }, Some(settled)) = (entry.report, entry.settled())
        else {
            return None;
        };
        if matches!(settled, Settled::Confirm(_) | Settled::AskWhose) {
            return None;
        }
        let own = entry.subject.filter(|f| f.how != How::OtherAccount);
        Some(Delivery {
            account_id: entry.report.account_id().to_owned(),
            event_key: entry.report.event_key().map(String::from),
            verdict: settled.verdict(),
            order_id: own.map(|f| f.order_id),
            payment_id: own.map(|f| f.payment_id),
            verified_by: Some(notice.verified_by() as i16),
            reason: settled.reason().map(String::from),
            names: match settled {
                Settled::Orphan => inbox::names(notice.facts()),
                _ => Vec::new(),
            },
            kept: raw::keep(&kit.sealer, raw, kit.accounts.signed_headers(entry.report.account_id())),
        })
    };
    let mut rows: Vec<Delivery> = slice.entries.iter().filter_map(row).collect();
    rows.sort_by(|a, b| (&a.account_id, &a.event_key).cmp(&(&b.account_id, &b.event_key)));
    rows
}
