use async_graphql::{Enum, ID, InputObject, SimpleObject};

use crate::base::error_code::ErrorCode;
use crate::base::outcome::Refusal;
use crate::graphql::orders::Order;
use crate::graphql::payments::actions::PaymentActionKind;
use crate::graphql::payments::types::{METHOD_PREFIX, Payment};
use crate::graphql::scalars::Url;
use crate::graphql::user_error::PaymentError;
use crate::payments::attempts::start::StartOptions;

/// What the buyer sits at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum Platform {
    /// A browser on a computer.
    Desktop,
    /// A browser on a phone.
    MobileWeb,
    /// An app on iOS.
    Ios,
    /// An app on Android.
    Android,
    /// The browser inside WeChat.
    Wechat,
    /// A mini program.
    MiniProgram,
}

impl Platform {
    fn word(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::MobileWeb => "mobile_web",
            Self::Ios => "ios",
            Self::Android => "android",
            Self::Wechat => "wechat",
            Self::MiniProgram => "mini_program",
        }
    }
}

/// What the client can show and where its buyer comes back.
#[derive(InputObject)]
pub struct PaymentStartOptions {
    /// Which way to pay.
    method_id: ID,
    /// What the client can do; whatever the gateway asks for, `hostedUrl` does it.
    accepts: Vec<PaymentActionKind>,
    /// Where the buyer comes back, among the shop's allowed origins and app schemes.
    return_url: Option<Url>,
    /// What the buyer sits at.
    platform: Option<Platform>,
    /// The gateway's own software the client has, as `SdkAction.sdk` names it; at most 20.
    sdks: Option<Vec<String>>,
    /// The buyer as the gateway knows them, where it asks for that (WeChat: the openid); at most 128 characters.
    payer_id: Option<String>,
}

impl PaymentStartOptions {
    /// # Errors
    /// `METHOD_NOT_AVAILABLE` for ids that are no way to pay.
    pub fn read(self, client_address: Option<String>) -> Result<StartOptions, Refusal> {
        let invalid = |field, text: &str| Err(Refusal::new(ErrorCode::Invalid, text).at(["options", field]));
        let sdks = self.sdks.unwrap_or_default();
        if sdks.len() > 20 || sdks.iter().any(|sdk| sdk.len() > 64) {
            return invalid("sdks", "at most 20 names of at most 64 characters");
        }
        let payer = self.payer_id.filter(|id| !id.is_empty());
        if payer.as_ref().is_some_and(|id| id.len() > 128 || !id.bytes().all(|b| b.is_ascii_graphic())) {
            return invalid("payerId", "at most 128 visible ASCII characters");
        }
        let method = self.method_id.strip_prefix(METHOD_PREFIX).ok_or_else(|| {
            Refusal::new(ErrorCode::MethodNotAvailable, "there is no such way to pay")
                .at(["options", "methodId"])
        })?;
        Ok(StartOptions {
            method: method.to_owned(),
            accepts: self.accepts.iter().map(|kind| kind.word().to_owned()).collect(),
            return_url: self.return_url.map(|url| url.0),
            platform: self.platform.map(|p| p.word().to_owned()),
            sdks,
            payer,
            client_address,
        })
    }
}

/// Input of `paymentStart`.
#[derive(InputObject)]
pub struct PaymentStartInput {
    /// 16 to 255 random characters, made and kept on the device before sending.
    pub idempotency_key: String,
    /// Which order.
    pub order_id: ID,
    /// A guest's token.
    pub access_token: Option<String>,
    /// How it is to be paid.
    pub options: PaymentStartOptions,
}

/// Payload of `paymentStart` and `paymentCheck`.
#[derive(Default, SimpleObject)]
pub struct PaymentStartPayload {
    /// The payment.
    pub payment: Option<Payment>,
    /// Its order.
    pub order: Option<Order>,
    /// The key was used before: this is what it made.
    pub replayed: bool,
    /// Why it was refused; empty when it was done.
    pub user_errors: Vec<PaymentError>,
}

/// Input of `paymentCheck`.
#[derive(InputObject)]
pub struct PaymentCheckInput {
    /// Which payment.
    pub payment_id: ID,
    /// A guest's token, or a watch ticket.
    pub access_token: Option<String>,
}
