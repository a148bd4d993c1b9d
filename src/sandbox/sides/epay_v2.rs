//! Epay, second version: the same forms signed with RSA both ways, and calls of which V1 knows nothing.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{china, epay};
use crate::base::outcome::Fault;
use crate::base::secret::Secret;
use crate::config::Account;
use crate::infra::outbound::HttpAnswer;
use crate::sandbox::acts;
use crate::sandbox::book::{Payment, Refund, SentNotice, Status};
use crate::sandbox::drawer::Drawer;
use crate::sandbox::forms::Form;
use crate::sandbox::played::{About, AskedQuestion, Can, Draft, Letter, Played, Reply};
use crate::sandbox::rsa::{self, Pair};
use crate::sandbox::simulator::Desk;

const NAME: &str = "epay_v2";
/// Seconds between the clocks that are still taken.
const TOLERANCE: i64 = 300;

/// Fields of an answer, or what went wrong.
type EpayResult = Result<Value, &'static str>;

const NOT_FOUND: &str = "订单号不存在";

struct EpayV2 {
    pid: String,
    platform: Pair,
    shop: Pair,
    shop_private: String,
}

/// Epay V2 with its merchant number and keys from the drawer.
pub(super) fn played(secrets: &mut Drawer) -> Result<Arc<dyn Played>, Fault> {
    let shop_private = secrets.keep("epay_v2_shop_key", rsa::make)?;
    Ok(Arc::new(EpayV2 {
        pid: secrets.keep("epay_v2_pid", || Ok(epay::pid()))?,
        platform: Pair::open(&secrets.keep("epay_v2_key", rsa::make)?)?,
        shop: Pair::open(&shop_private)?,
        shop_private,
    }))
}

impl EpayV2 {
    /// Whether the shop signed this, for this merchant, just now.
    fn knows(&self, form: &Form, now: i64) -> Result<(), &'static str> {
        let fresh = form.get("timestamp").parse::<i64>().is_ok_and(|at| (at - now).abs() <= TOLERANCE);
        match () {
            () if form.is_ambiguous() => Err("参数重复"),
            () if form.get("pid") != self.pid => Err("商户不存在"),
            () if form.get("sign_type") != "RSA" => Err("签名类型错误"),
            () if !fresh => Err("时间戳(timestamp)不合法"),
            () if !self.shop.fits(epay::text(form).as_bytes(), form.get("sign")) => Err("RSA签名校验失败"),
            () => Ok(()),
        }
    }

    fn sign(&self, form: Form, now: i64, forged: bool) -> Form {
        let form = form.with("timestamp", now.to_string());
        let sign = self.platform.sign_or_forge(epay::text(&form).as_bytes(), forged);
        form.with("sign", sign).with("sign_type", "RSA")
    }

    /// An answer is signed over its plain fields; lists and objects are left out of the text.
    fn reply(&self, desk: &Desk, answered: EpayResult, now: i64) -> Reply {
        let mut answer = match answered {
            Ok(answer) => epay::merged(json!({ "code": 0, "msg": "success" }), answer),
            Err(message) => return Reply::json(200, &json!({ "code": -1, "msg": message })),
        };
        let plain = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let fields = answer.as_object().into_iter().flatten();
        let pairs = fields.filter_map(|(name, value)| Some((name.clone(), plain(value)?))).collect();
        let signed = self.sign(Form(pairs), now, desk.trouble().forge_answers);
        for name in ["timestamp", "sign", "sign_type"] {
            answer[name] = json!(signed.get(name));
        }
        Reply::json(200, &answer)
    }

    fn create(&self, desk: &Desk, form: &Form, now: i64) -> EpayResult {
        if form.get("clientip").is_empty() {
            return Err("用户IP地址(clientip)不能为空");
        }
        let payment = epay::open(desk, NAME, form, now)?;
        let page = desk.page(&payment.id);
        let (kind, info) = match form.get("method") {
            "scan" => return Err("付款码支付未开通"),
            "jsapi" | "app" => (form.get("method"), json!({ "prepay": payment.id }).to_string()),
            "jump" => ("jump", page),
            _ if form.get("device") == "mobile" => ("jump", page),
            _ => ("qrcode", page),
        };
        Ok(json!({ "trade_no": payment.id, "pay_type": kind, "pay_info": info }))
    }

    fn call(&self, desk: &Arc<Desk>, path: &[&str], form: &Form, now: i64) -> EpayResult {
        self.knows(form, now)?;
        let found = || epay::find(desk, NAME, form, now).ok_or(NOT_FOUND);
        match path {
            ["api", "pay", "create"] => self.create(desk, form, now),
            ["api", "pay", "query"] => found().map(|payment| self.order(&payment)),
            ["api", "pay", "close"] => close(desk, &found()?),
            ["api", "pay", "refund"] => refund(desk, &found()?, form, now),
            ["api", "pay", "refundquery"] => refund_query(desk, form),
            ["api", "merchant", "orders"] => {
                let data: Vec<Value> = epay::page(desk, NAME, form).iter().map(|p| self.order(p)).collect();
                Ok(json!({ "data": data }))
            }
            _ => Err("接口不存在"),
        }
    }

    fn order(&self, payment: &Payment) -> Value {
        epay::merged(epay::order(payment), json!({ "pid": self.pid, "clientip": "127.0.0.1" }))
    }
}

fn close(desk: &Desk, payment: &Payment) -> EpayResult {
    match payment.status {
        Status::Open | Status::Pending => {
            acts::enter(desk, payment, Status::Closed, About::Closed);
            Ok(json!({}))
        }
        Status::Closed => Ok(json!({})),
        _ => Err("只能关闭未支付的订单"),
    }
}

/// A number of the shop's longer than five characters makes it idempotent.
fn refund(desk: &Arc<Desk>, payment: &Payment, form: &Form, now: i64) -> EpayResult {
    let number = Some(form.get("out_refund_no")).filter(|number| number.len() > 5);
    if let Some(first) = number.and_then(|number| payment.refund(number)) {
        return match china::fen(form.get("money")) == Some(first.amount) {
            true if first.status == "failed" => Err("退款失败，余额不足"),
            true => Ok(refunded(payment, first)),
            false => Err("退款单号已存在，退款金额不一致"),
        };
    }
    let (capture, amount) = epay::refundable(payment, form)?;
    let new = Refund::new(epay::number(now), number, &capture.trade_no, amount);
    let made = acts::refund_for_shop(desk, payment, new);
    match made.status.as_str() {
        "failed" => Err("退款失败，余额不足"),
        _ => Ok(refunded(payment, &made)),
    }
}

fn refunded(payment: &Payment, refund: &Refund) -> Value {
    json!({ "refund_no": refund.id, "out_refund_no": refund.refund_id, "trade_no": payment.id,
        "out_trade_no": payment.number, "money": china::yuan(refund.amount), "reducemoney": china::yuan(refund.amount) })
}

/// `status` 1: done, 2: failed.
fn refund_query(desk: &Desk, form: &Form) -> EpayResult {
    let id = match form.get("refund_no") {
        "" => form.get("out_refund_no"),
        number => number,
    };
    let payment = desk.change(|book| book.by_refund(NAME, id).cloned()).ok_or("退款记录不存在")?;
    let refund = payment.refund(id).ok_or("退款记录不存在")?;
    let status = match refund.status.as_str() {
        "succeeded" => 1,
        "failed" => 2,
        _ => 0,
    };
    let more = json!({ "status": status, "addtime": china::time(refund.at) });
    Ok(epay::merged(refunded(&payment, refund), more))
}

impl Played for EpayV2 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "Epay V2"
    }

    fn root(&self) -> &'static str {
        "epay2"
    }

    fn can(&self) -> Can {
        Can { slow_refunds: true, ..epay::CAN }
    }

    fn decimals(&self, _currency: &str) -> u32 {
        2
    }

    fn account(&self, base: &str) -> Account {
        Account {
            id: "sandbox-epay2".into(),
            gateway: NAME.into(),
            title: Some("Sandbox Epay (RSA)".into()),
            secrets: vec![Secret::new(self.platform.public_base64())],
            api_key: Some(Secret::new(&*self.shop_private)),
            settings: [("pid".to_owned(), self.pid.clone())].into(),
            api_url: Some(format!("{base}/epay2")),
            sandbox: true,
            ..Account::default()
        }
    }

    fn trade_no(&self, payment: &Payment, now: i64) -> String {
        epay::trade_no(payment, now)
    }

    fn refund_no(&self, now: i64) -> String {
        epay::number(now)
    }

    fn answer(&self, desk: &Arc<Desk>, asked: &AskedQuestion) -> Reply {
        let (method, path) = asked.route();
        let form = if method == "GET" { asked.query.as_bytes() } else { &asked.body };
        let form = Form::parse(form);
        if path == ["api", "pay", "submit"] {
            let opened = self.knows(&form, asked.now).and_then(|()| epay::open(desk, NAME, &form, asked.now));
            return match opened {
                Ok(payment) => Reply::see_other(desk.page(&payment.id)),
                Err(message) => epay::page_of_refusal(message),
            };
        }
        self.reply(desk, self.call(desk, &path, &form, asked.now), asked.now)
    }

    fn draft(&self, _desk: &Desk, payment: &Payment, about: About<'_>, _now: i64) -> Option<Draft> {
        epay::draft(&self.pid, payment, about)
    }

    /// Signed afresh for each attempt, with the time of it.
    fn letter(&self, _desk: &Desk, notice: &SentNotice, now: i64) -> Option<Letter> {
        let form = self.sign(Form::parse(notice.body.as_bytes()), now, notice.forged);
        Some(epay::letter(notice.target.as_deref()?, form))
    }

    fn took(&self, answer: &HttpAnswer) -> bool {
        epay::took(answer)
    }

    fn gaps(&self) -> &'static [u32] {
        &epay::GAPS
    }
}
