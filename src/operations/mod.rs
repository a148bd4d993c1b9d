//! What people of the shop do where the program cannot go on: they take tasks of the manual queue, end them, and have
//! deliveries tried again.

pub mod pause;
mod quarantine;
mod read;
mod retry;
mod state;
mod store;
mod tasks;
mod twins;
pub mod waiting;

pub use quarantine::decide_quarantined;
pub use read::{TimelineRow, timeline};
pub use retry::retry;
pub use state::{TaskChange, TaskState};
pub use store::{Health, Task, TaskFilter, count_tasks, find_task, health, list_tasks, task_keys};
pub use tasks::{release, resolve, take};
pub use twins::{KeyDecision, decide};
