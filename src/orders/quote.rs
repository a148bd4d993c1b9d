//! What a cart would cost, and what is wrong with it, line by line. Never refuses for a cart's content.

use diesel_async::AsyncPgConnection;
use serde_json::json;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::VariantId;
use crate::base::money::Currency;
use crate::base::outcome::{Outcome, Refusal};
use crate::base::text::{Email, Locale};
use crate::catalogue::model::{Tier, tier_at};
use crate::catalogue::offers::{self, Offer};
use crate::infra::kit::Kit;
use crate::infra::{sales, sign};
use crate::orders::bundles::{self, Counts};
use crate::orders::{buyer, limits};

/// How long a quote's token says that the price was seen, seconds.
const VALID: i64 = 15 * 60;

/// One line of a cart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CartLine {
    /// The client's own name for the line.
    pub key: String,
    pub variant_id: VariantId,
    pub quantity: i32,
}

/// A cart to be priced.
#[derive(Clone, Debug)]
pub struct Cart {
    pub lines: Vec<CartLine>,
    pub currency: Currency,
    pub locale: Locale,
    /// A guest's address, proven by a mailed code: limits count by it. Of an address that was only typed nothing is
    /// disclosed.
    pub proven: Option<Email>,
}

/// A priced cart.
#[derive(Clone, Debug)]
pub struct Quote {
    pub token: String,
    pub valid_until: chrono::DateTime<chrono::Utc>,
    pub currency: Currency,
    pub lines: Vec<QuoteLine>,
    /// Minor units.
    pub total_minor: i64,
    /// What is wrong with the cart as a whole; each has a code of the order placing errors.
    pub problems: Vec<Refusal>,
}

impl Quote {
    pub fn can_place(&self) -> bool {
        self.problems.is_empty() && self.lines.iter().all(|l| l.problems.is_empty())
    }

    /// Everything that prevents placing, with the path into the input.
    pub fn refusals(&self) -> Vec<Refusal> {
        let of_lines = self.lines.iter().flat_map(|l| &l.problems);
        self.problems.iter().chain(of_lines).cloned().collect()
    }
}

/// A priced line. Amounts are minor units.
#[derive(Clone, Debug)]
pub struct QuoteLine {
    pub key: String,
    pub quantity: i32,
    pub offer: Option<Offer>,
    pub unit_minor: Option<i64>,
    pub total_minor: i64,
    /// The next better price by quantity.
    pub next_tier: Option<Tier>,
    pub problems: Vec<Refusal>,
}

/// Prices a cart with what is true now.
pub async fn quote(kit: &Kit, actor: &Actor, cart: &Cart) -> Outcome<Quote> {
    let mut conn = kit.db.conn().await?;
    let mut quote = price(&mut conn, kit, actor, cart).await?;
    // Free goods want a proven address, unless a captcha takes its place, which is not asked for a price.
    let known = actor.person.is_some() || cart.proven.is_some() || kit.config.captcha.is_on();
    let free = quote.total_minor == 0 && quote.lines.iter().any(|l| l.unit_minor.is_some());
    if free && !known && !quote.problems.iter().any(|p| p.code == ErrorCode::EmailCodeRequired) {
        quote.problems.push(limits::code_required());
    }
    Ok(quote)
}

/// The same within the caller's transaction.
pub(super) async fn price(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    actor: &Actor,
    cart: &Cart,
) -> Outcome<Quote> {
    let mut problems = cart_problems(kit, cart);
    problems.extend(sales::current(conn).await?.refusal());
    let lines = if problems.iter().any(|p| p.code == ErrorCode::TooManyLines) {
        Vec::new()
    } else {
        price_lines(conn, actor, cart, &mut problems).await?
    };
    let total_minor = lines.iter().map(|l| l.total_minor).fold(0_i64, i64::saturating_add);
    let valid_until = kit.clock.now() + chrono::TimeDelta::seconds(VALID);
    let token = token(kit, cart, total_minor, valid_until.timestamp());
    Ok(Quote { token, valid_until, currency: cart.currency, lines, total_minor, problems })
}

fn cart_problems(kit: &Kit, cart: &Cart) -> Vec<Refusal> {
    let mut problems = Vec::new();
    if cart.lines.is_empty() {
        problems.push(Refusal::new(ErrorCode::Empty, "there is nothing in the cart").at(["lines"]));
    }
    let most = kit.config.shop.max_lines_per_order.max(1) as usize;
    if cart.lines.len() > most {
        let text = format!("an order has at most {most} lines");
        problems.push(Refusal::new(ErrorCode::TooManyLines, text).at(["lines"]));
    }
    if !kit.config.shop.currencies.iter().any(|c| c == cart.currency.as_str()) {
        let text = format!("the shop does not sell in {}", cart.currency);
        problems.push(Refusal::new(ErrorCode::CurrencyNotSold, text).at(["currency"]));
    }
    problems
}

async fn price_lines(
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    cart: &Cart,
    problems: &mut Vec<Refusal>,
) -> Outcome<Vec<QuoteLine>> {
    let mut wants: Vec<(VariantId, i64)> = Vec::new();
    for line in &cart.lines {
        let quantity = i64::from(line.quantity.max(0));
        match wants.iter_mut().find(|w| w.0 == line.variant_id) {
            Some(want) => want.1 += quantity,
            None => wants.push((line.variant_id, quantity)),
        }
    }
    let counted: Vec<(VariantId, i64)> =
        wants.iter().map(|(variant, wanted)| (*variant, stock_wanted(*wanted))).collect();
    let offers = offers::for_order(conn, &counted, cart.currency, cart.locale).await?;
    let limited = bundles::limited(&offers);
    let bought =
        if limited.is_empty() { Vec::new() } else { bought(conn, actor, cart, &limited, problems).await? };
    let counts = Counts::of(&wants, &offers).with_bought(bought);
    let line = |(index, line): (usize, &CartLine)| {
        let offer = offers.iter().find(|o| o.variant.id == line.variant_id);
        let wanted = wants.iter().find(|w| w.0 == line.variant_id).map_or(0, |w| w.1);
        price_line(index, line, offer, wanted, &counts)
    };
    Ok(cart.lines.iter().enumerate().map(line).collect())
}

/// How many pieces the stock is held against: at least one, so that an empty quantity says nothing of the stock unless
/// there is none, and no more than an order can have, so that a huge one neither counts the whole stock.
pub(super) fn stock_wanted(wanted: i64) -> i64 {
    wanted.clamp(1, i64::from(LARGEST_QUANTITY))
}

/// What the buyer has of these variants. A guest whose address is not proven is asked for a code and shown nothing.
async fn bought(
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    cart: &Cart,
    limited: &[VariantId],
    problems: &mut Vec<Refusal>,
) -> Outcome<Vec<(VariantId, i64)>> {
    let own = buyer::own_address(conn, actor).await?;
    let mailbox = own.as_ref().or(cart.proven.as_ref()).map(Email::mailbox);
    if mailbox.is_none() {
        problems.push(limits::code_required());
        return Ok(Vec::new());
    }
    Ok(limits::count_bought(conn, actor.user_id(), mailbox.as_deref(), limited).await?)
}

/// `wanted` is how many of the variant the lines of the cart name; `counts` also has those in bundles.
fn price_line(
    index: usize,
    line: &CartLine,
    offer: Option<&Offer>,
    wanted: i64,
    counts: &Counts,
) -> QuoteLine {
    let mut problems = Vec::new();
    let mut problem = |code, text: String, field: &str, available: Option<i64>| {
        let mut refusal =
            Refusal::new(code, text).at(["lines".to_owned(), index.to_string(), field.to_owned()]);
        refusal.variant_id = Some(line.variant_id);
        refusal.available = available.map(|n| i32::try_from(n).unwrap_or(i32::MAX));
        let paused = offer.and_then(|offer| offer.product.paused.as_ref());
        refusal.verbatim = code == ErrorCode::NotOnSale && paused.is_some();
        problems.push(refusal);
    };
    let Some(offer) = offer else {
        problem(ErrorCode::VariantNotFound, "there is no such variant".into(), "variantId", None);
        return QuoteLine {
            key: line.key.clone(),
            quantity: line.quantity,
            offer: None,
            unit_minor: None,
            total_minor: 0,
            next_tier: None,
            problems,
        };
    };
    let variant = &offer.variant;
    if !offer.on_sale {
        let text = format!("{} is not on sale", offer.title);
        problem(ErrorCode::NotOnSale, offer.product.paused.clone().unwrap_or(text), "variantId", None);
    }
    let least = variant.min_quantity.max(1);
    if line.quantity < least {
        problem(ErrorCode::QuantityTooSmall, format!("at least {least} at a time"), "quantity", None);
    }
    let most = variant.max_quantity.unwrap_or(LARGEST_QUANTITY).min(LARGEST_QUANTITY);
    if wanted > i64::from(most) {
        problem(ErrorCode::QuantityTooLarge, format!("at most {most} at a time"), "quantity", None);
    }
    let (pieces, before) = (counts.wanted(variant.id), counts.before(variant.id));
    if let Some(limit) = variant.limit_per_buyer
        && before + pieces > i64::from(limit)
    {
        let left = (i64::from(limit) - before).max(0);
        problem(ErrorCode::BuyerLimitReached, format!("at most {limit} per buyer"), "quantity", Some(left));
    }
    for trouble in bundles::troubles(offer, line.quantity, counts) {
        problem(trouble.code, trouble.text, trouble.field, trouble.available);
    }
    match offer.available.filter(|_| offer.parts.is_empty()) {
        Some(0) => {
            problem(ErrorCode::OutOfStock, format!("{} is sold out", offer.title), "quantity", Some(0))
        }
        Some(left) if left < stock_wanted(pieces) => {
            problem(
                ErrorCode::NotEnoughStock,
                format!("only {left} of {} are left", offer.title),
                "quantity",
                Some(left),
            );
        }
        Some(_) | None => {}
    }
    // What a quantity that is too small would cost is shown at the least one that is sold.
    let tier = tier_at(&offer.tiers, i32::try_from(wanted).unwrap_or(i32::MAX).max(least));
    if tier.is_none() {
        problem(
            ErrorCode::CurrencyNotSold,
            format!("{} has no price in this currency", offer.title),
            "variantId",
            None,
        );
    }
    let unit_minor = tier.as_ref().map(|t| t.unit_minor);
    let total = unit_minor.and_then(|unit| unit.checked_mul(i64::from(line.quantity.max(0))));
    if unit_minor.is_some() && total.is_none_or(|t| t > LARGEST_TOTAL) {
        problem(ErrorCode::QuantityTooLarge, "the amount is too large".into(), "quantity", None);
    }
    let next_tier =
        offer.tiers.iter().filter(|t| i64::from(t.min_quantity) > wanted).min_by_key(|t| t.min_quantity);
    QuoteLine {
        key: line.key.clone(),
        quantity: line.quantity,
        unit_minor,
        total_minor: total.unwrap_or(0).min(LARGEST_TOTAL),
        next_tier: next_tier.cloned(),
        offer: Some(offer.clone()),
        problems,
    }
}

/// Units of one variant in an order: each is a row, and they are assigned in one transaction.
pub(super) const LARGEST_QUANTITY: i32 = 1_000;

/// Minor units of one line; keeps every sum of an order far from the end of 64 bits.
const LARGEST_TOTAL: i64 = 1_000_000_000_000_000;

/// Says which total was shown for which cart, signed.
fn token(kit: &Kit, cart: &Cart, total: i64, until: i64) -> String {
    let lines: Vec<_> = cart.lines.iter().map(|l| (l.variant_id.to_string(), l.quantity)).collect();
    let payload = json!({ "l": lines, "c": cart.currency.as_str(), "t": total, "u": until });
    sign::token(&kit.config.secrets.links, "quote", payload.to_string().as_bytes())
}

/// Whether the token was given for this very cart and total and is still valid.
pub(super) fn token_fits(kit: &Kit, cart: &Cart, total: i64, given: &str) -> bool {
    let Ok(payload) = sign::open_token(&kit.config.secrets.links, "quote", given) else { return false };
    let Ok(said) = serde_json::from_slice::<serde_json::Value>(&payload) else { return false };
    let until = said["u"].as_i64().unwrap_or(0);
    let lines: Vec<_> = cart.lines.iter().map(|l| (l.variant_id.to_string(), l.quantity)).collect();
    said["l"] == json!(lines)
        && said["c"] == json!(cart.currency.as_str())
        && said["t"] == json!(total)
        && until > kit.clock.unix()
}
