//! The page a buyer lands on: what is to be paid, and a button for everything that can happen.

use std::sync::Arc;

use poem::http::StatusCode;
use poem::web::{Data, Html, Path, Redirect};
use poem::{IntoResponse, Response, handler};

use super::acts::{self, ACTS, Input};
use super::book::{Book, DisputeStatus, Payment, Status};
use super::forms::Form;
use super::played::decimal;
use super::simulator::Desk;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1.2rem;\
    color:#1c2430;background:#fbfcfd}h1{font-size:1.5rem;margin:0}h2{font-size:1rem;margin:1.6rem 0 .4rem}\
    .amount{font-size:2rem;font-weight:600;margin:.4rem 0}.acts{display:flex;flex-wrap:wrap;gap:.4rem;margin:1rem 0}\
    button{font:inherit;padding:.35rem .8rem;border:1px solid #c5ccd6;border-radius:.4rem;background:#fff;cursor:pointer}\
    .pay{background:#0a5c46;border-color:#0a5c46;color:#fff}table{border-collapse:collapse;width:100%}\
    td,th{padding:.25rem .8rem .25rem 0;text-align:left;border-bottom:1px solid #e4e8ee;word-break:break-word}\
    th{color:#5b6675;font-weight:500}[role=alert]{background:#fdeceb;padding:.6rem 1rem;border-radius:.4rem}";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

fn page(title: &str, body: &str) -> Response {
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{}</title><style>{STYLE}</style><body>{body}</body></html>",
        escape(title)
    ))
    .into_response()
}

fn status(payment: &Payment) -> &'static str {
    match payment.status {
        Status::Open => "waiting for the buyer",
        Status::Approved => "approved, the shop has to take the money",
        Status::Pending => "money on its way",
        Status::Paid => "paid",
        Status::Closed => "closed",
        Status::Failed => "declined",
    }
}

fn dispute_state(status: DisputeStatus) -> &'static str {
    match status {
        DisputeStatus::Inquiry => "the buyer asks",
        DisputeStatus::Opened => "open",
        DisputeStatus::Won => "won",
        DisputeStatus::Lost => "lost",
        DisputeStatus::Withdrawn => "withdrawn",
        DisputeStatus::WonAfterLost => "won after it was lost",
    }
}

fn gateway(desk: &Desk, payment: &Payment) -> &'static str {
    desk.side(&payment.side).map_or("a gateway that is not played any more", |side| side.title())
}

/// `19.99 USD`.
fn money(desk: &Desk, payment: &Payment, amount: i64, currency: &str) -> String {
    let decimals = desk.side(&payment.side).map_or(2, |side| side.decimals(currency));
    format!("{} {}", decimal(amount, decimals), escape(currency))
}

#[handler]
pub(super) fn index(desk: Data<&Arc<Desk>>) -> Response {
    let row = |p: &Payment| {
        format!(
            "<tr><td><a href=\"/pay/{}\">{}</a><td>{}<td>{}<td>{}",
            escape(&p.id),
            escape(&p.number),
            gateway(&desk, p),
            money(&desk, p, p.amount, &p.currency),
            status(p)
        )
    };
    let rows: String = desk.read(|book| book.payments.iter().rev().take(200).map(row).collect());
    page(
        "Sandbox",
        &format!(
            "<h1>Sandbox</h1><p>Simulated gateways. No money moves here. <a href=\"/sandbox/journal\">Journal</a></p>\
             <table><tr><th>Number<th>Gateway<th>Amount<th>State{rows}</table>"
        ),
    )
}

#[handler]
pub(super) fn show(desk: Data<&Arc<Desk>>, id: Path<String>) -> Response {
    let now = desk.clock.unix();
    let seen = |book: &mut Book| {
        let id = book.payment(&id, now)?.id.clone();
        book.note(&id, "seen", "yes");
        book.payment(&id, now).cloned()
    };
    match desk.change(seen) {
        Some(payment) => render(&desk, &payment, None),
        None => {
            page("Sandbox", "<h1>No such payment</h1>").with_status(StatusCode::NOT_FOUND).into_response()
        }
    }
}

/// Does what the button says. Paying leads back to the shop, as a gateway does; the rest stays here. The form may name a
/// notice.
#[handler]
pub(super) fn press(
    desk: Data<&Arc<Desk>>,
    Path((id, act)): Path<(String, String)>,
    body: Vec<u8>,
) -> Response {
    let now = desk.clock.unix();
    let notice = Some(Form::parse(&body).get("notice").to_owned()).filter(|notice| !notice.is_empty());
    let done = acts::act(&desk, &id, &act, &Input { notice, ..Input::default() });
    let Some(payment) = desk.change(|book| book.payment(&id, now).cloned()) else {
        return page("Sandbox", "<h1>No such payment</h1>")
            .with_status(StatusCode::NOT_FOUND)
            .into_response();
    };
    match done {
        Ok(_) if act == "pay" && payment.return_url.starts_with("http") => {
            Redirect::see_other(&payment.return_url).into_response()
        }
        Ok(_) => Redirect::see_other(format!("/pay/{}", payment.id)).into_response(),
        Err(refusal) => {
            let mut response = render(&desk, &payment, Some(&refusal.message));
            response.set_status(refusal.status);
            response
        }
    }
}

fn render(desk: &Desk, payment: &Payment, trouble: Option<&str>) -> Response {
    let can = desk.side(&payment.side).map(|side| side.can());
    let offered = ACTS.iter().filter(|act| can.is_some_and(|can| (act.offered)(&can)));
    let buttons: String = offered
        .map(|act| {
            let class = if act.name == "pay" { " class=\"pay\"" } else { "" };
            format!(
                "<form method=\"post\" action=\"/pay/{}/{name}\"><button id=\"{name}\"{class}>{}</button></form>",
                escape(&payment.id),
                act.label,
                name = act.name,
            )
        })
        .collect();
    let notices: String = desk.read(|book| {
        let mine = book.notices.iter().filter(|n| n.payment == payment.id);
        mine.map(|n| {
            let last = n.attempts.last();
            let answer = last.map(|a| match a.status {
                Some(status) => format!("{status} {}", a.answer.chars().take(60).collect::<String>()),
                None => "no answer".into(),
            });
            let answer = answer.unwrap_or_default();
            format!(
                "<tr><td>{}<td>{}<td>{}<td>{}<td><form method=\"post\" action=\"/pay/{}/repeat-notice\">\
                 <button name=\"notice\" value=\"{}\">Send again</button></form>",
                escape(&n.kind),
                escape(&n.state),
                n.attempts.len(),
                escape(&answer),
                escape(&payment.id),
                escape(&n.id),
            )
        })
        .collect()
    });
    let trouble =
        trouble.map(|t| format!("<p role=\"alert\"><strong>{}</strong></p>", escape(t))).unwrap_or_default();
    let leave = match payment.return_url.starts_with("http") {
        true => {
            format!("<p><a id=\"back\" href=\"{}\">Back to the shop</a></p>", escape(&payment.return_url))
        }
        false => String::new(),
    };
    let moved = |what: &str, no: &str, amount: i64, currency: &str, state: &str| {
        format!(
            "<tr><td>{what}<td>{}<td>{}<td>{}",
            escape(no),
            money(desk, payment, amount, currency),
            escape(state)
        )
    };
    let taken = payment.captures.iter().map(|c| moved("taken", &c.trade_no, c.amount, &c.currency, ""));
    let back = payment.refunds.iter().map(|r| {
        let currency = payment.capture(&r.trade_no).map_or(&payment.currency, |c| &c.currency);
        moved("given back", &r.id, r.amount, currency, &r.status)
    });
    let disputes = payment.disputes.iter().map(|d| {
        let currency = payment.capture(&d.trade_no).map_or(&payment.currency, |c| &c.currency);
        moved("disputed", &d.id, d.amount, currency, dispute_state(d.status))
    });
    let moved: String = taken.chain(back).chain(disputes).collect();
    let held = if payment.holding { " · notices are held back" } else { "" };
    let body = format!(
        "<h1>{}</h1><p>Simulated {} · order {}</p><p class=\"amount\">{}</p>\
         <p>State: <strong id=\"state\">{}</strong>{held}</p>{trouble}<div class=\"acts\">{buttons}</div>{leave}\
         <h2>Money</h2><table><tr><th>What<th>Number<th>Amount<th>State{moved}</table>\
         <h2>Notices</h2><table><tr><th>Kind<th>State<th>Attempts<th>Last answer<th>{notices}</table>",
        escape(&payment.title),
        gateway(desk, payment),
        escape(&payment.number),
        money(desk, payment, payment.amount, &payment.currency),
        status(payment),
    );
    page(&payment.title, &body)
}
