//! What a change leaves beside itself, in its own transaction: events, jobs, messages to people, tasks for a person.

pub mod events;
pub mod jobs;
pub mod messages;
pub mod record;
pub mod tasks;
