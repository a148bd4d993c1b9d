//! The statement of trades (`bill_type` trade): a zip with two GBK tables, one line a payment or refund and their sums.
//! It is out at about nine the next morning; its address holds for half a minute. BillColumns are found by their names,
//! which the documentation and published samples give; lines that begin with `#` are remarks.

use std::io::{Cursor, Read};

use chrono::NaiveDate;
use encoding_rs::GBK;
use serde_json::json;
use zip::ZipArchive;

use super::{event, wire};
use crate::base::money::Currency;
use crate::infra::outbound::{CallError, Method, Outbound, Request};
use crate::payments::gateways::gateway::{
    AccountKeys, Call, EntryPlace, Stated, Statement, StatementEntry, StatementLine,
};
use crate::payments::gateways::{beijing, cells, json};

const LARGEST_ZIP: usize = 64 * 1024 * 1024;
const LARGEST_TABLE: u64 = 512 * 1024 * 1024;

pub(super) async fn statement(outbound: &Outbound, call: &Call<'_>, day: NaiveDate) -> Statement {
    let wanted = json!({ "bill_type": "trade", "bill_date": day.to_string() });
    let method = "alipay.data.dataservice.bill.downloadurl.query";
    let url = match wire::ask(outbound, call, method, &[], &wanted).await {
        wire::Exchanged::Done(answer) => json::text(&answer, &["bill_download_url"]).map(str::to_owned),
        // A day without trades never gets a statement.
        wire::Exchanged::No { code, .. } if code.to_ascii_uppercase().ends_with("BILL_NOT_EXIST") => {
            return if beijing::statement_is_out(day, call.now_unix) {
                Statement::Entries(Vec::new())
            } else {
                Statement::NotReady
            };
        }
        wire::Exchanged::No { code, message } => return Statement::Unknown(format!("{code}: {message}")),
        wire::Exchanged::NotSent(text) | wire::Exchanged::Unknown(text) => return Statement::Unknown(text),
    };
    let plain = call.keys.api_url.as_deref().is_some_and(|base| base.starts_with("http://"));
    let trusted = |url: &String| url.starts_with("https://") || (plain && url.starts_with("http://"));
    let Some(url) = url.filter(trusted) else {
        return Statement::Unknown("the answer has no address of a statement".into());
    };
    let request = Request {
        method: Method::Get,
        url,
        headers: Vec::new(),
        body: Vec::new(),
        timeout: call.timeout,
        largest_answer: LARGEST_ZIP,
    };
    match outbound.call(request).await {
        Ok(answer) if answer.status == 200 => match read(call.keys, &answer.body) {
            Ok(entries) => Statement::Entries(entries),
            Err(text) => Statement::Unknown(text),
        },
        Ok(answer) => {
            Statement::Unknown(format!("the statement's address answers with status {}", answer.status))
        }
        Err(CallError::NotSent(text) | CallError::Unknown(text)) => Statement::Unknown(text),
    }
}

/// Reads the zip as it was given out, or the table of details out of it. The account is in a remark of each table
/// and in the names of the zip.
pub(super) fn read(keys: &AccountKeys, file: &[u8]) -> Result<Vec<StatementEntry>, String> {
    if !file.starts_with(b"PK") {
        return details(keys, file)?.ok_or_else(|| "the file is no statement of trades".to_owned());
    }
    let broken = |error: &dyn std::fmt::Display| format!("the zip cannot be read: {error}");
    let mut archive = ZipArchive::new(Cursor::new(file)).map_err(|e| broken(&e))?;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|e| broken(&e))?;
        let name = entry.name().map(|name| name.into_owned()).unwrap_or_default();
        let named = name.rsplit('/').next().and_then(|name| name.split_once('_'));
        if let Some((account, _)) = named.filter(|(start, _)| is_account(start)) {
            belongs(keys, account)?;
        }
        let mut table = Vec::new();
        let read = entry.take(LARGEST_TABLE + 1).read_to_end(&mut table).map_err(|e| broken(&e))?;
        if read as u64 > LARGEST_TABLE {
            return Err("the zip holds more than 512 MiB".into());
        }
        if let Some(entries) = details(keys, &table)? {
            return Ok(entries);
        }
    }
    Err("the zip holds no statement of trades".into())
}

/// The places of the columns that are read, by the beginnings of their names (brackets come in both widths).
struct BillColumns {
    all: usize,
    trade_no: usize,
    number: usize,
    kind: usize,
    title: usize,
    at: usize,
    amount: usize,
    refund_id: usize,
    fee: usize,
}

impl BillColumns {
    fn of(header: &[&str]) -> Option<Self> {
        let at = |name: &str| header.iter().position(|cell| cell.starts_with(name));
        Some(Self {
            all: header.len(),
            trade_no: at("支付宝交易号")?,
            number: at("商户订单号")?,
            kind: at("业务类型")?,
            title: at("商品名称")?,
            at: at("完成时间")?,
            amount: at("订单金额")?,
            refund_id: at("退款批次号")?,
            fee: at("服务费")?,
        })
    }

    /// The trade that a line is about; which refund of it a torn line does not say.
    fn id<'a>(&self, cells: &[&'a str]) -> Option<&'a str> {
        let kind = cells.get(self.kind).copied();
        cells.get(self.trade_no).copied().filter(|_| kind == Some("交易"))
    }
}

fn is_account(text: &str) -> bool {
    text.len() >= 16 && text.bytes().all(|b| b.is_ascii_digit())
}

/// An account's number begins with the merchant's.
fn belongs(keys: &AccountKeys, account: &str) -> Result<(), String> {
    match keys.setting("seller_id") {
        Some(seller) if !seller.is_empty() && account.starts_with(seller) => Ok(()),
        _ => Err(format!("the statement is another merchant's: {account}")),
    }
}

/// None when the table is not that of the details.
fn details(keys: &AccountKeys, table: &[u8]) -> Result<Option<Vec<StatementEntry>>, String> {
    let (text, _, _) = GBK.decode(table);
    let mut columns = None;
    let mut entries = Vec::new();
    for (index, row) in text.lines().enumerate() {
        if let Some(account) = row.strip_prefix("#账号") {
            belongs(keys, account.trim_matches(|c: char| !c.is_ascii_digit()))?;
        }
        if row.trim().is_empty() || row.starts_with('#') {
            continue;
        }
        let cells: Vec<&str> = row.split(',').map(|cell| cell.trim().trim_matches('"')).collect();
        match &columns {
            None => columns = BillColumns::of(&cells),
            Some(columns) => {
                let place = EntryPlace::line(index + 1);
                let id = columns.id(&cells);
                entries.push(match line(columns, cells) {
                    Ok(line) => StatementEntry::read(place, line),
                    Err(why) => StatementEntry::unread(place, id, row.as_bytes(), why),
                });
            }
        }
    }
    Ok(columns.map(|_| entries))
}

fn line(columns: &BillColumns, mut row: Vec<&str>) -> Result<StatementLine, String> {
    if row.len() <= columns.title {
        return Err("has too few cells".into());
    }
    // A comma in a title is not quoted.
    let surplus = row.len().saturating_sub(columns.all);
    row.drain(columns.title + 1..columns.title + 1 + surplus);
    let cell = |place: usize| row.get(place).copied().ok_or("has too few cells");
    let stated = match cell(columns.kind)? {
        "交易" => Stated::Payment,
        "退款" => Stated::Refund,
        other => return Err(format!("`{other}` is no kind of business this program knows")),
    };
    let amount = cells::fen(cell(columns.amount)?)?;
    let amount_minor = if stated == Stated::Refund { -amount } else { amount };
    let at = cell(columns.at)?;
    let named = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let refund_id = named(cell(columns.refund_id)?).filter(|_| stated == Stated::Refund);
    Ok(StatementLine {
        stated,
        number: named(cell(columns.number)?).map(|number| event::number_here(&number)),
        trade_no: named(cell(columns.trade_no)?).ok_or("has no trade number")?,
        gateway_refund_id: refund_id.clone(),
        refund_id,
        amount_minor,
        // Written from the merchant's side: what Alipay keeps is negative.
        fee_minor: Some(-cells::fee(cell(columns.fee)?)?),
        currency: Currency::parse("CNY").map_err(|e| e.to_string())?,
        at: beijing::read(at).ok_or_else(|| format!("`{at}` is no time"))?,
    })
}
