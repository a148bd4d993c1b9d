//! The asynchronous notification: a form, signed over all its fields but `sign` and `sign_type`, sorted by name.
//! `sign_type` is not covered by the signature, so it is only compared: the algorithm is RSA2 whatever it says. The
//! documentation asks for four comparisons afterwards (number, total_amount, seller_id, app_id); coupons lower
//! receipt_amount and buyer_pay_amount, which therefore say nothing about what was due.

use crate::base::money::{Currency, parse_minor};
use crate::payments::gateways::gateway::AccountKeys;
use crate::payments::gateways::notice::{Facts, Identity, Meaning, Named, Notice, NoticeRefusal, RefundFact};
use crate::payments::gateways::rsa::PublicKey;
use crate::payments::gateways::{beijing, form};

type Fields = [(String, String)];

/// What Alipay must say about the merchant: the application and the seller.
pub(super) fn identity(keys: &AccountKeys) -> Vec<Identity> {
    ["app_id", "seller_id"].map(|name| Identity::new(name, keys.setting(name).unwrap_or_default())).into()
}

/// Our number as Alipay takes it: letters, digits and the underscore alone.
pub(super) fn number_there(ours: &str) -> String {
    ours.replace('-', "_")
}

/// Alipay's number as ours, which never holds an underscore.
pub(super) fn number_here(theirs: &str) -> String {
    theirs.replace('_', "-")
}

/// Checks and translates one notification.
pub(super) fn read(keys: &AccountKeys, body: &[u8]) -> Result<Notice, NoticeRefusal> {
    let fields = form::parse(body).map_err(NoticeRefusal::format)?;
    let key = verify(keys, &fields)?;
    let id = short(&fields, "notify_id").ok_or(NoticeRefusal::format("notify_id_missing"))?;
    let facts = facts(&fields).map_err(|word| match form::value(&fields, "out_trade_no") {
        Some(number) => {
            let trade_no = short(&fields, "trade_no").map(str::to_owned);
            NoticeRefusal::naming(word, Named::sale(number_here(number), trade_no))
        }
        None => NoticeRefusal::format(word),
    })?;
    Ok(Notice::new(&keys.id, id.to_owned(), key, facts))
}

/// Which of Alipay's keys signed it, counted from 0.
fn verify(keys: &AccountKeys, fields: &Fields) -> Result<usize, NoticeRefusal> {
    let sign = form::value(fields, "sign").filter(|sign| !sign.is_empty());
    let sign = sign.ok_or(NoticeRefusal::signature("sign_missing"))?;
    if form::value(fields, "sign_type") != Some("RSA2") {
        return Err(NoticeRefusal::signature("sign_type_not_rsa2"));
    }
    let pairs = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    // Empty values stay: the Node, Python and Java SDKs keep them.
    let signed = form::sorted(pairs, |name, _| name != "sign" && name != "sign_type");
    let fits = |secret: &crate::base::secret::Secret| {
        PublicKey::parse(secret.expose()).is_some_and(|key| key.verifies(signed.as_bytes(), sign))
    };
    keys.secrets.iter().position(fits).ok_or(NoticeRefusal::signature("sign_mismatch"))
}

fn facts(fields: &Fields) -> Result<Facts, &'static str> {
    let charset = form::value(fields, "charset").unwrap_or("utf-8");
    if !charset.eq_ignore_ascii_case("utf-8") {
        return Err("charset_not_utf8");
    }
    let mut facts = Facts::of(Meaning::Ignored);
    let identities =
        ["app_id", "seller_id"].map(|name| form::value(fields, name).map(|v| Identity::new(name, v)));
    facts.identity = identities.into_iter().flatten().collect();
    if form::value(fields, "notify_type") != Some("trade_status_sync") {
        return Ok(facts);
    }
    facts.number = Some(number_here(short(fields, "out_trade_no").ok_or("out_trade_no_missing")?));
    facts.trade_no = Some(short(fields, "trade_no").ok_or("trade_no_missing")?.to_owned());
    facts.amount_minor = amount(fields, "total_amount")?;
    facts.currency = Currency::parse("CNY").ok();
    // The sum of all refunds so far; Alipay repeats the trade's status and adds it.
    let refunded = amount(fields, "refund_fee")?.filter(|sum| *sum > 0);
    let paid = form::value(fields, "gmt_payment").is_some_and(|at| !at.is_empty());
    facts.meaning = match form::value(fields, "trade_status").ok_or("trade_status_missing")? {
        "WAIT_BUYER_PAY" => Meaning::Pending,
        // Finished: paid, and too long ago to be refunded.
        "TRADE_SUCCESS" | "TRADE_FINISHED" => match refunded {
            None => Meaning::Paid,
            Some(_) if facts.amount_minor.is_none() => return Err("total_amount_missing"),
            part if part < facts.amount_minor => Meaning::PartiallyRefunded,
            _ => Meaning::Refunded,
        },
        "TRADE_CLOSED" if paid || refunded.is_some() => Meaning::Refunded,
        "TRADE_CLOSED" => Meaning::Closed,
        _ => return Err("trade_status_unknown"),
    };
    if facts.meaning == Meaning::Paid && facts.amount_minor.is_none() {
        return Err("total_amount_missing");
    }
    if matches!(facts.meaning, Meaning::Refunded | Meaning::PartiallyRefunded) {
        let sum = refunded.or(facts.amount_minor).ok_or("total_amount_missing")?;
        facts.refunded_minor = Some(sum);
        // Only the sum of all refunds is given; how much this one was is the difference to what was known.
        facts.refund = short(fields, "out_biz_no")
            .map(|id| RefundFact { refund_id: Some(id.to_owned()), ..RefundFact::new(id.to_owned(), None) });
    }
    let at = match facts.meaning {
        Meaning::Refunded | Meaning::PartiallyRefunded => "gmt_refund",
        Meaning::Closed => "gmt_close",
        _ => "gmt_payment",
    };
    facts.occurred_at =
        form::value(fields, at).or(form::value(fields, "notify_time")).and_then(beijing::read);
    // `gmt_create` is when the trade came to be, with the scan of a code or the opening of the page.
    let began = ["gmt_create", "gmt_payment"].into_iter().filter_map(|name| form::value(fields, name));
    facts.began_at = began.filter_map(beijing::read).min();
    Ok(facts)
}

/// A short name without control characters.
fn short<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    let clean =
        |text: &&str| (1..=128).contains(&text.len()) && text.bytes().all(|b| (0x21..0x7f).contains(&b));
    form::value(fields, name).filter(clean)
}

fn amount(fields: &Fields, name: &'static str) -> Result<Option<i64>, &'static str> {
    match form::value(fields, name) {
        None | Some("") => Ok(None),
        Some(text) => parse_minor(text, 2).map(Some).map_err(|_| "amount_malformed"),
    }
}
