//! Places an order (O1, O2, O4): everything or nothing, and the same again for the same key.

use diesel_async::AsyncPgConnection;
use serde_json::json;

use crate::base::actor::{Actor, ApiScope};
use crate::base::error_code::ErrorCode;
use crate::base::ids::OrderId;
use crate::base::outcome::{Failure, Fault, Outcome, Refusal};
use crate::base::secret::Secret;
use crate::base::text::{Email, Locale};
use crate::infra::db::{ResultExt, one};
use crate::infra::effects::events::{self, Event};
use crate::infra::idempotency::{self, Claim};
use crate::infra::kit::Kit;
use crate::infra::{sign, throttle};
use crate::orders::buyer::{Buyer, Proof};
use crate::orders::events::{self as facts, OrderEvent};
use crate::orders::gifts::{self, GiftTo, GiftWish};
use crate::orders::model::Order;
use crate::orders::quote::{self, Cart, CartLine, Quote};
use crate::orders::store::{self, NewOrder};
use crate::orders::visits::{self, VisitAct};
use crate::orders::{access, blocks, limits, lines, number, reserve};
use crate::people;

/// Numbers that are drawn for one order before something must be wrong.
const NUMBERS_DRAWN: usize = 20;

/// An order to be placed.
#[derive(Clone, Debug)]
pub struct PlaceOrder {
    pub idempotency_key: String,
    pub lines: Vec<CartLine>,
    pub currency: crate::base::money::Currency,
    pub locale: Locale,
    /// What the buyer was shown, minor units. Another total is `PRICE_CHANGED`.
    pub expected_total: i64,
    pub quote_token: Option<String>,
    /// Needed from guests; a signed-in buyer's own address is the default.
    pub email: Option<String>,
    /// Who gets the goods, when that is not the buyer.
    pub gift: Option<GiftWish>,
    /// The API client's own name for the order, unique per client.
    pub reference: Option<String>,
    pub metadata: Vec<(String, String)>,
}

/// A placed order.
#[derive(Clone, Debug)]
pub struct Placed {
    pub order: Order,
    pub access_token: Secret,
    /// The same key was used before: this is what it made.
    pub replayed: bool,
}

/// Why an order was not placed: one refusal per trouble, and the cart as it would be priced now.
#[derive(Debug)]
pub struct NotPlaced {
    pub refusals: Vec<Refusal>,
    pub quote: Option<Box<Quote>>,
}

/// Places an order for somebody who has shown nothing. One refusal only; [`place_or_explain`] gives them all with the new
/// quote.
pub async fn place(kit: &Kit, actor: &Actor, new: PlaceOrder) -> Outcome<Placed> {
    place_proven(kit, actor, &Proof::default(), new).await
}

/// The same for who has shown something.
pub async fn place_proven(kit: &Kit, actor: &Actor, proof: &Proof, new: PlaceOrder) -> Outcome<Placed> {
    match place_or_explain(kit, actor, proof, new).await? {
        Ok(placed) => Ok(placed),
        Err(not) => Err(not.refusals.into_iter().next().map_or_else(
            || Failure::Fault(Fault::bug("an order was refused without a reason")),
            Failure::from,
        )),
    }
}

/// Places an order, or returns everything that prevents it: `EMPTY`, `TOO_MANY_LINES`, `VARIANT_NOT_FOUND`,
/// `NOT_ON_SALE`, `OUT_OF_STOCK`, `NOT_ENOUGH_STOCK`, `QUANTITY_…`, `BUYER_LIMIT_REACHED`, `CURRENCY_NOT_SOLD`,
/// `PRICE_CHANGED`, `EMAIL_REQUIRED`, `EMAIL_INVALID`, `SIGN_IN_REQUIRED`, `TOO_MANY_UNPAID_ORDERS`,
/// `REFERENCE_TAKEN`, `EMAIL_CODE_REQUIRED`, `ACCESS_REVOKED`, and those of idempotency.
pub async fn place_or_explain(
    kit: &Kit,
    actor: &Actor,
    proof: &Proof,
    new: PlaceOrder,
) -> Outcome<Result<Placed, NotPlaced>> {
    let refuse = |refusal: Refusal| Ok(Err(NotPlaced { refusals: vec![refusal], quote: None }));
    if actor.api_client.is_some() && actor.client_with(ApiScope::OrdersWrite).is_none() {
        return Err(Refusal::new(ErrorCode::Forbidden, "this client may not place orders").into());
    }
    let nobody = actor.person.is_none() && actor.api_client.is_none() && !actor.system;
    if nobody && !kit.config.shop.guest_checkout {
        return refuse(Refusal::new(ErrorCode::SignInRequired, "sign in to buy"));
    }
    let mut tx = kit.db.begin().await?;
    let email = match buyer_email(&mut tx, kit, actor, new.email.as_deref()).await {
        Ok(email) => email,
        Err(Failure::Refused(refusal)) => return refuse(*refusal),
        Err(fault) => return Err(fault),
    };
    let gift = match new.gift.as_ref().map(|wish| gifts::read(kit, wish)).transpose() {
        Ok(gift) => gift,
        Err(refusal) => return refuse(refusal),
    };
    let id = OrderId(kit.clock.uuid());
    let scope = scope(actor);
    let body = request_text(&new, &email);
    if let Some(order) = claimed_since(&mut tx, actor, &new.idempotency_key, &body).await? {
        return Ok(Ok(placed(kit, order, true)));
    }
    match idempotency::claim(&mut tx, &scope, "orderPlace", &new.idempotency_key, &[&body], id.0).await {
        Ok(Claim::New) => {}
        Ok(Claim::Replay(known)) => {
            let order = store::find(&mut tx, OrderId(known)).await?;
            let order = order.ok_or_else(|| Fault::bug("a replayed order is gone"))?;
            if let Some(refusal) = revoked_since(actor, &order) {
                return refuse(refusal);
            }
            return Ok(Ok(placed(kit, order, true)));
        }
        Err(Failure::Refused(refusal)) => return refuse(*refusal),
        Err(fault) => return Err(fault),
    }
    // Limits per buyer hold only when one order of a buyer is placed at a time.
    let buyer = Buyer::of(&mut tx, actor, &email, proof).await?;
    limits::lock_buyers(&mut tx, &buyer.keys()).await?;
    let cart = Cart {
        lines: new.lines.clone(),
        currency: new.currency,
        locale: new.locale,
        proven: proof.email.clone().filter(|own| own.normalised() == email.normalised()),
    };
    let quote = quote::price(&mut tx, kit, actor, &cart).await?;
    let mut refusals = refusals(&mut tx, kit, &buyer, &new, &cart, &quote).await?;
    if let Some(to) = &gift {
        refusals.extend(gifts::refusal(&mut tx, kit, to, &email, quote.total_minor == 0).await?);
    }
    if !refusals.is_empty() {
        return Ok(Err(NotPlaced { refusals, quote: Some(Box::new(quote)) }));
    }
    let accepted =
        Accepted { id, new: &new, quote: &quote, email: &email, gift: gift.as_ref(), buyer: &buyer };
    match write(&mut tx, kit, actor, accepted).await {
        Ok(short) if short.is_empty() => {}
        Ok(refusals) => return Ok(Err(NotPlaced { refusals, quote: None })),
        Err(Failure::Refused(refusal)) => return refuse(*refusal),
        Err(fault) => return Err(fault),
    }
    let order = store::find(&mut tx, id).await?.ok_or_else(|| Fault::bug("a placed order is gone"))?;
    crate::fault_point!("order.placed");
    tx.commit().await?;
    Ok(Ok(placed(kit, order, false)))
}

/// The scope in which idempotency keys are distinct: the client and the person.
fn scope(actor: &Actor) -> String {
    let person = actor.user_id().map_or_else(|| "guest".into(), |u| u.to_string());
    format!("{}:{person}", client_of(actor))
}

fn client_of(actor: &Actor) -> String {
    actor.api_client.map_or_else(|| "-".into(), |c| c.to_string())
}

/// Whether the key was used before, by this caller or by the guest that this person was: then nothing is asked again.
pub async fn is_repeat(kit: &Kit, actor: &Actor, key: &str) -> Outcome<bool> {
    let mut conn = kit.db.conn().await?;
    let guest = format!("{}:guest", client_of(actor));
    for scope in [scope(actor), guest] {
        if idempotency::find(&mut conn, &scope, "orderPlace", key, &[]).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The order that this person placed with the same key as a guest and claimed since.
async fn claimed_since(
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    key: &str,
    body: &str,
) -> Outcome<Option<Order>> {
    if actor.user_id().is_none() {
        return Ok(None);
    }
    let guest = format!("{}:guest", client_of(actor));
    let known = idempotency::find(conn, &guest, "orderPlace", key, &[body]).await?;
    let Some(known) = known.filter(|known| known.same_request) else { return Ok(None) };
    let order = store::find(conn, OrderId(known.result_id)).await?;
    Ok(order.filter(|order| order.user_id == actor.user_id()))
}

/// A key is a token's equal: it opens nothing any more once access was revoked or the order was claimed.
fn revoked_since(actor: &Actor, order: &Order) -> Option<Refusal> {
    let own = order.user_id.is_some() && order.user_id == actor.user_id();
    if own || (order.user_id.is_none() && order.access_generation == 1) {
        return None;
    }
    let text = match order.user_id {
        Some(_) => "this order belongs to an account now: sign in",
        None => "access to this order was revoked: ask for a code by mail",
    };
    Some(Refusal::new(ErrorCode::AccessRevoked, text).at(["idempotencyKey"]))
}

fn placed(kit: &Kit, order: Order, replayed: bool) -> Placed {
    let access_token = access::token(kit, order.id, order.access_generation);
    Placed { order, access_token, replayed }
}

async fn buyer_email(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    actor: &Actor,
    given: Option<&str>,
) -> Outcome<Email> {
    if let Some(text) = given.filter(|t| !t.trim().is_empty()) {
        let email = Email::parse(text)?;
        kit.config.mail.takes(&email)?;
        return Ok(email);
    }
    if let Some(user) = actor.user_id()
        && let Some(own) = people::read::profile(conn, user).await?
    {
        let email = Email::parse(&own.user.email)?;
        kit.config.mail.takes(&email)?;
        return Ok(email);
    }
    Err(Refusal::new(ErrorCode::EmailRequired, "an address is needed to send the goods to")
        .at(["email"])
        .into())
}

/// What the same request is recognised by: its parsed input, not its bytes.
fn request_text(new: &PlaceOrder, email: &Email) -> String {
    let lines: Vec<_> = new.lines.iter().map(|l| (l.variant_id.to_string(), l.quantity)).collect();
    let mut request = json!({
        "lines": lines, "currency": new.currency.as_str(), "total": new.expected_total, "email": email.normalised(),
        "reference": new.reference, "metadata": new.metadata,
    });
    // Left out where there is none, so that a request that was sent before this was known stays the same.
    if let Some(GiftWish { email, name, giver, message }) = &new.gift {
        request["gift"] = json!([email, name, giver, message]);
    }
    request.to_string()
}

async fn refusals(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    buyer: &Buyer,
    new: &PlaceOrder,
    cart: &Cart,
    quote: &Quote,
) -> Outcome<Vec<Refusal>> {
    let mut refusals = quote.refusals();
    if refusals.is_empty() {
        let seen =
            new.quote_token.as_deref().is_none_or(|t| quote::token_fits(kit, cart, quote.total_minor, t));
        if quote.total_minor != new.expected_total || !seen {
            let text = "the price has changed since it was shown";
            refusals.push(Refusal::new(ErrorCode::PriceChanged, text).at(["expectedTotal"]));
        }
    }
    let free = quote.total_minor == 0;
    refusals.extend(limits::needs_proof(buyer, free));
    refusals.extend(limits::refusals(conn, &kit.config.shop, buyer, free).await?);
    refusals.extend(limits::held(conn, &kit.config.limits, buyer, reserve::wanted(kit, quote)).await?);
    refusals.extend(metadata_refusal(new));
    Ok(refusals)
}

fn metadata_refusal(new: &PlaceOrder) -> Option<Refusal> {
    let fits = |text: &str, most: usize| !text.is_empty() && text.len() <= most && !text.contains('\0');
    let metadata = new.metadata.len() <= 20
        && new.metadata.iter().all(|(k, v)| fits(k, 40) && v.len() <= 500 && !v.contains('\0'));
    if !metadata {
        return Some(
            Refusal::new(ErrorCode::Invalid, "metadata: at most 20, names to 40 and values to 500 bytes")
                .at(["metadata"]),
        );
    }
    let reference = new.reference.as_deref().is_none_or(|r| fits(r, 100));
    (!reference).then(|| Refusal::new(ErrorCode::Invalid, "a reference has 1 to 100 bytes").at(["reference"]))
}

/// An order that nothing speaks against.
struct Accepted<'a> {
    id: OrderId,
    new: &'a PlaceOrder,
    quote: &'a Quote,
    email: &'a Email,
    gift: Option<&'a GiftTo>,
    buyer: &'a Buyer,
}

/// Writes the order and holds its keys. What it returns prevents the order after all: the caller drops its transaction.
async fn write(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    actor: &Actor,
    accepted: Accepted<'_>,
) -> Outcome<Vec<Refusal>> {
    let Accepted { id, new, quote, email, gift, buyer } = accepted;
    let metadata: Vec<_> = new.metadata.iter().map(|(k, v)| json!({ "key": k, "value": v })).collect();
    let lines = lines::of_quote(kit, quote);
    let mut row = NewOrder {
        id,
        number: String::new(),
        currency: quote.currency.as_str().to_owned(),
        subtotal_minor: quote.total_minor,
        discount_minor: 0,
        total_minor: quote.total_minor,
        user_id: actor.user_id(),
        email: email.typed().to_owned(),
        email_normalised: email.normalised().to_owned(),
        mailbox: buyer.mailbox.clone(),
        mailbox_proven: buyer.proven,
        client_key: buyer.client.clone(),
        device_key: buyer.device.clone(),
        limited: lines.iter().any(|line| line.limit_per_buyer.is_some()),
        locale: new.locale.as_str().to_owned(),
        api_client_id: actor.api_client,
        reference: new.reference.clone(),
        metadata: json!(metadata),
        terms_version: kit.config.shop.terms_url.clone(),
        pay_within: i32::try_from(kit.config.shop.pay_within_seconds).unwrap_or(i32::MAX),
    };
    insert_numbered(conn, &kit.config.shop.order_prefix, &mut row).await?;
    if let Some(country) = buyer.country {
        one(store::insert_country(conn, id, country).await?, "country")?;
    }
    blocks::hold_if_blocked(conn, &row, buyer.country).await?;
    visits::keep(conn, kit, id, (VisitAct::Placed, None), buyer.visit.as_ref()).await?;
    if let Some(gift) = gift {
        one(gifts::insert(conn, id, gift).await?, "gift")?;
    }
    if let Some(reference) = &new.reference {
        let scope = reference_scope(kit, actor);
        store::insert_reference(conn, &scope, reference, id)
            .await
            .on_constraint("order_reference_pkey", reference_taken)?;
    }
    store::insert_lines(conn, id, &lines).await?;
    store::insert_units(conn, &lines::units(kit, &lines)).await?;
    let placed = facts::Placed { number: row.number, total_minor: row.total_minor, currency: row.currency };
    events::append(conn, &[OrderEvent::Placed(id, placed).by(actor.label())]).await?;
    reserve::hold(conn, id, &lines, &actor.label()).await
}

/// Whose references must differ: an API client's, a person's, or for guests those of the network they call from (a
/// frontend's own server calls from one). Keyed, so that the row does not say where somebody was.
fn reference_scope(kit: &Kit, actor: &Actor) -> String {
    match (actor.api_client, actor.user_id()) {
        (Some(client), _) => format!("client:{}", client.0),
        (None, Some(user)) => format!("user:{}", user.0),
        (None, None) => {
            let network = actor.address.map(|a| throttle::prefix(a).to_string()).unwrap_or_default();
            let mac = sign::mac(&kit.config.secrets.access, "order-reference", &[network.as_bytes()]);
            format!("guest:{}", hex::encode(&mac[..16]))
        }
    }
}

fn reference_taken() -> Refusal {
    Refusal::new(ErrorCode::ReferenceTaken, "this reference was used for another order").at(["reference"])
}

/// Draws numbers until one is new. Another transaction that writes the same number at this moment is waited for.
async fn insert_numbered(conn: &mut AsyncPgConnection, prefix: &str, row: &mut NewOrder) -> Outcome<()> {
    for _ in 0..NUMBERS_DRAWN {
        row.number = number::number(prefix);
        let written =
            store::insert(conn, row).await.on_constraint("orders_reference_key", reference_taken)?;
        if written == 1 {
            return Ok(());
        }
    }
    Err(Fault::bug("no order number that is drawn is new").into())
}
