//! Tells staff of open tasks by mail, once per trouble. Whoever opens a task need not think of it.

use diesel_async::AsyncPgConnection;
use serde_json::json;

use crate::app::App;
use crate::base::outcome::Outcome;
use crate::infra::effects::messages::{self, NewMessage};
use crate::mail::read;

/// The kind of these mails.
pub const KIND: &str = "task_opened";

/// Writes the mails for tasks that have none yet. Returns how many; none when the shop names no support address.
pub async fn tell(conn: &mut AsyncPgConnection, app: &App) -> Outcome<usize> {
    let Some(staff) = &app.config.shop.support_email else { return Ok(0) };
    let messages: Vec<NewMessage> = read::list_untold_tasks(conn)
        .await?
        .into_iter()
        .map(|task| NewMessage {
            id: app.clock.uuid(),
            kind: KIND,
            subject: format!("{}:{}", task.kind, task.subject),
            order_id: task.order_id,
            user_id: None,
            recipient: staff.clone(),
            locale: app.config.shop.default_locale.clone(),
            payload: json!({ "task_kind": task.kind, "task_subject": task.subject }),
        })
        .collect();
    messages::enqueue(conn, &messages).await?;
    Ok(messages.len())
}

/// The sweep.
pub async fn sweep(app: &App) -> Outcome<usize> {
    let mut tx = app.db.begin().await?;
    let told = tell(&mut tx, app).await?;
    tx.commit().await?;
    Ok(told)
}
