//! What buyers are shown of stock. Pure: it is given what was counted.

use chrono::{DateTime, Utc};

use crate::base::error_code::ErrorCode;
use crate::base::text::Locale;
use crate::catalogue::model::StockDisplay;
use crate::goods::Available;

/// The largest number that is shown; more is "1000+".
pub const LARGEST_SHOWN: i64 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StockLevel {
    OutOfStock,
    Low,
    InStock,
    OnDemand,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Availability {
    pub level: StockLevel,
    /// Only when the seller shows it, and not above 1,000.
    pub quantity: Option<i64>,
    pub can_buy: bool,
    /// Open code: `OUT_OF_STOCK`, `NOT_ON_SALE`.
    pub reason: Option<ErrorCode>,
    pub text: String,
    /// Of what is out of stock: when its seller expects more; may have passed.
    pub restock_expected_at: Option<DateTime<Utc>>,
}

/// How far stock must be counted to say what the variant shows.
pub fn count_up_to(display: StockDisplay, low_threshold: i32, min_quantity: i32) -> i64 {
    let shown = match display {
        StockDisplay::Exact => LARGEST_SHOWN + 1,
        StockDisplay::Low => i64::from(low_threshold) + 1,
        StockDisplay::InOut => 1,
    };
    shown.max(i64::from(min_quantity))
}

/// What was counted of one variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Pieces counted no further than `count_up_to`; none for kinds that this program does not know.
    pub available: Option<Available>,
    /// A person hands each piece over.
    pub on_demand: bool,
    /// The product is on sale and the variant active.
    pub on_sale: bool,
}

/// What a variant shows. A stock smaller than the least that may be bought is no stock.
pub fn of_variant(
    counted: Counted,
    display: StockDisplay,
    low_threshold: i32,
    min_quantity: i32,
    locale: Locale,
) -> Availability {
    if !counted.on_sale {
        return nothing(ErrorCode::NotOnSale, say(locale, "Not on sale", "已下架"));
    }
    match counted.available {
        Some(Available::Endless) if counted.on_demand => {
            plain(StockLevel::OnDemand, say(locale, "On demand", "按需交付"))
        }
        Some(Available::Endless) => plain(StockLevel::InStock, say(locale, "In stock", "有货")),
        Some(Available::Pieces(pieces)) if pieces >= i64::from(min_quantity) => {
            of_pieces(pieces, display, low_threshold, locale)
        }
        _ => nothing(ErrorCode::OutOfStock, say(locale, "Out of stock", "缺货")),
    }
}

/// What a variant shows whose product is paused: the seller's own words.
pub fn paused(because: &str) -> Availability {
    nothing(ErrorCode::NotOnSale, because.to_owned())
}

/// Of a bundle that lacks a part because nobody sells it at present.
pub fn lacks_part(locale: Locale) -> Availability {
    nothing(ErrorCode::NotOnSale, say(locale, "A part of it is not on sale", "套装中有商品已下架"))
}

fn of_pieces(pieces: i64, display: StockDisplay, low_threshold: i32, locale: Locale) -> Availability {
    let low = display != StockDisplay::InOut && pieces <= i64::from(low_threshold);
    let level = if low { StockLevel::Low } else { StockLevel::InStock };
    match display {
        StockDisplay::Exact if pieces > LARGEST_SHOWN => {
            plain(level, say(locale, "1000+ in stock", "库存 1000+"))
        }
        StockDisplay::Exact => {
            let text = match locale {
                Locale::En => format!("{pieces} in stock"),
                Locale::Zh => format!("库存 {pieces}"),
            };
            Availability { quantity: Some(pieces), ..plain(level, text) }
        }
        _ if low => plain(level, say(locale, "Only a few left", "库存紧张")),
        _ => plain(level, say(locale, "In stock", "有货")),
    }
}

/// What a product shows: the best of its variants.
pub fn of_product(variants: &[Availability], locale: Locale) -> Availability {
    let best = variants.iter().max_by_key(|a| (a.can_buy, a.level));
    match best {
        Some(one) if variants.len() == 1 => one.clone(),
        Some(best) if best.can_buy => {
            let low = best.level == StockLevel::Low;
            let text = if low {
                say(locale, "Only a few left", "库存紧张")
            } else {
                say(locale, "In stock", "有货")
            };
            plain(best.level, text)
        }
        Some(best) => {
            let restock_expected_at = variants.iter().filter_map(|a| a.restock_expected_at).min();
            Availability { quantity: None, restock_expected_at, ..best.clone() }
        }
        None => nothing(ErrorCode::NotOnSale, say(locale, "Not on sale", "已下架")),
    }
}

fn say(locale: Locale, english: &'static str, chinese: &'static str) -> String {
    match locale {
        Locale::En => english.into(),
        Locale::Zh => chinese.into(),
    }
}

fn plain(level: StockLevel, text: String) -> Availability {
    Availability { level, quantity: None, can_buy: true, reason: None, text, restock_expected_at: None }
}

fn nothing(reason: ErrorCode, text: String) -> Availability {
    let level = StockLevel::OutOfStock;
    Availability {
        level,
        quantity: None,
        can_buy: false,
        reason: Some(reason),
        text,
        restock_expected_at: None,
    }
}
