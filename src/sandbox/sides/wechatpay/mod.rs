//! WeChat Pay, API v3: signed calls and signed answers, notices whose content is sealed with the APIv3 key. It signs
//! with a platform certificate or with a platform public key, as while a merchant moves from one to the other.

mod bill;
mod orders;

use std::sync::{Arc, OnceLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::base::clock::random;
use crate::base::outcome::Fault;
use crate::base::secret::Secret;
use crate::config::Account;
use crate::sandbox::book::{Payment, SentNotice};
use crate::sandbox::drawer::Drawer;
use crate::sandbox::forms::Form;
use crate::sandbox::played::{About, AskedQuestion, Can, Draft, Letter, Played, RefundNews, Reply};
use crate::sandbox::rsa::{self, Pair};
use crate::sandbox::sides::{china, epay};
use crate::sandbox::signing::fresh_id;
use crate::sandbox::simulator::Desk;

const NAME: &str = "wechatpay";
const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";
/// Seconds between the clocks that are still taken.
const TOLERANCE: i64 = 300;

/// 15 s, 15 s, 30 s, 3 m, 10 m, 20 m, 30 m, 30 m, 30 m, 60 m, 3 h, 3 h, 3 h, 6 h, 6 h.
const GAPS: [u32; 15] =
    [15, 15, 30, 180, 600, 1_200, 1_800, 1_800, 1_800, 3_600, 10_800, 10_800, 10_800, 21_600, 21_600];

/// What a call answers: status and object, or status, code and sentence.
type WechatPayResult = Result<(u16, Value), (u16, &'static str, &'static str)>;

/// A certificate of the platform, or its bare public key, and what it is called in `Wechatpay-Serial`.
struct Signer {
    pair: Pair,
    serial: String,
    certificate: Option<String>,
}

struct WechatPay {
    mchid: String,
    appid: String,
    /// The shop's certificate, by number; nobody here needs the certificate itself.
    shop_serial: String,
    shop: Pair,
    shop_private: String,
    /// The APIv3 key, 32 characters.
    key: String,
    certificate: Signer,
    public_key: Signer,
    /// The certificate after the next rotation; it is listed at `/v3/certificates` alone.
    next: OnceLock<Option<Signer>>,
}

/// WeChat Pay with its merchant, application and keys from the drawer.
pub(super) fn played(secrets: &mut Drawer) -> Result<Arc<dyn Played>, Fault> {
    let mchid = secrets
        .keep("wechatpay_mchid", || Ok(format!("19{:08}", u32::from_le_bytes(random()) % 100_000_000)))?;
    let shop_private = secrets.keep("wechatpay_shop_key", rsa::make)?;
    let platform = secrets.keep("wechatpay_platform_key", rsa::make)?;
    let serial = secrets.keep("wechatpay_platform_serial", || Ok(rsa::serial()))?;
    let certificate = secrets
        .keep("wechatpay_platform_certificate", || rsa::certificate(&platform, "Tenpay.com sign", &serial))?;
    let public = Pair::open(&secrets.keep("wechatpay_public_key", rsa::make)?)?;
    Ok(Arc::new(WechatPay {
        appid: secrets.keep("wechatpay_appid", || Ok(format!("wx{}", hex::encode(random::<8>()))))?,
        shop_serial: secrets.keep("wechatpay_shop_serial", || Ok(rsa::serial()))?,
        shop: Pair::open(&shop_private)?,
        shop_private,
        key: secrets.keep("wechatpay_api_v3_key", || Ok(hex::encode(random::<16>())))?,
        certificate: Signer { pair: Pair::open(&platform)?, serial, certificate: Some(certificate) },
        public_key: Signer {
            pair: public,
            serial: format!("PUB_KEY_ID_01{mchid}2026010100"),
            certificate: None,
        },
        next: OnceLock::new(),
        mchid,
    }))
}

fn rotated() -> Option<Signer> {
    let (private, serial) = (rsa::make().ok()?, rsa::serial());
    let certificate = rsa::certificate(&private, "Tenpay.com sign", &serial).ok()?;
    Some(Signer { pair: Pair::open(&private).ok()?, serial, certificate: Some(certificate) })
}

impl WechatPay {
    /// Who signs now when a certificate is wanted.
    fn by_certificate(&self, desk: &Desk) -> &Signer {
        let next = if desk.trouble().rotate { self.next.get_or_init(rotated).as_ref() } else { None };
        next.unwrap_or(&self.certificate)
    }

    /// Whether the shop signed this call with its certificate, for this merchant, just now.
    fn is_signed(&self, asked: &AskedQuestion) -> bool {
        let Some(fields) = asked.header("authorization").strip_prefix(SCHEME) else { return false };
        let field = |name: &str| {
            let start = fields.find(&format!("{name}=\""))? + name.len() + 2;
            fields[start..].split('"').next()
        };
        let (Some(at), Some(nonce), Some(signature)) =
            (field("timestamp"), field("nonce_str"), field("signature"))
        else {
            return false;
        };
        let fresh = at.parse::<i64>().is_ok_and(|at| (at - asked.now).abs() < TOLERANCE);
        let ours = field("mchid") == Some(&self.mchid) && field("serial_no") == Some(&self.shop_serial);
        let body = String::from_utf8_lossy(&asked.body);
        let text = format!("{}\n{}\n{at}\n{nonce}\n{body}\n", asked.method, asked.target);
        let fits = self.shop.fits(text.as_bytes(), signature);
        fresh && ours && fits
    }

    /// The four headers that sign a body at this moment.
    fn headers(&self, signer: &Signer, now: i64, body: &str, forged: bool) -> [(&'static str, String); 5] {
        let nonce = hex::encode(random::<16>());
        let text = format!("{now}\n{nonce}\n{body}\n");
        [
            ("Wechatpay-Timestamp", now.to_string()),
            ("Wechatpay-Nonce", nonce),
            ("Wechatpay-Serial", signer.serial.clone()),
            ("Wechatpay-Signature", signer.pair.sign_or_forge(text.as_bytes(), forged)),
            ("Wechatpay-Signature-Type", SCHEME.to_owned()),
        ]
    }

    /// Sealed with the APIv3 key, as `resource` and certificates are.
    fn sealed(&self, plain: &str, about: &str) -> Option<Value> {
        let nonce = hex::encode(random::<6>());
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, self.key.as_bytes()).ok()?);
        let mut bytes = plain.as_bytes().to_vec();
        let once = Nonce::try_assume_unique_for_key(nonce.as_bytes()).ok()?;
        key.seal_in_place_append_tag(once, Aad::from(about.as_bytes()), &mut bytes).ok()?;
        Some(json!({ "algorithm": "AEAD_AES_256_GCM", "ciphertext": STANDARD.encode(bytes),
            "associated_data": about, "nonce": nonce }))
    }

    fn certificates(&self, desk: &Desk) -> WechatPayResult {
        let next = self.next.get().and_then(Option::as_ref).filter(|_| desk.trouble().rotate);
        let entry = |signer: &Signer| {
            Some(json!({ "serial_no": signer.serial, "effective_time": "2020-01-01T00:00:00+08:00",
                "expire_time": "2049-12-31T00:00:00+08:00",
                "encrypt_certificate": self.sealed(signer.certificate.as_deref()?, "certificate")? }))
        };
        let list: Vec<Value> =
            [Some(&self.certificate), next].into_iter().flatten().filter_map(entry).collect();
        Ok((200, json!({ "data": list })))
    }

    fn call(&self, desk: &Arc<Desk>, asked: &AskedQuestion) -> WechatPayResult {
        let wish = asked.json().unwrap_or_default();
        let query = Form::parse(asked.query.as_bytes());
        let (method, path) = asked.route();
        let mine = |mchid: &str| match mchid == self.mchid {
            true => Ok(()),
            false => Err((400, "PARAM_ERROR", "商户号与签名不一致")),
        };
        match (method, path.as_slice()) {
            ("POST", ["v3", "pay", "transactions", kind @ ("native" | "jsapi" | "h5" | "app")]) => {
                mine(wish["mchid"].as_str().unwrap_or_default())?;
                if wish["appid"] != json!(self.appid) {
                    return Err((400, "APPID_MCHID_NOT_MATCH", "appid和mchid不匹配"));
                }
                orders::start(desk, kind, &wish, asked.now)
            }
            ("GET", ["v3", "pay", "transactions", "out-trade-no", number]) => {
                mine(query.get("mchid"))?;
                orders::by_number(desk, number, asked.now).map(|payment| (200, self.described(&payment)))
            }
            ("GET", ["v3", "pay", "transactions", "id", trade]) => {
                mine(query.get("mchid"))?;
                orders::by_trade(desk, trade).map(|payment| (200, self.described(&payment)))
            }
            ("POST", ["v3", "pay", "transactions", "out-trade-no", number, "close"]) => {
                mine(wish["mchid"].as_str().unwrap_or_default())?;
                orders::close(desk, number, asked.now)
            }
            ("POST", ["v3", "refund", "domestic", "refunds"]) => orders::refund(desk, &wish, asked.now),
            ("GET", ["v3", "refund", "domestic", "refunds", number]) => orders::show_refund(desk, number),
            ("GET", ["v3", "certificates"]) => self.certificates(desk),
            ("GET", ["v3", "bill", "tradebill"]) => {
                bill::address(desk, &self.mchid, &self.appid, &query, asked.now)
            }
            _ => Err((404, "NOT_FOUND", "没有该接口")),
        }
    }

    fn described(&self, payment: &Payment) -> Value {
        orders::described(payment, payment.captures.first(), &self.mchid, &self.appid)
    }
}

impl Played for WechatPay {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "WeChat Pay"
    }

    fn root(&self) -> &'static str {
        NAME
    }

    fn can(&self) -> Can {
        Can {
            pend: true,
            decline: true,
            report_refunds: true,
            slow_refunds: true,
            abnormal_refunds: true,
            probe: true,
            ..epay::CAN
        }
    }

    fn decimals(&self, _currency: &str) -> u32 {
        2
    }

    fn account(&self, base: &str) -> Account {
        let settings = [("mchid", &self.mchid), ("appid", &self.appid), ("serial_no", &self.shop_serial)];
        let public_key = format!("{}:{}", self.public_key.serial, self.public_key.pair.public_pem());
        let certificate = self.certificate.certificate.clone().unwrap_or_default();
        Account {
            id: "sandbox-wechatpay".into(),
            gateway: NAME.into(),
            title: Some("Sandbox WeChat Pay".into()),
            secrets: vec![Secret::new(certificate), Secret::new(public_key)],
            api_key: Some(Secret::new(&*self.shop_private)),
            decryption_key: Some(Secret::new(&*self.key)),
            settings: settings.map(|(name, value)| (name.to_owned(), value.clone())).into(),
            api_url: Some(format!("{base}/wechatpay")),
            sandbox: true,
            ..Account::default()
        }
    }

    fn trade_no(&self, _payment: &Payment, now: i64) -> String {
        orders::number("4200", now)
    }

    fn refund_no(&self, now: i64) -> String {
        orders::number("5030", now)
    }

    /// Signed both ways; only downloads and what browsers open are not.
    fn answer(&self, desk: &Arc<Desk>, asked: &AskedQuestion) -> Reply {
        let (_, path) = asked.route();
        if path == ["cgi-bin", "mmpayweb-bin", "checkmweb"] {
            return orders::open_in_browser(desk, &Form::parse(asked.query.as_bytes()));
        }
        let signed = self.is_signed(asked);
        if signed && path == ["v3", "billdownload", "file"] {
            return bill::download(desk, &self.mchid, &self.appid, &Form::parse(asked.query.as_bytes()));
        }
        let answered = match signed {
            true => self.call(desk, asked),
            false => Err((401, "SIGN_ERROR", "签名错误")),
        };
        let (status, text) = match answered {
            Ok((204, _)) => (204, String::new()),
            Ok((status, body)) => (status, body.to_string()),
            Err((status, code, message)) => (status, json!({ "code": code, "message": message }).to_string()),
        };
        let wants_public_key = asked.header("wechatpay-serial") == self.public_key.serial;
        let signer = if wants_public_key { &self.public_key } else { self.by_certificate(desk) };
        let headers = self.headers(signer, asked.now, &text, desk.trouble().forge_answers);
        let reply =
            if status == 204 { Reply::empty(204) } else { Reply::bytes(status, "application/json", text) };
        headers.into_iter().fold(reply, |reply, (name, value)| reply.with(name, value))
    }

    fn draft(&self, _desk: &Desk, payment: &Payment, about: About<'_>, now: i64) -> Option<Draft> {
        let (kind, summary, inner, target) = match about {
            About::Paid(trade) => {
                let inner = orders::described(payment, payment.capture(trade), &self.mchid, &self.appid);
                ("TRANSACTION.SUCCESS", "支付成功", inner, payment.notify_url.clone())
            }
            About::Refund(id, RefundNews::Created | RefundNews::Updated) => {
                let refund = payment.refund(id)?;
                let (kind, summary) = match refund.status.as_str() {
                    "succeeded" => ("REFUND.SUCCESS", "退款成功"),
                    "failed" => ("REFUND.CLOSED", "退款关闭"),
                    "abnormal" => ("REFUND.ABNORMAL", "退款异常"),
                    _ => return None,
                };
                let target = refund.notes.get("notify_url").cloned().or(payment.notify_url.clone());
                (kind, summary, orders::told_refund(payment, refund, &self.mchid), target)
            }
            _ => return None,
        };
        let id = fresh_id("EV-");
        let event = json!({ "id": id, "create_time": china::stamp(now), "resource_type": "encrypt-resource",
            "event_type": kind, "summary": summary, "resource": inner });
        Some(Draft { id, kind: kind.to_owned(), body: event.to_string(), target })
    }

    /// Sealed and signed anew each time, by certificate or public key at random.
    fn letter(&self, desk: &Desk, notice: &SentNotice, now: i64) -> Option<Letter> {
        let mut event: Value = serde_json::from_str(&notice.body).ok()?;
        let original = if notice.kind.starts_with("REFUND") { "refund" } else { "transaction" };
        let mut resource = self.sealed(&event["resource"].to_string(), original)?;
        resource["original_type"] = json!(original);
        event["resource"] = resource;
        let body = event.to_string();
        let by_certificate = desk.trouble().rotate || random::<1>()[0] < 128;
        let signer = if by_certificate { self.by_certificate(desk) } else { &self.public_key };
        let headers = self.headers(signer, now, &body, notice.forged);
        let letter = Letter::json(notice.target.as_deref()?, &body);
        Some(headers.into_iter().fold(letter, |letter, (name, value)| match name {
            "Wechatpay-Signature" if notice.probe => {
                letter.header(name, format!("WECHATPAY/SIGNTEST/{value}"))
            }
            _ => letter.header(name, value),
        }))
    }

    fn gaps(&self) -> &'static [u32] {
        &GAPS
    }
}
