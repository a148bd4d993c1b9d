//! The statement of trades (`tradebill`, type ALL): a table behind an address; its SHA-1, over the unpacked text, comes with
//! the address in a signed answer, because the file itself is not signed. Every cell begins with a back quote, two lines
//! of sums are at the end, and a day is out at about ten the next morning. Column names as the documentation of the
//! file's format gives them.

use std::io::Read;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use chrono::NaiveDate;
use flate2::read::MultiGzDecoder;
use serde_json::Value;
use url::Url;

use super::{WechatPay, wire};
use crate::base::money::Currency;
use crate::infra::outbound::Method;
use crate::payments::gateways::gateway::{
    AccountKeys, Call, EntryPlace, Stated, Statement, StatementEntry, StatementLine,
};
use crate::payments::gateways::{beijing, cells, json};

const LARGEST_TABLE: u64 = 512 * 1024 * 1024;

pub(super) async fn statement(gateway: &WechatPay, call: &Call<'_>, day: NaiveDate) -> Statement {
    let path = format!("/v3/bill/tradebill?bill_date={day}&bill_type=ALL&tar_type=GZIP");
    let answer = match wire::exchange(gateway, call, Method::Get, &path, None).await {
        Ok((200, answer)) => answer,
        Ok((status, answer)) => {
            let (code, message) = wire::error_of(&answer);
            return match code.as_str() {
                "STATEMENT_CREATING" => Statement::NotReady,
                // A day without trades never gets a statement.
                "NO_STATEMENT_EXIST" if beijing::statement_is_out(day, call.now_unix) => {
                    Statement::Entries(Vec::new())
                }
                "NO_STATEMENT_EXIST" => Statement::NotReady,
                _ => Statement::Unknown(format!("status {status}: {code} {message}")),
            };
        }
        Err(trouble) => return Statement::Unknown(trouble.text()),
    };
    match fetched(gateway, call, &answer).await {
        Ok(entries) => Statement::Entries(entries),
        Err(text) => Statement::Unknown(text),
    }
}

async fn fetched(
    gateway: &WechatPay,
    call: &Call<'_>,
    answer: &Value,
) -> Result<Vec<StatementEntry>, String> {
    let url = json::text(answer, &["download_url"]).ok_or("the answer has no address")?;
    // Our signature goes there: nowhere but to the platform.
    let origin = |url: &str| Url::parse(url).ok().map(|url| url.origin().ascii_serialization());
    let platform = [
        Some(wire::base(call)),
        Some("https://api.mch.weixin.qq.com"),
        Some("https://api2.mch.weixin.qq.com"),
    ];
    let host = origin(url).ok_or("the answer's address is none")?;
    if !platform.into_iter().flatten().any(|known| origin(known).as_deref() == Some(&host)) {
        return Err("the statement's address is not the platform's".into());
    }
    let file = wire::file(&gateway.outbound, call, url).await.map_err(|error| error.to_string())?;
    if file.status != 200 {
        return Err(format!("the statement's address answers with status {}", file.status));
    }
    let table = unpacked(&file.body)?;
    let hash = hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &table));
    let given =
        json::text(answer, &["hash_value"]).filter(|_| json::text(answer, &["hash_type"]) == Some("SHA1"));
    if !given.ok_or("the answer has no SHA-1")?.eq_ignore_ascii_case(&hash) {
        return Err("the statement is not the one that was promised: its SHA-1 differs".into());
    }
    entries(call.keys, &table)
}

/// Reads a statement as it was given out, packed or not.
pub(super) fn read(keys: &AccountKeys, file: &[u8]) -> Result<Vec<StatementEntry>, String> {
    entries(keys, &unpacked(file)?)
}

fn unpacked(file: &[u8]) -> Result<Vec<u8>, String> {
    if !file.starts_with(&[0x1f, 0x8b]) {
        return Ok(file.to_vec());
    }
    let mut table = Vec::new();
    MultiGzDecoder::new(file)
        .take(LARGEST_TABLE + 1)
        .read_to_end(&mut table)
        .map_err(|error| format!("the statement cannot be unpacked: {error}"))?;
    if table.len() as u64 > LARGEST_TABLE {
        return Err("the statement is larger than 512 MiB".into());
    }
    Ok(table)
}

/// Each line names its merchant, who has to be this one. The sums at the end say how many trades there are: with fewer
/// the statement is cut off.
fn entries(keys: &AccountKeys, table: &[u8]) -> Result<Vec<StatementEntry>, String> {
    let mchid = keys.setting("mchid").filter(|id| !id.is_empty()).ok_or("the account has no `mchid`")?;
    let table = table.strip_prefix("\u{feff}".as_bytes()).unwrap_or(table);
    let mut rows = table.split(|byte| *byte == b'\n').enumerate();
    let header = rows.next().and_then(|(_, row)| std::str::from_utf8(row).ok()).unwrap_or_default();
    let columns = BillColumns::of(header).ok_or("the file is no statement of trades")?;
    let mut found = Vec::new();
    let (mut details, mut strays): (usize, usize) = (0, 0);
    let mut sums = None;
    for (index, raw) in rows.by_ref() {
        let place = EntryPlace::line(index + 1);
        let row = String::from_utf8_lossy(raw);
        if row.starts_with("总交易单数") {
            sums = rows.next().map(|(_, row)| String::from_utf8_lossy(row));
            break;
        }
        if row.trim().is_empty() {
            continue;
        }
        let Some(cells) = cells_of(&row) else {
            strays += 1;
            found.push(StatementEntry::unread(place, None, raw, "is neither a trade nor a sum"));
            continue;
        };
        details += 1;
        if let Some(merchant) = cells.get(columns.merchant).filter(|merchant| **merchant != mchid) {
            return Err(format!("{place}: is another merchant's: {merchant}"));
        }
        let line = match std::str::from_utf8(raw) {
            Ok(_) => columns.line(&cells),
            Err(_) => Err("is not in UTF-8".to_owned()),
        };
        match line {
            Ok(line) => found.extend(line.map(|line| StatementEntry::read(place, line))),
            Err(why) => found.push(StatementEntry::unread(place, columns.id(&cells), raw, why)),
        }
    }
    let sums = sums.as_deref().and_then(cells_of).ok_or("the statement is cut off: it has no sums")?;
    let declared = sums.first().copied().unwrap_or_default();
    // A line that is torn may be a trade, or the rest of the one before it.
    if !declared.parse().is_ok_and(|count: usize| (details..=details + strays).contains(&count)) {
        return Err(format!("the statement says that it has {declared} trades, and has {details}"));
    }
    Ok(found)
}

/// The cells of a line, each of which begins with a back quote.
fn cells_of(row: &str) -> Option<Vec<&str>> {
    Some(row.trim_end().trim_end_matches(',').strip_prefix('`')?.split(",`").map(str::trim).collect())
}

/// The places of the columns that are read.
struct BillColumns {
    at: usize,
    merchant: usize,
    trade_no: usize,
    number: usize,
    state: usize,
    currency: usize,
    gateway_refund_id: usize,
    refund_id: usize,
    refund_state: usize,
    fee: usize,
    amount: usize,
    refund_amount: usize,
}

impl BillColumns {
    fn of(header: &str) -> Option<Self> {
        let names: Vec<&str> = header.split(',').map(|name| name.trim().trim_start_matches('`')).collect();
        let place = |name: &str| names.iter().position(|n| *n == name);
        Some(Self {
            at: place("交易时间")?,
            merchant: place("商户号")?,
            trade_no: place("微信订单号")?,
            number: place("商户订单号")?,
            state: place("交易状态")?,
            currency: place("货币种类")?,
            gateway_refund_id: place("微信退款单号")?,
            refund_id: place("商户退款单号")?,
            refund_state: place("退款状态")?,
            fee: place("手续费")?,
            amount: place("订单金额")?,
            refund_amount: place("申请退款金额")?,
        })
    }

    /// What a line is about: its refund, else its trade.
    fn id<'a>(&self, cells: &[&'a str]) -> Option<&'a str> {
        let cell = |place: usize| cells.get(place).copied().filter(|id| !matches!(*id, "" | "0"));
        cell(self.gateway_refund_id).or_else(|| cell(self.trade_no))
    }

    /// None for a refund that did not go through.
    fn line(&self, cells: &[&str]) -> Result<Option<StatementLine>, String> {
        let cell = |place: usize| cells.get(place).copied().ok_or_else(|| "has too few cells".to_owned());
        let stated = match cell(self.state)? {
            "SUCCESS" => Stated::Payment,
            "REFUND" | "REVOKED" => Stated::Refund,
            other => return Err(format!("`{other}` is no state this program knows")),
        };
        if stated == Stated::Refund && matches!(cell(self.refund_state)?, "FAIL" | "CHANGE") {
            return Ok(None);
        }
        let named = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty() && text != "0");
        let refund = |place: usize| Ok::<_, String>(named(cell(place)?).filter(|_| stated == Stated::Refund));
        let amount = if stated == Stated::Payment { self.amount } else { self.refund_amount };
        let amount_minor = cells::fen(cell(amount)?)?;
        let at = cell(self.at)?;
        Ok(Some(StatementLine {
            stated,
            number: named(cell(self.number)?),
            trade_no: named(cell(self.trade_no)?).ok_or("has no trade number")?,
            refund_id: refund(self.refund_id)?,
            gateway_refund_id: refund(self.gateway_refund_id)?,
            amount_minor,
            fee_minor: Some(cells::fee(cell(self.fee)?)?),
            currency: Currency::parse(cell(self.currency)?).map_err(|e| e.to_string())?,
            at: beijing::read(at).ok_or_else(|| format!("`{at}` is no time"))?,
        }))
    }
}
