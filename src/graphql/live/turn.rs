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
    report: Mutex<TurnReport>,
}

/// What the resolver said.
#[derive(Default)]
pub struct TurnReport {
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
        Self { hub, after, first, report: Mutex::default() }
    }

    fn report(&self) -> MutexGuard<'_, TurnReport> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows a topic, on the first turn. To be called before the state is read that the client is shown.
    pub async fn follow(&self, topic: Topic) -> Answer<()> {
        if self.first {
            let following = self.hub.follow(topic).await.or_top()?;
            self.report().following = Some(following);
        }
        Ok(())
    }

    /// Where the client is, when the argument says `argument`.
    pub fn after(&self, argument: Option<String>) -> Option<String> {
        self.after.clone().or(argument)
    }

    /// The client is given something with this cursor.
    pub fn give(&self, cursor: String) {
        self.report().cursors.push_back(cursor);
    }

    /// Nothing more will happen.
    pub fn end(&self) {
        self.report().over = true;
    }

    /// There is more than one turn gives.
    pub fn repeat(&self) {
        self.report().more = true;
    }

    /// What is shown is shown until then.
    pub fn until(&self, end: DateTime<Utc>) {
        self.report().ends = Some(end);
    }

    /// What the resolver said.
    pub fn take(&self) -> TurnReport {
        std::mem::take(&mut self.report())
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
