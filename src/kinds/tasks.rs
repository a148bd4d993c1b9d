//! All kinds of tasks, and their public form: the API, the mails to staff and `docs/TASKS.md` show the same.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use serde_json::Value;

use crate::infra::effects::tasks::TaskDoc;
use crate::infra::{queue, stuck};
use crate::{delivery, files, fulfilment, hooks, mail, orders, payments, suppliers, vault};

/// Each feature's kinds, in the order of the documentation.
const ALL: [&[TaskDoc]; 14] = [
    payments::tasks::TASKS,
    payments::tasks::REFUND_TASKS,
    payments::tasks::DISPUTE_TASKS,
    payments::tasks::STATEMENT_TASKS,
    fulfilment::tasks::TASKS,
    files::tasks::TASKS,
    orders::tasks::TASKS,
    delivery::tasks::TASKS,
    vault::tasks::TASKS,
    suppliers::tasks::TASKS,
    mail::tasks::TASKS,
    hooks::tasks::TASKS,
    queue::TASKS,
    stuck::TASKS,
];

/// Every kind.
pub fn kinds() -> impl Iterator<Item = &'static TaskDoc> {
    ALL.into_iter().flatten()
}

fn find(kind: &str) -> Option<&'static TaskDoc> {
    static BY_KIND: LazyLock<HashMap<&'static str, &'static TaskDoc>> =
        LazyLock::new(|| kinds().map(|kind| (kind.kind, kind)).collect());
    BY_KIND.get(kind).copied()
}

/// The subject with public ids; none of a kind or form that this program does not know.
pub fn read_subject(kind: &str, subject: &str) -> Option<String> {
    (find(kind)?.public_subject)(subject)
}

/// The body with public ids; none of a kind or form that this program does not know.
pub fn read_body(kind: &str, body: &Value) -> Option<Value> {
    (find(kind)?.public_body)(body)
}

/// The subject with public ids; of a kind or form that this program does not know, as it is stored.
pub fn public_subject(kind: &str, subject: &str) -> String {
    read_subject(kind, subject).unwrap_or_else(|| subject.to_owned())
}

/// The body with public ids; of a kind or form that this program does not know, as it is stored.
pub fn public_body(kind: &str, body: &Value) -> Value {
    read_body(kind, body).unwrap_or_else(|| body.clone())
}

/// The documentation of all kinds.
pub fn documentation() -> String {
    let mut text = String::from(
        "# Tasks\n\nGenerated from the declarations in the code (`UPDATE_DOCS=1 cargo test --test it docs`); do not \
         edit.\nWhat only a person can end. The same trouble twice is one open task: the subject distinguishes one from another. What \
         to do about the frequent ones is in `OPERATIONS.md`.\n\n| kind | subject | what it is about | detail |\n\
         |---|---|---|---|\n",
    );
    for kind in kinds() {
        let fields = super::fields(kind.fields);
        let _ = writeln!(text, "| `{}` | {} | {} | {fields} |", kind.kind, (kind.subject)(), kind.doc.trim());
    }
    text
}
