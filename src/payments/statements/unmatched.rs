//! Money that moved here and that no statement names.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeDelta, Utc};

use crate::base::outcome::Outcome;
use crate::payments::accounts::Spoken;
use crate::payments::kit::PaymentKit;
use crate::payments::statements::compare;
use crate::payments::statements::model::{Kind, NewDifference, Run};
use crate::payments::statements::store::{books, runs};

/// Our time of a payment is when we heard of it; its gateway may have booked it this much earlier or later, and so on
/// the day before or after.
const EDGE: TimeDelta = TimeDelta::hours(1);

/// Records what moved here on the run's day and is in no statement. What moved near midnight counts only when
/// the statement of the neighbouring day is here too.
pub async fn look(kit: &PaymentKit, run: &Run, (_, gateway): &Spoken) -> Outcome<()> {
    let calendar = gateway.calendar();
    let (from, until) = (midnight(run.day, calendar), midnight(run.day, calendar) + TimeDelta::days(1));
    let (before, after) = (run.day - TimeDelta::days(1), run.day + TimeDelta::days(1));
    let mut tx = kit.db.begin().await?;
    let days = runs::list_days(&mut tx, &run.account_id, before, after).await?;
    let unstated = books::list_unstated(&mut tx, &run.account_id, from - EDGE, until + EDGE).await?;
    let refunds = books::names_refunds(&mut tx, &run.account_id).await?;
    for one in unstated.into_iter().filter(|one| refunds || one.refund_id.is_none()) {
        let day = |at: DateTime<Utc>| at.with_timezone(&calendar).date_naive();
        if ![day(one.at - EDGE), day(one.at + EDGE)].iter().all(|day| days.contains(day)) {
            continue;
        }
        let (kind, subject) = match one.refund_id {
            Some(refund) => (Kind::RefundDiffers, refund.to_string()),
            None => (Kind::PaidHereOnly, one.payment_id.to_string()),
        };
        let new = NewDifference {
            kind,
            subject,
            order_id: Some(one.order_id),
            payment_id: Some(one.payment_id),
            there_minor: None,
            here_minor: Some(one.amount_minor),
            currency: one.currency,
            why: None,
        };
        compare::write_down(&mut tx, kit, run, &new).await?;
    }
    tx.commit().await?;
    Ok(())
}

fn midnight(day: NaiveDate, calendar: FixedOffset) -> DateTime<Utc> {
    (day.and_time(NaiveTime::MIN) - calendar).and_utc()
}
