//! What the texts need to know.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::base::ids::{GrantId, LineId, OrderId, RefundId, SuppressionId, TaskId};
use crate::base::page::{Page, PageArgs};
use crate::infra::db::schema::mail_suppression;
use crate::infra::db::statement::Statement;
use crate::infra::db::total;
use crate::infra::effects::jobs::Payload;
use crate::infra::effects::messages::SendMessage;
use crate::mail::model::{MailLine, Suppression};
use crate::orders::messages::WITH_GOODS;

const LINES: &str = "\
    select l.id, l.kind, l.title, l.variant_title, l.mail_policy, \
      (select bundle.title from order_line bundle where bundle.id = l.parent_line_id) as bundle_title, \
      array(select u.id from unit u where u.line_id = l.id and u.superseded_by is null order by u.unit_no) as units, \
      (select count(*) from unit u where u.line_id = l.id and u.superseded_by is null \
        and u.state in ('awaiting_stock', 'awaiting_supplier', 'awaiting_person')) as waiting, \
      (select count(*) from unit u where u.line_id = l.id and u.superseded_by is null \
        and u.state = 'awaiting_person') as by_person \
    from order_line l where l.order_id = $1 and ($2 or l.id = any($3)) order by l.position";

/// Lines of an order with all their units; a bundle is its parts. `only` empty: all lines.
pub async fn list_lines(
    conn: &mut AsyncPgConnection,
    order: OrderId,
    only: &[Uuid],
) -> QueryResult<Vec<MailLine>> {
    Statement::new(LINES)
        .bind::<SqlUuid, _>(order.0)
        .bind::<Bool, _>(only.is_empty())
        .bind::<Array<SqlUuid>, _>(only)
        .load(conn)
        .await
}

#[derive(QueryableByName)]
pub struct RefundFacts {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    pub amount_minor: i64,
    #[diesel(sql_type = Text)]
    pub currency: String,
}

pub async fn get_refund(conn: &mut AsyncPgConnection, id: RefundId) -> QueryResult<RefundFacts> {
    Statement::new("select amount_minor, currency from refund where id = $1")
        .bind::<SqlUuid, _>(id.0)
        .get_result(conn)
        .await
}

/// An open task, as far as its mail needs it.
#[derive(QueryableByName)]
pub struct OpenTask {
    #[diesel(sql_type = SqlUuid)]
    pub id: TaskId,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = diesel::sql_types::Nullable<SqlUuid>)]
    pub order_id: Option<OrderId>,
}

pub async fn find_open_task(conn: &mut AsyncPgConnection, id: TaskId) -> QueryResult<Option<OpenTask>> {
    let rows: Vec<OpenTask> =
        Statement::new("select t.id, t.kind, t.order_id from task t where t.id = $1 and t.state = 'open'")
            .bind::<SqlUuid, _>(id.0)
            .load(conn)
            .await?;
    Ok(rows.into_iter().next())
}

/// Open tasks of the last days without their mail.
pub async fn list_unmailed_tasks(conn: &mut AsyncPgConnection) -> QueryResult<Vec<OpenTask>> {
    Statement::new(
        "select t.id, t.kind, t.order_id from task t \
         where t.state = 'open' and t.created_at > app_now() - interval '3 days' \
           and not exists (select 1 from message m where m.kind = 'task_opened' \
             and m.subject = t.id::text) \
         order by t.created_at limit 100",
    )
    .load(conn)
    .await
}

#[derive(QueryableByName)]
pub struct GrantLine {
    #[diesel(sql_type = SqlUuid)]
    pub id: GrantId,
    #[diesel(sql_type = SqlUuid)]
    pub line_id: LineId,
}

/// Which line each grant of an order belongs to.
pub async fn list_grant_lines(conn: &mut AsyncPgConnection, order: OrderId) -> QueryResult<Vec<GrantLine>> {
    Statement::new("select id, line_id from download_grant where order_id = $1")
        .bind::<SqlUuid, _>(order.0)
        .load(conn)
        .await
}

#[derive(QueryableByName)]
struct MessageFound {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// The message with this `Message-ID`, written without its angle brackets.
pub async fn find_by_message_id(conn: &mut AsyncPgConnection, message_id: &str) -> QueryResult<Option<Uuid>> {
    let rows: Vec<MessageFound> = Statement::new("select m.id from message m where m.message_id = $1")
        .bind::<Text, _>(message_id)
        .load(conn)
        .await?;
    Ok(rows.into_iter().next().map(|row| row.id))
}

/// Whether a service reported that the message came back for good since this attempt began.
pub async fn has_bounced_since(conn: &mut AsyncPgConnection, id: Uuid, attempt: i32) -> QueryResult<bool> {
    let rows: Vec<MessageFound> = Statement::new(
        "select r.id from mail_report r join message_attempt a on a.message_id = r.message_id and a.attempt = $1 \
         where r.message_id = $2 and r.kind = 'bounce' and r.permanent and r.received_at >= a.started_at limit 1",
    )
    .bind::<Integer, _>(attempt)
    .bind::<SqlUuid, _>(id)
    .load(conn)
    .await?;
    Ok(!rows.is_empty())
}

/// The suppression of this address, if there is one.
pub async fn find_suppression(
    conn: &mut AsyncPgConnection,
    email_normalised: &str,
) -> QueryResult<Option<Suppression>> {
    mail_suppression::table
        .filter(mail_suppression::email_normalised.eq(email_normalised))
        .filter(mail_suppression::lifted_at.is_null())
        .select(Suppression::as_select())
        .first(conn)
        .await
        .optional()
}

pub async fn get_suppression(
    conn: &mut AsyncPgConnection,
    id: SuppressionId,
) -> QueryResult<Option<Suppression>> {
    mail_suppression::table.find(id).select(Suppression::as_select()).first(conn).await.optional()
}

/// What narrows the list of suppressions.
#[derive(Clone, Debug, Default)]
pub struct SuppressionFilter {
    /// The address, in the spelling that addresses are compared by.
    pub email_normalised: Option<String>,
    /// Those that were lifted too.
    pub lifted: bool,
}

/// Addresses that no mail is sent to, the newest first.
pub async fn list_suppressions(
    conn: &mut AsyncPgConnection,
    filter: &SuppressionFilter,
    args: &PageArgs,
) -> QueryResult<Page<Suppression>> {
    let mut query =
        mail_suppression::table.select(Suppression::as_select()).limit(args.size + 1).into_boxed();
    if let Some(email) = &filter.email_normalised {
        query = query.filter(mail_suppression::email_normalised.eq(email));
    }
    if !filter.lifted {
        query = query.filter(mail_suppression::lifted_at.is_null());
    }
    let from = args.from.as_ref().and_then(|keys| SuppressionId::parse(keys.last()?).ok());
    query = match (args.backwards, from) {
        (false, Some(id)) => query.filter(mail_suppression::id.lt(id)).order(mail_suppression::id.desc()),
        (false, None) => query.order(mail_suppression::id.desc()),
        (true, Some(id)) => query.filter(mail_suppression::id.gt(id)).order(mail_suppression::id.asc()),
        (true, None) => query.order(mail_suppression::id.asc()),
    };
    Ok(Page::cut(query.load(conn).await?, args))
}

/// How many there are; none above 10,000.
pub async fn count_suppressions(
    conn: &mut AsyncPgConnection,
    filter: &SuppressionFilter,
) -> QueryResult<Option<i64>> {
    let mut query = Statement::new("select 1 from mail_suppression s where true");
    if !filter.lifted {
        query.push(" and s.lifted_at is null");
    }
    if let Some(email) = filter.email_normalised.as_deref() {
        query.push(" and s.email_normalised = ").push_bind::<Text, _>(email);
    }
    total::count(conn, query).await
}

/// What became of an order's last mail with goods, where that needs a person.
#[derive(Clone, Debug, QueryableByName)]
pub struct MailTrouble {
    #[diesel(sql_type = SqlUuid)]
    pub order_id: OrderId,
    #[diesel(sql_type = Text)]
    pub kind: TroubleKind,
    /// When it is tried again by itself.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub next_at: Option<DateTime<Utc>>,
}

crate::text_column!(TroubleKind);

/// What became of a mail that did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TroubleKind {
    /// An attempt failed, and there will be another.
    Delayed,
    /// It was sent and came back.
    Bounced,
    /// It could not be sent.
    NotSent,
}

impl TroubleKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delayed => "delayed",
            Self::Bounced => "bounced",
            Self::NotSent => "not_sent",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Delayed, Self::Bounced, Self::NotSent].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Those of the orders whose last mail with goods did not arrive.
pub async fn list_troubles(
    conn: &mut AsyncPgConnection,
    orders: &[OrderId],
) -> QueryResult<Vec<MailTrouble>> {
    Statement::new(
        "select last.order_id, case when last.state <> 'needs_attention' then 'delayed' \
             when last.bounced_at is not null then 'bounced' else 'not_sent' end as kind, \
           (select min(j.run_at) from job j where j.kind = $1 and j.dedupe_key = last.id::text \
              and j.state = 'queued') as next_at from ( \
           select distinct on (m.order_id) m.order_id, m.id, m.state, m.bounced_at, m.attempts > m.attempts_before as tried \
           from message m where m.order_id = any($2) and m.kind = any($3) \
           order by m.order_id, m.created_at desc, m.id desc) last \
         where last.state = 'needs_attention' or (last.state = 'queued' and last.tried)",
    )
    .bind::<Text, _>(SendMessage::KIND)
    .bind::<Array<SqlUuid>, _>(orders.iter().map(|id| id.0).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(&WITH_GOODS[..])
    .load(conn)
    .await
}

/// When the goods of a gift were mailed last.
#[derive(QueryableByName)]
pub struct GiftMailed {
    #[diesel(sql_type = SqlUuid)]
    pub order_id: OrderId,
    #[diesel(sql_type = Timestamptz)]
    pub sent_at: DateTime<Utc>,
}

/// Of these gifts those whose goods were mailed, and that mail did not come back.
pub async fn list_gifts_sent(
    conn: &mut AsyncPgConnection,
    orders: &[OrderId],
) -> QueryResult<Vec<GiftMailed>> {
    Statement::new(
        "select m.order_id, max(m.sent_at) as sent_at from message m join order_gift g on g.order_id = m.order_id \
         where m.order_id = any($1) and m.kind = any($2) and m.state = 'sent' \
           and m.recipient = g.email group by m.order_id",
    )
    .bind::<Array<SqlUuid>, _>(orders.iter().map(|id| id.0).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(&WITH_GOODS[..])
    .load(conn)
    .await
}
