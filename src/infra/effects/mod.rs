//! What a change leaves beside its own rows, in its own transaction: events, jobs, messages to people, tasks for a person.

pub mod events;
pub mod jobs;
pub mod messages;
pub mod record;
pub mod tasks;

use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use crate::base::clock::Clock;
use events::NewEvent;
use jobs::NewJob;
use messages::NewMessage;
use tasks::{NewTask, Over};

/// Rows to be written together.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    pub events: Vec<NewEvent>,
    pub jobs: Vec<NewJob>,
    pub messages: Vec<NewMessage>,
    pub tasks: Vec<NewTask>,
    /// Tasks whose trouble is over by itself.
    pub over: Vec<Over>,
}

impl Effects {
    /// What follows from another part of the same change.
    pub fn add(&mut self, other: Effects) {
        self.events.extend(other.events);
        self.jobs.extend(other.jobs);
        self.messages.extend(other.messages);
        self.tasks.extend(other.tasks);
        self.over.extend(other.over);
    }

    /// Writes everything in a fixed number of statements that do not wait for each other. Whoever commits rings the bell.
    pub async fn write(&self, conn: &AsyncPgConnection, clock: &Clock) -> QueryResult<()> {
        tasks::resolve(conn, &self.over, "system").await?;
        futures::try_join!(
            tasks::open(conn, clock, &self.tasks),
            events::append(conn, &self.events),
            messages::enqueue(conn, clock, &self.messages),
            jobs::add(conn, &self.jobs),
        )?;
        Ok(())
    }
}
