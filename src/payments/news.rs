//! Writes what a slice decided beside the payments themselves: refunds that were seen, events, tasks, mails, jobs.

use diesel_async::AsyncPgConnection;
use serde_json::json;

use crate::app::App;
use crate::base::ids::OrderId;
use crate::base::outcome::{Failure, Outcome};
use crate::fulfilment::Handed;
use crate::fulfilment::tell::{Occasion, Told, tell};
use crate::infra::events;
use crate::infra::tasks::{self, NewTask};
use crate::infra::{outbox, queue};
use crate::orders::model::Order;
use crate::payments::case::{Case, Cases};
use crate::payments::consequences;
use crate::payments::settle::SliceResult;
use crate::payments::store::slice::Found;
use crate::payments::word::{Settled, Word};

/// Puts together what a slice has to tell. Refunds, which are rare, are written here, in statements of their own.
#[allow(clippy::too_many_arguments)]
pub async fn tell_all(
    conn: &mut AsyncPgConnection,
    app: &App,
    orders: &[Order],
    cases: Cases,
    words: &[Word],
    subjects: &[Option<Found>],
    results: &[SliceResult],
    handed: Handed,
) -> Outcome<Told> {
    let mut sorted: Vec<Case> = cases.into_values().collect();
    sorted.sort_by_key(|c| c.order_id);
    let paid: Vec<&Order> =
        orders.iter().filter(|o| sorted.iter().any(|c| c.order_id == o.id && c.paid_now)).collect();
    let mut told = tell(app, &paid, &handed, Occasion::Paid, "system");
    for case in &sorted {
        consequences::case_rows(app, case, &actor_of(case.order_id, words, subjects), &mut told);
        let order = orders.iter().find(|o| o.id == case.order_id);
        consequences::write(conn, app, case, order, &mut told).await?;
    }
    told.tasks.extend(foreign_tasks(app, words, subjects, results));
    told.tasks.sort_by(|a, b| (a.kind, &a.subject).cmp(&(b.kind, &b.subject)));
    Ok(told)
}

/// Everything goes out in a fixed number of statements that do not wait for each other.
pub async fn write(conn: &AsyncPgConnection, told: &Told) -> Result<(), Failure> {
    futures::try_join!(
        tasks::open(conn, &told.tasks),
        events::append(conn, &told.events),
        outbox::enqueue(conn, &told.messages),
        queue::add(conn, &told.jobs),
    )?;
    Ok(())
}

fn actor_of(order_id: OrderId, words: &[Word], subjects: &[Option<Found>]) -> String {
    words
        .iter()
        .zip(subjects)
        .find(|(_, subject)| subject.is_some_and(|s| s.order_id == order_id))
        .map_or_else(|| "system".into(), |(word, _)| word.actor())
}

/// A number of ours at another account than the one that was told to use it.
fn foreign_tasks(
    app: &App,
    words: &[Word],
    subjects: &[Option<Found>],
    results: &[SliceResult],
) -> Vec<NewTask> {
    let other = |((word, subject), result): ((&Word, &Option<Found>), &SliceResult)| match (subject, result) {
        (Some(found), SliceResult::Done(Settled::Foreign(reason))) if reason == "account" => Some(NewTask {
            id: app.clock.uuid(),
            kind: "notice_foreign",
            subject: format!("{}:{}", word.account_id(), word.event_key().unwrap_or_default()),
            order_id: Some(found.order_id),
            payment_id: None,
            line_id: None,
            body: json!({ "account": word.account_id(), "reason": reason }),
        }),
        _ => None,
    };
    words.iter().zip(subjects).zip(results).filter_map(other).collect()
}
