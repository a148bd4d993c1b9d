//! The gateways that are played, one file each. Adding one: its file, its `mod` line, its row in [`played`].

mod alipay;
mod china;
mod epay;
mod epay_v1;
mod epay_v2;
mod generic;
mod paypal;
mod stripe;
mod wechatpay;

use std::sync::Arc;

use super::drawer::Drawer;
use super::played::Played;
use crate::base::outcome::Fault;

type Make = fn(&mut Drawer) -> Result<Arc<dyn Played>, Fault>;

/// Every gateway by name, with what makes it from its secrets.
const ALL: [(&str, Make); 7] = [
    ("stripe", stripe::played),
    ("alipay", alipay::played),
    ("wechatpay", wechatpay::played),
    ("paypal", paypal::played),
    ("epay_v1", epay_v1::played),
    ("epay_v2", epay_v2::played),
    ("generic", generic::played),
];

/// These gateways; all when none is named.
pub(super) fn played(names: &[String], secrets: &mut Drawer) -> Result<Vec<Arc<dyn Played>>, Fault> {
    let wanted = |name: &str| names.is_empty() || names.iter().any(|n| n == name);
    ALL.iter().filter(|(name, _)| wanted(name)).map(|(_, make)| make(secrets)).collect()
}
