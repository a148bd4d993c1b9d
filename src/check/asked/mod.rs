//! `dispense check --ask`: whether gateways say of payments what is written here. Every payment that is open or moved
//! lately is asked about, a few at a time and for a bounded time. It applies nothing, and judges by rules of its own: what
//! settles answers is exactly what may be wrong.

mod compare;
mod rows;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures::{StreamExt, stream};
use tokio::time::{Instant, sleep, timeout};

use crate::base::clock::Clock;
use crate::base::outcome::Fault;
use crate::check::report::{AskedReport, Finding, NotAsked};
use crate::infra::db::Db;
use crate::payments::accounts::Accounts;
use crate::payments::gateways::gateway::{Call, Gateway, Queried, RefundRef};
pub(super) use compare::QUESTIONS;
use compare::{Difference, RefundThere, There};
use rows::AskedRow;

/// How many questions are asked beside each other, how long one may take, and how long all of them.
const BESIDE: usize = 8;
const EACH: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(600);

/// A shop sells while it is asked: what differs is looked at again after this time, and counts when it still differs.
const AGAIN: Duration = Duration::from_secs(1);

/// Refunds of one payment that are asked about singly, where the payment's own answer does not say what went back.
const MOST_REFUNDS: usize = 20;

/// Since when a payment must have moved to be asked about: a day or time, or an age (`36h`, `7d`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    At(DateTime<Utc>),
    Ago(TimeDelta),
}

impl std::str::FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(at.with_timezone(&Utc)));
        }
        if let Ok(day) = text.parse::<NaiveDate>() {
            return Ok(Self::At(day.and_time(chrono::NaiveTime::MIN).and_utc()));
        }
        let age = |unit: char, seconds: i64| {
            let count = text.strip_suffix(unit)?.parse::<u32>().ok()?;
            TimeDelta::try_seconds(i64::from(count).checked_mul(seconds)?)
        };
        let found = age('d', 86_400).or_else(|| age('h', 3_600)).or_else(|| age('m', 60));
        let wrong = || format!("`{text}` is no time: write 36h, 7d, 2026-01-31 or 2026-01-31T12:00:00Z");
        found.map(Self::Ago).ok_or_else(wrong)
    }
}

/// What came of one payment.
enum Came {
    Agrees { partly: bool },
    Differs { differences: Vec<Difference> },
    NotAsked(&'static str),
}

/// Asks the gateways about all that is open or has moved since then.
pub(super) async fn ask(
    db: &Db,
    accounts: &Accounts,
    clock: &Clock,
    since: Since,
) -> Result<(Vec<Finding>, AskedReport), Fault> {
    let since = match since {
        Since::At(at) => at,
        Since::Ago(age) => clock.now() - age,
    };
    let rows = rows::list(&mut *db.conn().await?, since).await?;
    let end = Instant::now() + WHOLE;
    let asked = rows.into_iter().map(|row| async move {
        let came = if Instant::now() > end {
            Ok(Came::NotAsked("the time was up"))
        } else {
            one(db, accounts, clock, &row).await
        };
        came.map(|came| (row, came))
    });
    let all: Vec<_> = stream::iter(asked).buffer_unordered(BESIDE).collect().await;
    let mut found: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    let mut left: BTreeMap<(String, &'static str), Vec<String>> = BTreeMap::new();
    let mut report = AskedReport::default();
    for one in all {
        let (row, came) = one?;
        match came {
            Came::NotAsked(why) => left.entry((row.account_id, why)).or_default().push(row.id),
            Came::Agrees { partly } => {
                report.payments += 1;
                report.sums_not_told += usize::from(partly);
            }
            Came::Differs { differences } => {
                report.payments += 1;
                for difference in differences {
                    found.entry(difference.question).or_default().push(difference.counter);
                }
            }
        }
    }
    report.not_asked =
        left.into_iter().map(|((account, why), ids)| NotAsked { account, why, payments: ids }).collect();
    let finding = |(question, mut counters): (_, Vec<String>)| {
        counters.sort();
        let count = i64::try_from(counters.len()).unwrap_or(i64::MAX);
        Some(Finding { question, count, first: counters.into_iter().next()? })
    };
    Ok((found.into_iter().filter_map(finding).collect(), report))
}

/// Asks about one payment; what differs is read and asked a second time.
async fn one(db: &Db, accounts: &Accounts, clock: &Clock, row: &AskedRow) -> Result<Came, Fault> {
    let first = look(db, accounts, clock, row).await?;
    if !matches!(first, Came::Differs { .. }) {
        return Ok(first);
    }
    sleep(AGAIN).await;
    match rows::find(&mut *db.conn().await?, &row.id).await? {
        Some(now) => look(db, accounts, clock, &now).await,
        None => Ok(first),
    }
}

async fn look(db: &Db, accounts: &Accounts, clock: &Clock, row: &AskedRow) -> Result<Came, Fault> {
    let Some((account, gateway)) = accounts.find(&row.account_id) else {
        return Ok(Came::NotAsked("the account is not in the configuration"));
    };
    if !gateway.abilities(&account.keys).query {
        return Ok(Came::NotAsked("its gateway cannot be asked"));
    }
    let (Some(reference), Some(_)) = (row.reference(), row.gateway_number.as_ref()) else {
        return Ok(Came::NotAsked("it has no number of its own there"));
    };
    let call = Call { keys: &account.keys, now_unix: clock.unix(), timeout: EACH };
    let there = match timeout(EACH, gateway.query(&call, &reference)).await {
        Ok(Queried::Known(state)) => There::of(state.facts(), gateway.name()),
        Ok(Queried::NotFound) => There::nothing(),
        Ok(Queried::Unsupported) => return Ok(Came::NotAsked("its gateway cannot be asked")),
        Ok(Queried::Unknown(why)) => {
            tracing::warn!(why, payment = row.id, "a gateway's answer is unclear");
            return Ok(Came::NotAsked("its gateway gave no clear answer"));
        }
        Err(_) => return Ok(Came::NotAsked("its gateway did not answer in time")),
    };
    let mut differences = compare::payment(row, &there);
    let reported = there.reports_what_went_back();
    if !reported && differences.iter().all(|difference| difference.question != compare::BACK) {
        let refunds = rows::list_refunds(&mut *db.conn().await?, &row.id, MOST_REFUNDS as i64).await?;
        for refund in &refunds {
            let id = refund.id.to_string();
            let question = RefundRef {
                refund_id: &id,
                gateway_refund_id: refund.gateway_refund_id.as_deref(),
                payment: reference,
                amount: refund.amount(),
            };
            let said = ask_refund(&*gateway, &call, &question).await;
            differences.extend(compare::refund(row, refund, said));
        }
    }
    Ok(match differences.is_empty() {
        true => Came::Agrees { partly: !reported },
        false => Came::Differs { differences },
    })
}

async fn ask_refund(gateway: &dyn Gateway, call: &Call<'_>, question: &RefundRef<'_>) -> Option<RefundThere> {
    let answer = timeout(EACH, gateway.refund_query(call, question)).await.ok()?;
    RefundThere::of(&answer)
}
