//! Asks everything in one snapshot.

use std::time::Duration;

use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use crate::base::clock::Clock;
use crate::base::outcome::Fault;
use crate::check::asked::{self, Since};
use crate::check::report::{CheckReport, CheckVerdict, Finding, Invariant};
use crate::check::{
    attempts, bundles, buyers, callers, chain, downloads, goods, hooks, keys, licences, lists, messages,
    money, money_back, notices, retention, seals, secrets, suppliers, waiting, warranty,
};
use crate::config::{Config, Secrets};
use crate::goods::{Supply, codes_of};
use crate::infra::db::{Address, Db, Limits, migrate};
use crate::infra::outbound::Outbound;
use crate::infra::seal::Sealer;
use crate::orders::messages::WITH_GOODS;
use crate::payments::accounts::Accounts;

const INVARIANTS: [Invariant; 21] = [
    keys::INVARIANT,
    goods::HANDED_OVER,
    goods::PAID_FOR,
    money::INVARIANT,
    callers::INVARIANT,
    money_back::INVARIANT,
    notices::INVARIANT,
    messages::INVARIANT,
    suppliers::INVARIANT,
    downloads::INVARIANT,
    seals::INVARIANT,
    buyers::INVARIANT,
    attempts::INVARIANT,
    secrets::INVARIANT,
    licences::INVARIANT,
    bundles::INVARIANT,
    warranty::INVARIANT,
    hooks::INVARIANT,
    waiting::INVARIANT,
    lists::INVARIANT,
    retention::INVARIANT,
];

/// Sales go on while this reads: it takes no lock. It holds one snapshot for as long as it runs, which keeps dead rows
/// from being cleaned away meanwhile.
const SNAPSHOT: &str = "set transaction isolation level repeatable read, read only;
    set local statement_timeout = '15min'; set local idle_in_transaction_session_timeout = '15min';
    set local plan_cache_mode = auto";

#[derive(QueryableByName)]
struct CountedRows {
    #[diesel(sql_type = BigInt)]
    count: i64,
    #[diesel(sql_type = Nullable<Text>)]
    first: Option<String>,
}

/// Proves the database at `url`, beside whatever else uses it; starts nothing there and writes nothing. With `since` the
/// gateways are asked too, about what is open or moved since then.
pub async fn run_at(url: &str, config: &Config, since: Option<Since>) -> Result<CheckReport, Fault> {
    let limits = Limits {
        connections: 2,
        report_connections: 1,
        background_connections: 1,
        wait: Duration::from_secs(30),
        statement_timeout: Duration::from_millis(config.database.statement_timeout_ms),
        lock_timeout: Duration::from_millis(config.database.lock_timeout_ms),
    };
    let db = Db::new(Address::new(url, &config.database)?, &limits)?;
    if !migrate::is_current(&mut db.dedicated().await?).await? {
        return Err(Fault::setup(
            "the database is not at this program's migrations; run `dispense migrate` first",
        ));
    }
    let mut report = run(&db, &config.secrets).await?;
    if let Some(since) = since {
        let accounts = Accounts::build(config, &Outbound::new()?).map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(|(key, text)| format!("{key}: {text}")).collect();
            Fault::setup(faults.join("; "))
        })?;
        ask_gateways(&mut report, &db, &accounts, &Clock::default(), since).await?;
    }
    Ok(report)
}

/// Adds to a report what gateways say of the payments that are open or moved since then.
pub async fn ask_gateways(
    report: &mut CheckReport,
    db: &Db,
    accounts: &Accounts,
    clock: &Clock,
    since: Since,
) -> Result<(), Fault> {
    let (findings, asked) = asked::ask(db, accounts, clock, since).await?;
    add(&mut report.verdicts, money::INVARIANT.number, asked::QUESTIONS, findings);
    report.asked = Some(asked);
    Ok(())
}

/// Proves the database of a shop with these secrets.
pub async fn run(db: &Db, secrets: &Secrets) -> Result<CheckReport, Fault> {
    let mut tx = db.begin().await?;
    tx.batch_execute(SNAPSHOT).await?;
    let report = ask(&mut tx, secrets).await?;
    tx.commit().await?;
    Ok(report)
}

/// Asks in the caller's transaction. Its keys are unwrapped anew, not taken from a running program's memory.
pub async fn ask(conn: &mut AsyncPgConnection, secrets: &Secrets) -> Result<CheckReport, Fault> {
    let mut verdicts = Vec::new();
    for invariant in &INVARIANTS {
        let mut findings = Vec::new();
        for question in invariant.questions {
            let asked = with_kinds(question.sql);
            let sql = format!("select count(*) as count, min(counter) as first from ({asked}) asked");
            let answer: CountedRows = sql_query(sql)
                .get_result(conn)
                .await
                .map_err(|e| Fault::bug(format!("the question \"{}\": {}", question.name, Fault::from(e))))?;
            if let Some(first) = answer.first {
                findings.push(Finding { question: question.name, count: answer.count, first });
            }
        }
        let (number, title, asked) = (invariant.number, invariant.title, invariant.questions.len());
        verdicts.push(CheckVerdict { number, title, asked, findings });
    }
    let sealer = Sealer::new(&secrets.vault, &secrets.fingerprint)?;
    let seals = seals::open_all(conn, &sealer).await?;
    let (texts, broken_texts) = secrets::open_all(conn, &sealer).await?;
    let chain = chain::recompute(conn).await?;
    add(&mut verdicts, keys::INVARIANT.number, 1, seals.twins);
    add(&mut verdicts, seals::INVARIANT.number, seals::BY_OPENING, seals.broken);
    add(&mut verdicts, secrets::INVARIANT.number, secrets::BY_OPENING, broken_texts);
    add(&mut verdicts, seals::INVARIANT.number, chain::BY_HASHING, chain.findings);
    Ok(CheckReport { verdicts, opened: seals.opened + texts, sealed_events: chain.events, asked: None })
}

/// Of what happened since, the events are there. A day for clocks that go before ours.
const EVENTS_KEPT: &str =
    "(select gone_before + interval '1 day' from retention_horizon where name = 'event')";

/// Of messages since then, the attempts to send them are there.
const ATTEMPTS_KEPT: &str = "coalesce((select app_now() - make_interval(days => days) from retention_rule \
    where name = 'message_attempt'), '-infinity')";

/// Puts the codes of kinds, and the time from which events are kept, in the place of their names.
fn with_kinds(sql: &str) -> String {
    let quoted = |codes: &[&str]| {
        let quoted: Vec<String> = codes.iter().map(|code| format!("'{code}'")).collect();
        format!("({})", quoted.join(", "))
    };
    let list = |supply| quoted(&codes_of(supply));
    sql.replace("{events_kept}", EVENTS_KEPT)
        .replace("{attempts_kept}", ATTEMPTS_KEPT)
        .replace("{goods_mails}", &quoted(&WITH_GOODS))
        .replace("{keys}", &list(Supply::Keys))
        .replace("{files}", &list(Supply::Files))
        .replace("{shared}", &list(Supply::Shared))
        .replace("{person}", &list(Supply::Person))
        .replace("{supplier}", &list(Supply::Supplier))
        .replace("{bundles}", &list(Supply::Parts))
}

fn add(verdicts: &mut [CheckVerdict], number: u8, asked: usize, findings: Vec<Finding>) {
    if let Some(verdict) = verdicts.iter_mut().find(|v| v.number == number) {
        verdict.asked += asked;
        verdict.findings.extend(findings);
    }
}
