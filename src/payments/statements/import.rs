//! A statement comes in: from a file that a person fetched, or from the gateway. What its lines say is stored once,
//! however often it is read; it is compared afterwards, so that a stop in between only has to be gone on from.

use std::time::Duration;

use chrono::{NaiveDate, TimeDelta};
use diesel_async::AsyncPgConnection;
use tokio::time::Instant;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::StatementRunId;
use crate::base::outcome::{Failure, Fault, Outcome, Refusal};
use crate::infra::effects::events::{self, Event};
use crate::infra::effects::jobs::{self, NewJob, Payload};
use crate::payments::accounts::Spoken;
use crate::payments::accounts::circuit::Lane;
use crate::payments::events::{OfStatement, StatementEvent, StatementRequested};
use crate::payments::gateways::gateway::{Call, Statement, StatementLine};
use crate::payments::jobs::ImportStatement;
use crate::payments::kit::PaymentKit;
use crate::payments::statements::model::{Fact, Run};
use crate::payments::statements::state::{RunChange, RunState};
use crate::payments::statements::store::facts as store;
use crate::payments::statements::store::runs;
use crate::payments::statements::{compare, keep, read, unmatched};

/// Time for the gateway to hand a statement over.
const TIMEOUT: Duration = Duration::from_secs(25);

/// Time of one go at comparing; a job ends before its lease does and goes on later.
const GO: Duration = Duration::from_secs(15);

/// A statement that has not come by then will not come by itself.
const PATIENCE: TimeDelta = TimeDelta::days(3);

/// How long to wait before a statement that is not there is asked for again.
const NOT_READY: Duration = Duration::from_secs(3_600);
const NO_ANSWER: Duration = Duration::from_secs(600);

/// Facts compared together.
const CHUNK: usize = 500;

/// How long to wait before facts are compared again whose order somebody else held.
const HELD: Duration = Duration::from_secs(30);

/// How often, and after what time, the command line waits for held orders before it leaves them to the worker.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);

/// Whether a run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Finished,
    /// Go on after this time.
    Later(Duration),
}

/// The account, and that a day of its gateway's calendar is over.
fn check(kit: &PaymentKit, account_id: &str, day: NaiveDate) -> Result<Spoken, Refusal> {
    let spoken = kit.accounts.find(account_id);
    let spoken = spoken.ok_or_else(|| {
        Refusal::new(ErrorCode::NotFound, "there is no such account configured").at(["accountId"])
    })?;
    let today = kit.clock.now().with_timezone(&spoken.1.calendar()).date_naive();
    if day >= today {
        return Err(
            Refusal::new(ErrorCode::Invalid, format!("{day} is not over at this gateway")).at(["day"])
        );
    }
    Ok(spoken)
}

/// Has a day's statement fetched and compared in the background. Refusals: `FORBIDDEN`, `NOT_FOUND`, `INVALID`.
pub async fn request(kit: &PaymentKit, actor: &Actor, account_id: &str, day: NaiveDate) -> Outcome<Run> {
    if !actor.is_staff() {
        return Err(Refusal::new(ErrorCode::Forbidden, "statements are for staff").into());
    }
    let (account, gateway) = check(kit, account_id, day)?;
    if !gateway.abilities(&account.keys).statement {
        let text = "this account's gateway has no statements to fetch; import a file of it";
        return Err(Refusal::new(ErrorCode::Invalid, text).at(["accountId"]).into());
    }
    let mut tx = kit.db.begin().await?;
    let run = begin(&mut tx, kit, actor, account_id, day, "gateway").await?;
    jobs::add(&tx, &[job(run.id)]).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(run)
}

/// Writes the run.
async fn begin(
    conn: &mut AsyncPgConnection,
    kit: &PaymentKit,
    actor: &Actor,
    account_id: &str,
    day: NaiveDate,
    source: &str,
) -> Outcome<Run> {
    let id = StatementRunId(kit.clock.uuid());
    runs::insert_run(conn, id, account_id, day, source, actor.user_id()).await?;
    let requested =
        StatementRequested { account: account_id.into(), day: day.to_string(), source: source.into() };
    events::append(conn, &[StatementEvent::Requested(id, requested).by(actor.label())]).await?;
    Ok(runs::find_run(conn, id).await?.ok_or_else(|| Fault::bug("a new run is gone"))?)
}

/// The job of a run.
pub(super) fn job(id: StatementRunId) -> NewJob {
    ImportStatement { run: id }.job()
}

/// Imports a statement that a person fetched, and compares it to its end. `NOT_FOUND`, `INVALID` for a file that is not
/// this gateway's or not of this day.
pub async fn import_file(
    kit: &PaymentKit,
    actor: &Actor,
    account_id: &str,
    day: NaiveDate,
    file: &[u8],
) -> Outcome<Run> {
    let (account, gateway) = check(kit, account_id, day)?;
    let unreadable = |text: String| Refusal::new(ErrorCode::Invalid, text).at(["file"]);
    let entries = gateway.read_statement(&account.keys, file).map_err(unreadable)?;
    // A day's own file has what happened late on the day before or was booked early on the next.
    let near = |line: &StatementLine| {
        let stated = line.at.with_timezone(&gateway.calendar()).date_naive();
        stated.signed_duration_since(day).num_days().abs() <= 1
    };
    for entry in &entries {
        if let Some(line) = entry.said.as_ref().ok().filter(|line| !near(line)) {
            let text = format!("{} is of {}, not of {day}", entry.place, line.at.format("%Y-%m-%d"));
            return Err(unreadable(text).into());
        }
    }
    // A file is not kept: its run and what its lines say come into being together.
    let mut tx = kit.db.begin().await?;
    let run = begin(&mut tx, kit, actor, account_id, day, "file").await?;
    keep::keep(&mut tx, kit, &run, &account, &entries).await?;
    // Should whoever imports it stop, the worker goes on.
    jobs::add(&tx, &[job(run.id).at(kit.clock.now() + TimeDelta::minutes(10))]).await?;
    tx.commit().await?;
    crate::fault_point!("statement.kept");
    let mut tries = 0;
    while let Progress::Later(gap) = work(kit, run.id).await? {
        if gap > Duration::ZERO {
            tries += 1;
            if tries == TRIES {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    let run = runs::find_run(&mut *kit.db.conn().await?, run.id).await?;
    Ok(run.ok_or_else(|| Fault::bug("a run is gone"))?)
}

/// Fetches a statement from the gateway and compares it to its end. `NOT_FOUND`, `INVALID`, and `UNAVAILABLE` when the
/// gateway does not provide it now: then the background goes on asking.
pub async fn import_fetched(
    kit: &PaymentKit,
    actor: &Actor,
    account_id: &str,
    day: NaiveDate,
) -> Outcome<Run> {
    let run = request(kit, actor, account_id, day).await?;
    loop {
        match work(kit, run.id).await? {
            Progress::Later(gap) if gap > Duration::ZERO => {
                let text = format!("the gateway does not give the statement of {day} now");
                return Err(Refusal::new(ErrorCode::Unavailable, text).into());
            }
            Progress::Later(_) => {}
            Progress::Finished => {
                let run = runs::find_run(&mut *kit.db.conn().await?, run.id).await?;
                return Ok(run.ok_or_else(|| Fault::bug("a finished run is gone"))?);
            }
        }
    }
}

/// What a run found, in a few lines of text.
pub async fn summary(kit: &PaymentKit, run: &Run) -> Outcome<String> {
    let mut conn = kit.db.conn().await?;
    let counts = read::count_differences(&mut conn, &[run.id]).await?;
    let mut text = format!(
        "{} {}: {} lines, {} new, {} of these agree",
        run.account_id, run.day, run.lines, run.new_lines, run.matched
    );
    for count in counts {
        text.push_str(&format!("\n{}: {}", count.kind, count.count));
    }
    if !run.state.has_ended() {
        text.push_str("\nnot compared to its end: the worker goes on with what others hold now");
    }
    if let Some(failure) = &run.failure {
        text.push_str(&format!("\nfailed: {failure}"));
    }
    Ok(text)
}

/// Job `statement.import`: fetches, compares, ends; each as far as the time of one go reaches.
pub async fn work(kit: &PaymentKit, id: StatementRunId) -> Outcome<Progress> {
    let Some(run) = runs::find_run(&mut *kit.db.conn().await?, id).await? else {
        return Ok(Progress::Finished);
    };
    let Some((account, gateway)) = kit.accounts.find(&run.account_id) else {
        return fail(kit, &run, "the account left the configuration").await;
    };
    match run.state {
        RunState::Done | RunState::Failed => Ok(Progress::Finished),
        RunState::Requested => {
            let call = Call { keys: &account.keys, now_unix: kit.clock.unix(), timeout: TIMEOUT };
            let late = kit.clock.now() - run.requested_at > PATIENCE;
            let statement = tokio::time::timeout(TIMEOUT, gateway.statement(&call, run.day));
            match kit.circuits.call(&account.id, Lane::Background, statement, Result::is_ok).await {
                Ok(Ok(Statement::Entries(entries))) => {
                    let mut tx = kit.db.begin().await?;
                    keep::keep(&mut tx, kit, &run, &account, &entries).await?;
                    tx.commit().await?;
                    crate::fault_point!("statement.kept");
                    Ok(Progress::Later(Duration::ZERO))
                }
                Ok(Ok(Statement::Unsupported)) => {
                    fail(kit, &run, "this gateway has no statements to fetch").await
                }
                _ if late => fail(kit, &run, "the gateway did not hand the statement over").await,
                Ok(Ok(Statement::NotReady)) => Ok(Progress::Later(NOT_READY)),
                Ok(Ok(Statement::Unknown(why))) => {
                    tracing::warn!(why, run = %run.id, "a statement could not be fetched");
                    Ok(Progress::Later(NO_ANSWER))
                }
                Ok(Err(_)) | Err(_) => Ok(Progress::Later(NO_ANSWER)),
            }
        }
        RunState::Read => compare_all(kit, &run, &(account, gateway)).await,
    }
}

/// Compares what is left. What cannot be booked is a difference and never keeps the others from their verdict; what
/// somebody else holds is come back to.
async fn compare_all(kit: &PaymentKit, run: &Run, spoken: &Spoken) -> Outcome<Progress> {
    let end = Instant::now() + GO;
    let mut after = run.compared_to;
    loop {
        let facts = store::list_open(&mut *kit.db.conn().await?, run, after, CHUNK as i64).await?;
        if facts.is_empty() {
            break;
        }
        for fact in facts {
            compare_one(kit, run, spoken, &fact).await;
            after = fact.id;
            if Instant::now() > end {
                runs::note_compared(&mut *kit.db.conn().await?, run.id, after).await?;
                return Ok(Progress::Later(Duration::ZERO));
            }
        }
    }
    runs::note_compared(&mut *kit.db.conn().await?, run.id, after).await?;
    for fact in store::list_waiting(&mut *kit.db.conn().await?, run, CHUNK as i64).await? {
        compare_one(kit, run, spoken, &fact).await;
    }
    if !store::list_waiting(&mut *kit.db.conn().await?, run, 1).await?.is_empty() {
        return Ok(Progress::Later(HELD));
    }
    unmatched::look(kit, run, spoken).await?;
    finish(kit, run, RunChange::End, None).await
}

async fn compare_one(kit: &PaymentKit, run: &Run, spoken: &Spoken, fact: &Fact) {
    let done = match compare::compare(kit, run, &spoken.0, fact).await {
        Err(failure) if !may_pass(&failure) => compare::give_up(kit, run, fact, why(&failure)).await,
        done => done,
    };
    if let Err(failure) = done {
        tracing::warn!(?failure, run = %run.id, subject = fact.subject(), "a line of a statement waits");
    }
}

/// Whether trying again can help. A number that no column holds is an error of the database and stays one.
fn may_pass(failure: &Failure) -> bool {
    match failure {
        Failure::Refused(_) => false,
        Failure::Fault(Fault::Database(text)) => !text.contains("out of range"),
        Failure::Fault(fault) => fault.may_pass(),
    }
}

fn why(failure: &Failure) -> String {
    match failure {
        Failure::Refused(refusal) => format!("{} ({})", refusal.message, refusal.code),
        Failure::Fault(fault) => fault.to_string(),
    }
}

async fn fail(kit: &PaymentKit, run: &Run, why: &str) -> Outcome<Progress> {
    tracing::warn!(why, run = %run.id, account = run.account_id, day = %run.day, "a statement was not read");
    finish(kit, run, RunChange::Fail, Some(why)).await
}

async fn finish(kit: &PaymentKit, run: &Run, change: RunChange, failure: Option<&str>) -> Outcome<Progress> {
    let after = run.state.after(change).map_err(|e| Fault::bug(e.to_string()))?;
    let mut tx = kit.db.begin().await?;
    if runs::advance_run(&mut tx, run, after, (0, 0), failure).await? == 0 {
        return Ok(Progress::Finished);
    }
    let made = if after == RunState::Done { StatementEvent::Compared } else { StatementEvent::Failed };
    let body = OfStatement { account: run.account_id.clone(), day: run.day.to_string() };
    events::append(&tx, &[made(run.id, body).by("system")]).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(Progress::Finished)
}
