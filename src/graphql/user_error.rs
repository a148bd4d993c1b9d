//! `userErrors`: an expected no as part of a payload, with the code of its group.

use async_graphql::{Interface, SimpleObject};

use crate::base::error_code::ErrorCode;
use crate::base::outcome::{Fault, Refusal};
use crate::base::text::Locale;
use crate::graphql::codes::{
    AccountErrorCode, CatalogueErrorCode, ConnectionErrorCode, DeliveryErrorCode, ErrorGroup, OrderErrorCode,
    OrderPlaceErrorCode, PaymentErrorCode, StaffErrorCode, StockErrorCode,
};
use crate::graphql::error::{Answer, fault, refused, top_level};
use crate::graphql::messages;

/// An expected no: what every group's errors have in common. Each adds its own `code`.
#[derive(Interface)]
#[graphql(
    field(name = "message", ty = "&String", desc = "Ready to show, in the request's language."),
    field(
        name = "field",
        ty = "&Option<Vec<String>>",
        desc = "The path into `input` that is meant; null when it is the whole."
    ),
    field(
        name = "retry_after_seconds",
        ty = "&Option<i32>",
        desc = "After how many seconds the same call may succeed."
    )
)]
pub enum UserError {
    OrderError(OrderError),
    OrderPlaceError(OrderPlaceError),
    PaymentError(PaymentError),
    DeliveryError(DeliveryError),
    AccountError(AccountError),
    CatalogueError(CatalogueError),
    StockError(StockError),
    StaffError(StaffError),
    ConnectionError(ConnectionError),
}

/// Made from a refusal when its code belongs to the group.
pub trait FromRefusal: Sized {
    fn from_refusal(refusal: &Refusal, message: String) -> Option<Self>;
}

/// `userErrors` of one refusal. A code that may also be an error beside `data` becomes one where the group does not have
/// it. Any other code belongs into the group: its absence stops a build with debug assertions, and in a release the
/// client still reads the refusal's own words, as `INVALID`.
pub fn user_errors<E: FromRefusal>(refusal: Refusal, locale: Locale) -> Answer<Vec<E>> {
    if let Some(error) = E::from_refusal(&refusal, message(&refusal, locale)) {
        return Ok(vec![error]);
    }
    if top_level(refusal.code).is_some() {
        return Err(refused(refusal));
    }
    let code = refusal.code;
    debug_assert!(false, "{} has no code {code}", std::any::type_name::<E>());
    tracing::error!(%code, group = std::any::type_name::<E>(), "a refusal's code is not in its group");
    let text = refusal.message.clone();
    let invalid = Refusal { code: ErrorCode::Invalid, ..refusal };
    let error = E::from_refusal(&invalid, text);
    Ok(vec![error.ok_or_else(|| fault(Fault::bug("a group of errors without INVALID")))?])
}

/// The refusal's sentence in the request's language.
pub fn message(refusal: &Refusal, locale: Locale) -> String {
    match locale {
        _ if refusal.verbatim => refusal.message.clone(),
        Locale::En => refusal.message.clone(),
        Locale::Zh => messages::chinese(refusal.code).map_or_else(|| refusal.message.clone(), str::to_owned),
    }
}

fn path(refusal: &Refusal) -> Option<Vec<String>> {
    (!refusal.field.is_empty()).then(|| refusal.field.clone())
}

fn seconds(refusal: &Refusal) -> Option<i32> {
    refusal.retry_after.map(|s| i32::try_from(s).unwrap_or(i32::MAX))
}

macro_rules! user_error {
    ($(#[doc = $doc:literal] $name:ident($code:ident);)*) => {$(
        #[doc = $doc]
        #[derive(Clone, Debug, SimpleObject)]
        pub struct $name {
            /// What it is, for the client to act on.
            pub code: $code,
            /// Ready to show, in the request's language.
            pub message: String,
            /// The path into `input` that is meant; null when it is the whole.
            pub field: Option<Vec<String>>,
            /// After how many seconds the same call may succeed.
            pub retry_after_seconds: Option<i32>,
        }

        impl FromRefusal for $name {
            fn from_refusal(refusal: &Refusal, message: String) -> Option<Self> {
                let code = $code::of(refusal.code)?;
                Some(Self { code, message, field: path(refusal), retry_after_seconds: seconds(refusal) })
            }
        }
    )*};
}

user_error! {
    /// Why an order was not cancelled, reached or claimed.
    OrderError(OrderErrorCode);
    /// Why a payment was not started or checked.
    PaymentError(PaymentErrorCode);
    /// Why what was bought was not shown, downloaded or sent.
    DeliveryError(DeliveryErrorCode);
    /// Why an account was not made, entered or changed.
    AccountError(AccountErrorCode);
    /// Why a product, variant or file was not changed.
    CatalogueError(CatalogueErrorCode);
    /// Why keys were not taken in or made.
    StockError(StockErrorCode);
    /// Why an act of staff was refused.
    StaffError(StaffErrorCode);
    /// Why a connection was not made or changed.
    ConnectionError(ConnectionErrorCode);
}

/// Why an order was not placed.
#[derive(Clone, Debug, SimpleObject)]
pub struct OrderPlaceError {
    /// What it is, for the client to act on.
    pub code: OrderPlaceErrorCode,
    /// Ready to show, in the request's language.
    pub message: String,
    /// The path into `input` that is meant; null when it is the whole.
    pub field: Option<Vec<String>>,
    /// After how many seconds the same call may succeed.
    pub retry_after_seconds: Option<i32>,
    /// The variant that is short or unknown.
    pub variant_id: Option<async_graphql::ID>,
    /// How many of it can be had.
    pub available: Option<i32>,
}

impl FromRefusal for OrderPlaceError {
    fn from_refusal(refusal: &Refusal, message: String) -> Option<Self> {
        Some(Self {
            code: OrderPlaceErrorCode::of(refusal.code)?,
            message,
            field: path(refusal),
            retry_after_seconds: seconds(refusal),
            variant_id: refusal.variant_id.map(Into::into),
            available: refusal.available,
        })
    }
}
