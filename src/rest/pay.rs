//! Where buyers go on with a payment, and where gateways send them back to.

use std::sync::Arc;

use poem::http::{StatusCode, header};
use poem::web::{Data, Path};
use poem::{Response, handler};

use crate::app::App;
use crate::base::ids::PaymentId;
use crate::base::money::Money;
use crate::base::outcome::Failure;
use crate::orders::access;
use crate::orders::store as orders;
use crate::payments::gateway::Action;
use crate::payments::start::StartOptions;
use crate::payments::store::attempts;
use crate::payments::{self, check_now, hosted};
use crate::base::actor::Actor;
use crate::rest::problem::Problem;

/// `GET /pay/{token}`: performs what the gateway asks for. Shows the amount and the order's number, nothing else.
#[handler]
pub async fn hosted_page(app: Data<&Arc<App>>, Path(token): Path<String>) -> Result<Response, Problem> {
    let id = hosted::open(&app, &token).ok_or_else(Problem::not_found)?;
    let payment = find(&app, id).await?.ok_or_else(Problem::not_found)?;
    let action = payment.action.clone().and_then(|action| serde_json::from_value(action).ok());
    let amount = Money::new(payment.expected_minor, payment.expected_currency);
    if !payment.state.is_open() {
        return Ok(page("There is nothing left to pay here.", &format!("<p>{}</p>", escape(&amount.to_string()))));
    }
    Ok(match action {
        Some(Action::Redirect { url }) => see_other(&url),
        Some(Action::Qr { text }) => {
            page("Scan to pay", &format!("<p>{}</p><pre>{}</pre>", escape(&amount.to_string()), escape(&text)))
        }
        Some(Action::Form { url, fields }) => {
            let inputs: String = fields
                .iter()
                .map(|(name, value)| {
                    format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(name), escape(value))
                })
                .collect();
            let form = format!(
                "<form method=\"post\" action=\"{}\">{inputs}<button>Pay {}</button></form>",
                escape(&url),
                escape(&amount.to_string())
            );
            page("Go on to pay", &form)
        }
        Some(Action::Instructions { text }) => {
            page("How to pay", &format!("<p>{}</p><pre>{}</pre>", escape(&amount.to_string()), escape(&text)))
        }
        Some(Action::Sdk { .. }) | None => page("Go back to the shop to pay.", ""),
    })
}

/// `GET /return/{payment}`: back from a gateway. Asks it what became of the payment, then sends the buyer on to where
/// the client wanted them, with the order's number and a ticket that shows its state.
#[handler]
pub async fn back(app: Data<&Arc<App>>, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = PaymentId::parse(&id).map_err(|_| Problem::not_found())?;
    let payment = find(&app, id).await?.ok_or_else(Problem::not_found)?;
    // Limited like a buyer's own question; the answer, if any, settles the order. What comes wrong here is asked
    // again in the background, so the buyer is sent on in any case.
    if let Err(Failure::Fault(fault)) = check_now::check_now(&app, &Actor::system(), id, None).await {
        tracing::warn!(%fault, payment = %id, "a returning buyer's payment could not be asked about");
    }
    let order = {
        let mut conn = app.db.conn().await?;
        orders::find(&mut conn, payment.order_id).await.map_err(Failure::from)?.ok_or_else(Problem::not_found)?
    };
    let wanted: StartOptions = serde_json::from_value(payment.options).unwrap_or_default();
    let Some(mut url) = wanted.return_url.as_deref().and_then(|text| url::Url::parse(text).ok()) else {
        return Ok(page("Thank you. Go back to the shop to see your order.", ""));
    };
    let (ticket, _) = access::watch_ticket(&app, order.id);
    url.query_pairs_mut().append_pair("order", &order.number).append_pair("ticket", &ticket);
    Ok(see_other(url.as_str()))
}

async fn find(app: &App, id: PaymentId) -> Result<Option<payments::Payment>, Problem> {
    let mut conn = app.db.conn().await?;
    Ok(attempts::find(&mut conn, id).await.map_err(Failure::from)?)
}

fn see_other(url: &str) -> Response {
    Response::builder()
        .status(StatusCode::SEE_OTHER)
        .header(header::LOCATION, url)
        .header(header::CACHE_CONTROL, "private, no-store")
        .header(header::REFERRER_POLICY, "no-referrer")
        .finish()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

fn page(title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
         <style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}}\
         pre{{white-space:pre-wrap;overflow-wrap:anywhere}}</style><h1>{title}</h1>{body}</html>"
    );
    Response::builder()
        .content_type("text/html; charset=utf-8")
        .header(header::CACHE_CONTROL, "private, no-store")
        .header(header::REFERRER_POLICY, "no-referrer")
        .header(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; form-action https: http:; frame-ancestors 'none'; base-uri 'none'",
        )
        .body(html)
}
