use async_graphql::{Enum, ID, Object, SimpleObject};

use crate::base::ids::TaskId;
use crate::graphql::connection::Listed;
use crate::graphql::people::types::User;
use crate::graphql::scalars::{DateTime, Int64};
use crate::hooks;
use crate::hooks::read::HookHealth;
use crate::kinds::tasks;
use crate::operations;
use crate::operations::waiting::{
    AWAITING_STOCK, JOBS_DEAD, JOBS_DUE, MAILS_QUEUED, MAILS_UNDELIVERED, TASKS_OPEN, WaitingRow,
};
use crate::payments::accounts::Complaint;

impl Listed for User {
    const NAME: &'static str = "User";
}

impl Listed for Task {
    const NAME: &'static str = "Task";
}

/// How far a task has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "operations::TaskState")]
pub enum TaskState {
    /// Waits for somebody.
    Open,
    /// Somebody works on it.
    Taken,
    /// Done.
    Resolved,
}

/// A row of the manual queue: trouble that only a person can end.
#[derive(Clone, Debug)]
pub struct Task(pub operations::Task);

/// A row of the manual queue: trouble that only a person can end.
#[Object]
impl Task {
    /// The task's id.
    pub async fn id(&self) -> ID {
        id(self.0.id)
    }

    /// Open code of the trouble.
    async fn kind(&self) -> &str {
        &self.0.kind
    }

    /// Distinguishes tasks of the same kind.
    async fn subject(&self) -> String {
        tasks::public_subject(&self.0.kind, &self.0.subject)
    }

    /// How far it has come.
    async fn state(&self) -> TaskState {
        self.0.state.into()
    }

    /// The order it is about.
    async fn order_id(&self) -> Option<ID> {
        self.0.order_id.map(Into::into)
    }

    /// The payment it is about.
    async fn payment_id(&self) -> Option<ID> {
        self.0.payment_id.map(Into::into)
    }

    /// The line it is about.
    async fn line_id(&self) -> Option<ID> {
        self.0.line_id.map(Into::into)
    }

    /// What is known about it, as JSON; never a secret.
    async fn detail(&self) -> String {
        tasks::public_body(&self.0.kind, &self.0.body).to_string()
    }

    /// Who works on it.
    async fn taken_by(&self) -> Option<ID> {
        self.0.taken_by.map(Into::into)
    }

    /// When the trouble began.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When it was ended.
    async fn resolved_at(&self) -> Option<DateTime> {
        self.0.resolved_at.map(Into::into)
    }
}

fn id(task: TaskId) -> ID {
    task.into()
}

/// How many of a kind wait, and for how long.
#[derive(Clone, Debug, SimpleObject)]
pub struct WaitingState {
    /// Open code, such as `AWAITING_STOCK`; `OPERATIONS.md` says what to do about each.
    pub code: String,
    /// What is counted, and since when it counts as waiting.
    pub description: String,
    /// How many there are.
    pub count: Int64,
    /// Since when the oldest waits; null when there is none.
    pub oldest_since: Option<DateTime>,
}

/// How the shop does, in numbers.
#[derive(Clone, Debug, SimpleObject)]
pub struct Health {
    /// Tasks that wait for a person.
    pub open_tasks: Int64,
    /// Jobs that should run now.
    pub jobs_due: Int64,
    /// Jobs that were given up.
    pub jobs_dead: Int64,
    /// When the job that waits longest should have run.
    pub oldest_job_due: Option<DateTime>,
    /// Paid pieces that wait for stock.
    pub deliveries_waiting: Int64,
    /// Payments nobody knows the end of.
    pub payments_unknown: Int64,
    /// Mails that are not sent yet.
    pub mails_waiting: Int64,
    /// Events that wait to be sent to hook endpoints.
    pub hooks_waiting: Int64,
    /// When the one that waits longest should have been sent.
    pub oldest_hook_due: Option<DateTime>,
    /// Hook endpoints that did not take the last event, or that the shop disabled.
    pub hook_endpoints_failing: Int64,
    /// What waits, by how long: each kind of waiting, also where nothing does.
    pub waiting: Vec<WaitingState>,
    /// The number of the last event.
    pub last_event: Int64,
    /// What is wrong with the configuration: with the one in its files, which is then not in force, and with the one in
    /// force, such as an account with open payments that is missing. The key and a complaint.
    pub configuration_faults: Vec<String>,
}

impl Health {
    /// The numbers, and the faults of the configuration.
    pub fn of(
        row: operations::Health,
        waiting: Vec<WaitingRow>,
        sending: HookHealth,
        refused: &[Complaint],
    ) -> Self {
        let state = |row: WaitingRow| WaitingState {
            code: row.kind().code.into(),
            description: row.kind().doc.into(),
            count: Int64(row.count),
            oldest_since: row.oldest.map(Into::into),
        };
        let hooks = WaitingState {
            code: hooks::read::WAITING.0.into(),
            description: hooks::read::WAITING.1.into(),
            count: Int64(sending.waiting),
            oldest_since: sending.oldest.map(Into::into),
        };
        let of = |code: &'static str| waiting.iter().filter(move |row| row.kind().code == code);
        let count = |code| Int64(of(code).map(|row| row.count).sum());
        Self {
            open_tasks: count(TASKS_OPEN),
            jobs_due: count(JOBS_DUE),
            jobs_dead: count(JOBS_DEAD),
            oldest_job_due: of(JOBS_DUE).find_map(|row| row.oldest).map(Into::into),
            deliveries_waiting: count(AWAITING_STOCK),
            mails_waiting: Int64(count(MAILS_QUEUED).0 + count(MAILS_UNDELIVERED).0),
            waiting: waiting.into_iter().map(state).chain([hooks]).collect(),
            configuration_faults: refused.iter().map(|(key, text)| format!("{key}: {text}")).collect(),
            payments_unknown: Int64(row.payments_unknown),
            hooks_waiting: Int64(sending.waiting),
            oldest_hook_due: sending.oldest_due.map(Into::into),
            hook_endpoints_failing: Int64(sending.failing),
            last_event: Int64(row.last_seq),
        }
    }
}
