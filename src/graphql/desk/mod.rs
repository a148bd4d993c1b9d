//! The desk of support and admins: everybody's orders, people, tasks, notices, health.

mod mutations;
mod queries;
mod types;

pub use mutations::DeskMutation;
pub use queries::DeskQuery;
pub use types::Task;
