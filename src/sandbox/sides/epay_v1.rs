//! Epay, first version: a GET per notice, MD5 over the sorted parameters followed by the key, unsigned answers.

use std::sync::Arc;

use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::epay;
use crate::base::outcome::Fault;
use crate::base::secret::Secret;
use crate::config::Account;
use crate::infra::outbound::HttpAnswer;
use crate::sandbox::acts;
use crate::sandbox::book::{Payment, Refund, SentNotice};
use crate::sandbox::drawer::Drawer;
use crate::sandbox::forms::Form;
use crate::sandbox::played::{About, AskedQuestion, Can, Draft, Letter, Played, Reply};
use crate::sandbox::simulator::Desk;

const NAME: &str = "epay_v1";

struct EpayV1 {
    pid: String,
    key: String,
}

/// Epay V1 with its merchant number and key from the drawer.
pub(super) fn played(secrets: &mut Drawer) -> Result<Arc<dyn Played>, Fault> {
    let pid = secrets.keep("epay_v1_pid", || Ok(epay::pid()))?;
    let key = secrets.keep("epay_v1_key", || Ok(epay::key()))?;
    Ok(Arc::new(EpayV1 { pid, key }))
}

impl EpayV1 {
    fn sign(&self, form: &Form) -> String {
        hex::encode(Md5::digest(format!("{}{}", epay::text(form), self.key)))
    }

    /// Whether the shop signed this, for this merchant.
    fn knows(&self, form: &Form) -> Result<(), &'static str> {
        match () {
            () if form.is_ambiguous() => Err("参数重复"),
            () if form.get("pid") != self.pid => Err("商户不存在"),
            () if form.get("sign_type") != "MD5" => Err("签名类型错误"),
            () if form.get("sign") != self.sign(form) => Err("签名校验失败"),
            () => Ok(()),
        }
    }

    fn submit(&self, desk: &Desk, form: &Form, now: i64) -> Reply {
        let opened = self.knows(form).and_then(|()| epay::open(desk, NAME, form, now));
        match opened {
            Ok(payment) => Reply::see_other(desk.page(&payment.id)),
            Err(message) => epay::page_of_refusal(message),
        }
    }

    fn mapi(&self, desk: &Desk, form: &Form, now: i64) -> Value {
        if form.get("clientip").is_empty() {
            return no("用户IP地址不能为空");
        }
        match self.knows(form).and_then(|()| epay::open(desk, NAME, form, now)) {
            Ok(payment) => {
                let kind = if form.get("device") == "mobile" { "payurl" } else { "qrcode" };
                json!({ "code": 1, "msg": "success", "trade_no": payment.id, kind: desk.page(&payment.id) })
            }
            Err(message) => no(message),
        }
    }

    fn api(&self, desk: &Arc<Desk>, form: &Form, now: i64) -> Value {
        if form.get("pid") != self.pid || form.get("key") != self.key {
            return no("商户ID或密钥错误");
        }
        let found = || epay::find(desk, NAME, form, now);
        match form.get("act") {
            "order" => match found() {
                Some(payment) => epay::merged(json!({ "code": 1, "msg": "succ" }), self.order(&payment)),
                None => no("订单号不存在"),
            },
            "orders" => {
                let data: Vec<Value> = epay::page(desk, NAME, form).iter().map(|p| self.order(p)).collect();
                json!({ "code": 1, "msg": "查询订单记录成功！", "count": data.len(), "data": data })
            }
            "settle" => json!({ "code": 1, "msg": "查询结算记录成功！", "data": [] }),
            "refund" => match found() {
                Some(payment) => refund(desk, &payment, form),
                None => no("订单编号不存在！"),
            },
            _ => no("No Act!"),
        }
    }

    fn order(&self, payment: &Payment) -> Value {
        epay::merged(epay::order(payment), json!({ "pid": self.pid }))
    }
}

fn no(message: &str) -> Value {
    json!({ "code": -1, "msg": message })
}

/// There is no number of idempotency: each call gives back once more, as far as there is something left.
fn refund(desk: &Arc<Desk>, payment: &Payment, form: &Form) -> Value {
    match epay::refundable(payment, form) {
        Ok((capture, amount)) => {
            let new = Refund::new(epay::number(desk.clock.unix()), None, &capture.trade_no, amount);
            match acts::refund_for_shop(desk, payment, new).status.as_str() {
                "failed" => no("退款失败，余额不足"),
                _ => json!({ "code": 0, "msg": "退款成功" }),
            }
        }
        Err(message) => no(message),
    }
}

impl Played for EpayV1 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "Epay V1"
    }

    fn root(&self) -> &'static str {
        "epay1"
    }

    fn can(&self) -> Can {
        epay::CAN
    }

    fn decimals(&self, _currency: &str) -> u32 {
        2
    }

    fn account(&self, base: &str) -> Account {
        Account {
            id: "sandbox-epay1".into(),
            gateway: NAME.into(),
            title: Some("Sandbox Epay (MD5)".into()),
            secrets: vec![Secret::new(&*self.key)],
            settings: [("pid".to_owned(), self.pid.clone())].into(),
            api_url: Some(format!("{base}/epay1")),
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
        let (query, body) = (Form::parse(asked.query.as_bytes()), Form::parse(&asked.body));
        let now = asked.now;
        match asked.route() {
            ("GET", path) if path == ["submit.php"] => self.submit(desk, &query, now),
            ("POST", path) if path == ["submit.php"] => self.submit(desk, &body, now),
            ("POST", path) if path == ["mapi.php"] => Reply::json(200, &self.mapi(desk, &body, now)),
            ("GET" | "POST", path) if path == ["api.php"] => {
                Reply::json(200, &self.api(desk, &Form([query.0, body.0].concat()), now))
            }
            _ => Reply::json(404, &no("404")),
        }
    }

    fn draft(&self, _desk: &Desk, payment: &Payment, about: About<'_>, _now: i64) -> Option<Draft> {
        epay::draft(&self.pid, payment, about)
    }

    fn letter(&self, _desk: &Desk, notice: &SentNotice, _now: i64) -> Option<Letter> {
        let form = Form::parse(notice.body.as_bytes());
        let sign = if notice.forged { "0".repeat(32) } else { self.sign(&form) };
        Some(epay::letter(notice.target.as_deref()?, form.with("sign", sign).with("sign_type", "MD5")))
    }

    fn took(&self, answer: &HttpAnswer) -> bool {
        epay::took(answer)
    }

    fn gaps(&self) -> &'static [u32] {
        &epay::GAPS
    }
}
