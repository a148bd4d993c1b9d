//! The stable codes of everything that can be refused or fail, in one closed list that GraphQL, REST and the generated
//! `docs/ERROR_CODES.md` share. A code that is not here does not compile.

macro_rules! error_codes {
    ($($name:ident = $code:literal: $about:literal $(deprecated $why:literal)?,)*) => {
        /// What a client acts on; never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = $about] $name,)*
        }

        impl ErrorCode {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as clients read it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// What it means, for documentation.
            pub const fn about(self) -> &'static str {
                match self {
                    $(Self::$name => $about,)*
                }
            }

            /// What came in its place; `None` for codes in use.
            pub const fn deprecation(self) -> Option<&'static str> {
                match self {
                    $($(Self::$name => Some($why),)?)*
                    _ => None,
                }
            }
        }
    };
}

error_codes! {
    Invalid = "INVALID": "A value does not have the form that is asked for; `field` says which.",
    RateLimited = "RATE_LIMITED": "Too many attempts; see `retryAfterSeconds`.",
    CaptchaRequired = "CAPTCHA_REQUIRED": "Prove to be a person first, by the shop's captcha.",
    IdempotencyConflict = "IDEMPOTENCY_CONFLICT": "The same key was used with another input.",
    InProgress = "IN_PROGRESS": "The first call with this key still runs; see `retryAfterSeconds`.",
    Empty = "EMPTY": "There is nothing to order.",
    TooManyLines = "TOO_MANY_LINES": "An order has at most `Shop.maxLinesPerOrder` lines.",
    VariantNotFound = "VARIANT_NOT_FOUND": "There is no such variant.",
    NotOnSale = "NOT_ON_SALE": "This is not on sale now.",
    OutOfStock = "OUT_OF_STOCK": "Nothing is left of it.",
    NotEnoughStock = "NOT_ENOUGH_STOCK": "Less is left than was asked for; `available` says how much.",
    QuantityTooSmall = "QUANTITY_TOO_SMALL": "Fewer than are sold at once.",
    QuantityTooLarge = "QUANTITY_TOO_LARGE": "More than are sold at once.",
    BuyerLimitReached = "BUYER_LIMIT_REACHED": "One buyer gets no more of these.",
    CurrencyNotSold = "CURRENCY_NOT_SOLD": "This has no price in that currency.",
    PriceChanged = "PRICE_CHANGED": "The total is not what was expected; the payload has the new quote.",
    AnswerMissing = "ANSWER_MISSING": "A question of the seller has no answer.",
    AnswerInvalid = "ANSWER_INVALID": "An answer does not have the form that is asked for.",
    EmailRequired = "EMAIL_REQUIRED": "Guests give a mail address.",
    EmailInvalid = "EMAIL_INVALID": "This is not a mail address.",
    SignInRequired = "SIGN_IN_REQUIRED": "Only people who are signed in can buy here.",
    TooManyUnpaidOrders = "TOO_MANY_UNPAID_ORDERS": "Pay or cancel earlier orders first.",
    CouponUnknown = "COUPON_UNKNOWN": "There is no such coupon.",
    CouponExpired = "COUPON_EXPIRED": "The coupon's time is over.",
    CouponUsedUp = "COUPON_USED_UP": "The coupon was used as often as it may.",
    CouponNotForThese = "COUPON_NOT_FOR_THESE": "The coupon is for other goods.",
    CouponMinimumNotMet = "COUPON_MINIMUM_NOT_MET": "The order is too small for the coupon.",
    CouponNotCombinable = "COUPON_NOT_COMBINABLE": "The coupon cannot be combined with another.",
    ReferenceTaken = "REFERENCE_TAKEN": "An order of this client has that reference.",
    EmailCodeRequired = "EMAIL_CODE_REQUIRED": "Guests prove their address first: `emailCodeRequest`, then `emailCode`.",
    EmailCodeWrong = "EMAIL_CODE_WRONG": "The code is wrong, has ended, was used, or was never asked for: all are answered alike.",
    EmailCodeExpired = "EMAIL_CODE_EXPIRED": "The code has expired."
        deprecated "A code that has expired is answered with `EMAIL_CODE_WRONG`.",
    AccessRevoked = "ACCESS_REVOKED": "The order of this key was claimed, or access to it was revoked, since.",
    NotFound = "NOT_FOUND": "There is no such thing, or it is not yours to see.",
    Forbidden = "FORBIDDEN": "The caller lacks the right.",
    AlreadyPaid = "ALREADY_PAID": "It is paid.",
    PaymentInProgress = "PAYMENT_IN_PROGRESS": "A payment is on its way; wait for its end.",
    NotCancellable = "NOT_CANCELLABLE": "It cannot be cancelled any more.",
    AccessCodeWrong = "ACCESS_CODE_WRONG": "The code is wrong, has ended, was used, or was never asked for: all are answered alike.",
    AccessCodeExpired = "ACCESS_CODE_EXPIRED": "The code has expired."
        deprecated "A code that has expired is answered with `ACCESS_CODE_WRONG`.",
    AlreadyClaimed = "ALREADY_CLAIMED": "The order belongs to another account.",
    ClaimEmailMismatch = "CLAIM_EMAIL_MISMATCH": "The order was placed with another address.",
    OrderExpired = "ORDER_EXPIRED": "The time to pay is over.",
    OrderCancelled = "ORDER_CANCELLED": "The order was cancelled.",
    NothingDue = "NOTHING_DUE": "There is nothing to pay.",
    NeedsAttention = "NEEDS_ATTENTION": "Money came that is not what was asked for; staff looks at it first.",
    MethodNotAvailable = "METHOD_NOT_AVAILABLE": "This way to pay is not offered now.",
    AmountBelowMinimum = "AMOUNT_BELOW_MINIMUM": "Too little for this way to pay.",
    AmountAboveMaximum = "AMOUNT_ABOVE_MAXIMUM": "Too much for this way to pay.",
    AmountNotSupported = "AMOUNT_NOT_SUPPORTED": "This way to pay cannot take exactly this amount: it has fewer decimals.",
    CurrencyNotSupported = "CURRENCY_NOT_SUPPORTED": "Not in this currency.",
    NoAcceptedAction = "NO_ACCEPTED_ACTION": "This way to pay needs an action the client did not list.",
    ReturnUrlNotAllowed = "RETURN_URL_NOT_ALLOWED": "Buyers are not sent back to that address.",
    PayerIdRequired = "PAYER_ID_REQUIRED": "The gateway wants to know the payer.",
    GatewayDeclined = "GATEWAY_DECLINED": "The gateway said no.",
    GatewayUnavailable = "GATEWAY_UNAVAILABLE": "The gateway does not answer: try again or pay another way.",
    GatewayOutcomeUnknown = "GATEWAY_OUTCOME_UNKNOWN": "Whether the gateway did it is not known yet.",
    NotPaid = "NOT_PAID": "It is not paid.",
    NotReady = "NOT_READY": "It is not there yet.",
    Revoked = "REVOKED": "It was taken back, or its payment is in doubt.",
    Refunded = "REFUNDED": "Its money was given back, or is on its way back.",
    Replaced = "REPLACED": "Another one took its place.",
    GrantExhausted = "GRANT_EXHAUSTED": "It was downloaded as often as it may.",
    GrantExpired = "GRANT_EXPIRED": "The time to download is over.",
    FileYanked = "FILE_YANKED": "The seller withdrew this file.",
    ResendTooSoon = "RESEND_TOO_SOON": "It was just sent; see `retryAfterSeconds`.",
    WarrantyOver = "WARRANTY_OVER": "The warranty is over.",
    ReplacementLimitReached = "REPLACEMENT_LIMIT_REACHED": "It was replaced as often as it may.",
    AlreadyReported = "ALREADY_REPORTED": "It was reported already.",
    ReasonRequired = "REASON_REQUIRED": "Say why.",
    CredentialsWrong = "CREDENTIALS_WRONG": "The mail address or the password is wrong.",
    EmailNotConfirmed = "EMAIL_NOT_CONFIRMED": "Confirm the mail address first.",
    PasswordTooWeak = "PASSWORD_TOO_WEAK": "The password is too easy to guess.",
    PasswordBreached = "PASSWORD_BREACHED": "The password is known from a leak.",
    CodeWrong = "CODE_WRONG": "The code is wrong, has ended, was used, or was never asked for: all are answered alike.",
    CodeExpired = "CODE_EXPIRED": "The code has expired."
        deprecated "A code that has expired is answered with `CODE_WRONG`.",
    TotpRequired = "TOTP_REQUIRED": "A second factor is needed.",
    TotpAlreadyEnabled = "TOTP_ALREADY_ENABLED": "The second factor is on already.",
    RefreshTokenInvalid = "REFRESH_TOKEN_INVALID": "The sign-in has ended: sign in again.",
    RefreshTokenReused = "REFRESH_TOKEN_REUSED": "The token was used before; the sign-in was ended for safety.",
    AccountSuspended = "ACCOUNT_SUSPENDED": "The account is suspended.",
    HasOpenOrders = "HAS_OPEN_ORDERS": "Orders are still open.",
    VersionConflict = "VERSION_CONFLICT": "Somebody else changed it meanwhile: read it again.",
    SlugTaken = "SLUG_TAKEN": "Another product has this slug.",
    SkuTaken = "SKU_TAKEN": "Another variant has this number.",
    NotSubmittable = "NOT_SUBMITTABLE": "Something is missing before it can be reviewed.",
    NotInReview = "NOT_IN_REVIEW": "It does not wait for a review.",
    PriceInvalid = "PRICE_INVALID": "The price does not fit its currency.",
    KindNotChangeable = "KIND_NOT_CHANGEABLE": "The kind of goods stays what it is.",
    VariantHasSales = "VARIANT_HAS_SALES": "It was sold already.",
    FileNotReady = "FILE_NOT_READY": "The file is not whole yet.",
    CouponCodeTaken = "COUPON_CODE_TAKEN": "Another coupon has this code.",
    FormatTooWeak = "FORMAT_TOO_WEAK": "Keys of this format could be guessed.",
    FormatExhausted = "FORMAT_EXHAUSTED": "The format has no unused keys left.",
    TooMany = "TOO_MANY": "More than is done at once.",
    KeyDuplicate = "KEY_DUPLICATE": "The vault has this key already.",
    ImportNotReady = "IMPORT_NOT_READY": "The import still runs.",
    ImportAlreadyCommitted = "IMPORT_ALREADY_COMMITTED": "The import has ended.",
    BatchAlreadyRecalled = "BATCH_ALREADY_RECALLED": "The batch was recalled already.",
    KeyAlreadySold = "KEY_ALREADY_SOLD": "The key is sold.",
    ApprovalRequired = "APPROVAL_REQUIRED": "A second person must agree.",
    AddressSuppressed = "ADDRESS_SUPPRESSED": "No mail is sent to this address: it came back, or was complained about.",
    IllegalTransition = "ILLEGAL_TRANSITION": "That is not possible in its present state.",
    AlreadyDelivered = "ALREADY_DELIVERED": "It is delivered.",
    AlreadyRefunded = "ALREADY_REFUNDED": "A named delivery was refunded, or its refund is on its way.",
    DisputeOpen = "DISPUTE_OPEN": "The payment is disputed: the dispute decides about its money.",
    RefundTooLarge = "REFUND_TOO_LARGE": "More than is left of the payment, or than the named deliveries cost.",
    RefundNotSupported = "REFUND_NOT_SUPPORTED": "The gateway cannot give this back.",
    RefundOutcomeUnknown = "REFUND_OUTCOME_UNKNOWN": "Whether the gateway did it is not known yet.",
    EvidenceRequired = "EVIDENCE_REQUIRED": "Say by what it is proven.",
    TaskTaken = "TASK_TAKEN": "Somebody else works on it.",
    NoticeNotVerifiable = "NOTICE_NOT_VERIFIABLE": "The notice was never authentic.",
    LastAdmin = "LAST_ADMIN": "The shop keeps at least one admin.",
    SettingInvalid = "SETTING_INVALID": "The setting does not have the form that is asked for.",
    UrlNotAllowed = "URL_NOT_ALLOWED": "The shop does not call this address.",
    UrlUnreachable = "URL_UNREACHABLE": "Nothing answers at this address.",
    SecretTooWeak = "SECRET_TOO_WEAK": "The signing secret does not have the form that is asked for.",
    SupplierRefused = "SUPPLIER_REFUSED": "The supplier answers, and not as one does that knows this connection.",
    EventTypeUnknown = "EVENT_TYPE_UNKNOWN": "There is no such type of event, or it is not sent to this owner.",
    EndpointDisabled = "ENDPOINT_DISABLED": "The endpoint is disabled: enable it first.",
    ScopeUnknown = "SCOPE_UNKNOWN": "There is no such scope.",
    Unavailable = "UNAVAILABLE": "Somebody else's service did not do its part: try again.",
    BadRequest = "BAD_REQUEST": "The request cannot be read.",
    ValidationFailed = "VALIDATION_FAILED": "The GraphQL document does not fit the schema.",
    TooComplex = "TOO_COMPLEX": "The GraphQL document asks for more than one request may.",
    InvalidCursor = "INVALID_CURSOR": "The cursor is none that this list gave out.",
    SecretInUrl = "SECRET_IN_URL": "A secret was put into the address of a request, where logs would keep it.",
    PersistedQueryNotFound = "PERSISTED_QUERY_NOT_FOUND": "No document is known by this hash: send it whole, once.",
    PersistedQueryRequired = "PERSISTED_QUERY_REQUIRED": "This shop answers only documents that it knows.",
    Unauthenticated = "UNAUTHENTICATED": "Sign in first.",
    TokenExpired = "TOKEN_EXPIRED": "The access token has expired: refresh it.",
    Timeout = "TIMEOUT": "This took longer than a request may; whether it was done is not known.",
    Internal = "INTERNAL": "A fault of the server, which was logged under the request's id.",
    MethodNotAllowed = "METHOD_NOT_ALLOWED": "The path does not take this HTTP method.",
    MediaTypeUnsupported = "MEDIA_TYPE_UNSUPPORTED": "The path does not take this content type.",
    BodyTooLarge = "BODY_TOO_LARGE": "The body is larger than the path takes.",
    Conflict = "CONFLICT": "It contradicts what was stored before.",
    LengthWrong = "LENGTH_WRONG": "The body has another length than was announced.",
    PreconditionFailed = "PRECONDITION_FAILED": "It changed since the client read it.",
    RangeNotSatisfiable = "RANGE_NOT_SATISFIABLE": "The file has no such bytes.",
    CursorTooOld = "CURSOR_TOO_OLD": "Events before this number were removed: start over.",
    ImportGap = "IMPORT_GAP": "Bytes before these are missing; send from where the import is.",
    ImportOverlap = "IMPORT_OVERLAP": "Bytes that were imported already; send from where the import is.",
    ImportOtherFile = "IMPORT_OTHER_FILE": "These are not the bytes of the file that the import began with.",
    NoSuchKey = "NO_SUCH_KEY": "No licence of this product has this key.",
    NotSold = "NOT_SOLD": "The key was not sold, or is not paid for.",
    Held = "HELD": "The key's payment is disputed or on its way back: it is not good until that is decided.",
    Expired = "EXPIRED": "The time of the licence is over.",
    DeviceNotActivated = "DEVICE_NOT_ACTIVATED": "The licence is not activated on this device.",
    DeviceLimitReached = "DEVICE_LIMIT_REACHED": "The licence is used on as many devices as were bought.",
    LinkMalformed = "LINK_MALFORMED": "The link has not the form of one.",
    LinkForged = "LINK_FORGED": "The link was not made by this shop.",
    LinkExpired = "LINK_EXPIRED": "The link has expired.",
    LinkNotYet = "LINK_NOT_YET": "The link does not work yet.",
    LinkRevoked = "LINK_REVOKED": "The link was withdrawn.",
    LinkOtherNetwork = "LINK_OTHER_NETWORK": "The link works only in the network that it was made for.",
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
