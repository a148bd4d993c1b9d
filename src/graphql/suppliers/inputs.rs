use async_graphql::{ID, InputObject, MaybeUndefined, SimpleObject};

use crate::base::secret::Secret;
use crate::graphql::catalogue::Variant;
use crate::graphql::scalars::{CurrencyCode, Decimal};
use crate::graphql::suppliers::types::{Supplier, SupplierOffer, SupplierState};
use crate::graphql::user_error::ConnectionError;
use crate::suppliers::connection::{ConnectionEdit, NewSecret};
use crate::suppliers::mapping::Mapping;

/// How the fields of a supplier's requests and answers are called. What is left out is as in the shop's own protocol.
#[derive(Default, InputObject)]
pub struct SupplierMappingInput {
    /// Name of the purchase's id in the request; by default `request_id`.
    request_id: Option<String>,
    /// Name of the product in the request; by default `product`.
    product: Option<String>,
    /// Name of the highest price in the request; by default `max_price`.
    max_price: Option<String>,
    /// Name of the currency in the request; by default `currency`.
    currency: Option<String>,
    /// Name of the callback's address in the request; by default `callback_url`.
    callback_url: Option<String>,
    /// JSON pointer to the purchase's id in the answer; by default `/request_id`.
    answer_request_id: Option<String>,
    /// JSON pointer to the state in the answer; by default `/state`.
    answer_state: Option<String>,
    /// JSON pointer to the text that is sold, or to a list of one; by default `/texts`.
    answer_texts: Option<String>,
    /// JSON pointer to the price in the answer; by default `/price`.
    answer_price: Option<String>,
    /// JSON pointer to the currency in the answer; by default `/currency`.
    answer_currency: Option<String>,
    /// JSON pointer to the supplier's own number of the purchase; by default `/reference`.
    answer_reference: Option<String>,
    /// JSON pointer to the reason of a refusal; by default `/reason`.
    answer_reason: Option<String>,
    /// Words for a purchase that is delivered; by default `delivered`.
    delivered: Option<Vec<String>>,
    /// Words for a purchase that is delivered later; by default `pending`.
    pending: Option<Vec<String>>,
    /// Words for a purchase that is refused; by default `refused`.
    refused: Option<Vec<String>>,
}

impl From<SupplierMappingInput> for Mapping {
    fn from(input: SupplierMappingInput) -> Self {
        let own = Self::default();
        Self {
            request_id: input.request_id.unwrap_or(own.request_id),
            product: input.product.unwrap_or(own.product),
            max_price: input.max_price.unwrap_or(own.max_price),
            currency: input.currency.unwrap_or(own.currency),
            callback_url: input.callback_url.unwrap_or(own.callback_url),
            answer_request_id: input.answer_request_id.unwrap_or(own.answer_request_id),
            answer_state: input.answer_state.unwrap_or(own.answer_state),
            answer_texts: input.answer_texts.unwrap_or(own.answer_texts),
            answer_price: input.answer_price.unwrap_or(own.answer_price),
            answer_currency: input.answer_currency.unwrap_or(own.answer_currency),
            answer_reference: input.answer_reference.unwrap_or(own.answer_reference),
            answer_reason: input.answer_reason.unwrap_or(own.answer_reason),
            delivered: input.delivered.unwrap_or(own.delivered),
            pending: input.pending.unwrap_or(own.pending),
            refused: input.refused.unwrap_or(own.refused),
        }
    }
}

/// Input of `supplierCreate`.
#[derive(InputObject)]
pub struct SupplierCreateInput {
    /// For which seller; by default the caller's own.
    pub seller_id: Option<ID>,
    /// What to call it.
    pub name: String,
    /// Where purchases are sent, by POST: an address that the shop may call.
    pub url: String,
    /// Where one asks what became of a purchase, by GET; contains `{request_id}`. Without it a lost answer is for a person.
    pub status_url: Option<String>,
    /// The signing secret: `whsec_` and 24 to 64 random bytes in base64. Left out, one is made and shown once.
    pub signing_secret: Option<String>,
    /// Of all prices that are agreed with it.
    pub currency: CurrencyCode,
    /// Seconds that a call may take, 1 to 30; 15 when left out.
    pub timeout_seconds: Option<i32>,
    /// How its fields are called.
    pub mapping: Option<SupplierMappingInput>,
}

/// Input of `supplierUpdate`. What is left out stays as it is.
#[derive(InputObject)]
pub struct SupplierUpdateInput {
    /// Which supplier.
    pub supplier_id: ID,
    /// The version the editor saw; another one is a `VERSION_CONFLICT`.
    pub expected_version: Option<i32>,
    /// What to call it.
    pub name: Option<String>,
    /// Where purchases are sent.
    pub url: Option<String>,
    /// Where one asks what became of a purchase; null: nowhere.
    pub status_url: MaybeUndefined<String>,
    /// Seconds that a call may take, 1 to 30.
    pub timeout_seconds: Option<i32>,
    /// How its fields are called, all together.
    pub mapping: Option<SupplierMappingInput>,
    /// Whether anything is bought there.
    pub state: Option<SupplierState>,
    /// Another signing secret; the one before counts for a day more.
    pub signing_secret: Option<String>,
    /// Has another signing secret made, which is shown once; the one before counts for a day more.
    pub rotate_secret: Option<bool>,
}

impl SupplierUpdateInput {
    pub fn edit(self) -> ConnectionEdit {
        let made = self.rotate_secret.unwrap_or(false).then_some(NewSecret::Made);
        let status_url = match self.status_url {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(url) => Some(Some(url)),
        };
        ConnectionEdit {
            name: self.name,
            url: self.url,
            status_url,
            timeout_seconds: self.timeout_seconds,
            mapping: self.mapping.map(Into::into),
            state: self.state.map(Into::into),
            secret: self.signing_secret.map(|secret| NewSecret::Given(Secret::new(secret))).or(made),
            expected_version: self.expected_version,
        }
    }
}

/// Input of `supplierTest`.
#[derive(InputObject)]
pub struct SupplierTestInput {
    /// Which supplier.
    pub supplier_id: ID,
}

/// One of the places where a variant is bought.
#[derive(InputObject)]
pub struct SupplierOfferInput {
    /// Which supplier.
    pub supplier_id: ID,
    /// What the supplier calls it.
    pub product: String,
    /// The most that is paid for a piece, in the supplier's currency.
    pub max_price: Decimal,
}

/// Input of `supplierOffersSet`.
#[derive(InputObject)]
pub struct SupplierOffersSetInput {
    /// Which variant; its kind is `supplier`.
    pub variant_id: ID,
    /// Where it is bought, the first asked first; at most 10. None: nowhere, and it is not on sale.
    pub offers: Vec<SupplierOfferInput>,
}

/// Payload of `supplierCreate` and `supplierUpdate`.
#[derive(Default, SimpleObject)]
pub struct SupplierPayload {
    /// The connection as it is now.
    pub supplier: Option<Supplier>,
    /// The signing secret that was made: shown this once.
    pub signing_secret: Option<String>,
    /// Why it was refused; empty when it was done.
    pub user_errors: Vec<ConnectionError>,
}

/// Payload of `supplierTest`.
#[derive(Default, SimpleObject)]
pub struct SupplierTestPayload {
    /// The connection.
    pub supplier: Option<Supplier>,
    /// The HTTP status of its answer.
    pub status: Option<i32>,
    /// Why it was refused; empty when it answers as a supplier does.
    pub user_errors: Vec<ConnectionError>,
}

/// Payload of `supplierOffersSet`.
#[derive(Default, SimpleObject)]
pub struct SupplierOffersSetPayload {
    /// The variant as it is now.
    pub variant: Option<Variant>,
    /// Where it is bought now.
    pub offers: Vec<SupplierOffer>,
    /// Why it was refused; empty when it was done.
    pub user_errors: Vec<ConnectionError>,
}
