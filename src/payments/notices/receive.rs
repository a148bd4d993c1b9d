//! A gateway's notice from its raw bytes to the answer in the gateway's own form.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::base::ids::PaymentId;
use crate::base::outcome::Fault;
use crate::infra::db::Purpose;
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::effects::tasks::{self, TaskKind};
use crate::payments::accounts::Account;
use crate::payments::accounts::circuit::Lane;
use crate::payments::attempts::ask::{self, Asked};
use crate::payments::gateways::gateway::{
    Call, Gateway, GatewayState, Meaning, Named, Notice, NoticeRefusal, RawNotice, Reply, Verdict,
};
use crate::payments::jobs::CheckPayment;
use crate::payments::kit::PaymentKit;
use crate::payments::notices::store::inbox::{self, Delivery};
use crate::payments::notices::{foreign, raw, refuse};
use crate::payments::report::{PaymentReport, Settled};
use crate::payments::tasks::{NoticeOrphan, Orphan};

/// How long a notice about an unknown order is answered with failure: its order may still be on its way.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(600);

/// Time for the one question to the gateway before a notice is believed.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(3);

/// Time to fetch what a notice is checked with.
const EVIDENCE_TIMEOUT: Duration = Duration::from_secs(3);

/// What the route answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acknowledgement {
    Reply(Reply),
    /// No such account.
    UnknownAccount,
    /// Too many notices wait: 503, come again.
    Overloaded,
}

/// Takes a notice for an account and answers after everything it changes is committed. `may_store` says
/// whether one that fails authentication is still stored: the route limits them per address.
pub async fn receive(
    kit: &PaymentKit,
    account_id: &str,
    raw: RawNotice,
    may_store: impl FnOnce() -> bool,
) -> Acknowledgement {
    let Some((account, gateway)) = kit.accounts.find(account_id) else {
        return Acknowledgement::UnknownAccount;
    };
    let (account, gateway) = (account.as_ref(), gateway.as_ref());
    let notice = match authenticate(kit, account, gateway, &raw).await {
        Err(_) => return Acknowledgement::Overloaded,
        Ok(Ok(notice)) => notice,
        Ok(Err(refusal)) => {
            let others = match &refusal.named {
                Some(named) => ignore(kit, account, named, &raw, refusal.reason).await,
                None => Ok(false),
            };
            match others {
                Ok(true) => return Acknowledgement::Reply(gateway.reply(Verdict::Success)),
                Ok(false) => {}
                Err(fault) => {
                    tracing::warn!(%fault, account = account.id, "the owner of an unreadable notice could not be found");
                }
            }
            return refuse::refuse(kit, account, gateway, &raw, refusal, may_store).await;
        }
    };
    crate::fault_point!("notice.n1");
    match handle(kit, account, gateway, notice, raw).await {
        Ok(verdict) => {
            metrics::counter!("dispense_notices_total", "account" => account.id.clone(), "verdict" => word_of(verdict))
                .increment(1);
            crate::fault_point!("notice.n3");
            Acknowledgement::Reply(gateway.reply(verdict))
        }
        Err(Fault::Overloaded(_)) => Acknowledgement::Overloaded,
        Err(fault) => {
            tracing::error!(%fault, account = account.id, "a notice could not be settled");
            Acknowledgement::Reply(gateway.reply(Verdict::TryLater))
        }
    }
}

/// Fetches what the check needs, then checks: the check itself is pure. `Overloaded` when something must be fetched and
/// may not be now.
pub(super) async fn authenticate(
    kit: &PaymentKit,
    account: &Account,
    gateway: &dyn Gateway,
    raw: &RawNotice,
) -> Result<Result<Notice, NoticeRefusal>, Fault> {
    let call = Call { keys: &account.keys, now_unix: kit.clock.unix(), timeout: EVIDENCE_TIMEOUT };
    let mut evidence = gateway.evidence(&call, raw);
    let evidence = match futures::poll!(&mut evidence) {
        // Nothing has to be fetched: no gateway is called, and a silent one keeps nobody waiting.
        Poll::Ready(evidence) => evidence,
        Poll::Pending => kit.circuits.call(&account.id, Lane::Notices, evidence, Result::is_ok).await?,
    };
    let check = || {
        let notice = gateway.authenticate(&account.keys, raw, &evidence?)?;
        if storable(&notice) { Ok(notice) } else { Err(NoticeRefusal::unstorable()) }
    };
    Ok(check())
}

fn word_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Success => "success",
        Verdict::TryLater => "try_later",
        Verdict::Refused => "refused",
    }
}

/// Keeps a genuine notice that cannot be read and is surely about a sale of somebody else's; whether it was one.
async fn ignore(
    kit: &PaymentKit,
    account: &Account,
    named: &Named,
    raw: &RawNotice,
    reason: &'static str,
) -> Result<bool, Fault> {
    if !foreign::is_others(kit, &account.id, named).await? {
        return Ok(false);
    }
    let row = delivery(kit, &account.id, raw, "ignored", format!("format: {reason}"));
    inbox::insert_differing(&*kit.db.conn_for(Purpose::Notices).await?, &[row]).await?;
    metrics::counter!("dispense_notices_total", "account" => account.id.clone(), "verdict" => "success")
        .increment(1);
    Ok(true)
}

/// PostgreSQL's text holds no NUL, and no id that a gateway gives has other control characters.
fn storable(notice: &Notice) -> bool {
    let texts = [Some(notice.event_key()), notice.trade_no.as_deref(), notice.gateway_reference.as_deref()];
    texts.into_iter().flatten().all(|text| text.len() <= 255 && !text.contains(char::is_control))
}

async fn handle(
    kit: &PaymentKit,
    account: &Account,
    gateway: &dyn Gateway,
    notice: Notice,
    raw: RawNotice,
) -> Result<Verdict, Fault> {
    let (notice, raw) = (Arc::new(notice), Arc::new(raw));
    match settle(kit, &notice, &raw).await {
        Ok(Settled::Applied | Settled::Recorded | Settled::Duplicate | Settled::Ignored) => {
            Ok(Verdict::Success)
        }
        Ok(Settled::Foreign(_)) => Ok(Verdict::Success),
        Ok(Settled::Orphan) => orphan(kit, account, gateway, &notice).await,
        Ok(Settled::AskWhose) => {
            let why = "the gateway does not say whose this trade is";
            store_unsettled(kit, &notice, &raw, "orphan", why).await?;
            orphan(kit, account, gateway, &notice).await
        }
        Ok(Settled::Confirm(payment_id)) => {
            store_unsettled(kit, &notice, &raw, "fault", "the gateway's own word is unclear").await?;
            let job = CheckPayment { payment: payment_id }.job();
            jobs::add(&*kit.db.conn().await?, &[job]).await?;
            Ok(Verdict::TryLater)
        }
        Err(Fault::Overloaded(why)) => Err(Fault::Overloaded(why)),
        Err(fault) => {
            store_unsettled(kit, &notice, &raw, "fault", &fault.to_string()).await?;
            Err(fault)
        }
    }
}

/// Settles an authenticated notice, after asking its gateway where it must be asked first. `Confirm` or `AskWhose` when
/// the gateway's own answer could not be had.
pub(super) async fn settle(
    kit: &PaymentKit,
    notice: &Arc<Notice>,
    raw: &Arc<RawNotice>,
) -> Result<Settled, Fault> {
    let report = |confirmed| PaymentReport::Notice { notice: notice.clone(), raw: raw.clone(), confirmed };
    match kit.intake.settle(report(None)).await? {
        Settled::Confirm(payment_id) => match confirm(kit, payment_id, notice).await? {
            Some(state) => kit.intake.settle(report(Some(state))).await,
            None => Ok(Settled::Confirm(payment_id)),
        },
        Settled::AskWhose if foreign::ask(kit, notice).await? => kit.intake.settle(report(None)).await,
        other => Ok(other),
    }
}

/// The gateway's own answer about a notice; none when it is unclear, or when it does not know of money that the notice
/// reports: such a notice must not take the place of its repeat.
async fn confirm(
    kit: &PaymentKit,
    payment_id: PaymentId,
    notice: &Notice,
) -> Result<Option<Box<GatewayState>>, Fault> {
    let money = |meaning| {
        use Meaning::{DisputeOpened, Paid, PartiallyRefunded, Refunded};
        matches!(meaning, Paid | Refunded | PartiallyRefunded | DisputeOpened)
    };
    let asked = match ask::ask(kit, payment_id, Lane::Notices, CONFIRM_TIMEOUT).await {
        Err(Fault::Overloaded(_)) => Asked::Unclear,
        asked => asked?,
    };
    match asked {
        Asked::Known(state) if money(notice.meaning) && !money(state.meaning) => Ok(None),
        Asked::Known(state) => Ok(Some(state)),
        Asked::NotFound | Asked::Unclear | Asked::CannotAsk => Ok(None),
    }
}

/// Failure for ten minutes after the event was first seen, then success and a task: the money is real, only nobody
/// knows what it is for.
async fn orphan(
    kit: &PaymentKit,
    account: &Account,
    gateway: &dyn Gateway,
    notice: &Notice,
) -> Result<Verdict, Fault> {
    let mut conn = kit.db.conn_for(Purpose::Notices).await?;
    let age = inbox::find_age(&mut conn, &account.id, notice.event_key()).await?;
    if age.is_none_or(|seconds| seconds < ORPHAN_PATIENCE.as_secs_f64()) {
        return Ok(Verdict::TryLater);
    }
    let said = ask::ask_by_number(kit, account, gateway, notice.facts(), CONFIRM_TIMEOUT).await;
    let subject = format!("{}:{}", account.id, notice.event_key());
    let body = Orphan {
        account: account.id.clone(),
        number: notice.number.clone(),
        trade: notice.trade_no.clone(),
        meaning: notice.meaning.as_str().into(),
        gateway_says: said.into(),
    };
    tasks::open(&conn, &kit.clock, &[NoticeOrphan::open(subject, body)]).await?;
    Ok(Verdict::Success)
}

/// Stores a notice by itself when it could not be settled.
async fn store_unsettled(
    kit: &PaymentKit,
    notice: &Notice,
    raw: &RawNotice,
    verdict: &'static str,
    why: &str,
) -> Result<(), Fault> {
    let mut row = delivery(kit, notice.account_id(), raw, verdict, why.to_owned());
    row.event_key = Some(notice.event_key().to_owned());
    row.verified_by = Some(notice.verified_by() as i16);
    row.names = inbox::names(notice.facts());
    inbox::insert(&*kit.db.conn_for(Purpose::Notices).await?, &[row]).await?;
    Ok(())
}

pub(super) fn delivery(
    kit: &PaymentKit,
    account_id: &str,
    raw: &RawNotice,
    verdict: &'static str,
    reason: String,
) -> Delivery {
    Delivery {
        account_id: account_id.to_owned(),
        event_key: None,
        verdict,
        order_id: None,
        payment_id: None,
        verified_by: None,
        reason: Some(reason),
        names: Vec::new(),
        kept: raw::keep(&kit.sealer, raw, kit.accounts.signed_headers(account_id)),
    }
}
