//! A seller says what a bundle consists of.

use diesel_async::AsyncPgConnection;

use crate::base::error_code::ErrorCode;
use crate::base::ids::VariantId;
use crate::base::outcome::{Outcome, Refusal};
use crate::catalogue::bundles::store;
use crate::catalogue::model::Variant;
use crate::catalogue::state::VariantState;
use crate::goods::{self, Supply};

/// Parts a bundle may have at most.
const MOST_PARTS: usize = 20;

/// Pieces of all its parts together, at most: each is a row of every order.
const MOST_PIECES: i32 = 100;

/// One part of a bundle. They are given together and replace those before.
#[derive(Clone, Copy, Debug)]
pub struct PartInput {
    pub variant_id: VariantId,
    /// Pieces of it in one bundle.
    pub quantity: i32,
}

/// Sets the parts of a variant that was just edited; its product is locked. `INVALID` for variants that are no bundles, for none
/// or too many parts, and for a part that is named twice, retired or a bundle itself; `NOT_FOUND` for variants of other sellers.
pub(in crate::catalogue) async fn set(
    conn: &mut AsyncPgConnection,
    bundle: &Variant,
    parts: &[PartInput],
) -> Outcome<()> {
    let refuse = |text: &str| Err(Refusal::new(ErrorCode::Invalid, text).at(["parts"]).into());
    if goods::supply(&bundle.kind) != Some(Supply::Parts) {
        return refuse("only bundles have parts");
    }
    if parts.is_empty() || parts.len() > MOST_PARTS {
        return refuse(&format!("a bundle has 1 to {MOST_PARTS} parts"));
    }
    let ids: Vec<VariantId> = parts.iter().map(|part| part.variant_id).collect();
    let own = store::list_own(conn, bundle.seller_id, &ids).await?;
    for (index, part) in parts.iter().enumerate() {
        let found = own.iter().find(|variant| variant.id == part.variant_id);
        check(part, found, &ids[..index]).map_err(|(field, refusal)| {
            refusal.at(["parts".to_owned(), index.to_string(), field.to_owned()])
        })?;
    }
    if parts.iter().map(|part| part.quantity).sum::<i32>() > MOST_PIECES {
        return refuse(&format!("a bundle has at most {MOST_PIECES} pieces"));
    }
    let rows: Vec<(VariantId, i32)> = parts.iter().map(|part| (part.variant_id, part.quantity)).collect();
    store::insert_parts(conn, bundle.id, &rows).await?;
    Ok(())
}

/// Why a part cannot be one, with the field that says so. `before`: the parts that were named before it.
fn check(
    part: &PartInput,
    found: Option<&Variant>,
    before: &[VariantId],
) -> Result<(), (&'static str, Refusal)> {
    let refuse = |field, code, text: &str| Err((field, Refusal::new(code, text)));
    let Some(variant) = found else {
        return refuse("variantId", ErrorCode::NotFound, "this seller has no such variant");
    };
    if goods::supply(&variant.kind) == Some(Supply::Parts) {
        return refuse("variantId", ErrorCode::Invalid, "a bundle is no part of a bundle");
    }
    if variant.state != VariantState::Active {
        return refuse("variantId", ErrorCode::Invalid, "this variant is retired");
    }
    if before.contains(&part.variant_id) {
        return refuse("variantId", ErrorCode::Invalid, "it is named twice: give its quantity instead");
    }
    if !(1..=MOST_PIECES).contains(&part.quantity) {
        let text = format!("1 to {MOST_PIECES} pieces of a part are in one bundle");
        return refuse("quantity", ErrorCode::Invalid, &text);
    }
    Ok(())
}

/// A bundle's price is shared out by what its parts cost, so each has a price in each of the bundle's currencies:
/// `PRICE_INVALID`. `with_parts`: the parts are what was edited, else the prices.
pub(in crate::catalogue) async fn must_be_priced(
    conn: &mut AsyncPgConnection,
    bundle: &Variant,
    with_parts: bool,
) -> Outcome<()> {
    let Some(missing) = store::find_unpriced(conn, bundle.id).await? else { return Ok(()) };
    let place = missing.position - 1;
    let refusal = Refusal::new(
        ErrorCode::PriceInvalid,
        format!(
            "part {} has no price in {}, in which the bundle is sold",
            missing.position, missing.currency
        ),
    );
    Err(match with_parts {
        true => refusal.at(["parts".to_owned(), place.to_string(), "variantId".to_owned()]).into(),
        false => refusal.at(["prices"]).into(),
    })
}
