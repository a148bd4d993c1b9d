//! The page a buyer lands on: what is to be paid, and a button for everything that can happen.

use std::sync::Arc;

use poem::http::StatusCode;
use poem::web::{Data, Html, Path, Redirect};
use poem::{IntoResponse, Response, handler};

use super::acts::{self, ACTS, Input};
use super::book::{Payment, Side, Status};
use super::simulator::Desk;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}\
    button{font:inherit;padding:.4rem .8rem;margin:.2rem}form{display:inline}.amount{font-size:2rem}\
    .pay{background:#0a5;color:#fff;border:0;border-radius:.3rem}table{border-collapse:collapse}\
    td,th{padding:.2rem .8rem .2rem 0;text-align:left}";

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
        Status::Pending => "money on its way",
        Status::Paid => "paid",
        Status::Closed => "closed",
        Status::Failed => "declined",
    }
}

fn gateway(payment: &Payment) -> &'static str {
    match payment.side {
        Side::Stripe => "Stripe",
        Side::Generic => "generic gateway",
    }
}

#[handler]
pub(super) fn index(desk: Data<&Arc<Desk>>) -> Response {
    let row = |p: &Payment| {
        format!(
            "<tr><td><a href=\"/pay/{}\">{}</a><td>{}<td>{} {}<td>{}",
            escape(&p.id),
            escape(&p.number),
            gateway(p),
            p.amount,
            escape(&p.currency),
            status(p)
        )
    };
    let rows: String = desk.read(|book| book.payments.iter().rev().take(200).map(row).collect());
    page(
        "Sandbox",
        &format!(
            "<h1>Sandbox</h1><p>Simulated gateways. No money moves here. <a href=\"/sandbox/journal\">Journal</a></p>\
             <table><tr><th>Number<th>Gateway<th>Amount (smallest units)<th>State{rows}</table>"
        ),
    )
}

#[handler]
pub(super) fn show(desk: Data<&Arc<Desk>>, id: Path<String>) -> Response {
    let now = desk.clock.unix();
    match desk.change(|book| book.payment(&id, now).cloned()) {
        Some(payment) => render(&desk, &payment, None),
        None => {
            page("Sandbox", "<h1>No such payment</h1>").with_status(StatusCode::NOT_FOUND).into_response()
        }
    }
}

/// Does what the button says. Paying leads back to the shop, as a gateway does; the rest stays here.
#[handler]
pub(super) fn press(desk: Data<&Arc<Desk>>, Path((id, act)): Path<(String, String)>) -> Response {
    let now = desk.clock.unix();
    let done = acts::act(&desk, &id, &act, &Input::default());
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
    let buttons: String = ACTS
        .iter()
        .map(|(act, label)| {
            let class = if *act == "pay" { " class=\"pay\"" } else { "" };
            format!(
                "<form method=\"post\" action=\"/pay/{}/{act}\"><button id=\"{act}\"{class}>{label}</button></form>",
                escape(&payment.id)
            )
        })
        .collect();
    let notices: String = desk.read(|book| {
        let mine = book.notices.iter().filter(|n| n.payment == payment.id);
        mine.map(|n| {
            let last = n.attempts.last();
            let answer =
                last.map(|a| a.status.map_or("no answer".into(), |s| s.to_string())).unwrap_or_default();
            format!(
                "<tr><td>{}<td>{}<td>{}<td>{}",
                escape(&n.kind),
                escape(&n.state),
                n.attempts.len(),
                escape(&answer)
            )
        })
        .collect()
    });
    let trouble =
        trouble.map(|t| format!("<p role=\"alert\"><strong>{}</strong></p>", escape(t))).unwrap_or_default();
    let back = match payment.return_url.starts_with("http") {
        true => {
            format!("<p><a id=\"back\" href=\"{}\">Back to the shop</a></p>", escape(&payment.return_url))
        }
        false => String::new(),
    };
    let body = format!(
        "<h1>{}</h1><p>Simulated {} · order {}</p><p class=\"amount\">{} {} <small>(smallest units)</small></p>\
         <p>State: <strong id=\"state\">{}</strong></p>{trouble}{buttons}{back}\
         <h2>Notices</h2><table><tr><th>Kind<th>State<th>Attempts<th>Last answer{notices}</table>",
        escape(&payment.title),
        gateway(payment),
        escape(&payment.number),
        payment.amount,
        escape(&payment.currency),
        status(payment),
    );
    page(&payment.title, &body)
}
