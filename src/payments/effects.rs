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
use crate::payments::settle::SliceResult;
use crate::payments::store::slice::Found;
use crate::payments::tasks::{Foreign, NoticeForeign};
use crate::payments::word::{Settled, Word};

/// Gathers what follows from a slice. Refunds, which are rare, are written here, in statements of their own.
#[allow(clippy::too_many_arguments)]
pub async fn gather(
    conn: &mut AsyncPgConnection,
    kit: &PaymentKit,
    orders: &[Order],
    cases: Cases,
    words: &[Word],
    subjects: &[Option<Found>],
    results: &[SliceResult],
    handed: Handed,
) -> Outcome<Effects> {
    let mut sorted: Vec<Case> = cases.into_values().collect();
    sorted.sort_by_key(|c| c.order_id);
    let paid: Vec<&Order> =
        orders.iter().filter(|o| sorted.iter().any(|c| c.order_id == o.id && c.paid_now)).collect();
    let mut effects = of_assignment(kit, &paid, &handed, Occasion::Paid, "system");
    for case in &sorted {
        consequences::of_case(case, &actor_of(case.order_id, words, subjects), &mut effects);
        let order = orders.iter().find(|o| o.id == case.order_id);
        consequences::write(conn, kit, case, order, &mut effects).await?;
    }
    effects.tasks.extend(foreign_tasks(words, subjects, results));
    effects.tasks.sort_by(|a, b| (a.kind, &a.subject).cmp(&(b.kind, &b.subject)));
    Ok(effects)
}

fn actor_of(order_id: OrderId, words: &[Word], subjects: &[Option<Found>]) -> String {
    words
        .iter()
        .zip(subjects)
        .find(|(_, subject)| subject.is_some_and(|s| s.order_id == order_id))
        .map_or_else(|| "system".into(), |(word, _)| word.actor())
}

/// A number of ours that arrived at another account than its payment's.
fn foreign_tasks(words: &[Word], subjects: &[Option<Found>], results: &[SliceResult]) -> Vec<NewTask> {
    let other = |((word, subject), result): ((&Word, &Option<Found>), &SliceResult)| match (subject, result) {
        (Some(found), SliceResult::Done(Settled::Foreign(reason))) if reason == "account" => {
            let body = Foreign { account: word.account_id().into(), reason: reason.clone() };
            Some(NoticeForeign::open(found.payment_id, body).of_order(found.order_id))
        }
        _ => None,
    };
    words.iter().zip(subjects).zip(results).filter_map(other).collect()
}
