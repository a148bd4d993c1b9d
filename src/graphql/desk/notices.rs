//! The inbox of gateways' notifications.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, SimpleObject};

use crate::base::actor::Role;
use crate::base::outcome::{Failure, Refusal};
use crate::graphql::connection::Listed;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::graphql::loaders;
use crate::graphql::payments::Attribute;
use crate::graphql::scalars::{DateTime, Int64};
use crate::graphql::user_error::StaffError;
use crate::payments::notices::raw::KeptBody;
use crate::payments::notices::replay;
use crate::payments::read::{self, NoticeFilter, NoticeRow};

/// Begins the ids of notices; the rest is the number in the inbox.
const PREFIX: &str = "ntc_";

impl Listed for Notice {
    const NAME: &'static str = "Notice";
}

/// What narrows the list of notices.
#[derive(Default, InputObject)]
pub struct DeskNoticeFilter {
    /// To any of these accounts; at most 20.
    accounts: Option<Vec<String>>,
    /// With any of these verdicts; at most 20.
    verdicts: Option<Vec<String>>,
    /// About the order of this number.
    order_number: Option<String>,
    /// Of the event that its gateway knows by this.
    event_key: Option<String>,
    /// Received at this moment or later.
    received_from: Option<DateTime>,
    /// Received before this moment.
    received_before: Option<DateTime>,
}

impl DeskNoticeFilter {
    /// For the feature.
    pub fn read(self) -> NoticeFilter {
        let few = |list: Option<Vec<String>>| list.unwrap_or_default().into_iter().take(20).collect();
        NoticeFilter {
            accounts: few(self.accounts),
            verdicts: few(self.verdicts),
            order_number: self.order_number.map(|number| number.trim().to_uppercase()),
            event_key: self.event_key,
            from: self.received_from.map(|at| at.0),
            until: self.received_before.map(|at| at.0),
        }
    }
}

/// A gateway's notification and what became of it.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct Notice {
    /// Its number in the inbox.
    pub id: ID,
    /// The account it came to.
    pub account_id: String,
    /// What its gateway knows it by.
    pub event_key: Option<String>,
    /// Open code of what became of it: `applied`, `duplicate`, `forged` …
    pub verdict: String,
    /// Which of the account's secrets verified it, counted from 1; null when none did.
    pub verified_by: Option<i32>,
    /// The order it is about.
    pub order_id: Option<ID>,
    /// The payment it is about.
    pub payment_id: Option<ID>,
    /// Why; null where there is no reason to give.
    pub reason: Option<String>,
    /// When it came.
    pub received_at: DateTime,
    /// How often its event came again and changed nothing more: those are counted and not listed, except for up to five whose
    /// bytes differ.
    pub repeats: Int64,
    /// When it came again last; null when it did not.
    pub repeated_at: Option<DateTime>,
    #[graphql(skip)]
    row: i64,
}

#[ComplexObject]
impl Notice {
    /// What came, for admins; null for others, and when it is not kept any more. Numbers of cards are masked; of the
    /// headers those are kept that the gateway signs with.
    async fn raw(&self, ctx: &Context<'_>) -> Answer<Option<NoticeRaw>> {
        if !ctx.actor().has(Role::Admin) {
            return Ok(None);
        }
        Ok(loaders::notice(ctx, self.row).await?.map(Into::into))
    }
}

/// What came over the wire.
#[derive(Clone, Debug, SimpleObject)]
pub struct NoticeRaw {
    /// POST, or GET where a gateway notifies by query.
    method: String,
    /// Without the question mark.
    query: String,
    /// In the order received.
    headers: Vec<Attribute>,
    /// As text; what is no UTF-8 is replaced.
    body: String,
    /// Whether something was masked.
    masked: bool,
}

impl From<KeptBody> for NoticeRaw {
    fn from(kept: KeptBody) -> Self {
        let headers: Vec<(String, String)> = serde_json::from_value(kept.headers).unwrap_or_default();
        Self {
            method: kept.method,
            query: kept.query,
            headers: headers.into_iter().map(|(key, value)| Attribute { key, value }).collect(),
            body: String::from_utf8_lossy(&kept.body).into_owned(),
            masked: kept.sealed.is_some(),
        }
    }
}

impl From<NoticeRow> for Notice {
    fn from(row: NoticeRow) -> Self {
        Self {
            id: ID(format!("{PREFIX}{}", row.id)),
            account_id: row.account_id,
            event_key: row.event_key,
            verdict: row.verdict,
            verified_by: row.verified_by.map(i32::from),
            order_id: row.order_id.map(Into::into),
            payment_id: row.payment_id.map(Into::into),
            reason: row.reason,
            received_at: row.received_at.into(),
            repeats: Int64(row.repeats),
            repeated_at: row.repeated_at.map(Into::into),
            row: row.id,
        }
    }
}

/// Input of `noticeReplay`.
#[derive(InputObject)]
pub struct NoticeReplayInput {
    /// Which notices; at most 100.
    ids: Vec<ID>,
}

/// What became of one notice.
#[derive(SimpleObject)]
pub struct NoticeReplayResult {
    /// Which one.
    id: ID,
    /// The notice as it is stored in the inbox.
    notice: Option<Notice>,
    /// What became of it now, as an open code like `Notice.verdict`; null when it was refused.
    verdict: Option<String>,
    /// Why it was refused; empty when it was judged.
    user_errors: Vec<StaffError>,
}

/// Payload of `noticeReplay`.
#[derive(Default, SimpleObject)]
pub struct NoticeReplayPayload {
    /// One result per id, in their order.
    results: Vec<NoticeReplayResult>,
    /// Why nothing was done at all.
    user_errors: Vec<StaffError>,
}

/// What staff does with the inbox.
#[derive(Default)]
pub struct NoticeMutation;

#[Object]
impl NoticeMutation {
    /// For staff: has notices judged again, verified with today's keys as of the time they came. Replaying one that was
    /// handled changes nothing.
    async fn notice_replay(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which notices.")] input: NoticeReplayInput,
    ) -> Answer<NoticeReplayPayload> {
        ctx.staff()?;
        let number = |id: &ID| id.strip_prefix(PREFIX).and_then(|digits| digits.parse().ok()).unwrap_or(0);
        let rows: Vec<i64> = input.ids.iter().map(number).collect();
        let judged = match replay::replay(&ctx.backend().payments, ctx.actor(), &rows).await {
            Ok(judged) => judged,
            Err(Failure::Refused(refusal)) => {
                let user_errors = ctx.user_errors(*refusal)?;
                return Ok(NoticeReplayPayload { results: Vec::new(), user_errors });
            }
            Err(fault) => return Err(fault).or_top(),
        };
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        let found = read::list_notices_by_ids(&mut conn, &rows).await.or_top()?;
        let mut results = Vec::new();
        for ((id, row), judged) in input.ids.into_iter().zip(rows).zip(judged) {
            let notice = found.iter().find(|found| found.id == row).cloned().map(Into::into);
            let (verdict, refusal): (_, Option<Refusal>) = match judged {
                Ok(verdict) => (Some(verdict.to_owned()), None),
                Err(refusal) => (None, Some(refusal)),
            };
            let user_errors = match refusal {
                Some(refusal) => ctx.user_errors(refusal)?,
                None => Vec::new(),
            };
            results.push(NoticeReplayResult { id, notice, verdict, user_errors });
        }
        Ok(NoticeReplayPayload { results, user_errors: Vec::new() })
    }
}
