//! What a subscription's resolver and the one who runs it say to each other. Each execution is one turn.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_graphql::Context;
use chrono::{DateTime, Utc};

use crate::graphql::error::{Answer, OutcomeExt};
use crate::infra::hub::{Following, Hub, Topic};

/// One execution of a subscription.
pub struct Turn {
    hub: Arc<Hub>,
    /// Where the client is: the last cursor it was given, or `Last-Event-ID`.
    after: Option<String>,
    /// Nobody follows for it yet.
    first: bool,
    outcome: Mutex<Outcome>,
}

/// What the resolver said.
#[derive(Default)]
pub struct Outcome {
    /// What is to be waited for; on the first turn alone.
    pub following: Option<Following>,
    /// The cursors of what it gives, in that order.
    pub cursors: VecDeque<String>,
    /// Nothing more will happen.
    pub over: bool,
    /// There is more to be given at once.
    pub more: bool,
    /// When the right ends by which it was shown.
    pub ends: Option<DateTime<Utc>>,
}

impl Turn {
    pub fn new(hub: Arc<Hub>, after: Option<String>, first: bool) -> Self {
        Self { hub, after, first, outcome: Mutex::default() }
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows a topic, on the first turn. To be called before the state is read that the client is shown.
    pub async fn follow(&self, topic: Topic) -> Answer<()> {
        if self.first {
            let following = self.hub.follow(topic).await.or_top()?;
            self.outcome().following = Some(following);
        }
        Ok(())
    }

    /// Where the client is, when the argument says `argument`.
    pub fn after(&self, argument: Option<String>) -> Option<String> {
        self.after.clone().or(argument)
    }

    /// The client is given something with this cursor.
    pub fn give(&self, cursor: String) {
        self.outcome().cursors.push_back(cursor);
    }

    /// Nothing more will happen.
    pub fn end(&self) {
        self.outcome().over = true;
    }

    /// There is more than one turn gives.
    pub fn repeat(&self) {
        self.outcome().more = true;
    }

    /// What is shown is shown until then.
    pub fn until(&self, end: DateTime<Utc>) {
        self.outcome().ends = Some(end);
    }

    /// What the resolver said.
    pub fn take(&self) -> Outcome {
        std::mem::take(&mut self.outcome())
    }
}

/// The turn of a subscription's context.
pub trait TurnExt {
    fn turn(&self) -> &Turn;
}

impl TurnExt for Context<'_> {
    fn turn(&self) -> &Turn {
        self.data_unchecked::<Arc<Turn>>()
    }
}
