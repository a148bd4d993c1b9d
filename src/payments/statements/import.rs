//! A statement comes in: from a file that a person fetched, or from the gateway. What its lines say is stored once,
//! however often it is read; it is compared afterwards, so that a stop in between only has to be gone on from.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{NaiveDate, TimeDelta};
use diesel_async::AsyncPgConnection;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::app::App;
use crate::base::actor::Actor;
use crate::base::ids::StatementRunId;
use crate::base::outcome::{Failure, Fault, Outcome, Refusal};
use crate::infra::events::{self, NewEvent};
use crate::infra::queue::{self, NewJob};
use crate::payments::accounts::Spoken;
use crate::payments::gateway::{Call, Statement, StatementLine};
use crate::payments::statements::facts::{self, Read};
use crate::payments::statements::model::{Fact, Run};
use crate::payments::statements::state::{RunChange, RunState};
use crate::payments::statements::store::facts::{self as store, NewLine};
use crate::payments::statements::store::runs;
use crate::payments::statements::{compare, here_only, read};

/// The job that fetches and compares one statement; its payload is `{"run": uuid}`.
pub const IMPORT: &str = "statement.import";

/// Time for the gateway to hand a statement over.
const TIMEOUT: Duration = Duration::from_secs(25);

/// Time of one go at comparing; a job ends before its lease does and goes on later.
const GO: Duration = Duration::from_secs(15);

/// A statement that has not come by then will not come by itself.
const PATIENCE: TimeDelta = TimeDelta::days(3);

/// How long to wait before a statement that is not there is asked for again.
const NOT_READY: Duration = Duration::from_secs(3_600);
const NO_ANSWER: Duration = Duration::from_secs(600);

/// Lines stored or facts compared together.
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
fn check(app: &App, account_id: &str, day: NaiveDate) -> Result<Spoken, Refusal> {
    let spoken = app.accounts.find(account_id);
    let spoken = spoken
        .ok_or_else(|| Refusal::new("NOT_FOUND", "there is no such account configured").at(["accountId"]))?;
    let today = app.clock.now().with_timezone(&spoken.1.calendar()).date_naive();
    if day >= today {
        return Err(Refusal::new("INVALID", format!("{day} is not over at this gateway")).at(["day"]));
    }
    Ok(spoken)
}

/// Has a day's statement fetched and compared in the background. Refusals: `FORBIDDEN`, `NOT_FOUND`, `INVALID`.
pub async fn request(app: &App, actor: &Actor, account_id: &str, day: NaiveDate) -> Outcome<Run> {
    if !actor.is_staff() {
        return Err(Refusal::new("FORBIDDEN", "statements are for staff").into());
    }
    let (account, gateway) = check(app, account_id, day)?;
    if !gateway.abilities(&account.keys).statement {
        let text = "this account's gateway hands out no statements; import a file of it";
        return Err(Refusal::new("INVALID", text).at(["accountId"]).into());
    }
    let mut tx = app.db.begin().await?;
    let run = begin(&mut tx, app, actor, account_id, day, "gateway").await?;
    queue::add(&tx, &[job(run.id)]).await?;
    tx.commit().await?;
    app.bell.ring();
    Ok(run)
}

/// Writes the run.
async fn begin(
    conn: &mut AsyncPgConnection,
    app: &App,
    actor: &Actor,
    account_id: &str,
    day: NaiveDate,
    source: &str,
) -> Outcome<Run> {
    let id = StatementRunId(app.clock.uuid());
    runs::insert_run(conn, id, account_id, day, source, actor.user_id()).await?;
    let body = json!({ "account": account_id, "day": day.to_string(), "source": source });
    events::append(conn, &[NewEvent::shop("statement.requested", id.0, actor.label(), body)]).await?;
    Ok(runs::find_run(conn, id).await?.ok_or_else(|| Fault::bug("a new run is gone"))?)
}

/// The job of a run.
pub(super) fn job(id: StatementRunId) -> NewJob {
    NewJob::new(IMPORT, json!({ "run": id.0 })).once(id.0.to_string())
}

/// Imports a statement that a person fetched, and compares it to its end. `NOT_FOUND`, `INVALID` for a file that is not
/// this gateway's or not of this day.
pub async fn import_file(
    app: &App,
    actor: &Actor,
    account_id: &str,
    day: NaiveDate,
    file: &[u8],
) -> Outcome<Run> {
    let (account, gateway) = check(app, account_id, day)?;
    let unreadable = |text: String| Refusal::new("INVALID", text).at(["file"]);
    let lines = gateway.read_statement(&account.keys, file).map_err(unreadable)?;
    // A day's own file has what happened late on the day before or was booked early on the next.
    let near = |line: &StatementLine| {
        let stated = line.at.with_timezone(&gateway.calendar()).date_naive();
        stated.signed_duration_since(day).num_days().abs() <= 1
    };
    if let Some((index, line)) = lines.iter().enumerate().find(|(_, line)| !near(line)) {
        let text = format!("entry {} is of {}, not of {day}", index + 1, line.at.format("%Y-%m-%d"));
        return Err(unreadable(text).into());
    }
    // A file is not kept: its run and what its lines say come into being together.
    let mut tx = app.db.begin().await?;
    let run = begin(&mut tx, app, actor, account_id, day, "file").await?;
    keep(&mut tx, &run, &lines).await?;
    // Should whoever imports it stop, the worker goes on.
    queue::add(&tx, &[job(run.id).at(app.clock.now() + TimeDelta::minutes(10))]).await?;
    tx.commit().await?;
    crate::fault_point!("statement.kept");
    let mut tries = 0;
    while let Progress::Later(gap) = work(app, run.id).await? {
        if gap > Duration::ZERO {
            tries += 1;
            if tries == TRIES {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    let run = runs::find_run(&mut *app.db.conn().await?, run.id).await?;
    Ok(run.ok_or_else(|| Fault::bug("a run is gone"))?)
}

/// Fetches a statement from the gateway and compares it to its end. `NOT_FOUND`, `INVALID`, and `UNAVAILABLE` when the
/// gateway does not hand it over now: then the background goes on asking.
pub async fn import_fetched(app: &App, actor: &Actor, account_id: &str, day: NaiveDate) -> Outcome<Run> {
    let run = request(app, actor, account_id, day).await?;
    loop {
        match work(app, run.id).await? {
            Progress::Later(gap) if gap > Duration::ZERO => {
                let text = format!("the gateway does not hand out the statement of {day} now");
                return Err(Refusal::new("UNAVAILABLE", text).into());
            }
            Progress::Later(_) => {}
            Progress::Finished => {
                let run = runs::find_run(&mut *app.db.conn().await?, run.id).await?;
                return Ok(run.ok_or_else(|| Fault::bug("a finished run is gone"))?);
            }
        }
    }
}

/// What a run found, in a few lines of text.
pub async fn summary(app: &App, run: &Run) -> Outcome<String> {
    let mut conn = app.db.conn().await?;
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
pub async fn work(app: &App, id: StatementRunId) -> Outcome<Progress> {
    let Some(run) = runs::find_run(&mut *app.db.conn().await?, id).await? else {
        return Ok(Progress::Finished);
    };
    let Some((account, gateway)) = app.accounts.find(&run.account_id) else {
        return fail(app, &run, "the account left the configuration").await;
    };
    match run.state {
        RunState::Done | RunState::Failed => Ok(Progress::Finished),
        RunState::Requested => {
            let call = Call { keys: &account.keys, now_unix: app.clock.unix(), timeout: TIMEOUT };
            let late = app.clock.now() - run.requested_at > PATIENCE;
            match tokio::time::timeout(TIMEOUT, gateway.statement(&call, run.day)).await {
                Ok(Statement::Lines(lines)) => {
                    let mut tx = app.db.begin().await?;
                    keep(&mut tx, &run, &lines).await?;
                    tx.commit().await?;
                    crate::fault_point!("statement.kept");
                    Ok(Progress::Later(Duration::ZERO))
                }
                Ok(Statement::Unsupported) => fail(app, &run, "this gateway hands out no statements").await,
                _ if late => fail(app, &run, "the gateway did not hand the statement over").await,
                Ok(Statement::NotReady) => Ok(Progress::Later(NOT_READY)),
                Ok(Statement::Unknown(why)) => {
                    tracing::warn!(why, run = %run.id, "a statement could not be fetched");
                    Ok(Progress::Later(NO_ANSWER))
                }
                Err(_) => Ok(Progress::Later(NO_ANSWER)),
            }
        }
        RunState::Read => compare_all(app, &run, &(account, gateway)).await,
    }
}

/// Stores what a statement says that was not said before, and its lines.
async fn keep(conn: &mut AsyncPgConnection, run: &Run, lines: &[StatementLine]) -> Outcome<()> {
    store::lock_account(conn, &run.account_id).await?;
    let digests = digests(lines);
    let mut seen = HashSet::new();
    let mut known = Vec::new();
    let mut trades: Vec<&str> = lines.iter().map(|line| line.trade_no.as_str()).collect();
    trades.sort_unstable();
    trades.dedup();
    for chunk in trades.chunks(CHUNK) {
        known.extend(store::list_known(conn, &run.account_id, chunk).await?);
    }
    for chunk in digests.chunks(CHUNK) {
        let chunk: Vec<&[u8]> = chunk.iter().map(Vec::as_slice).collect();
        seen.extend(store::list_seen(conn, &run.account_id, &chunk).await?);
    }
    let read = |(line, digest)| Read { line, seen: seen.contains(digest) };
    let reads: Vec<Read<'_>> = lines.iter().zip(&digests).map(read).collect();
    let new = reads.iter().filter(|read| !read.seen).count();
    let mut sorted = facts::sort(known, &reads, run.day);
    let changed: Vec<&Fact> = sorted.drafts.iter().filter(|d| d.is_changed()).map(|d| &d.fact).collect();
    for chunk in changed.chunks(CHUNK) {
        store::update(conn, run, chunk).await?;
    }
    let fresh: Vec<usize> = (0..sorted.drafts.len()).filter(|place| sorted.drafts[*place].is_new()).collect();
    for chunk in fresh.chunks(CHUNK) {
        let new: Vec<&Fact> = chunk.iter().map(|place| &sorted.drafts[*place].fact).collect();
        let ids = store::insert(conn, run, &new).await?;
        for (place, id) in chunk.iter().zip(ids) {
            sorted.drafts[*place].fact.id = id;
        }
    }
    let line = |((line, digest), place): ((_, &Vec<u8>), &usize)| {
        (line, digest.clone(), sorted.drafts[*place].fact.id)
    };
    let stated: Vec<_> = lines.iter().zip(&digests).zip(&sorted.of_line).map(line).collect();
    for chunk in stated.chunks(CHUNK) {
        let chunk: Vec<NewLine<'_>> =
            chunk.iter().map(|(line, digest, fact)| NewLine { line, digest, fact: *fact }).collect();
        store::insert_lines(conn, run, &chunk).await?;
    }
    let after = run.state.after(RunChange::Read).map_err(|e| Fault::bug(e.to_string()))?;
    runs::advance_run(conn, run, after, (lines.len(), new), None).await?;
    Ok(())
}

/// One per line. Two lines that say the same are told apart by which of them comes first.
fn digests(lines: &[StatementLine]) -> Vec<Vec<u8>> {
    let mut seen: HashMap<Vec<u8>, u32> = HashMap::new();
    let one = |line: &StatementLine| {
        let said = json!([
            format!("{:?}", line.stated),
            line.number,
            line.trade_no,
            line.refund_id,
            line.gateway_refund_id,
            line.amount_minor,
            line.fee_minor,
            line.currency.as_str(),
            line.at.timestamp(),
        ]);
        let digest = Sha256::digest(said.to_string()).to_vec();
        let before = seen.entry(digest.clone()).or_insert(0);
        *before += 1;
        match *before {
            1 => digest,
            place => Sha256::new().chain_update(digest).chain_update(place.to_be_bytes()).finalize().to_vec(),
        }
    };
    lines.iter().map(one).collect()
}

/// Compares what is left. What cannot be booked is a difference and never keeps the others from their verdict; what
/// somebody else holds is come back to.
async fn compare_all(app: &App, run: &Run, spoken: &Spoken) -> Outcome<Progress> {
    let end = Instant::now() + GO;
    let mut after = run.compared_to;
    loop {
        let facts = store::list_open(&mut *app.db.conn().await?, run, after, CHUNK as i64).await?;
        if facts.is_empty() {
            break;
        }
        for fact in facts {
            compare_one(app, run, spoken, &fact).await;
            after = fact.id;
            if Instant::now() > end {
                runs::note_compared(&mut *app.db.conn().await?, run.id, after).await?;
                return Ok(Progress::Later(Duration::ZERO));
            }
        }
    }
    runs::note_compared(&mut *app.db.conn().await?, run.id, after).await?;
    for fact in store::list_waiting(&mut *app.db.conn().await?, run, CHUNK as i64).await? {
        compare_one(app, run, spoken, &fact).await;
    }
    if !store::list_waiting(&mut *app.db.conn().await?, run, 1).await?.is_empty() {
        return Ok(Progress::Later(HELD));
    }
    here_only::look(app, run, spoken).await?;
    finish(app, run, RunChange::End, None).await
}

async fn compare_one(app: &App, run: &Run, spoken: &Spoken, fact: &Fact) {
    let done = match compare::compare(app, run, &spoken.0, fact).await {
        Err(failure) if !may_pass(&failure) => compare::give_up(app, run, fact, why(&failure)).await,
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

async fn fail(app: &App, run: &Run, why: &str) -> Outcome<Progress> {
    tracing::warn!(why, run = %run.id, account = run.account_id, day = %run.day, "a statement was not read");
    finish(app, run, RunChange::Fail, Some(why)).await
}

async fn finish(app: &App, run: &Run, change: RunChange, failure: Option<&str>) -> Outcome<Progress> {
    let after = run.state.after(change).map_err(|e| Fault::bug(e.to_string()))?;
    let mut tx = app.db.begin().await?;
    if runs::advance_run(&mut tx, run, after, (0, 0), failure).await? == 0 {
        return Ok(Progress::Finished);
    }
    let kind = if after == RunState::Done { "statement.compared" } else { "statement.failed" };
    let body = json!({ "account": run.account_id, "day": run.day.to_string() });
    events::append(&tx, &[NewEvent::shop(kind, run.id.0, "system", body)]).await?;
    tx.commit().await?;
    app.bell.ring();
    Ok(Progress::Finished)
}
