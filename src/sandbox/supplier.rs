//! Suppliers that the simulator plays, any number by their names: each sells any product for 4.00 of any currency, once per
//! request id. They keep one journal of what was sold, and make the trouble that they are asked for. Signatures are checked
//! with code of its own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use poem::http::{HeaderMap, StatusCode};
use poem::web::{Data, Json, Path};
use poem::{IntoResponse, Request, Response, handler};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::drawer::Drawer;
use super::signing::{fresh_id, webhook_fits, webhook_header};
use super::simulator::Desk;
use crate::base::clock::random;
use crate::base::outcome::Fault;
use crate::infra::outbound::{Method, Request as Call};

/// What a piece costs.
const PRICE: &str = "4.00";

/// What goes wrong with the next purchase or question; each is used up by one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SupplierTrouble {
    /// Nothing.
    None,
    /// Sells, and never answers.
    LoseAnswer,
    /// Sells nothing, and never answers.
    LoseRequest,
    /// Sells, and answers 502 with a page.
    Spoil,
    /// Sells, and answers something that is no JSON.
    BadJson,
    /// Sells, and answers a megabyte.
    Huge,
    /// Sells, and answers 200 with an error.
    ErrorInside,
    /// Accepts, and delivers when it is asked again or pressed to.
    Pending,
    Refuse,
    /// Delivers two texts.
    Two,
    /// Delivers none.
    Nothing,
    /// Delivers a text that it sold before.
    SoldBefore,
    /// Takes more than the ceiling.
    Dear,
    /// Takes another currency.
    OtherCurrency,
    /// Delivers under another request's id.
    OtherRequest,
    /// 503, and sells nothing.
    Down,
    /// 429 with `Retry-After`.
    Busy,
    /// 401.
    Unauthorised,
    /// A question about a purchase that it sold is answered with 404.
    Forget,
}

/// What it sold under one request id.
#[derive(Clone, Debug)]
struct Sold {
    product: String,
    currency: String,
    callback_url: String,
    state: &'static str,
    texts: Vec<String>,
    price: String,
    /// How often the purchase was sent.
    orders: u32,
}

#[derive(Default)]
struct Books {
    sold: BTreeMap<String, Sold>,
    calls: Vec<Value>,
    next: VecDeque<SupplierTrouble>,
    always: Option<SupplierTrouble>,
}

/// The supplier's side of a connection.
pub(super) struct SupplierSide {
    pub secret: String,
    books: Mutex<Books>,
}

impl SupplierSide {
    pub fn new(secrets: &mut Drawer) -> Result<Self, Fault> {
        let make = || Ok(format!("whsec_{}", STANDARD.encode(random::<32>())));
        Ok(Self { secret: secrets.keep("supplier_secret", make)?, books: Mutex::default() })
    }

    fn books<T>(&self, change: impl FnOnce(&mut Books) -> T) -> T {
        change(&mut self.books.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn trouble(&self) -> SupplierTrouble {
        self.books(|books| books.next.pop_front().or(books.always).unwrap_or(SupplierTrouble::None))
    }

    /// `sold` by the supplier's name and request id, with texts and how often each was sent, and all `calls` in order.
    pub fn journal(&self) -> Value {
        self.books(|books| {
            let sold = books.sold.iter().map(|(id, sold)| {
                let Sold { product, currency, state, texts, price, orders, .. } = sold;
                let row = json!({
                    "product": product, "currency": currency, "state": state, "texts": texts, "price": price,
                    "orders": orders,
                });
                (id.clone(), row)
            });
            json!({ "sold": sold.collect::<serde_json::Map<_, _>>(), "calls": books.calls })
        })
    }

    pub fn set_trouble(&self, next: Vec<SupplierTrouble>, always: Option<SupplierTrouble>) {
        self.books(|books| {
            books.next = next.into();
            books.always = always;
        });
    }

    /// What a purchase is now, as it is answered.
    fn answer(&self, key: &str) -> Option<Value> {
        self.books(|books| books.sold.get(key).map(|sold| described(key, sold)))
    }

    /// Delivers what is pending.
    fn deliver(&self, id: &str) {
        self.books(|books| {
            if let Some(sold) = books.sold.get_mut(id)
                && sold.state == "pending"
            {
                sold.state = "delivered";
                sold.texts = vec![text_of(&sold.product)];
            }
        });
    }
}

fn described(key: &str, sold: &Sold) -> Value {
    let id = key.split_once('/').map_or(key, |(_, id)| id);
    json!({
        "request_id": id, "state": sold.state, "texts": sold.texts, "price": sold.price,
        "currency": sold.currency, "reference": format!("SO-{}", &id[id.len().saturating_sub(8)..]),
    })
}

fn text_of(product: &str) -> String {
    format!("SUP-{product}-{}", fresh_id("").to_uppercase())
}

/// Whether the shop signed it; a question signs an empty body.
fn is_signed(desk: &Desk, headers: &HeaderMap, body: &[u8]) -> bool {
    let of = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, at, signature) = (of("webhook-id"), of("webhook-timestamp"), of("webhook-signature"));
    webhook_fits(&desk.supplier.secret, id, at, signature, body, desk.clock.unix())
}

/// A purchase.
#[derive(Deserialize)]
struct Order {
    request_id: String,
    product: String,
    #[serde(default)]
    currency: String,
    #[serde(default)]
    callback_url: String,
}

/// `POST /supplier/orders`: sells once per request id.
#[handler]
pub(super) async fn take_order(
    desk: Data<&Arc<Desk>>,
    request: &Request,
    Path(name): Path<String>,
    body: Vec<u8>,
) -> Response {
    use SupplierTrouble as T;
    if !is_signed(&desk, request.headers(), &body) {
        return StatusCode::UNAUTHORIZED.into();
    }
    let Ok(order) = serde_json::from_slice::<Order>(&body) else { return StatusCode::BAD_REQUEST.into() };
    let side = &desk.supplier;
    let trouble = side.trouble();
    side.books(|books| books.calls.push(json!({ "order": order.request_id, "trouble": trouble })));
    match trouble {
        T::LoseRequest => {
            desk.stopping().await;
            return StatusCode::SERVICE_UNAVAILABLE.into();
        }
        T::Down => return StatusCode::SERVICE_UNAVAILABLE.into(),
        T::Unauthorised => return StatusCode::UNAUTHORIZED.into(),
        T::Busy => {
            return Response::builder()
                .status(StatusCode::TOO_MANY_REQUESTS)
                .header("retry-after", "7")
                .finish();
        }
        T::Refuse => {
            let refused =
                json!({ "request_id": order.request_id, "state": "refused", "reason": "OUT_OF_STOCK" });
            return Json(refused).into_response();
        }
        _ => {}
    }
    let key = format!("{name}/{}", order.request_id);
    sell(side, &key, order, trouble);
    let mut answer = side.answer(&key).unwrap_or_default();
    match trouble {
        T::LoseAnswer => {
            desk.stopping().await;
            StatusCode::SERVICE_UNAVAILABLE.into()
        }
        T::Spoil => (StatusCode::BAD_GATEWAY, "<h1>502 Bad Gateway</h1>").into_response(),
        T::BadJson => "{ \"state\": \"deliv".into_response(),
        T::Huge => {
            answer["filler"] = json!("x".repeat(1 << 20));
            Json(answer).into_response()
        }
        T::ErrorInside => Json(json!({ "error": "something went wrong" })).into_response(),
        T::OtherRequest => {
            answer["request_id"] = json!("somebody-else");
            Json(answer).into_response()
        }
        _ => Json(answer).into_response(),
    }
}

/// The same request id again is the same purchase.
fn sell(side: &SupplierSide, key: &str, order: Order, trouble: SupplierTrouble) {
    use SupplierTrouble as T;
    side.books(|books| {
        if let Some(known) = books.sold.get_mut(key) {
            known.orders += 1;
            return;
        }
        let before = books.sold.values().flat_map(|sold| sold.texts.first()).next().cloned();
        let fresh = || text_of(&order.product);
        let texts = match trouble {
            T::Two => vec![fresh(), fresh()],
            T::Nothing | T::Pending => Vec::new(),
            T::SoldBefore => vec![before.unwrap_or_else(fresh)],
            _ => vec![fresh()],
        };
        let currency = if trouble == T::OtherCurrency { "XAF".to_owned() } else { order.currency };
        let state = if trouble == T::Pending { "pending" } else { "delivered" };
        let price = if trouble == T::Dear { "99999.00".to_owned() } else { PRICE.to_owned() };
        let sold = Sold {
            product: order.product,
            currency,
            callback_url: order.callback_url,
            state,
            texts,
            price,
            orders: 1,
        };
        books.sold.insert(key.to_owned(), sold);
    });
}

/// `GET /supplier/orders/{id}`: what became of a purchase.
#[handler]
pub(super) async fn answer_status(
    desk: Data<&Arc<Desk>>,
    request: &Request,
    Path((name, id)): Path<(String, String)>,
) -> Response {
    use SupplierTrouble as T;
    if !is_signed(&desk, request.headers(), b"") {
        return StatusCode::UNAUTHORIZED.into();
    }
    let side = &desk.supplier;
    // A test of the connection is no purchase, and has no share of its troubles.
    let trouble = if id.starts_with("test-") { T::None } else { side.trouble() };
    side.books(|books| books.calls.push(json!({ "status": id, "trouble": trouble })));
    let key = format!("{name}/{id}");
    match trouble {
        T::LoseAnswer | T::LoseRequest => {
            desk.stopping().await;
            return StatusCode::SERVICE_UNAVAILABLE.into();
        }
        T::Down | T::Spoil => return StatusCode::SERVICE_UNAVAILABLE.into(),
        T::Unauthorised => return StatusCode::UNAUTHORIZED.into(),
        T::Busy => return StatusCode::TOO_MANY_REQUESTS.into(),
        T::Forget => return StatusCode::NOT_FOUND.into(),
        T::Pending => {}
        _ => side.deliver(&key),
    }
    match side.answer(&key) {
        Some(answer) => Json(answer).into_response(),
        None => StatusCode::NOT_FOUND.into(),
    }
}

/// What is ordered of the supplier's troubles.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Of the next calls, one each.
    #[serde(default)]
    pub next: Vec<SupplierTrouble>,
    /// Of all calls after them.
    pub always: Option<SupplierTrouble>,
}

/// `POST /sandbox/supplier/trouble`.
#[handler]
pub(super) fn make_trouble(desk: Data<&Arc<Desk>>, Json(wanted): Json<Wanted>) -> Json<Value> {
    desk.supplier.set_trouble(wanted.next, wanted.always);
    Json(json!({ "ok": true }))
}

/// `GET /sandbox/supplier`.
#[handler]
pub(super) fn show(desk: Data<&Arc<Desk>>) -> Json<Value> {
    Json(desk.supplier.journal())
}

/// `POST /sandbox/supplier/{id}/deliver`: what is pending is delivered, and the shop is called back; answers its status.
#[handler]
pub(super) async fn press(desk: Data<&Arc<Desk>>, Path(id): Path<String>) -> Response {
    match call_back(&desk, &id, None).await {
        Ok(status) => Json(json!({ "status": status })).into_response(),
        Err(error) => Json(json!({ "error": error })).with_status(StatusCode::BAD_REQUEST).into_response(),
    }
}

/// Sends the shop what a purchase is now, or `said` in place of it. Answers the shop's status.
pub(super) async fn call_back(desk: &Desk, id: &str, said: Option<Value>) -> Result<u16, String> {
    let found = desk.supplier.books(|books| {
        let named = |(key, _): &(&String, &Sold)| key.split_once('/').is_some_and(|(_, own)| own == id);
        books.sold.iter().find(named).map(|(key, sold)| (key.clone(), sold.callback_url.clone()))
    });
    let (key, url) = found.ok_or_else(|| "nothing was sold under this id".to_owned())?;
    desk.supplier.deliver(&key);
    let body = said.or_else(|| desk.supplier.answer(&key)).unwrap_or_default().to_string();
    let (name, at) = (fresh_id("cb_"), desk.clock.unix());
    let signature = webhook_header(&desk.supplier.secret, &name, at, body.as_bytes());
    let call = Call {
        method: Method::Post,
        url,
        headers: vec![
            ("webhook-id".into(), name),
            ("webhook-timestamp".into(), at.to_string()),
            ("webhook-signature".into(), signature),
            ("content-type".into(), "application/json".into()),
        ],
        body: body.into_bytes(),
        timeout: std::time::Duration::from_secs(10),
        largest_answer: 64 * 1024,
    };
    desk.outbound.call(call).await.map(|answer| answer.status).map_err(|error| error.to_string())
}
