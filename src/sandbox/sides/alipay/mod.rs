//! Alipay's open platform: one address for every call, RSA2 both ways, forms as notices.

mod bill;
mod trades;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::base::clock::random;
use crate::base::outcome::Fault;
use crate::base::secret::Secret;
use crate::config::Account;
use crate::infra::outbound::{HttpAnswer, Method};
use crate::sandbox::book::{Payment, SentNotice};
use crate::sandbox::drawer::Drawer;
use crate::sandbox::forms::{Form, form};
use crate::sandbox::played::{About, AskedQuestion, Can, Draft, Letter, Played, Reply};
use crate::sandbox::rsa::{self, Pair};
use crate::sandbox::sides::china;
use crate::sandbox::signing::fresh_id;
use crate::sandbox::simulator::Desk;

const NAME: &str = "alipay";
const BUYER: &str = "2088102114562585";

/// 4 m, 10 m, 10 m, 1 h, 2 h, 6 h, 15 h.
const GAPS: [u32; 7] = [240, 600, 600, 3_600, 7_200, 21_600, 54_000];

/// Fields of an answer, or Alipay's `sub_code` and its sentence.
type AlipayResult = Result<Value, (&'static str, &'static str)>;

const NOT_EXIST: (&str, &str) = ("ACQ.TRADE_NOT_EXIST", "交易不存在");

struct Alipay {
    app_id: String,
    seller_id: String,
    /// Alipay's own pair, which signs notices and answers.
    alipay: Pair,
    /// The shop's, which signs its calls.
    shop: Pair,
    shop_private: String,
}

/// Alipay with its ids and keys from the drawer.
pub(super) fn played(secrets: &mut Drawer) -> Result<Arc<dyn Played>, Fault> {
    let number =
        |prefix: &str| Ok(format!("{prefix}{:012}", u64::from_le_bytes(random()) % 1_000_000_000_000));
    let shop_private = secrets.keep("alipay_shop_key", rsa::make)?;
    Ok(Arc::new(Alipay {
        app_id: secrets.keep("alipay_app_id", || number("2021"))?,
        seller_id: secrets.keep("alipay_seller_id", || number("2088"))?,
        alipay: Pair::open(&secrets.keep("alipay_key", rsa::make)?)?,
        shop: Pair::open(&shop_private)?,
        shop_private,
    }))
}

impl Alipay {
    /// What is wrong with a call's common parameters: `sub_code` and sentence.
    fn fault(&self, call: &Form) -> Option<(&'static str, &'static str)> {
        // Of calls everything is signed but the signature, `sign_type` too.
        let text = call.text(|name, value| name != "sign" && !value.is_empty());
        let wrong = |name: &str, wanted: &str| call.get(name) != wanted;
        match () {
            () if call.is_ambiguous() => Some(("isv.invalid-parameter", "参数重复")),
            () if wrong("app_id", &self.app_id) => Some(("isv.invalid-app-id", "无效的AppID参数")),
            () if wrong("sign_type", "RSA2") => Some(("isv.invalid-signature-type", "无效的签名类型")),
            () if wrong("charset", "utf-8") => Some(("isv.invalid-charset", "字符集错误")),
            () if wrong("version", "1.0") => Some(("isv.invalid-parameter", "版本错误")),
            () if !["", "JSON"].contains(&call.get("format")) => {
                Some(("isv.invalid-format", "无效的数据格式"))
            }
            () if china::moment(call.get("timestamp")).is_none() => {
                Some(("isv.invalid-timestamp", "非法的时间戳参数"))
            }
            () if !self.shop.fits(text.as_bytes(), call.get("sign")) => {
                Some(("isv.invalid-signature", "验签出错，建议检查签名字符串或签名私钥与应用公钥是否匹配"))
            }
            () => None,
        }
    }

    /// The object under its name, and a signature of exactly its text.
    fn reply(&self, desk: &Desk, method: &str, answer: &Value) -> Reply {
        let text = answer.to_string();
        let sign = self.alipay.sign_or_forge(text.as_bytes(), desk.trouble().forge_answers);
        let name = method.replace('.', "_");
        let body = format!("{{\"{name}_response\":{text},\"sign\":{}}}", json!(sign));
        Reply::bytes(200, "application/json;charset=utf-8", body)
    }

    fn call(&self, desk: &Arc<Desk>, call: &Form, now: i64) -> Reply {
        let method = call.get("method");
        let business: Value = serde_json::from_str(call.get("biz_content")).unwrap_or_default();
        let by_browser =
            ["alipay.trade.page.pay", "alipay.trade.wap.pay", "alipay.trade.app.pay"].contains(&method);
        if let Some((code, text)) = self.fault(call) {
            let no =
                json!({ "code": "40002", "msg": "Invalid Arguments", "sub_code": code, "sub_msg": text });
            return match by_browser {
                true => refusal_page(code, text),
                false => self.reply(desk, method, &no),
            };
        }
        if by_browser {
            return match trades::open(desk, call, &business, now) {
                Ok(payment) => Reply::see_other(desk.page(&payment.id)),
                Err((code, text)) => refusal_page(code, text),
            };
        }
        let payment = trades::find(desk, &business, now).filter(trades::exists).ok_or(NOT_EXIST);
        let answered = match method {
            "alipay.trade.precreate" => trades::open(desk, call, &business, now)
                .map(|p| json!({ "out_trade_no": p.number, "qr_code": desk.page(&p.id) })),
            "alipay.trade.query" => payment.map(|p| trades::described(&p)),
            "alipay.trade.close" => payment.and_then(|p| trades::close(desk, &p)),
            "alipay.trade.cancel" => Ok(trades::cancel(desk, payment.ok(), &business)),
            "alipay.trade.refund" => payment.and_then(|p| trades::refund(desk, &p, &business)),
            "alipay.trade.fastpay.refund.query" => payment.map(|p| trades::refund_query(&p, &business)),
            "alipay.data.dataservice.bill.downloadurl.query" => bill::address(desk, &business, now),
            _ => Err(("isv.invalid-method", "不存在的方法名")),
        };
        let answer = match answered {
            Ok(mut answer) => {
                answer["code"] = json!("10000");
                answer["msg"] = json!("Success");
                answer
            }
            Err((code, text)) => {
                json!({ "code": "40004", "msg": "Business Failed", "sub_code": code, "sub_msg": text })
            }
        };
        self.reply(desk, method, &answer)
    }
}

fn refusal_page(code: &str, text: &str) -> Reply {
    let page = format!("<!doctype html><meta charset=\"utf-8\"><h1>{code}</h1><p>{text}</p>");
    Reply::bytes(200, "text/html; charset=utf-8", page)
}

impl Played for Alipay {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "Alipay"
    }

    fn root(&self) -> &'static str {
        NAME
    }

    fn can(&self) -> Can {
        Can { pend: true, report_refunds: true, slow_refunds: true, ..crate::sandbox::sides::epay::CAN }
    }

    fn decimals(&self, _currency: &str) -> u32 {
        2
    }

    fn account(&self, base: &str) -> Account {
        let settings = [("app_id", &self.app_id), ("seller_id", &self.seller_id)];
        Account {
            id: "sandbox-alipay".into(),
            gateway: NAME.into(),
            title: Some("Sandbox Alipay".into()),
            secrets: vec![Secret::new(self.alipay.public_pem())],
            api_key: Some(Secret::new(&*self.shop_private)),
            settings: settings.map(|(name, value)| (name.to_owned(), value.clone())).into(),
            api_url: Some(format!("{base}/alipay")),
            sandbox: true,
            ..Account::default()
        }
    }

    fn trade_no(&self, payment: &Payment, now: i64) -> String {
        if payment.captures.is_empty() {
            payment.note("trade_no").to_owned()
        } else {
            trades::number_of_trade(now)
        }
    }

    fn refund_no(&self, _now: i64) -> String {
        fresh_id("alr_")
    }

    fn answer(&self, desk: &Arc<Desk>, asked: &AskedQuestion) -> Reply {
        match asked.route() {
            (_, path) if path == ["gateway.do"] => {
                let call = [Form::parse(asked.query.as_bytes()).0, Form::parse(&asked.body).0].concat();
                self.call(desk, &Form(call), asked.now)
            }
            ("GET", path) if path.len() == 2 && path[0] == "bill" => {
                bill::download(desk, &self.seller_id, path[1], asked.now)
            }
            _ => Reply::json(404, &json!({ "code": "404" })),
        }
    }

    fn draft(&self, _desk: &Desk, payment: &Payment, about: About<'_>, now: i64) -> Option<Draft> {
        let notify_id =
            format!("{}{:017}", china::digits(now), u64::from_le_bytes(random()) % 100_000_000_000_000_000);
        let (trade, status, refunded) = match about {
            About::Paid(trade) => (Some(trade), "TRADE_SUCCESS", 0),
            About::Pending => (None, "WAIT_BUYER_PAY", 0),
            About::Closed if trades::exists(payment) => (None, "TRADE_CLOSED", 0),
            About::Refunded(trade, _) => match payment.refunded(trade) {
                all if all == payment.capture(trade)?.amount => (Some(trade), "TRADE_CLOSED", all),
                part => (Some(trade), "TRADE_SUCCESS", part),
            },
            _ => return None,
        };
        let capture = trade.and_then(|trade| payment.capture(trade));
        let total = china::yuan(capture.map_or(payment.amount, |capture| capture.amount));
        let mut reply = form([
            ("gmt_create", &*china::time(payment.created)),
            ("charset", "utf-8"),
            ("subject", &payment.title),
            ("buyer_id", BUYER),
            ("invoice_amount", &total),
            ("version", "1.0"),
            ("notify_id", &notify_id),
            ("notify_type", "trade_status_sync"),
            ("out_trade_no", &payment.number),
            ("total_amount", &total),
            ("trade_status", status),
            ("trade_no", trade.unwrap_or_else(|| payment.note("trade_no"))),
            ("auth_app_id", &self.app_id),
            ("receipt_amount", &total),
            ("point_amount", "0.00"),
            ("buyer_pay_amount", &total),
            ("app_id", &self.app_id),
            ("seller_id", &self.seller_id),
        ]);
        if let Some(capture) = capture {
            let channels = json!([{ "amount": total, "fundChannel": "ALIPAYACCOUNT" }]).to_string();
            reply = reply.with("gmt_payment", china::time(capture.at)).with("fund_bill_list", channels);
        }
        if refunded > 0 {
            let About::Refunded(_, Some(id)) = about else { return None };
            let last = payment.refund(id)?;
            reply = reply
                .with("refund_fee", china::yuan(refunded))
                .with("gmt_refund", china::time(last.moved_at) + ".000");
            if let Some(request) = &last.refund_id {
                reply = reply.with("out_biz_no", request.clone());
            }
        }
        if status == "TRADE_CLOSED" {
            reply = reply.with("gmt_close", china::time(now));
        }
        let (kind, target) = (status.to_owned(), payment.notify_url.clone());
        Some(Draft { id: notify_id, kind, body: reply.encoded(), target })
    }

    fn letter(&self, _desk: &Desk, notice: &SentNotice, now: i64) -> Option<Letter> {
        let form = Form::parse(notice.body.as_bytes()).with("notify_time", china::time(now));
        let text = form.text(|_, _| true);
        let sign = self.alipay.sign_or_forge(text.as_bytes(), notice.forged);
        let body = form.with("sign", sign).with("sign_type", "RSA2").encoded();
        let kind = "application/x-www-form-urlencoded; charset=utf-8";
        Some(Letter {
            method: Method::Post,
            url: notice.target.clone()?,
            headers: vec![("content-type".to_owned(), kind.to_owned())],
            body: body.into_bytes(),
        })
    }

    fn took(&self, answer: &HttpAnswer) -> bool {
        answer.status == 200 && answer.body == b"success"
    }

    fn gaps(&self) -> &'static [u32] {
        &GAPS
    }
}
