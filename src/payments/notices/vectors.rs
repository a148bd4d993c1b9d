//! `dispense gateway test FILE`: signed notifications from a file, each put through the production `authenticate` and
//! the production business check. A file is `{gateway, config, cases}`; a case has `method`, `query`, `headers`,
//! `body`, `now`, `expect` (accept, reject), `order` (the merchant's record, null when there is none) and `meaning`.
//! Stages and reasons of a rejection are printed; only the verdict, and of an accepted case the meaning, count.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::base::money::Currency;
use crate::infra::outbound::Outbound;
use crate::payments::gateways;
use crate::payments::gateways::gateway::{
    AccountKeys, Evidence, Expected, Facts, Gateway, Match, Meaning, RawNotice, matches,
};

#[derive(Deserialize)]
struct File {
    gateway: String,
    config: Value,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default = "post")]
    method: String,
    #[serde(default)]
    query: String,
    headers: BTreeMap<String, String>,
    body: String,
    now: i64,
    expect: String,
    #[serde(default)]
    reject_stage: Option<String>,
    order: Option<VectorOrder>,
    meaning: Option<Value>,
}

#[derive(Deserialize)]
struct VectorOrder {
    order_no: String,
    amount_minor: i64,
    currency: String,
}

fn post() -> String {
    "POST".into()
}

/// One case's verdict.
#[derive(Debug)]
pub struct VectorLine {
    pub name: String,
    pub expected: String,
    /// `accept` and the meaning, or `reject`, the stage and the reason.
    pub got: String,
    pub agrees: bool,
}

#[derive(Debug)]
pub struct VectorsReport {
    pub gateway: String,
    pub lines: Vec<VectorLine>,
}

impl VectorsReport {
    /// How many cases came out otherwise than the file says.
    pub fn differing(&self) -> usize {
        self.lines.iter().filter(|line| !line.agrees).count()
    }
}

impl fmt::Display for VectorsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            let mark = if line.agrees { "ok      " } else { "DIFFERS " };
            writeln!(f, "{mark}{}: expected {}, got {}", line.name, line.expected, line.got)?;
        }
        write!(f, "{}: {} cases, {} differ", self.gateway, self.lines.len(), self.differing())
    }
}

/// Runs a file's text. The error says what is wrong with the file itself.
pub fn run(text: &str) -> Result<VectorsReport, String> {
    let file: File = serde_json::from_str(text).map_err(|e| format!("not a file of vectors: {e}"))?;
    if file.cases.is_empty() {
        return Err("the file has no cases".into());
    }
    let outbound = Outbound::new().map_err(|e| e.to_string())?;
    let name = if file.gateway == "standard_webhooks" { "generic" } else { &file.gateway };
    let known = gateways::all(&outbound);
    let gateway = known.iter().find(|g| g.name() == name).ok_or_else(|| format!("no gateway `{name}`"))?;
    let (mut keys, evidence) = gateway.vectors(&file.config)?;
    keys.id = "vectors".into();
    let lines = file.cases.iter().map(|case| one(gateway.as_ref(), &keys, &evidence, case)).collect();
    Ok(VectorsReport { gateway: file.gateway, lines })
}

fn one(gateway: &dyn Gateway, keys: &AccountKeys, evidence: &Evidence, case: &Case) -> VectorLine {
    let raw = RawNotice {
        method: case.method.clone(),
        query: case.query.clone(),
        headers: case.headers.clone().into_iter().collect(),
        body: case.body.clone().into_bytes(),
        now_unix: case.now,
    };
    let verdict = match gateway.authenticate(keys, &raw, evidence) {
        Err(refusal) => Err(format!("{}: {}", refusal.stage.as_str(), refusal.reason)),
        Ok(notice) => business(gateway, keys, notice.facts(), case.order.as_ref())
            .map(|()| notice.facts().clone())
            .map_err(|reason| format!("business: {reason}")),
    };
    let stage = case.reject_stage.as_deref().map(|stage| format!(" at {stage}")).unwrap_or_default();
    let expected = format!("{}{stage}", case.expect);
    let (got, agrees) = match &verdict {
        Err(reason) => (format!("reject at {reason}"), case.expect == "reject"),
        Ok(facts) => match case.meaning.as_ref().and_then(|meaning| contradiction(facts, meaning)) {
            Some(field) => (format!("accept, but {field} is not what the file says"), false),
            None => (format!("accept as {}", facts.meaning.as_str()), case.expect == "accept"),
        },
    };
    VectorLine { name: case.name.clone(), expected, got, agrees }
}

fn business(
    gateway: &dyn Gateway,
    keys: &AccountKeys,
    facts: &Facts,
    order: Option<&VectorOrder>,
) -> Result<(), String> {
    if facts.meaning == Meaning::Ignored {
        return Ok(());
    }
    let order = order.ok_or("unknown order")?;
    let expected = Expected {
        number: &order.order_no,
        amount_minor: order.amount_minor,
        currency: Currency::parse(&order.currency).map_err(|e| e.to_string())?,
        gateway_reference: None,
        trade_no: None,
        identity: &gateway.identity(keys),
    };
    match matches(facts, &expected) {
        Match::Fits => Ok(()),
        Match::WrongAmount => Err("amount differs".into()),
        Match::WrongCurrency => Err("currency differs".into()),
        Match::Foreign(fact) => Err(format!("foreign: {fact} differs")),
    }
}

/// What the files call a message's meaning: money that neither came nor went back is none of their statuses.
fn status(facts: &Facts) -> &'static str {
    let stuck = facts.refund.as_ref().is_some_and(|refund| refund.needs_person);
    if stuck { Meaning::Ignored.as_str() } else { facts.meaning.as_str() }
}

/// The first field of the file's meaning that the facts contradict.
fn contradiction<'a>(facts: &Facts, meaning: &'a Value) -> Option<&'a str> {
    let meaning = meaning.as_object()?;
    let agrees = |key: &str, value: &Value| match key {
        "order_no" => value.as_str() == facts.number.as_deref(),
        "trade_no" => value.as_str() == facts.trade_no.as_deref(),
        // What a message does not say it does not contradict; money without an amount has not come this far.
        "amount_minor" => facts.amount_minor.is_none_or(|amount| value.as_i64() == Some(amount)),
        "currency" => value.as_str() == facts.currency.as_ref().map(Currency::as_str),
        "status" => value.as_str() == Some(status(facts)),
        "refunded_minor" => value.as_i64() == facts.refunded_minor,
        _ => true,
    };
    meaning.iter().find(|(key, value)| !agrees(key, value)).map(|(key, _)| key.as_str())
}
