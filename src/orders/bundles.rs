//! Bundles in a cart. Each part is looked at as if it were bought by itself, together with what else of it is in the cart.

use std::collections::HashMap;

use crate::base::error_code::ErrorCode;
use crate::base::ids::VariantId;
use crate::catalogue::model::tier_at;
use crate::catalogue::offers::{Offer, OfferPart};
use crate::orders::quote::{LARGEST_QUANTITY, stock_wanted};

/// What a cart wants of each variant, and what its buyer has.
pub(super) struct Counts {
    /// Pieces over the whole cart, alone and in bundles.
    wanted: HashMap<VariantId, i64>,
    /// Pieces that the buyer has, of variants with a limit.
    before: HashMap<VariantId, i64>,
}

impl Counts {
    /// `wants`: how many of each variant the cart names.
    pub fn of(wants: &[(VariantId, i64)], offers: &[Offer]) -> Self {
        let mut wanted: HashMap<VariantId, i64> = HashMap::new();
        for (variant, quantity) in wants {
            *wanted.entry(*variant).or_default() += quantity;
            let parts = offers.iter().filter(|offer| offer.variant.id == *variant).flat_map(|o| &o.parts);
            for part in parts {
                *wanted.entry(part.offer.variant.id).or_default() += quantity * i64::from(part.quantity);
            }
        }
        Self { wanted, before: HashMap::new() }
    }

    pub fn with_bought(self, bought: Vec<(VariantId, i64)>) -> Self {
        Self { before: bought.into_iter().collect(), ..self }
    }

    pub fn wanted(&self, id: VariantId) -> i64 {
        self.wanted.get(&id).copied().unwrap_or_default()
    }

    pub fn before(&self, id: VariantId) -> i64 {
        self.before.get(&id).copied().unwrap_or_default()
    }
}

/// Variants with a limit per buyer among the offers and their parts.
pub(super) fn limited(offers: &[Offer]) -> Vec<VariantId> {
    let all = offers.iter().chain(offers.iter().flat_map(|o| o.parts.iter().map(|part| &part.offer)));
    let mut ids: Vec<VariantId> =
        all.filter(|o| o.variant.limit_per_buyer.is_some()).map(|o| o.variant.id).collect();
    ids.sort_unstable_by_key(|id| id.0);
    ids.dedup();
    ids
}

/// Something that is wrong with a line of a cart.
pub(super) struct Trouble {
    pub code: ErrorCode,
    pub text: String,
    /// Field of the line.
    pub field: &'static str,
    /// How many bundles can be had all the same.
    pub available: Option<i64>,
}

/// What is wrong with the parts of a bundle of which `quantity` are wanted.
pub(super) fn troubles(bundle: &Offer, quantity: i32, counts: &Counts) -> Vec<Trouble> {
    let title = &bundle.title;
    let mut troubles = Vec::new();
    let mut trouble = |code, text: String, field, available| {
        troubles.push(Trouble { code, text, field, available });
    };
    for part in &bundle.parts {
        let name = &part.offer.title;
        if !part.offer.on_sale {
            let text = format!("{name}, a part of {title}, is not on sale");
            trouble(ErrorCode::NotOnSale, text, "variantId", None);
        }
        if tier_at(&part.offer.tiers, part.quantity).is_none() {
            let text = format!("{name}, a part of {title}, has no price in this currency");
            trouble(ErrorCode::CurrencyNotSold, text, "variantId", None);
        }
        if let Some(limit) = part.offer.variant.limit_per_buyer {
            let (before, wanted) =
                (counts.before(part.offer.variant.id), counts.wanted(part.offer.variant.id));
            if before + wanted > i64::from(limit) {
                let left = (i64::from(limit) - before).max(0) / i64::from(part.quantity.max(1));
                let text = format!("at most {limit} of {name}, a part of {title}, per buyer");
                trouble(ErrorCode::BuyerLimitReached, text, "quantity", Some(left));
            }
        }
    }
    if let Some((part, left)) = scarcest(bundle, counts) {
        let name = &part.offer.title;
        let (code, text) = match left {
            0 => (ErrorCode::OutOfStock, format!("{title} is sold out: too few of {name} are left")),
            left => (ErrorCode::NotEnoughStock, format!("only {left} of {title} are left: {name} is short")),
        };
        trouble(code, text, "quantity", Some(left));
    }
    let pieces: i64 = bundle.parts.iter().map(|part| i64::from(part.quantity)).sum();
    if pieces * i64::from(quantity.max(0)) > i64::from(LARGEST_QUANTITY) {
        let text = format!("the parts of a line are at most {LARGEST_QUANTITY} pieces");
        trouble(ErrorCode::QuantityTooLarge, text, "quantity", None);
    }
    troubles
}

/// The part of which too few are left for the cart, and how many bundles what is left would make: the one that makes the
/// fewest.
fn scarcest<'a>(bundle: &'a Offer, counts: &Counts) -> Option<(&'a OfferPart, i64)> {
    let short = |part: &&OfferPart| {
        let wanted = stock_wanted(counts.wanted(part.offer.variant.id)).max(i64::from(part.quantity));
        part.offer.available.is_some_and(|left| left < wanted)
    };
    let bundles = |part: &'a OfferPart| {
        (part, part.offer.available.unwrap_or_default() / i64::from(part.quantity.max(1)))
    };
    bundle.parts.iter().filter(short).map(bundles).min_by_key(|(_, bundles)| *bundles)
}
