//! Tells staff of open tasks by mail, once per trouble. Whoever opens a task need not think of it.

use diesel_async::AsyncPgConnection;

use crate::app::App;
use crate::base::outcome::Outcome;
use crate::infra::effects::messages::{self, MessageKind, NewMessage};
use crate::mail::messages::{Opened, TaskOpened};
use crate::mail::read;

/// Writes the mails for tasks that have none yet. Returns how many; none when the shop names no support address.
pub async fn tell(conn: &mut AsyncPgConnection, app: &App) -> Outcome<usize> {
    let Some(staff) = &app.config.shop.support_email else { return Ok(0) };
    let messages: Vec<NewMessage> = read::list_untold_tasks(conn)
        .await?
        .into_iter()
        .map(|task| {
            let opened = Opened { task: task.id, kind: task.kind };
            let locale = &app.config.shop.default_locale;
            TaskOpened::to(staff, locale, task.id.0.to_string(), opened).of_order(task.order_id)
        })
        .collect();
    messages::enqueue(conn, &app.clock, &messages).await?;
    Ok(messages.len())
}

/// The sweep.
pub async fn sweep(app: &App) -> Outcome<usize> {
    let mut tx = app.db.begin().await?;
    let told = tell(&mut tx, app).await?;
    tx.commit().await?;
    Ok(told)
}
