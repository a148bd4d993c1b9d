//! What a statement says is stored once, however often it is read.

use std::collections::HashMap;

use diesel_async::AsyncPgConnection;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::base::money::Currency;
use crate::base::outcome::{Fault, Outcome};
use crate::payments::accounts::Account;
use crate::payments::gateways::gateway::{StatementEntry, StatementLine};
use crate::payments::kit::PaymentKit;
use crate::payments::statements::compare;
use crate::payments::statements::facts::{self, Read};
use crate::payments::statements::model::{Fact, Kind, NewDifference, Run};
use crate::payments::statements::state::RunChange;
use crate::payments::statements::store::facts::{self as store, NewLine};
use crate::payments::statements::store::{books, runs};

/// Lines stored together.
const CHUNK: usize = 500;

/// Stores what a statement says that was not said before, and its lines.
pub(super) async fn keep(
    conn: &mut AsyncPgConnection,
    kit: &PaymentKit,
    run: &Run,
    account: &Account,
    entries: &[StatementEntry],
) -> Outcome<()> {
    store::lock_account(conn, &run.account_id).await?;
    let lines: Vec<&StatementLine> = entries.iter().filter_map(|entry| entry.said.as_ref().ok()).collect();
    let digests = digests(&lines);
    let mut seen = HashMap::new();
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
    let read = |(line, digest)| Read { line, seen: seen.get(digest).copied() };
    let reads: Vec<Read<'_>> = lines.iter().copied().zip(&digests).map(read).collect();
    let new = reads.iter().filter(|read| read.seen.is_none()).count();
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
    let stated: Vec<_> = lines.iter().copied().zip(&digests).zip(&sorted.of_line).map(line).collect();
    for chunk in stated.chunks(CHUNK) {
        let chunk: Vec<NewLine<'_>> =
            chunk.iter().map(|(line, digest, fact)| NewLine { line, digest, fact: *fact }).collect();
        store::insert_lines(conn, run, &chunk).await?;
    }
    note_unread(conn, kit, run, account, entries).await?;
    let after = run.state.after(RunChange::Read).map_err(|e| Fault::bug(e.to_string()))?;
    if runs::advance_run(conn, run, after, (entries.len(), new), None).await? != 1 {
        return Err(Fault::Database("another process has read this statement".into()).into());
    }
    Ok(())
}

/// Entries that cannot be read are differences of their own. The last reading of a day counts: one that is not among them
/// any more has healed.
async fn note_unread(
    conn: &mut AsyncPgConnection,
    kit: &PaymentKit,
    run: &Run,
    account: &Account,
    entries: &[StatementEntry],
) -> Outcome<()> {
    let unread = || entries.iter().filter_map(|entry| Some((entry.place, entry.said.as_ref().err()?)));
    let subjects: Vec<&str> = unread().map(|(_, unread)| unread.subject.as_str()).collect();
    books::end_unread(conn, run, &subjects).await?;
    for (place, unread) in unread() {
        let new = NewDifference {
            kind: Kind::Unreadable,
            subject: unread.subject.clone(),
            order_id: None,
            payment_id: None,
            there_minor: None,
            here_minor: None,
            // That of amounts, of which there are none.
            currency: account.currencies.first().copied().unwrap_or(Currency::USD),
            why: Some(format!("{place}: {}", unread.why)),
        };
        compare::write_down(conn, kit, run, &new).await?;
    }
    Ok(())
}

/// One per line. Two lines that say the same are distinguished by which of them comes first.
fn digests(lines: &[&StatementLine]) -> Vec<Vec<u8>> {
    let mut seen: HashMap<Vec<u8>, u32> = HashMap::new();
    let one = |line: &&StatementLine| {
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
