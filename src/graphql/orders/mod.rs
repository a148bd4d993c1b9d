//! Orders: quotes, lines, what was delivered.

mod cases;
mod changes;
pub mod delivering;
mod delivery;
mod followed;
mod gift;
mod licence;
mod line;
mod load;
mod mutations;
mod order;
mod placing;
mod queries;
mod quote;
mod reporting;
mod stage;
mod status;
mod timeline;
mod warranty;
mod why;

pub use cases::{ReportedCase, SellerCaseFilter, load_cases};
pub use changes::OrderSubscription;
pub use delivering::DeliveryMutation;
pub use delivery::{Delivery, DownloadGrant, FileDelivery, SecretDelivery};
pub use followed::{FollowedOrders, followed_orders};
pub use licence::{Activation, LicenceMutation};
pub use line::OrderLine;
pub use load::{connection, filtered, find, line_page, load, load_one};
pub use mutations::OrderMutation;
pub use order::{Order, OrderState};
pub use placing::PlacingMutation;
pub use queries::OrderQuery;
pub use warranty::WarrantyMutation;
