//! Variants as they are offered at this moment.

use std::collections::HashMap;

use diesel::QueryResult;
use diesel::sql_types::{Array, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::VariantId;
use crate::base::money::Currency;
use crate::base::text::Locale;
use crate::catalogue::bundles::BundlePart;
use crate::catalogue::model::{Tier, Variant};
use crate::catalogue::read::{VariantRow, asked, parts_of, variants};
use crate::catalogue::state::VariantState;
use crate::catalogue::view::ProductFacts;
use crate::goods::{self, AskedVariant, Available};

/// All that placing an order must know of a variant, as it is at this moment.
#[derive(Clone, Debug)]
pub struct Offer {
    pub variant: Variant,
    pub product: ProductFacts,
    /// Snapshots for the line, in the order's language.
    pub title: String,
    pub variant_title: String,
    /// Of the order's currency, smallest quantity first; empty when it is not sold in it.
    pub tiers: Vec<Tier>,
    /// How many can be had, up to what was asked for; none where stock has no number.
    pub available: Option<i64>,
    pub on_sale: bool,
    /// Of a bundle: what it consists of, in its order.
    pub parts: Vec<OfferPart>,
}

/// A part of a bundle that is ordered.
#[derive(Clone, Debug)]
pub struct OfferPart {
    pub offer: Offer,
    /// Pieces of it in one bundle.
    pub quantity: i32,
}

/// Offers for the wanted variants and quantities (one entry per variant, quantities added up). A variant that was
/// never on sale is left out, like one that does not exist. The parts of bundles cost one statement more, two with what is
/// said about them.
pub async fn for_order(
    conn: &mut AsyncPgConnection,
    wants: &[(VariantId, i64)],
    currency: Currency,
    locale: Locale,
) -> QueryResult<Vec<Offer>> {
    let wanted: HashMap<VariantId, i64> = wants.iter().copied().collect();
    let mut query = variants(locale);
    query.push("p.on_sale_at is not null and v.id = any(");
    query.push_bind::<Array<SqlUuid>, _>(wanted.keys().copied().collect::<Vec<_>>()).push(")");
    let rows: Vec<VariantRow> = query.load(conn).await?;
    let parts = parts_of(conn, rows.iter().map(|row| &row.variant)).await?;
    let part_rows: Vec<VariantRow> = match parts.is_empty() {
        true => Vec::new(),
        false => {
            let mut query = variants(locale);
            let ids: Vec<VariantId> = parts.iter().map(|part| part.variant_id).collect();
            query.push("v.id = any(").push_bind::<Array<SqlUuid>, _>(ids).push(")");
            query.load(conn).await?
        }
    };
    let want = |row: &VariantRow| wanted.get(&row.variant.id).copied().unwrap_or_default();
    let wants: Vec<AskedVariant<'_>> =
        rows.iter().map(|row| asked(&row.variant, want(row), &parts)).collect();
    let counted = goods::available(conn, &wants).await?;
    let offer = |row: &VariantRow| row.offer(&counted, currency, locale);
    let part_of = |part: &BundlePart| {
        let row = part_rows.iter().find(|row| row.variant.id == part.variant_id)?;
        Some(OfferPart { offer: offer(row), quantity: part.quantity })
    };
    let whole = |row: &VariantRow| {
        let own = parts.iter().filter(|part| part.bundle_id == row.variant.id);
        Offer { parts: own.filter_map(part_of).collect(), ..offer(row) }
    };
    Ok(rows.iter().map(whole).collect())
}

impl VariantRow {
    /// Without parts.
    fn offer(&self, counted: &HashMap<VariantId, Available>, currency: Currency, locale: Locale) -> Offer {
        let product = self.facts();
        Offer {
            available: counted.get(&self.variant.id).map_or(Some(0), |available| available.pieces()),
            on_sale: product.on_sale() && self.variant.state == VariantState::Active,
            tiers: self.prices.tiers(currency.as_str()),
            variant_title: self.texts.get("name", locale.as_str()).unwrap_or_default().to_owned(),
            title: product.name.clone(),
            product,
            variant: self.variant.clone(),
            parts: Vec::new(),
        }
    }
}
