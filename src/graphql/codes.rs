//! The codes of `userErrors`: one closed list per group of mutations, each a part of [`ErrorCode`], which has their
//! text and their meaning.

use std::borrow::Cow;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::Field;
use async_graphql::registry::{Deprecation, MetaEnumValue, MetaType, MetaTypeId, Registry};
use async_graphql::{ContextSelectionSet, Name, OutputType, Positioned, ServerResult, Value};

use crate::base::error_code::ErrorCode;

/// A GraphQL enum that has some of the codes.
pub trait ErrorGroup: Sized {
    const NAME: &'static str;
    const ABOUT: &'static str;
    const CODES: &'static [ErrorCode];

    /// None when the group does not have the code.
    fn of(code: ErrorCode) -> Option<Self>;
}

fn describe<G: ErrorGroup>() -> MetaType {
    let value = |code: &ErrorCode| MetaEnumValue {
        name: code.as_str().to_owned(),
        description: Some(code.about().to_owned()),
        deprecation: match code.deprecation() {
            Some(reason) => Deprecation::Deprecated { reason: Some(reason.to_owned()) },
            None => Deprecation::NoDeprecated,
        },
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        directive_invocations: Vec::new(),
    };
    let values: IndexMap<_, _> =
        G::CODES.iter().map(|code| (code.as_str().to_owned(), value(code))).collect();
    MetaType::Enum {
        name: G::NAME.to_owned(),
        description: Some(G::ABOUT.to_owned()),
        enum_values: values,
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        rust_typename: Some(std::any::type_name::<G>()),
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    }
}

macro_rules! groups {
    ($($(#[doc = $about:literal])* $group:ident: $($code:ident)*;)*) => {
        $(
            $(#[doc = $about])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $group(ErrorCode);

            impl ErrorGroup for $group {
                const NAME: &'static str = stringify!($group);
                const ABOUT: &'static str = concat!($($about),*).trim_ascii_start();
                const CODES: &'static [ErrorCode] = &[$(ErrorCode::$code,)*];

                fn of(code: ErrorCode) -> Option<Self> {
                    Self::CODES.contains(&code).then_some(Self(code))
                }
            }

            impl OutputType for $group {
                fn type_name() -> Cow<'static, str> {
                    Cow::Borrowed(Self::NAME)
                }

                fn create_type_info(registry: &mut Registry) -> String {
                    registry.create_output_type::<Self, _>(MetaTypeId::Enum, |_| describe::<Self>())
                }

                async fn resolve(
                    &self,
                    _: &ContextSelectionSet<'_>,
                    _: &Positioned<Field>,
                ) -> ServerResult<Value> {
                    Ok(Value::Enum(Name::new(self.0.as_str())))
                }
            }
        )*

        /// All groups, for documentation: name and codes.
        pub const GROUPS: &[(&str, &[ErrorCode])] = &[$(($group::NAME, $group::CODES),)*];
    };
}

groups! {
    /// Why an order cannot be placed; a quote names its problems with the same codes.
    OrderPlaceErrorCode:
        Invalid RateLimited CaptchaRequired IdempotencyConflict InProgress Empty TooManyLines
        VariantNotFound NotOnSale OutOfStock NotEnoughStock QuantityTooSmall QuantityTooLarge
        BuyerLimitReached CurrencyNotSold PriceChanged AnswerMissing AnswerInvalid EmailRequired
        EmailInvalid SignInRequired TooManyUnpaidOrders CouponUnknown CouponExpired CouponUsedUp
        CouponNotForThese CouponMinimumNotMet CouponNotCombinable ReferenceTaken EmailCodeRequired
        EmailCodeWrong EmailCodeExpired AccessRevoked;

    /// Why an order cannot be cancelled, reached or claimed.
    OrderErrorCode:
        Invalid EmailInvalid NotFound Forbidden RateLimited CaptchaRequired AlreadyPaid PaymentInProgress
        NotCancellable AccessCodeWrong AccessCodeExpired AlreadyClaimed ClaimEmailMismatch
        IdempotencyConflict InProgress;

    /// Why a payment cannot be started or checked.
    PaymentErrorCode:
        Invalid NotFound Forbidden RateLimited IdempotencyConflict InProgress OrderExpired
        OrderCancelled AlreadyPaid NothingDue NeedsAttention BuyerLimitReached MethodNotAvailable
        AmountBelowMinimum AmountAboveMaximum AmountNotSupported CurrencyNotSupported
        NoAcceptedAction ReturnUrlNotAllowed PayerIdRequired GatewayDeclined GatewayUnavailable
        GatewayOutcomeUnknown;

    /// Why what was bought cannot be shown, downloaded or sent again.
    DeliveryErrorCode:
        Invalid NotFound Forbidden RateLimited IdempotencyConflict InProgress NotPaid NotReady
        Revoked Refunded Replaced GrantExhausted GrantExpired FileYanked ResendTooSoon WarrantyOver
        ReplacementLimitReached AlreadyReported ReasonRequired IllegalTransition AlreadyRefunded
        DisputeOpen RefundTooLarge RefundNotSupported;

    /// Why somebody cannot register, sign in or change an account.
    AccountErrorCode:
        Invalid NotFound RateLimited CaptchaRequired CredentialsWrong EmailInvalid
        EmailNotConfirmed PasswordTooWeak PasswordBreached CodeWrong CodeExpired TotpRequired
        TotpAlreadyEnabled RefreshTokenInvalid RefreshTokenReused AccountSuspended HasOpenOrders;

    /// Why a product, variant or file cannot be changed.
    CatalogueErrorCode:
        Invalid NotFound Forbidden VersionConflict SlugTaken SkuTaken NotSubmittable NotInReview
        ReasonRequired PriceInvalid CurrencyNotSupported KindNotChangeable VariantHasSales
        FileNotReady CouponCodeTaken;

    /// Why keys cannot be taken in or made.
    StockErrorCode:
        Invalid NotFound Forbidden IdempotencyConflict InProgress FormatTooWeak FormatExhausted
        TooMany KeyDuplicate ImportNotReady ImportAlreadyCommitted BatchAlreadyRecalled
        KeyAlreadySold ApprovalRequired ReasonRequired;

    /// Why a connection to another service cannot be made or changed.
    ConnectionErrorCode:
        Invalid NotFound Forbidden VersionConflict TooMany CurrencyNotSupported UrlNotAllowed
        UrlUnreachable SecretTooWeak SupplierRefused RateLimited EventTypeUnknown EndpointDisabled
        ScopeUnknown;

    /// Why an act of staff is refused.
    StaffErrorCode:
        Invalid NotFound Forbidden RateLimited ReasonRequired ApprovalRequired VersionConflict
        IdempotencyConflict InProgress IllegalTransition AlreadyDelivered NotPaid AlreadyRefunded
        DisputeOpen RefundTooLarge RefundNotSupported RefundOutcomeUnknown EvidenceRequired
        Refunded Revoked Replaced TaskTaken NoticeNotVerifiable LastAdmin EmailInvalid
        AddressSuppressed SettingInvalid Unavailable;
}
