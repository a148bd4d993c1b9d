//! The desk of support and admins: everybody's orders, people, tasks, notices, health.

mod accounts;
mod alerts;
mod blocks;
mod deliveries;
mod evidence;
mod fulfil;
mod grants;
mod mails;
mod mutations;
mod notices;
mod pause;
mod queries;
mod statements;
mod types;

pub use alerts::{ALERTS, AlertSubscription};
pub use blocks::BlockMutation;
pub use deliveries::StaffDeliveryMutation;
pub use fulfil::FulfilMutation;
pub use grants::GrantMutation;
pub use mails::MailMutation;
pub use mutations::DeskMutation;
pub use notices::NoticeMutation;
pub use pause::PauseMutation;
pub use queries::DeskQuery;
pub use statements::StatementMutation;
pub use types::Task;
