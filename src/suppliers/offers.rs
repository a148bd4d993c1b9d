//! Where the pieces of a variant are bought.

use diesel_async::AsyncPgConnection;

use crate::base::actor::Actor;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{SellerId, SupplierId, VariantId};
use crate::base::money::{Currency, Money};
use crate::base::outcome::{Outcome, Refusal};
use crate::base::text::clean;
use crate::infra::effects::events::{self, Event};
use crate::suppliers::events::{OfferEvent, OffersOf};
use crate::suppliers::model::PricedOffer;
use crate::suppliers::{read, store};

/// Suppliers of one variant.
const MOST: usize = 10;

/// One of the places where a variant is bought.
#[derive(Clone, Debug)]
pub struct NewOffer {
    /// As the client wrote it.
    pub supplier_id: String,
    pub product: String,
    /// Decimal text in the supplier's currency: the most that is paid for a piece.
    pub max_price: String,
}

/// Sets where a locked variant's pieces are bought, the first asked first. `INVALID`, `NOT_FOUND`, `TOO_MANY` with the path
/// of the offer.
pub async fn set(
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    (seller, variant): (SellerId, VariantId),
    new: &[NewOffer],
) -> Outcome<Vec<PricedOffer>> {
    if new.len() > MOST {
        let text = format!("a variant is bought at {MOST} suppliers at most");
        return Err(Refusal::new(ErrorCode::TooMany, text).at(["offers"]).into());
    }
    let mut offers: Vec<PricedOffer> = Vec::with_capacity(new.len());
    for (index, offer) in (0_i32..).zip(new) {
        let refuse = |code: ErrorCode, field: &str, text: &str| {
            Refusal::new(code, text).at(["offers".to_owned(), index.to_string(), field.to_owned()])
        };
        let missing = || refuse(ErrorCode::NotFound, "supplierId", "there is no such supplier");
        let id = SupplierId::parse(&offer.supplier_id).map_err(|_| missing())?;
        let supplier = read::find(conn, id).await?.filter(|found| found.seller_id == seller);
        let supplier = supplier.ok_or_else(missing)?;
        if offers.iter().any(|other| other.supplier_id == id) {
            let text = "a supplier is named once";
            return Err(refuse(ErrorCode::Invalid, "supplierId", text).into());
        }
        let product = clean(&offer.product, "product", 200, false)
            .map_err(|refusal| refuse(ErrorCode::Invalid, "product", &refusal.message))?;
        let price = Currency::parse(&supplier.currency)
            .and_then(|currency| Money::parse(&offer.max_price, currency))
            .map_err(|error| refuse(ErrorCode::Invalid, "maxPrice", &error.to_string()))?;
        offers.push(PricedOffer {
            variant_id: variant,
            supplier_id: id,
            position: index,
            product,
            max_price_minor: price.minor,
            currency: supplier.currency,
        });
    }
    store::replace_offers(conn, (seller, variant), &offers).await?;
    let suppliers = offers.iter().map(|offer| offer.supplier_id).collect();
    let event = OfferEvent::Set(variant, OffersOf { variant, suppliers }).by(actor.label()).of_seller(seller);
    events::append(conn, &[event]).await?;
    Ok(offers)
}
