//! Background work in tests: run when the test says so, with the clock moved to when it is due.

use dispense::infra::effects::record::Record;
use dispense::infra::queue;
use dispense::orders::jobs::MailAccess;
use dispense::{orders, people, worker};

use super::TestApp;

impl TestApp {
    /// Numbers events and runs jobs until nothing is due. Returns how many jobs ran.
    pub async fn drain(&self) -> usize {
        worker::drain(&self.app.worker()).await.unwrap()
    }

    /// `drain`, then moves the clock to the next job's time and goes on, until no job is queued at all.
    pub async fn drain_all(&self) -> usize {
        let mut ran = self.drain().await;
        for _ in 0..200 {
            let next = queue::next_due(&mut self.app.db.conn().await.unwrap()).await.unwrap();
            let Some(next) = next else { return ran };
            let wait = next - self.app.clock.now();
            if wait > chrono::TimeDelta::zero() {
                // The database's clock and the program's are read at slightly different moments.
                self.advance(wait + chrono::TimeDelta::milliseconds(10)).await;
            }
            ran += self.drain().await;
        }
        panic!(
            "jobs are queued again and again: {:?}",
            self.db.sql("select kind, attempt, last_error from job").await
        );
    }

    /// Mails what people asked for, as jobs do, and leaves all other jobs alone.
    pub async fn answer_requests(&self) {
        let due = "select id, kind, payload::text from job where state = 'queued'
            and (kind like 'people.mail_%' or kind = 'orders.mail_access') order by id";
        for row in self.db.client().await.query(due, &[]).await.unwrap() {
            let (id, kind, payload): (i64, String, String) = (row.get(0), row.get(1), row.get(2));
            let payload: serde_json::Value = serde_json::from_str(&payload).unwrap();
            let text = |name: &str| payload[name].as_str().unwrap_or_default().to_owned();
            let (kit, client) = (&self.app, text("client"));
            let done = match kind.as_str() {
                "people.mail_reset" => people::reset_password::mail(kit, &text("email"), &client).await,
                "people.mail_registration" => {
                    people::register::mail(kit, text("registration").parse().unwrap(), &client).await
                }
                _ => orders::lost::mail(kit, &MailAccess::read(&payload).unwrap()).await,
            };
            done.unwrap();
            self.db
                .sql(&format!("update job set state = 'done', finished_at = app_now() where id = {id}"))
                .await;
        }
    }

    /// Runs every sweep once.
    pub async fn sweep(&self) -> usize {
        worker::schedule::sweep_all(&self.app.worker()).await.unwrap()
    }

    /// Lets leave what is old. Returns how many rows and partitions left.
    pub async fn retain(&self) -> usize {
        let mut all = 0;
        loop {
            match worker::retention::sweep(&self.app).await.unwrap() {
                0 => return all,
                gone => all += gone,
            }
        }
    }

    /// Jobs that are due and were not run.
    pub(super) async fn forgotten_jobs(&self) -> Vec<Vec<Option<String>>> {
        self.db
            .sql("select kind, state, attempt, last_error from job where state = 'running' or (state = 'queued' and run_at <= app_now())")
            .await
    }
}
