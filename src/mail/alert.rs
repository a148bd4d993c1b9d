//! Mails to staff about open tasks, one per task. Whoever opens a task need not think of it.

use diesel_async::AsyncPgConnection;

use crate::base::ids::TaskId;
use crate::base::outcome::Outcome;
use crate::infra::effects::messages::{self, MessageKind, NewMessage};
use crate::infra::kit::Kit;
use crate::mail::messages::{Opened, TaskOpened};
use crate::mail::read::{self, OpenTask};

/// Writes the mail about this task, unless it ended meanwhile.
pub async fn alert(kit: &Kit, task: TaskId) -> Outcome<()> {
    let mut tx = kit.db.begin().await?;
    let found = read::find_open_task(&mut tx, task).await?;
    write(&mut tx, kit, found.into_iter().collect()).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(())
}

/// The sweep: writes the mails about tasks that have none. Returns how many.
pub async fn sweep(kit: &Kit) -> Outcome<usize> {
    let mut tx = kit.db.begin().await?;
    let tasks = read::list_unmailed_tasks(&mut tx).await?;
    let written = write(&mut tx, kit, tasks).await?;
    tx.commit().await?;
    Ok(written)
}

/// None when the shop names no support address.
async fn write(conn: &mut AsyncPgConnection, kit: &Kit, tasks: Vec<OpenTask>) -> Outcome<usize> {
    let Some(staff) = &kit.config.shop.support_email else { return Ok(0) };
    let locale = &kit.config.shop.default_locale;
    let message = |task: OpenTask| -> NewMessage {
        let opened = Opened { task: task.id, kind: task.kind };
        TaskOpened::to(staff, locale, task.id.0.to_string(), opened).of_order(task.order_id)
    };
    let messages: Vec<NewMessage> = tasks.into_iter().map(message).collect();
    messages::enqueue(conn, &kit.clock, &messages).await?;
    Ok(messages.len())
}
