//! Why a payment is not what it should be, in words that are true for each cause.

use chrono::{DateTime, Utc};

use crate::base::error_code::ErrorCode;
use crate::base::text::Locale;
use crate::graphql::payments::types::Explanation;
use crate::payments::{PaymentState, model};

/// The explanation of a payment that failed, or of which nobody knows; none for all others, whatever was noted before.
pub fn of(payment: &model::Payment, locale: Locale, now: DateTime<Utc>) -> Option<Explanation> {
    let code = match payment.state {
        PaymentState::Unknown => ErrorCode::GatewayOutcomeUnknown,
        PaymentState::Failed => code(payment.failure_code.as_deref()),
        _ => return None,
    };
    let (english, chinese) = text(code);
    let message = match locale {
        Locale::En => english,
        Locale::Zh => chinese,
    };
    // Nobody knows before the gateway is asked again.
    let asked = payment.next_check_at.filter(|at| payment.state == PaymentState::Unknown && *at > now);
    Some(Explanation {
        code: code.to_string(),
        message: message.into(),
        expected_at: asked.map(Into::into),
        action_url: None,
    })
}

/// Our own words are those of `payments/attempts/start.rs`; everything else is a gateway's and means that it refused.
fn code(noted: Option<&str>) -> ErrorCode {
    match noted {
        Some("unsupported") => ErrorCode::MethodNotAvailable,
        Some("payer_needed") => ErrorCode::PayerIdRequired,
        Some("amount_inexpressible") => ErrorCode::AmountNotSupported,
        _ => ErrorCode::GatewayDeclined,
    }
}

fn text(code: ErrorCode) -> (&'static str, &'static str) {
    match code {
        ErrorCode::GatewayOutcomeUnknown => (
            "It is not known yet whether this payment was made. The payment service is being asked; do not pay again.",
            "尚不清楚此次付款是否成功，正在向支付渠道查询，请勿重复付款。",
        ),
        ErrorCode::MethodNotAvailable => (
            "This way to pay could not be started. Choose another one.",
            "该付款方式无法发起，请选择其他方式。",
        ),
        ErrorCode::PayerIdRequired => (
            "This way to pay needs to know the payer. Start it again in the app that can tell.",
            "该付款方式需要付款人标识，请在相应的应用内重新发起。",
        ),
        ErrorCode::AmountNotSupported => (
            "This way to pay cannot take exactly this amount. Choose another one.",
            "该付款方式无法收取此金额，请选择其他方式。",
        ),
        _ => ("The payment service declined this payment.", "支付渠道拒绝了此次付款。"),
    }
}
