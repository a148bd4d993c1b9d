//! Small pages for people: what a link leads to, and what to do when it does not. In the reader's language, without
//! scripts, and with nothing loaded from anywhere.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use poem::http::{StatusCode, header};
use poem::{Request, Response};

use crate::base::caller::Caller;
use crate::base::clock::random;
use crate::base::error_code::ErrorCode;
use crate::base::text::Locale;
use crate::rest::accept;
use crate::rest::problem::Problem;
use crate::rest::state::RestBackend;

const STYLE: &str = "body{font:16px/1.6 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem;\
    color:#1c2430;background:#fff}.amount{font-size:2rem;margin:.2rem 0}pre{white-space:pre-wrap;word-break:break-all;\
    background:#f2f4f7;padding:1rem;border-radius:.4rem}button,.button{font:inherit;display:inline-block;\
    padding:.6rem 1.2rem;border:0;border-radius:.4rem;background:#0a5c46;color:#fff;text-decoration:none}\
    small{color:#5b6675}";

/// The language of who looks at a link: `?locale=`, then `Accept-Language`, then what the caller gives.
///
/// # Errors
/// `BAD_REQUEST` for a `locale` that comes twice. Parameters that are not ours are passed over: whoever passes links on
/// adds some.
pub fn locale(request: &Request, otherwise: &str) -> Result<Locale, Problem> {
    let asked = parameter(request, "locale")?;
    let negotiated = || request.data::<Caller>().and_then(|caller| caller.locale);
    Ok(asked.as_deref().and_then(Locale::negotiate).or_else(negotiated).unwrap_or(Locale::choose(otherwise)))
}

/// A parameter of ours in a request's query.
///
/// # Errors
/// `BAD_REQUEST` when it comes twice: the parts of a chain of programs would not agree on which one counts.
pub fn parameter(request: &Request, name: &'static str) -> Result<Option<String>, Problem> {
    let query = request.uri().query().unwrap_or_default();
    let mut found =
        url::form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name).map(|(_, value)| value);
    let first = found.next().map(|value| value.into_owned());
    if found.next().is_some() {
        let mut problem = Problem::new(ErrorCode::BadRequest, format!("`{name}` is given twice"));
        problem.field = vec![name.to_owned()];
        return Err(problem);
    }
    Ok(first)
}

/// Text as it is written in a page or an attribute.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A page. `body` is HTML; `policy` is what it may do beside showing itself (`form-action 'self'`).
pub fn document(status: StatusCode, locale: Locale, title: &str, body: &str, policy: &str) -> Response {
    let nonce = STANDARD.encode(random::<18>());
    let text = format!(
        "<!doctype html><html lang=\"{}\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><meta name=\"robots\" content=\"noindex\"><title>{}</title>\
         <style nonce=\"{nonce}\">{STYLE}</style><body>{body}</body></html>",
        locale.as_str(),
        escape(title),
    );
    Response::builder()
        .status(status)
        .content_type("text/html; charset=utf-8")
        .header(header::CACHE_CONTROL, "private, no-store")
        .header(header::VARY, "Accept, Accept-Language")
        .header(
            header::CONTENT_SECURITY_POLICY,
            format!(
                "default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors 'none'; {policy}"
            ),
        )
        .body(text)
}

/// Somebody who looks at an answer in a browser.
#[derive(Clone, Copy, Debug)]
pub struct Reader(Locale);

impl Reader {
    /// Whoever asks for a page rather than for data.
    pub fn of(backend: &RestBackend, request: &Request) -> Option<Self> {
        let default = &backend.config.shop.default_locale;
        accept::wants_page(request.header(header::ACCEPT))
            .then(|| Self(locale(request, default).unwrap_or(Locale::choose(default))))
    }

    /// Why it does not work, and what to do: the page in place of the problem's JSON.
    pub fn refusal(self, backend: &RestBackend, problem: &Problem, request_id: &str) -> Response {
        let (title, advice) = advice(problem.code, self.0);
        let shop = &backend.config.shop;
        let help = match (&shop.support_email, self.0) {
            (Some(email), Locale::En) => {
                format!("<p>Need help? Write to <a href=\"mailto:{0}\">{0}</a>.</p>", escape(email))
            }
            (Some(email), Locale::Zh) => {
                format!("<p>需要帮助？请联系 <a href=\"mailto:{0}\">{0}</a>。</p>", escape(email))
            }
            (None, _) => String::new(),
        };
        let body = format!(
            "<p>{}</p><h1>{title}</h1><p>{advice}</p>{help}<p><small>{} · {}</small></p>",
            escape(&shop.name),
            problem.code,
            escape(request_id)
        );
        let mut response = document(problem.status, self.0, title, &body, "form-action 'none'");
        if let Some(seconds) = problem.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// A headline and what the reader can do, by the problem's code.
fn advice(code: ErrorCode, locale: Locale) -> (&'static str, &'static str) {
    let (english, chinese) = match code {
        ErrorCode::LinkExpired => (
            (
                "This link has expired",
                "Links work for a limited time. Open your order again and ask for a new one, or have the mail sent again.",
            ),
            ("链接已过期", "链接仅在一段时间内有效。请重新打开订单获取新的链接，或要求重新发送邮件。"),
        ),
        ErrorCode::LinkMalformed | ErrorCode::LinkForged | ErrorCode::NotFound => (
            (
                "This link does not work",
                "It may have been cut off or changed on its way. Open it from the original mail again, or copy the whole address.",
            ),
            ("链接无效", "链接可能在传递中被截断或改动。请从原始邮件中重新打开，或复制完整的地址。"),
        ),
        ErrorCode::LinkNotYet => (
            ("This link does not work yet", "Wait a moment and load this page again."),
            ("链接尚未生效", "请稍候片刻再刷新本页。"),
        ),
        ErrorCode::LinkRevoked | ErrorCode::Revoked => (
            ("This download was withdrawn", "Open your order to see its state, or ask the shop."),
            ("该下载已被收回", "请打开订单查看状态，或联系商店。"),
        ),
        ErrorCode::LinkOtherNetwork => (
            (
                "This link works only where it was made",
                "Open your order on this device and ask for a new link.",
            ),
            ("该链接仅限在生成它的网络中使用", "请在本设备上打开订单并获取新的链接。"),
        ),
        ErrorCode::GrantExhausted => (
            (
                "All downloads were used",
                "This purchase was downloaded as often as it may be. Ask the shop if you need it once more.",
            ),
            ("下载次数已用完", "该购买的下载次数已达上限。如需再次下载，请联系商店。"),
        ),
        ErrorCode::GrantExpired => (
            ("The time for this download is over", "Ask the shop if you still need the file."),
            ("下载期限已过", "如仍需该文件，请联系商店。"),
        ),
        ErrorCode::FileYanked => (
            (
                "This file is not offered any more",
                "The seller took this version back. Open your order: there may be another one.",
            ),
            ("该文件已下架", "卖家已撤回此版本。请打开订单查看是否有其他版本。"),
        ),
        ErrorCode::Refunded => (
            (
                "This purchase was refunded",
                "What was paid back, or is on its way back, cannot be downloaded. Ask the shop if you did not ask for this.",
            ),
            ("该购买已退款", "已退款或正在退款的商品不能再下载。如果您没有申请退款，请联系商店。"),
        ),
        ErrorCode::Replaced => (
            ("There is a replacement", "Open your order: another delivery took the place of this one."),
            ("已有替换品", "请打开订单：该交付已被另一份替换。"),
        ),
        ErrorCode::NotPaid => (
            ("This order is not paid", "Open your order and pay it; the download opens by itself."),
            ("订单尚未支付", "请打开订单完成付款，之后即可下载。"),
        ),
        ErrorCode::NotReady => (
            (
                "This is not ready yet",
                "It is being prepared. Load this page again later; a mail comes when it is done.",
            ),
            ("尚未准备好", "正在准备中，请稍后刷新本页；完成后您会收到邮件。"),
        ),
        ErrorCode::RateLimited => (
            ("Too many at once", "Wait a moment, then load this page again."),
            ("请求过于频繁", "请稍候片刻再刷新本页。"),
        ),
        ErrorCode::BadRequest | ErrorCode::Invalid => (
            (
                "This address cannot be read",
                "Open the link from the original mail again, or copy the whole address.",
            ),
            ("无法读取该地址", "请从原始邮件中重新打开链接，或复制完整的地址。"),
        ),
        ErrorCode::Unavailable | ErrorCode::Timeout | ErrorCode::Internal => (
            ("This does not work right now", "Nothing is lost. Load this page again in a few minutes."),
            ("暂时无法处理", "您的数据没有丢失，请几分钟后再刷新本页。"),
        ),
        _ => (
            ("This does not work", "Open your order to see its state, or ask the shop."),
            ("无法完成", "请打开订单查看状态，或联系商店。"),
        ),
    };
    match locale {
        Locale::En => english,
        Locale::Zh => chinese,
    }
}
