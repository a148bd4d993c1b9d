//! The gateways, one file each (a folder where one file would be too long). Adding one: its file, its `mod`
//! line, its row in [`all`].

pub mod alipay;
pub mod amounts;
pub mod epay_v1;
pub mod epay_v2;
pub mod free;
pub mod gateway;
pub mod generic;
pub mod notice;
pub mod paypal;
pub mod refusal;
pub mod stated;
pub mod stripe;
pub mod wechatpay;

mod beijing;
mod calls;
mod cells;
mod epay;
mod form;
mod json;
mod numbers;
mod rsa;
mod secret;

use std::sync::Arc;

use crate::infra::outbound::Outbound;
use crate::payments::gateways::gateway::Gateway;

/// Every gateway an account can name.
pub fn all(outbound: &Outbound) -> Vec<Arc<dyn Gateway>> {
    vec![
        Arc::new(stripe::Stripe::new(outbound.clone())),
        Arc::new(generic::Generic::new(outbound.clone())),
        Arc::new(alipay::Alipay::new(outbound.clone())),
        Arc::new(wechatpay::WechatPay::new(outbound.clone())),
        Arc::new(paypal::PayPal::new(outbound.clone())),
        Arc::new(epay_v1::EpayV1::new(outbound.clone())),
        Arc::new(epay_v2::EpayV2::new(outbound.clone())),
    ]
}
