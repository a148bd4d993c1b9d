//! The gateways are asked: about every attempt that the backup knows and that may have been paid since, and for the
//! statement of each day since.

use std::time::Duration;

use chrono::{NaiveDate, TimeDelta};
use futures::StreamExt;
use uuid::Uuid;

use crate::base::ids::PaymentId;
use crate::base::outcome::{Fault, Outcome};
use crate::infra::effects::tasks::{self, NewTask, TaskKind};
use crate::infra::epoch::{self, Epoch};
use crate::infra::stuck::{self, RowName};
use crate::payments::accounts::Spoken;
use crate::payments::accounts::circuit::Lane;
use crate::payments::attempts::ask::{self, Asked};
use crate::payments::attempts::number;
use crate::payments::attempts::store as attempts;
use crate::payments::attempts::unstarted;
use crate::payments::gateways::gateway::{Call, Stated, Statement, StatementEntry, StatementLine};
use crate::payments::kit::PaymentKit;
use crate::payments::report::PaymentReport;
use crate::payments::restored::release;
use crate::payments::restored::store::{self, Known, Question};
use crate::payments::tasks::{Found, RestoredPaymentUnknown, RestoredRefundUnknown};

/// Time for one attempt, and for one statement.
const TIMEOUT: Duration = Duration::from_secs(10);
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(25);

/// Attempts asked about at the same time.
const TOGETHER: usize = 4;

/// A statement that has not come this long after its day will not come by itself.
const PATIENCE: TimeDelta = TimeDelta::days(7);

/// Why a question waits although the gateway answered.
pub(super) const NOT_MADE_YET: &str = "the statement is not made yet";

/// What became of asking about attempts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attempts {
    pub asked: usize,
    /// Those that were paid since.
    pub found: usize,
    /// Those whose gateway gave no usable answer.
    pub unclear: usize,
}

/// The questions for the days since the backup: a row per account and day of its own calendar, and one row for an account
/// that cannot be asked for what nobody here knows.
/// `paid_at` are the accounts that anything was ever paid at.
pub(super) fn questions(kit: &PaymentKit, epoch: &Epoch, paid_at: Vec<String>) -> Vec<Question> {
    let since = epoch.unknown_since.unwrap_or(epoch.raised_at);
    let mut questions = Vec::new();
    for (account, gateway) in kit.accounts.iter() {
        let calendar = gateway.calendar();
        let first = since.with_timezone(&calendar).date_naive();
        let last = epoch.raised_at.with_timezone(&calendar).date_naive();
        let question = |day: NaiveDate, state: &str, reason: Option<&str>| Question {
            account_id: account.id.clone(),
            day,
            state: state.to_owned(),
            unknown_lines: 0,
            reason: reason.map(str::to_owned),
        };
        if gateway.abilities(&account.keys).statement {
            let days = first.iter_days().take_while(|day| *day <= last);
            questions.extend(days.map(|day| question(day, "waiting", None)));
        } else {
            let reason = "this gateway gives out no statements: compare its own list by hand";
            questions.push(question(first, "unanswerable", Some(reason)));
        }
    }
    let gone = paid_at.into_iter().filter(|id| kit.accounts.find(id).is_none());
    questions.extend(gone.map(|account_id| Question {
        account_id,
        day: since.date_naive(),
        state: "unanswerable".into(),
        unknown_lines: 0,
        reason: Some("the account is not configured".into()),
    }));
    questions
}

/// Asks about every attempt that may have been paid since and applies the answers.
pub(super) async fn attempts(kit: &PaymentKit, epoch: &Epoch) -> Outcome<Attempts> {
    let since = epoch.unknown_since.unwrap_or(epoch.raised_at);
    let mut done = Attempts::default();
    let mut after = PaymentId(Uuid::nil());
    loop {
        let ids = store::list_to_ask(&mut *kit.db.conn().await?, since, after).await?;
        let Some(last) = ids.last() else { break };
        after = *last;
        done.asked += ids.len();
        let answers = ids.into_iter().map(|id| one(kit, id));
        let answers: Vec<Outcome<One>> =
            futures::stream::iter(answers).buffer_unordered(TOGETHER).collect().await;
        for answer in answers {
            match answer? {
                One::Found => done.found += 1,
                One::Unclear => done.unclear += 1,
                One::Nothing => {}
            }
        }
    }
    if done.found > 0 {
        epoch::note_found(&mut *kit.db.conn().await?, epoch.id, done.found as i32).await?;
    }
    Ok(done)
}

enum One {
    Found,
    Unclear,
    Nothing,
}

async fn one(kit: &PaymentKit, id: PaymentId) -> Outcome<One> {
    let found = async || -> Outcome<One> {
        let payment = attempts::find(&mut *kit.db.conn().await?, id).await?;
        Ok(if payment.is_some_and(|p| p.state.was_captured()) { One::Found } else { One::Nothing })
    };
    let before = attempts::find(&mut *kit.db.conn().await?, id).await?;
    if let Some(payment) = before.filter(|payment| unstarted::is_unstarted(kit, payment)) {
        // Some gateways cannot be asked about it before its start was repeated, which goes on in the background.
        unstarted::step(kit, payment).await?;
        return found().await;
    }
    let asked = match ask::ask(kit, id, Lane::Background, TIMEOUT).await {
        Err(Fault::Overloaded(_)) => Asked::Unclear,
        asked => asked?,
    };
    match asked {
        Asked::Known(state) => {
            kit.intake.settle(PaymentReport::Answer { payment_id: id, state }).await?;
            found().await
        }
        Asked::NotFound | Asked::CannotAsk => Ok(One::Nothing),
        Asked::Unclear => Ok(One::Unclear),
    }
}

/// Asks one question and records what was answered.
pub(super) async fn day(kit: &PaymentKit, epoch: &Epoch, mut question: Question) -> Outcome<Question> {
    let Some(spoken) = kit.accounts.find(&question.account_id) else {
        question.reason = Some("the account is not configured".into());
        store::advance_question(&mut *kit.db.conn().await?, epoch.id, &question).await?;
        return Ok(question);
    };
    let call = Call { keys: &spoken.0.keys, now_unix: kit.clock.unix(), timeout: STATEMENT_TIMEOUT };
    let statement = tokio::time::timeout(STATEMENT_TIMEOUT * 4, spoken.1.statement(&call, question.day));
    let answer = kit.circuits.call(&spoken.0.id, Lane::Background, statement, Result::is_ok).await;
    let old = kit.clock.now().date_naive() - question.day > PATIENCE;
    (question.state, question.reason) = match answer {
        Ok(Ok(Statement::Entries(entries))) => {
            question.unknown_lines = compare(kit, &spoken, entries).await?;
            ("answered".into(), None)
        }
        Ok(Ok(Statement::NotReady)) if old => {
            ("unanswerable".into(), Some("the statement never came".into()))
        }
        Ok(Ok(Statement::NotReady)) => ("waiting".into(), Some(NOT_MADE_YET.into())),
        Ok(Ok(Statement::Unknown(why))) => ("waiting".into(), Some(why.chars().take(200).collect())),
        Ok(Ok(Statement::Unsupported)) => {
            ("unanswerable".into(), Some("this gateway gives out no statements".into()))
        }
        Ok(Err(_)) => ("waiting".into(), Some("no answer in time".into())),
        Err(put_off) => ("waiting".into(), Some(put_off.to_string())),
    };
    store::advance_question(&mut *kit.db.conn().await?, epoch.id, &question).await?;
    Ok(question)
}

/// Compares a day with what is known here. What is not is asked about where the attempt is known, and else put before a
/// person, as is what cannot be read. Answers how many entries stay unknown.
async fn compare(kit: &PaymentKit, spoken: &Spoken, entries: Vec<StatementEntry>) -> Outcome<i32> {
    let account = spoken.0.id.as_str();
    let mut unknown = 0;
    let mut lines = Vec::new();
    for StatementEntry { place, said } in entries {
        match said {
            Ok(line) => lines.push(line),
            Err(unread) => {
                unknown += 1;
                let body = Found {
                    account: account.into(),
                    number: None,
                    trade: unread.subject.clone(),
                    refund: None,
                    amount_minor: None,
                    currency: None,
                    at: None,
                    why: Some(format!("{place}: {}", unread.why)),
                };
                let subject = format!("{account}:{}:", unread.subject);
                let task = RestoredPaymentUnknown::open(subject, body);
                tasks::open(&*kit.db.conn().await?, &kit.clock, &[task]).await?;
            }
        }
    }
    let known = store::list_known(&mut *kit.db.conn().await?, account, &lines).await?;
    for known in known {
        let Some(line) = lines.get(known.idx as usize - 1) else { continue };
        if !is_ours(kit, line) && known.by_trade.is_none() && known.by_number.is_none() {
            continue;
        }
        if is_known(line, &known) {
            continue;
        }
        // The gateway's own answer about an attempt of ours may settle it.
        if let Some(id) = known.by_trade.or(known.by_number) {
            one(kit, id).await?;
            let again =
                store::list_known(&mut *kit.db.conn().await?, account, std::slice::from_ref(line)).await?;
            if again.first().is_some_and(|known| is_known(line, known)) {
                continue;
            }
        }
        unknown += 1;
        tasks::open(&*kit.db.conn().await?, &kit.clock, &[task(account, line, &known)]).await?;
    }
    Ok(unknown)
}

fn is_known(line: &StatementLine, known: &Known) -> bool {
    known.by_trade.is_some() && (line.stated == Stated::Payment || known.refund_known)
}

/// Other software may sell at the same merchant account: its sales have other numbers, or none.
fn is_ours(kit: &PaymentKit, line: &StatementLine) -> bool {
    line.number.as_deref().is_some_and(|number| number::is_ours(&kit.config.shop.order_prefix, number))
}

fn task(account: &str, line: &StatementLine, known: &Known) -> NewTask {
    let body = Found {
        account: account.into(),
        number: line.number.clone(),
        trade: line.trade_no.clone(),
        refund: line.gateway_refund_id.clone(),
        amount_minor: Some(line.amount_minor),
        currency: Some(line.currency.as_str().into()),
        at: Some(line.at),
        why: None,
    };
    let subject = |name: &str| format!("{account}:{}:{name}", line.trade_no);
    let task = match line.stated {
        Stated::Payment => RestoredPaymentUnknown::open(subject(""), body),
        Stated::Refund | Stated::RefundFailed | Stated::RefundSum => {
            let refund = line.gateway_refund_id.as_deref().or(line.refund_id.as_deref());
            RestoredRefundUnknown::open(subject(refund.unwrap_or("?")), body)
        }
    };
    task.of_order(known.order_id).of_payment(known.by_trade.or(known.by_number))
}

/// Sweep: asks the questions of the last restore again that wait for a statement; once all are answered and nothing is
/// unknown, the stock goes back on sale. Returns how many were answered.
pub async fn sweep(kit: &PaymentKit) -> Outcome<usize> {
    let (epoch, waiting) = {
        let mut conn = kit.db.conn().await?;
        let epoch = epoch::current(&mut conn).await?;
        if epoch.unknown_since.is_none() || epoch.held {
            return Ok(0);
        }
        (epoch, store::list_questions(&mut conn, epoch.id).await?)
    };
    let waiting: Vec<Question> = waiting.into_iter().filter(|q| q.state == "waiting").collect();
    let name = |question: &Question| {
        let name = format!("{}:{}", question.account_id, question.day);
        RowName { subject: name.clone(), public: name }
    };
    let current = &epoch;
    let answered = stuck::each(kit, "restored_questions", waiting, name, |question| async move {
        Ok(usize::from(day(kit, current, question).await?.state != "waiting"))
    })
    .await?;
    if answered > 0 {
        release::release_if_nothing_is_unknown(kit, &epoch).await?;
    }
    // Those that wait are asked again at the next sweep, not at once.
    Ok(0)
}
