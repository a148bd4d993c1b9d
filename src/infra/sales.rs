//! Whether the shop sells at this moment. It does not while a restored backup is looked through, nor while staff has paused
//! it; payments that were begun are settled and goods are delivered all the same.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Bool, Nullable, Text, Timestamptz};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::error_code::ErrorCode;
use crate::base::outcome::Refusal;
use crate::infra::db::statement::Statement;

/// Why the shop sells nothing, if it does not.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct Sales {
    /// The shop was restored from a backup and is held until its gateways were asked.
    #[diesel(sql_type = Bool)]
    pub held: bool,
    /// Staff's own words, for buyers to read.
    #[diesel(sql_type = Nullable<Text>)]
    pub paused_because: Option<String>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub paused_at: Option<DateTime<Utc>>,
}

impl Sales {
    /// What a buyer reads who wants to place an order: `NOT_ON_SALE`.
    pub fn refusal(&self) -> Option<Refusal> {
        if self.held {
            let text = "the shop was restored from a backup and sells again in a moment";
            return Some(Refusal::new(ErrorCode::NotOnSale, text).retry_after(30));
        }
        let because = self.paused_because.as_ref()?;
        Some(Refusal::new(ErrorCode::NotOnSale, because).verbatim())
    }
}

/// The setting that pauses the shop, as SQL.
macro_rules! sales_pause {
    () => {
        "'sales_pause'"
    };
}
pub(crate) use sales_pause;

const CURRENT: &str = concat!(
    "select e.state = 'held' as held, s.value ->> 'because' as paused_because, s.changed_at as paused_at
  from (select state from epoch order by id desc limit 1) e left join setting s on s.key = ",
    sales_pause!()
);

/// What is true now.
pub async fn current(conn: &mut AsyncPgConnection) -> QueryResult<Sales> {
    Statement::new(CURRENT).get_result(conn).await
}

const PAUSE: &str = concat!(
    "insert into setting (key, value) values (",
    sales_pause!(),
    ", jsonb_build_object('because', $1))
  on conflict (key) do update set value = excluded.value, version = setting.version + 1, changed_at = app_now()
    where setting.value <> excluded.value"
);

const RESUME: &str = concat!("delete from setting where key = ", sales_pause!());

/// Sells nothing from the commit on. Says no when it was paused with these words already.
pub async fn pause(conn: &mut AsyncPgConnection, because: &str) -> QueryResult<bool> {
    Ok(Statement::new(PAUSE).bind::<Text, _>(because).execute(conn).await? == 1)
}

/// Sells again. Says no when it was not paused.
pub async fn resume(conn: &mut AsyncPgConnection) -> QueryResult<bool> {
    Ok(Statement::new(RESUME).execute(conn).await? == 1)
}
