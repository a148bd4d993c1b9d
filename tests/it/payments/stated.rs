//! A gateway that hands out the statements a test writes, and is the generic one in all else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, FixedOffset, NaiveDate, Utc};
use dispense::base::money::Currency;
use dispense::payments::accounts::Accounts;
use dispense::payments::gateways::gateway::{
    Abilities, AccountKeys, Call, Calls, Closing, EntryPlace, Evidence, Gateway, Identity, NewPayment,
    NewRefund, Notice, NoticeRefusal, NumberThere, PaymentRef, Queried, RawNotice, RefundRef, Refunding,
    Reply, Setting, StartFailure, Started, Stated, Statement, StatementEntry, StatementLine, Unit, Verdict,
};
use serde_json::Value;

use crate::harness::TestApp;
use crate::harness::shop::GENERIC;

/// Statements by day; a day without one is not ready.
pub struct Statements {
    generic: Arc<dyn Gateway>,
    days: Mutex<HashMap<NaiveDate, Vec<StatementLine>>>,
}

/// Puts it in the place of the shop's generic gateway.
pub fn put(t: &TestApp) -> Arc<Statements> {
    let (account, generic) = t.app.payments.accounts.find(GENERIC).unwrap();
    let gateway = Arc::new(Statements { generic, days: Mutex::default() });
    t.app.payments.accounts.replace(Accounts::of(vec![(account, gateway.clone())]));
    gateway
}

impl Statements {
    pub fn hand_out(&self, day: NaiveDate, lines: Vec<StatementLine>) {
        self.days.lock().unwrap().insert(day, lines);
    }
}

/// A line about a payment of US cents.
pub fn paid(number: &str, trade_no: &str, amount_minor: i64, fee: i64, at: DateTime<Utc>) -> StatementLine {
    StatementLine {
        stated: Stated::Payment,
        number: Some(number.into()),
        trade_no: trade_no.into(),
        refund_id: None,
        gateway_refund_id: None,
        amount_minor,
        fee_minor: Some(fee),
        currency: Currency::USD,
        at,
    }
}

/// A line about a refund of US cents.
pub fn refunded(trade_no: &str, refund: &str, amount_minor: i64, at: DateTime<Utc>) -> StatementLine {
    StatementLine {
        stated: Stated::Refund,
        number: None,
        gateway_refund_id: Some(refund.into()),
        fee_minor: None,
        ..paid("", trade_no, amount_minor, 0, at)
    }
}

/// The lines of a statement in which all could be read.
pub fn lines(entries: &[StatementEntry]) -> Vec<StatementLine> {
    entries.iter().map(|entry| entry.said.clone().unwrap_or_else(|_| panic!("{entry:?}"))).collect()
}

/// What could not be read: its place, why, and in brackets what it is about.
pub fn unread(entries: &[StatementEntry]) -> Vec<String> {
    let reported = |entry: &StatementEntry| {
        let unread = entry.said.as_ref().err()?;
        Some(format!("{}: {} ({})", entry.place, unread.why, unread.subject))
    };
    entries.iter().filter_map(reported).collect()
}

/// The lines as a file that `read_statement` below reads.
pub fn file(lines: &[StatementLine]) -> Vec<u8> {
    let line = |l: &StatementLine| {
        format!(
            "{:?},{},{},{},{},{},{}",
            l.stated,
            l.number.as_deref().unwrap_or_default(),
            l.trade_no,
            l.gateway_refund_id.as_deref().unwrap_or_default(),
            l.amount_minor,
            l.fee_minor.unwrap_or(0),
            l.at.timestamp()
        )
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n").into_bytes()
}

fn read(line: &str) -> Option<StatementLine> {
    let cells: Vec<&str> = line.split(',').collect();
    let [stated, number, trade_no, refund, amount, fee, at] = cells[..] else { return None };
    let at = DateTime::from_timestamp(at.parse().ok()?, 0)?;
    let amount = amount.parse().ok()?;
    match stated {
        "Payment" => Some(paid(number, trade_no, amount, fee.parse().ok()?, at)),
        "Refund" => Some(refunded(trade_no, refund, amount, at)),
        _ => None,
    }
}

#[async_trait]
impl Calls for Statements {
    async fn evidence(&self, call: &Call<'_>, raw: &RawNotice) -> Result<Evidence, NoticeRefusal> {
        self.generic.evidence(call, raw).await
    }
    async fn start(&self, call: &Call<'_>, payment: &NewPayment<'_>) -> Result<Started, StartFailure> {
        self.generic.start(call, payment).await
    }
    async fn query(&self, call: &Call<'_>, payment: &PaymentRef<'_>) -> Queried {
        self.generic.query(call, payment).await
    }
    async fn number_of(&self, call: &Call<'_>, trade_no: &str) -> NumberThere {
        self.generic.number_of(call, trade_no).await
    }
    async fn capture(&self, call: &Call<'_>, payment: &PaymentRef<'_>) -> Queried {
        self.generic.capture(call, payment).await
    }
    async fn close(&self, call: &Call<'_>, payment: &PaymentRef<'_>) -> Closing {
        self.generic.close(call, payment).await
    }
    async fn refund(&self, call: &Call<'_>, refund: &NewRefund<'_>) -> Refunding {
        self.generic.refund(call, refund).await
    }
    async fn refund_query(&self, call: &Call<'_>, refund: &RefundRef<'_>) -> Refunding {
        self.generic.refund_query(call, refund).await
    }
    async fn statement(&self, _call: &Call<'_>, day: NaiveDate) -> Statement {
        let lines = self.days.lock().unwrap().get(&day).cloned();
        let entry = |(n, line)| StatementEntry::read(EntryPlace::listed("entry", n + 1), line);
        let entries = |lines: Vec<_>| Statement::Entries(lines.into_iter().enumerate().map(entry).collect());
        lines.map_or(Statement::NotReady, entries)
    }
}

impl Gateway for Statements {
    fn name(&self) -> &'static str {
        self.generic.name()
    }
    fn title(&self) -> &'static str {
        self.generic.title()
    }
    fn settings(&self) -> &'static [Setting] {
        self.generic.settings()
    }
    fn faults(&self, keys: &AccountKeys) -> Vec<(&'static str, String)> {
        self.generic.faults(keys)
    }
    fn abilities(&self, keys: &AccountKeys) -> Abilities {
        Abilities { statement: true, refund: true, ..self.generic.abilities(keys) }
    }
    fn vectors(&self, config: &Value) -> Result<(AccountKeys, Evidence), String> {
        self.generic.vectors(config)
    }
    fn unit(&self, currency: Currency) -> Option<Unit> {
        self.generic.unit(currency)
    }
    fn identity(&self, keys: &AccountKeys) -> Vec<Identity> {
        self.generic.identity(keys)
    }
    fn signed_headers(&self) -> &'static [&'static str] {
        &[]
    }

    fn authenticate(
        &self,
        keys: &AccountKeys,
        raw: &RawNotice,
        evidence: &Evidence,
    ) -> Result<Notice, NoticeRefusal> {
        self.generic.authenticate(keys, raw, evidence)
    }
    fn reply(&self, verdict: Verdict) -> Reply {
        self.generic.reply(verdict)
    }
    fn calendar(&self) -> FixedOffset {
        self.generic.calendar()
    }
    fn read_statement(&self, _keys: &AccountKeys, file: &[u8]) -> Result<Vec<StatementEntry>, String> {
        let text = String::from_utf8_lossy(file);
        if !text.contains(',') {
            return Err("the file is no statement".into());
        }
        let entry = |(n, text): (usize, &str)| match read(text) {
            Some(line) => StatementEntry::read(EntryPlace::line(n + 1), line),
            None => StatementEntry::unread(
                EntryPlace::line(n + 1),
                text.split(',').nth(2),
                text.as_bytes(),
                "is no line",
            ),
        };
        Ok(text.lines().enumerate().map(entry).collect())
    }
}
