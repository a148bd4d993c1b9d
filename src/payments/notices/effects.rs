//! What follows from a slice beside its rows: refunds that were seen, events, tasks, mails, jobs.

use diesel_async::AsyncPgConnection;

use crate::base::ids::OrderId;
use crate::base::outcome::Outcome;
use crate::fulfilment::Handed;
use crate::fulfilment::effects::{Occasion, of_assignment};
use crate::infra::effects::Effects;
use crate::infra::effects::tasks::{NewTask, TaskKind};
use crate::orders::model::Order;
use crate::payments::case::{Case, Cases};
use crate::payments::consequences;
use crate::payments::kit::PaymentKit;
use crate::payments::notices::slice::{Slice, SliceEntry};
use crate::payments::report::Settled;
use crate::payments::tasks::{Foreign, NoticeForeign};

/// Gathers what follows from a slice. Refunds, which are rare, are written here, in statements of their own.
pub async fn gather(
    conn: &mut AsyncPgConnection,
    kit: &PaymentKit,
    slice: &Slice<'_>,
    orders: &[Order],
    cases: Cases,
    handed: Handed,
) -> Outcome<Effects> {
    let mut sorted: Vec<Case> = cases.into_values().collect();
    sorted.sort_by_key(|c| c.order_id);
    let paid: Vec<&Order> =
        orders.iter().filter(|o| sorted.iter().any(|c| c.order_id == o.id && c.paid_now)).collect();
    let mut effects = of_assignment(kit, &paid, &handed, Occasion::Paid, "system");
    for case in &sorted {
        consequences::of_case(case, &actor_of(case.order_id, slice), &mut effects);
        let order = orders.iter().find(|o| o.id == case.order_id);
        consequences::write(conn, kit, case, order, &mut effects).await?;
    }
    effects.tasks.extend(foreign_tasks(slice));
    effects.tasks.sort_by(|a, b| (a.kind, &a.subject).cmp(&(b.kind, &b.subject)));
    Ok(effects)
}

fn actor_of(order_id: OrderId, slice: &Slice<'_>) -> String {
    let about = |e: &&SliceEntry<'_>| e.subject.is_some_and(|s| s.order_id == order_id);
    slice.entries.iter().find(about).map_or_else(|| "system".into(), |e| e.report.actor())
}

/// A number of ours that arrived at another account than its payment's.
fn foreign_tasks(slice: &Slice<'_>) -> Vec<NewTask> {
    let other = |entry: &SliceEntry<'_>| match (entry.subject, entry.settled()) {
        (Some(found), Some(Settled::Foreign(reason))) if reason == "account" => {
            let body = Foreign { account: entry.report.account_id().into(), reason: reason.clone() };
            Some(NoticeForeign::open(found.payment_id, body).of_order(found.order_id))
        }
        _ => None,
    };
    slice.entries.iter().filter_map(other).collect()
}
