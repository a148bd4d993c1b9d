//! The lines and units of an order that is placed: a line per line of the cart, and after that of a bundle a line per part.
//!
//! The line of a bundle has the price that the buyer sees, and no units. Its parts have the units, and each a share of that
//! price, so that whatever is delivered, booked or given back goes by them, as if they had been bought by themselves.

use crate::base::ids::{LineId, UnitId};
use crate::base::money::spread;
use crate::catalogue::model::tier_at;
use crate::catalogue::offers::{Offer, OfferPart};
use crate::infra::kit::Kit;
use crate::orders::quote::{Quote, QuoteLine};
use crate::orders::reserve;
use crate::orders::store::{NewLine, NewPart};

/// The lines of a cart that nothing speaks against.
pub(super) fn of_quote(kit: &Kit, quote: &Quote) -> Vec<NewLine> {
    let mut lines: Vec<NewLine> = Vec::new();
    for (index, line) in quote.lines.iter().enumerate() {
        let (Some(offer), Some(unit_minor)) = (&line.offer, line.unit_minor) else { continue };
        let own = NewLine {
            quantity: line.quantity,
            unit_minor,
            total_minor: unit_minor * i64::from(line.quantity),
            reserved_until: reserve::until(kit, &offer.variant),
            part_count: (!offer.parts.is_empty()).then_some(offer.parts.len() as i32),
            ..blank(kit, offer, index)
        };
        let parts = parts(kit, &own, line, &offer.parts);
        lines.push(own);
        lines.extend(parts);
    }
    for (position, line) in lines.iter_mut().enumerate() {
        line.position = position as i32;
    }
    lines
}

fn parts(kit: &Kit, bundle: &NewLine, line: &QuoteLine, parts: &[OfferPart]) -> Vec<NewLine> {
    let prices: Vec<(i64, i32)> = parts.iter().map(|part| (list_price(part), part.quantity)).collect();
    let shares = shares(bundle.unit_minor, &prices);
    let part = |((part, share), (price, _)): ((&OfferPart, i64), &(i64, i32))| {
        let (quantity, total) = (part.quantity * line.quantity, share * i64::from(line.quantity));
        NewLine {
            quantity,
            unit_minor: *price,
            total_minor: total,
            discount_minor: (price.saturating_mul(i64::from(quantity)) - total).max(0),
            reserved_until: reserve::until(kit, &part.offer.variant),
            part: Some(NewPart { bundle: bundle.id, quantity: part.quantity }),
            ..blank(kit, &part.offer, bundle.cart_index)
        }
    };
    parts.iter().zip(shares).zip(&prices).map(part).collect()
}

/// What a piece of a part costs by itself, when so many are bought as are in one bundle. Minor units.
fn list_price(part: &OfferPart) -> i64 {
    tier_at(&part.offer.tiers, part.quantity).map_or(0, |tier| tier.unit_minor)
}

/// Shares the price of one bundle out to its parts, given what a piece of each costs by itself and how many of it are in the
/// bundle, by largest remainder: the shares sum to the price. A part that costs nothing has no share, unless nothing costs
/// anything: then all pieces have the same.
pub fn shares(price: i64, parts: &[(i64, i32)]) -> Vec<i64> {
    let costs: Vec<i64> = parts.iter().map(|(cost, each)| cost.saturating_mul(i64::from(*each))).collect();
    match costs.iter().all(|cost| *cost == 0) {
        true => spread(price, &parts.iter().map(|(_, each)| i64::from(*each)).collect::<Vec<_>>()),
        false => spread(price, &costs),
    }
}

/// A line with the snapshots of an offer, without quantity and amounts.
fn blank(kit: &Kit, offer: &Offer, cart_index: usize) -> NewLine {
    let variant = &offer.variant;
    NewLine {
        id: LineId(kit.clock.uuid()),
        seller_id: variant.seller_id,
        position: 0,
        cart_index,
        product_id: variant.product_id,
        variant_id: variant.id,
        title: offer.title.clone(),
        variant_title: offer.variant_title.clone(),
        kind: variant.kind.clone(),
        quantity: 0,
        partial_delivery: variant.partial_delivery,
        mail_policy: variant.mail_policy.as_str().to_owned(),
        terms: variant.terms.clone(),
        limit_per_buyer: variant.limit_per_buyer,
        unit_minor: 0,
        discount_minor: 0,
        total_minor: 0,
        reserved_until: None,
        part: None,
        part_count: None,
    }
}

/// A row per piece; their totals sum to the line's, and those of one bundle's pieces to its price.
pub(super) fn units(kit: &Kit, lines: &[NewLine]) -> Vec<(UnitId, LineId, i32, i64)> {
    let mut units = Vec::new();
    for line in lines.iter().filter(|line| line.part_count.is_none()) {
        let together = line.part.map_or(line.quantity, |part| part.quantity).max(1);
        let times = (line.quantity / together).max(1);
        let totals = spread(line.total_minor / i64::from(times), &vec![1; together as usize]);
        for (index, total) in (0..times).flat_map(|_| &totals).enumerate() {
            units.push((UnitId(kit.clock.uuid()), line.id, index as i32 + 1, *total));
        }
    }
    units
}
