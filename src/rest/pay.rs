//! The hosted page of a payment, which performs whatever its gateway asks for, and the way back from a gateway.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use poem::http::{HeaderValue, StatusCode, header};
use poem::web::{Data, Path};
use poem::{Request, Response, handler};
use url::Url;

use crate::base::actor::Actor;
use crate::base::clock::random;
use crate::base::ids::PaymentId;
use crate::base::money::Money;
use crate::base::outcome::{Failure, Fault};
use crate::base::text::Locale;
use crate::orders::access;
use crate::orders::model::Order;
use crate::orders::state::OrderState;
use crate::orders::store as orders;
use crate::payments::PaymentState;
use crate::payments::attempts::return_url::with_ticket;
use crate::payments::attempts::start::StartOptions;
use crate::payments::attempts::store as attempts;
use crate::payments::attempts::{check_now, hosted};
use crate::payments::gateways::gateway::Action;
use crate::payments::model::Payment;
use crate::rest::page;
use crate::rest::problem::Problem;
use crate::rest::qr;
use crate::rest::state::RestBackend;

/// How long a buyer who comes back waits for the gateway's answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// `GET /pay/{token}`: sends the buyer on, posts the gateway's form, or shows what is to be scanned or read.
#[handler]
pub async fn hosted_page(
    request: &Request,
    backend: Data<&Arc<RestBackend>>,
    Path(token): Path<String>,
) -> Result<Response, Problem> {
    let id = hosted::open(&backend.payments, &token).ok_or_else(Problem::not_found)?;
    let (payment, order) = find(&backend, id).await?;
    let words = Words::of(page::locale(request, &order.locale)?);
    if let Some(text) = over(&backend, &payment, &order, words) {
        return Ok(shown(&order, words, &format!("<p>{text}</p>"), None));
    }
    let action = payment.action.clone().map(serde_json::from_value::<Action>);
    let action = match action {
        Some(Ok(action)) => action,
        Some(Err(_)) => return Err(Fault::bug("a stored action cannot be read").into()),
        None => return Ok(shown(&order, words, &format!("<p>{}</p>", words.not_ready), None)),
    };
    Ok(match action {
        Action::Redirect { url } => see_other(&url),
        Action::Qr { text } => shown(
            &order,
            words,
            &format!(
                "<p>{}</p>{}<pre id=\"code\">{}</pre>{}",
                words.scan,
                qr::svg(&text).unwrap_or_default(),
                page::escape(&text),
                open_link(&text, words)
            ),
            None,
        ),
        Action::Form { url, fields } => form(&order, words, &url, &fields),
        Action::Sdk { name, .. } => {
            shown(&order, words, &format!("<p>{} <code>{}</code></p>", words.sdk, page::escape(&name)), None)
        }
        Action::Instructions { text } => {
            shown(&order, words, &format!("<pre>{}</pre>", page::escape(&text)), None)
        }
    })
}

/// `GET /pay/{token}/code.svg`: what is to be scanned, as a picture.
#[handler]
pub async fn code(backend: Data<&Arc<RestBackend>>, Path(token): Path<String>) -> Result<Response, Problem> {
    let id = hosted::open(&backend.payments, &token).ok_or_else(Problem::not_found)?;
    let (payment, _) = find(&backend, id).await?;
    let drawn = match payment.action.map(serde_json::from_value::<Action>) {
        Some(Ok(Action::Qr { text })) => qr::svg(&text),
        _ => None,
    };
    Ok(Response::builder()
        .content_type("image/svg+xml")
        .header(header::CACHE_CONTROL, "private, no-store")
        .body(drawn.ok_or_else(Problem::not_found)?))
}

/// `GET /return/{payment}`: asks the gateway what became of the payment, then sends the buyer back to the client that
/// started it, with the order's number and a ticket that shows its state and can do nothing else.
#[handler]
pub async fn back(
    request: &Request,
    backend: Data<&Arc<RestBackend>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = PaymentId::parse(&id).map_err(|_| Problem::not_found())?;
    let (payment, order) = find(&backend, id).await?;
    let words = Words::of(page::locale(request, &order.locale)?);
    if payment.state.is_open() {
        attempts::note_returned(&mut *backend.db.conn().await?, id).await.map_err(Fault::from)?;
        // Goes on by itself when the gateway takes longer than the buyer.
        let (backend, payment) = (backend.clone(), payment.clone());
        let asked = tokio::spawn(async move {
            check_now::check_now(&backend.payments, &Actor::system(), payment.id, None).await
        });
        // Everything else is: answered, asked a moment ago, or still being asked.
        if let Ok(Ok(Err(Failure::Fault(fault)))) = tokio::time::timeout(PATIENCE, asked).await {
            tracing::warn!(%fault, payment = %id, "a returning buyer's payment could not be asked about");
        }
    }
    let options: StartOptions = serde_json::from_value(payment.options.clone()).unwrap_or_default();
    // The address was held against the allowed origins when the payment was started.
    let (ticket, _) = access::watch_ticket(&backend, order.id, order.access_generation);
    let target = options.return_url.as_deref().and_then(|url| with_ticket(url, &order.number, &ticket));
    if let Some(target) = target {
        // Browsers that do not follow a redirect into an app by themselves show the way.
        let link = page::escape(target.as_str());
        let body = format!("<p><a class=\"button\" href=\"{link}\">{}</a></p>", words.back);
        let mut response = shown(&order, words, &body, None);
        response.set_status(StatusCode::SEE_OTHER);
        if let Ok(location) = HeaderValue::from_str(target.as_str()) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        return Ok(response);
    }
    let (payment, order) = find(&backend, id).await?;
    if let Some(text) = over(&backend, &payment, &order, words) {
        return Ok(shown(&order, words, &format!("<p>{text}</p>"), None));
    }
    let body = match payment.state {
        PaymentState::Started => {
            let again = page::escape(&hosted::url(&backend.payments, payment.id));
            format!("<p>{}</p><p><a class=\"button\" href=\"{again}\">{}</a></p>", words.unpaid, words.go)
        }
        _ => format!("<p>{}</p>", words.coming),
    };
    Ok(shown(&order, words, &body, None))
}

async fn find(backend: &RestBackend, id: PaymentId) -> Result<(Payment, Order), Problem> {
    let mut conn = backend.db.conn().await?;
    let payment = attempts::find(&mut conn, id).await.map_err(Fault::from)?.ok_or_else(Problem::not_found)?;
    let order = orders::find(&mut conn, payment.order_id).await.map_err(Fault::from)?;
    Ok((payment, order.ok_or_else(Problem::not_found)?))
}

/// Why there is nothing to be paid any more.
fn over(
    backend: &RestBackend,
    payment: &Payment,
    order: &Order,
    words: &'static Words,
) -> Option<&'static str> {
    match order.state {
        OrderState::Paid | OrderState::Closed => return Some(words.paid),
        OrderState::Cancelled => return Some(words.cancelled),
        OrderState::Expired => return Some(words.expired),
        OrderState::PendingPayment => {}
    }
    if !payment.state.is_open() {
        return Some(words.failed);
    }
    payment.expires_at.is_some_and(|at| at <= backend.clock.now()).then_some(words.expired)
}

/// The form posts itself; the button does it where scripts are off.
fn form(order: &Order, words: &Words, url: &str, fields: &[(String, String)]) -> Response {
    if !is_web(url) {
        return shown(order, words, &format!("<p>{}</p>", words.failed), None);
    }
    let inputs: String = fields
        .iter()
        .map(|(name, value)| {
            format!(
                "<input type=\"hidden\" name=\"{}\" value=\"{}\">",
                page::escape(name),
                page::escape(value)
            )
        })
        .collect();
    let nonce = STANDARD.encode(random::<18>());
    let body = format!(
        "<form id=\"go\" method=\"post\" action=\"{}\">{inputs}<button>{}</button></form>\
         <script nonce=\"{nonce}\">document.getElementById(\"go\").submit()</script>",
        page::escape(url),
        words.go,
    );
    // Gateways lead on to other hosts after the post, and browsers hold the whole way against this policy.
    let target = Url::parse(url).map(|u| u.origin().ascii_serialization()).unwrap_or_default();
    shown(order, words, &body, Some(format!("script-src 'nonce-{nonce}'; form-action https: {target}")))
}

fn open_link(text: &str, words: &Words) -> String {
    match is_web(text) {
        true => format!("<p><a class=\"button\" href=\"{}\">{}</a></p>", page::escape(text), words.open),
        false => String::new(),
    }
}

fn is_web(text: &str) -> bool {
    Url::parse(text).is_ok_and(|u| ["http", "https"].contains(&u.scheme()))
}

fn see_other(url: &str) -> Response {
    Response::builder()
        .status(StatusCode::SEE_OTHER)
        .header(header::LOCATION, url)
        .header(header::CACHE_CONTROL, "private, no-store")
        .finish()
}

fn shown(order: &Order, words: &Words, body: &str, more_policy: Option<String>) -> Response {
    let total: Money = order.total();
    let body = format!(
        "<h1>{} {}</h1><p class=\"amount\">{} {}</p>{body}",
        words.order,
        page::escape(&order.number),
        total.decimal(),
        page::escape(order.currency.as_str()),
    );
    let policy = more_policy.unwrap_or_else(|| "form-action 'none'".into());
    page::document(StatusCode::OK, words.locale, &order.number, &body, &policy)
}

struct Words {
    locale: Locale,
    order: &'static str,
    go: &'static str,
    open: &'static str,
    back: &'static str,
    scan: &'static str,
    sdk: &'static str,
    not_ready: &'static str,
    coming: &'static str,
    unpaid: &'static str,
    paid: &'static str,
    expired: &'static str,
    cancelled: &'static str,
    failed: &'static str,
}

impl Words {
    fn of(locale: Locale) -> &'static Self {
        match locale {
            Locale::En => &ENGLISH,
            Locale::Zh => &CHINESE,
        }
    }
}

const ENGLISH: Words = Words {
    locale: Locale::En,
    order: "Order",
    go: "Go on to pay",
    open: "Open",
    back: "Back to where you bought it",
    scan: "Scan this code with your payment app, or open its text on the phone:",
    sdk: "This way to pay works inside the app that started it:",
    not_ready: "The payment is not ready yet. Load this page again in a moment.",
    coming: "Your payment is being confirmed. You may close this page; your order goes on by itself.",
    unpaid: "This order is not paid yet. If you have just paid, you may close this page; otherwise go on to pay.",
    paid: "This order is paid. You may close this page.",
    expired: "The time to pay is over.",
    cancelled: "This order was cancelled.",
    failed: "This payment did not work. Start another one in the shop.",
};

const CHINESE: Words = Words {
    locale: Locale::Zh,
    order: "订单",
    go: "继续支付",
    open: "打开",
    back: "返回购买页面",
    scan: "请用支付应用扫描此二维码，或在手机上打开其内容：",
    sdk: "该支付方式须在发起支付的应用内完成：",
    not_ready: "支付尚未就绪，请稍后刷新本页。",
    coming: "正在确认您的付款。您可以关闭本页，订单会自动继续处理。",
    unpaid: "该订单尚未付款。如您刚刚完成付款，可以关闭本页；否则请继续支付。",
    paid: "该订单已付款，您可以关闭本页。",
    expired: "支付时间已过。",
    cancelled: "该订单已取消。",
    failed: "本次支付未成功，请在商店重新发起。",
};
