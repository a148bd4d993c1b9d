//! Gateways' statements and what they differ in.

use std::collections::HashMap;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::NaiveDate;

use crate::base::error_code::ErrorCode;
use crate::base::ids::StatementRunId;
use crate::base::outcome::Refusal;
use crate::graphql::connection::Listed;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt, split};
use crate::graphql::scalars::{DateTime, Money};
use crate::graphql::user_error::StaffError;
use crate::payments::statements::read::{self, Count, RunFilter};
use crate::payments::statements::state;
use crate::payments::statements::{self, Difference, Run};

/// Differences shown of a run.
const MOST: i64 = 100;

impl Listed for StatementRun {
    const NAME: &'static str = "StatementRun";
}

/// What narrows the list of statements.
#[derive(Default, InputObject)]
pub struct DeskStatementFilter {
    /// Of any of these accounts; at most 20.
    accounts: Option<Vec<String>>,
    /// Only those with a difference that is still one.
    differing: Option<bool>,
}

impl DeskStatementFilter {
    /// For the feature.
    pub fn read(self) -> RunFilter {
        let accounts = self.accounts.unwrap_or_default().into_iter().take(20).collect();
        RunFilter { accounts, differing: self.differing.unwrap_or(false) }
    }
}

/// How far reading a statement has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "state::RunState")]
pub enum StatementState {
    /// Asked for; the gateway has not given it yet.
    Requested,
    /// Its lines are here and are being compared.
    Read,
    /// Compared to its end.
    Done,
    /// It could not be had.
    Failed,
}

/// One reading of an account's statement of a day, and what came of comparing it with the shop's books.
#[derive(Clone, Debug, SimpleObject)]
pub struct StatementRun {
    /// The run's id.
    #[graphql(owned)]
    pub id: ID,
    /// The account.
    account_id: String,
    /// The day of the gateway's own calendar, as YYYY-MM-DD.
    day: String,
    /// `gateway` or `file`.
    source: String,
    /// How far it has come.
    state: StatementState,
    /// Lines in the statement.
    lines: i32,
    /// Lines that no earlier run had read.
    new_lines: i32,
    /// Those of them that agree with the shop's books.
    matched: i32,
    /// How many differences it found, by kind.
    counts: Vec<DifferenceCount>,
    /// The first hundred differences it found.
    differences: Vec<StatementDifference>,
    /// Why it failed; null when it did not.
    failure: Option<String>,
    /// When it was asked for.
    requested_at: DateTime,
    /// When it ended.
    ended_at: Option<DateTime>,
}

/// How many differences of a kind.
#[derive(Clone, Debug, SimpleObject)]
pub struct DifferenceCount {
    /// Open code, as `StatementDifference.kind`.
    kind: String,
    /// How many.
    count: i32,
}

/// In what a statement and the shop's books differ.
#[derive(Clone, Debug, SimpleObject)]
pub struct StatementDifference {
    /// Open code: `paid_there_only`, `paid_here_only`, `amount_differs`, `refund_differs`, `not_booked`, `unreadable` are
    /// tasks too, `fee_differs` is reported here alone.
    kind: String,
    /// The trade's or refund's number there, or the payment's or refund's id here; of what cannot be read and has no
    /// number `unread:` and a digest.
    subject: String,
    /// The order it is about, where that is known.
    order_id: Option<ID>,
    /// The payment it is about, where that is known.
    payment_id: Option<ID>,
    /// The value in the statement.
    there: Option<Money>,
    /// The value in the shop's ledger; for a fee the one that the account's policy expects.
    here: Option<Money>,
    /// When it was found.
    found_at: DateTime,
    /// When both sides were found to agree after all.
    ended_at: Option<DateTime>,
}

impl From<Difference> for StatementDifference {
    fn from(row: Difference) -> Self {
        Self {
            there: row.there_minor.map(|minor| Money::of(minor, row.currency)),
            here: row.here_minor.map(|minor| Money::of(minor, row.currency)),
            kind: row.kind,
            subject: row.subject,
            order_id: row.order_id.map(Into::into),
            payment_id: row.payment_id.map(Into::into),
            found_at: row.found_at.into(),
            ended_at: row.ended_at.map(Into::into),
        }
    }
}

impl StatementRun {
    fn of(run: Run, counts: Vec<Count>, differences: Vec<Difference>) -> Self {
        let small = |count: i64| i32::try_from(count).unwrap_or(i32::MAX);
        let counts = counts.into_iter().map(|c| DifferenceCount { kind: c.kind, count: small(c.count) });
        Self {
            id: run.id.into(),
            account_id: run.account_id,
            day: run.day.to_string(),
            source: run.source,
            state: run.state.into(),
            lines: run.lines,
            new_lines: run.new_lines,
            matched: small(run.matched),
            counts: counts.collect(),
            differences: differences.into_iter().map(Into::into).collect(),
            failure: run.failure,
            requested_at: run.requested_at.into(),
            ended_at: run.ended_at.map(Into::into),
        }
    }
}

/// The runs with what they found, in their order.
pub async fn load(ctx: &Context<'_>, runs: Vec<Run>) -> Answer<Vec<StatementRun>> {
    let ids: Vec<StatementRunId> = runs.iter().map(|run| run.id).collect();
    let mut conn = ctx.backend().db.conn().await.or_top()?;
    let mut counts: HashMap<StatementRunId, Vec<Count>> = HashMap::new();
    for count in read::count_differences(&mut conn, &ids).await.or_top()? {
        counts.entry(count.run_id).or_default().push(count);
    }
    let mut differences: HashMap<StatementRunId, Vec<Difference>> = HashMap::new();
    for difference in read::list_differences(&mut conn, &ids, MOST).await.or_top()? {
        differences.entry(difference.run_id).or_default().push(difference);
    }
    let mut taken =
        |id| (counts.remove(&id).unwrap_or_default(), differences.remove(&id).unwrap_or_default());
    let with = |run: Run| {
        let (counts, differences) = taken(run.id);
        StatementRun::of(run, counts, differences)
    };
    Ok(runs.into_iter().map(with).collect())
}

/// Input of `statementImport`.
#[derive(InputObject)]
pub struct StatementImportInput {
    /// Which account's.
    account_id: String,
    /// Which day of the gateway's own calendar, as YYYY-MM-DD; it must be over.
    day: String,
}

/// Payload of `statementImport`.
#[derive(Default, SimpleObject)]
pub struct StatementImportPayload {
    /// The run that was begun; `desk.statements` shows what comes of it.
    run: Option<StatementRun>,
    /// Why it was refused; empty when it was begun.
    user_errors: Vec<StaffError>,
}

/// What staff does with statements.
#[derive(Default)]
pub struct StatementMutation;

#[Object]
impl StatementMutation {
    /// For staff: has the statement of a day fetched from the gateway and compared with the shop's books, in the
    /// background. Reading one twice changes nothing. A file of it is imported by `dispense statements import`.
    async fn statement_import(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which statement.")] input: StatementImportInput,
    ) -> Answer<StatementImportPayload> {
        ctx.staff()?;
        let done = async {
            let day: NaiveDate = input.day.parse().map_err(|_| {
                Refusal::new(ErrorCode::Invalid, "a day is written as 2026-01-31").at(["day"])
            })?;
            statements::request(&ctx.backend().payments, ctx.actor(), &input.account_id, day).await
        };
        Ok(match split(done.await)? {
            Ok(run) => {
                StatementImportPayload { run: load(ctx, vec![run]).await?.pop(), user_errors: Vec::new() }
            }
            Err(refusal) => StatementImportPayload { run: None, user_errors: ctx.user_errors(refusal)? },
        })
    }
}
