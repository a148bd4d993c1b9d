//! Mails to people: the outbox's rows become texts when they are sent, are sent outside any transaction, and record
//! what became of each attempt. Nothing here can undo what was sold or assigned.

pub mod again;
pub mod alert;
pub mod bounces;
mod compose;
pub mod correct_address;
pub mod events;
mod facts;
pub mod jobs;
pub mod messages;
pub mod model;
pub mod read;
pub mod retention;
pub mod send;
pub mod state;
mod store;
pub mod suppress;
pub mod tasks;
pub mod texts;
pub mod unsent;

pub use facts::{Access, Content, DeliveredLine, FileLink};
