use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use crate::delivery::cases::read::CaseFilter;
use crate::delivery::cases::{self, AnswerRow, CaseRow};
use crate::delivery::report::Wish;
use crate::graphql::connection::Listed;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::orders::line::OrderLine;
use crate::graphql::orders::load::line_page;
use crate::graphql::orders::reporting::ReportWish;
use crate::graphql::scalars::DateTime;
use crate::orders::access::AccessLevel;

/// How far a case has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "cases::CaseState")]
pub enum CaseState {
    /// It waits for an answer.
    Open,
    /// It was answered; the buyer may report again.
    Answered,
    /// It came to an end.
    Closed,
}

/// What an answer to a case does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "cases::CaseAction")]
pub enum CaseAction {
    /// Another piece takes the place of the reported one.
    Replace,
    /// The money for it goes back.
    Refund,
    /// Nothing is done about it.
    Reject,
    /// The text is all the answer; the case may be answered again.
    Help,
}

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum CaseOutcome {
    /// Another piece took the place of the reported one.
    Replaced,
    /// The money for it went back, or is on its way.
    Refunded,
    /// Nothing was done about it.
    Rejected,
}

/// An answer to a case.
#[derive(Clone, Debug, SimpleObject)]
pub struct CaseAnswer {
    /// What it does.
    action: CaseAction,
    /// What the buyer reads.
    text: String,
    /// Whether staff of the shop gave it, not who sells the piece.
    by_staff: bool,
    /// The delivery that took the place of the reported one.
    replaced_by: Option<ID>,
    /// The refund that was begun.
    refund_id: Option<ID>,
    /// When it was given.
    answered_at: DateTime,
}

impl From<AnswerRow> for CaseAnswer {
    fn from(row: AnswerRow) -> Self {
        Self {
            action: row.action.into(),
            text: row.text,
            by_staff: row.by_staff,
            replaced_by: row.successor_id.map(Into::into),
            refund_id: row.refund_id.map(Into::into),
            answered_at: row.answered_at.into(),
        }
    }
}

/// What narrows a list of cases.
#[derive(Default, InputObject)]
pub struct SellerCaseFilter {
    /// In any of these states; by default in all.
    states: Option<Vec<CaseState>>,
    /// With any of these wishes; by default with all.
    wishes: Option<Vec<ReportWish>>,
}

impl SellerCaseFilter {
    pub fn read(self) -> CaseFilter {
        CaseFilter {
            states: self.states.unwrap_or_default().into_iter().map(Into::into).collect(),
            wishes: self
                .wishes
                .unwrap_or_default()
                .into_iter()
                .map(|wish| Wish::from(wish).as_str())
                .collect(),
        }
    }
}

/// What a buyer reported of a delivery, and what was answered.
#[derive(Clone, Debug)]
pub struct ReportedCase {
    pub row: CaseRow,
    pub answers: Vec<AnswerRow>,
    pub line: OrderLine,
}

impl Listed for ReportedCase {
    const NAME: &'static str = "Case";
}

/// What a buyer reported of a delivery, and what was answered.
#[Object(name = "Case")]
impl ReportedCase {
    /// The case's id.
    pub async fn id(&self) -> ID {
        self.row.id.into()
    }

    /// The delivery that was reported.
    async fn delivery_id(&self) -> ID {
        self.row.unit_id.into()
    }

    /// The line it is part of. Who bought it is masked for sellers.
    async fn line(&self) -> OrderLine {
        self.line.clone()
    }

    /// Open code of the trouble, in lower case.
    async fn problem(&self) -> &str {
        &self.row.problem
    }

    /// What the buyer would like.
    async fn wish(&self) -> ReportWish {
        Wish::parse(&self.row.wish).unwrap_or(Wish::Help).into()
    }

    /// The buyer's own words; a key in them is left out.
    async fn text(&self) -> Option<&str> {
        self.row.text.as_deref()
    }

    /// How far it has come.
    async fn state(&self) -> CaseState {
        self.row.state.into()
    }

    /// How it ended; null while it goes on.
    async fn outcome(&self) -> Option<CaseOutcome> {
        match self.row.outcome.as_deref()? {
            "replaced" => Some(CaseOutcome::Replaced),
            "refunded" => Some(CaseOutcome::Refunded),
            _ => Some(CaseOutcome::Rejected),
        }
    }

    /// The answers, the oldest first.
    async fn answers(&self) -> Vec<CaseAnswer> {
        self.answers.iter().cloned().map(Into::into).collect()
    }

    /// When it was reported.
    async fn opened_at(&self) -> DateTime {
        self.row.opened_at.into()
    }

    /// When it was answered last; null before.
    async fn answered_at(&self) -> Option<DateTime> {
        self.row.answered_at.map(Into::into)
    }

    /// When it came to its end; null before.
    async fn closed_at(&self) -> Option<DateTime> {
        self.row.closed_at.map(Into::into)
    }
}

/// Cases with their answers and lines. No line is ever deleted, so there is one for each.
pub async fn load_cases(
    ctx: &Context<'_>,
    rows: Vec<CaseRow>,
    access_level: AccessLevel,
) -> Answer<Vec<ReportedCase>> {
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let mut answers = {
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        cases::read::list_answers(&mut conn, &ids).await.or_top()?
    };
    let lines = rows.iter().map(|row| (row.order_id, row.line_id)).collect();
    let lines = line_page(ctx, lines, access_level).await?;
    let case = |(row, line): (CaseRow, OrderLine)| {
        let (own, rest) = std::mem::take(&mut answers).into_iter().partition(|a| a.case_id == row.id);
        answers = rest;
        ReportedCase { row, answers: own, line }
    };
    Ok(rows.into_iter().zip(lines).map(case).collect())
}
