//! What is stored of a disputed sale, as rows of one form.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use crate::base::ids::{LineId, OrderId, PaymentId, RefundId, UnitId, UserId};
use crate::base::money::{Currency, Money};
use crate::infra::db::statement::Statement;

/// A fact of a section.
pub(super) struct EvidenceRow {
    pub section: String,
    pub at: Option<DateTime<Utc>>,
    pub title: String,
    pub facts: Vec<(String, String)>,
    /// The piece that it is about, where its secret is shown masked.
    pub unit: Option<Uuid>,
}

#[derive(QueryableByName)]
struct StoredFact {
    #[diesel(sql_type = Text)]
    section: String,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Text)]
    title: String,
    /// Pairs of a name and a value.
    #[diesel(sql_type = Jsonb)]
    facts: Value,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    unit: Option<Uuid>,
}

/// Rows of each section at most: what a person and a bank read.
const MOST: &str = "1000";

/// Each part begins at the order, by an index. Amounts are written `¤minor currency` and read by [`value`].
const ALL: &str = "with o as (select * from orders where id = $1)
  select 'ORDER' as section, o.placed_at as at, 'order ' || o.number as title, jsonb_build_array(
      jsonb_build_array('paid at', o.paid_at), jsonb_build_array('delivered at', o.delivered_at),
      jsonb_build_array('language', o.locale), jsonb_build_array('state', o.state),
      jsonb_build_array('total', '¤' || o.total_minor || ' ' || o.currency)) as facts, null::uuid as unit from o
  union all
  select 'ORDER', null, l.title || case when l.variant_title in ('', l.title) then '' else ', ' || l.variant_title end,
      jsonb_build_array(jsonb_build_array('line', l.id), jsonb_build_array('kind', l.kind),
        jsonb_build_array('quantity', l.quantity),
        jsonb_build_array('price', '¤' || l.total_minor || ' ' || l.currency)), null
    from o join order_line l on l.order_id = o.id
  union all
  select 'BUYER', o.placed_at, coalesce(o.email, 'the address was deleted'), jsonb_build_array(
      jsonb_build_array('account', u.id), jsonb_build_array('account since', u.created_at),
      jsonb_build_array('address of the account confirmed at', u.email_confirmed_at),
      jsonb_build_array('address proven by a mailed code or by signing in', case when o.mailbox_proven then 'yes' else 'no' end),
      jsonb_build_array('goods were a gift to', g.email)), null
    from o left join app_user u on u.id = o.user_id left join order_gift g on g.order_id = o.id
  union all
  select 'TERMS', o.placed_at, 'the shop''s terms of sale', jsonb_build_array(jsonb_build_array('address', o.terms_version)), null
    from o where o.terms_version is not null
  union all
  select 'TERMS', o.placed_at, l.title, jsonb_build_array(jsonb_build_array('as they were when it was bought', l.terms::text)), null
    from o join order_line l on l.order_id = o.id
  union all
  select 'PAYMENTS', p.started_at, 'payment by ' || p.account_id, jsonb_build_array(jsonb_build_array('payment', p.id),
      jsonb_build_array('state', p.state), jsonb_build_array('number', p.gateway_number),
      jsonb_build_array('trade', p.trade_no), jsonb_build_array('captured at', p.captured_at),
      jsonb_build_array('amount', '¤' || coalesce(p.received_minor, p.expected_minor) || ' '
        || coalesce(p.received_currency, p.expected_currency))), null
    from o join payment p on p.order_id = o.id
  union all
  select 'PAYMENTS', d.opened_at, 'dispute', jsonb_build_array(jsonb_build_array('payment', d.payment_id),
      jsonb_build_array('number at the gateway', d.gateway_dispute_id), jsonb_build_array('state', d.state),
      jsonb_build_array('reason', d.reason), jsonb_build_array('decided at', d.decided_at),
      jsonb_build_array('amount', '¤' || d.amount_minor || ' ' || d.currency)), null
    from o join dispute d on d.order_id = o.id
  union all
  (select 'DELIVERIES', u.assigned_at, l.title || ', piece ' || u.unit_no, jsonb_build_array(
      jsonb_build_array('delivery', u.id), jsonb_build_array('state', u.state),
      jsonb_build_array('first shown to the buyer at', u.revealed_at), jsonb_build_array('taken back at', u.revoked_at)), u.id
    from o join unit u on u.order_id = o.id join order_line l on l.id = u.line_id
    order by l.position, u.unit_no, u.assigned_at limit {most})
  union all
  (select 'DOWNLOADS', s.opened_at, v.name || ' ' || v.version, jsonb_build_array(
      jsonb_build_array('bytes of the file', v.size), jsonb_build_array('bytes served', s.served_bytes),
      jsonb_build_array('ended at', s.closed_at), jsonb_build_array('sha256', encode(v.sha256, 'hex'))), null
    from o join download_grant g on g.order_id = o.id join download_session s on s.grant_id = g.id
      join file_version v on v.id = s.file_version_id order by s.opened_at limit {most})
  union all
  (select 'ACTIVATIONS', a.activated_at, a.name, jsonb_build_array(jsonb_build_array('delivery', a.unit_id),
      jsonb_build_array('last used at', a.last_seen_at), jsonb_build_array('removed at', a.removed_at)), null
    from o join unit u on u.order_id = o.id join licence_activation a on a.unit_id = u.id
    order by a.activated_at limit {most})
  union all
  (select 'MAILS', m.created_at, m.kind, jsonb_build_array(jsonb_build_array('to', m.recipient),
      jsonb_build_array('Message-ID', m.message_id), jsonb_build_array('state', m.state),
      jsonb_build_array('sent at', m.sent_at), jsonb_build_array('came back at', m.bounced_at)), null
    from o join message m on m.order_id = o.id where m.kind <> 'task_opened' order by m.created_at limit {most})
  union all
  (select 'MAILS', a.started_at, 'attempt ' || a.attempt || ' at ' || m.kind, jsonb_build_array(
      jsonb_build_array('outcome', a.outcome), jsonb_build_array('the mail server answered', a.reason),
      jsonb_build_array('Message-ID', m.message_id), jsonb_build_array('ended at', a.ended_at)), null
    from o join message m on m.order_id = o.id join message_attempt a on a.message_id = m.id
    where m.kind <> 'task_opened' order by a.started_at limit {most})
  union all
  (select 'MAILS', r.received_at, 'the mail service reported: ' || r.kind, jsonb_build_array(
      jsonb_build_array('Message-ID', m.message_id), jsonb_build_array('reason', r.reason)), null
    from o join message m on m.order_id = o.id join mail_report r on r.message_id = m.id order by r.received_at limit {most})
  union all
  (select 'REPORTS', c.opened_at, c.problem, jsonb_build_array(jsonb_build_array('delivery', c.unit_id),
      jsonb_build_array('wish', c.wish), jsonb_build_array('what the buyer wrote', c.text),
      jsonb_build_array('state', c.state), jsonb_build_array('outcome', c.outcome)), null
    from o join unit u on u.order_id = o.id join delivery_case c on c.unit_id = u.id order by c.opened_at limit {most})
  union all
  select 'REFUNDS', r.requested_at, 'refund', jsonb_build_array(jsonb_build_array('refund', r.id),
      jsonb_build_array('payment', r.payment_id), jsonb_build_array('state', r.state),
      jsonb_build_array('reason', r.reason), jsonb_build_array('succeeded at', r.succeeded_at),
      jsonb_build_array('amount', '¤' || r.amount_minor || ' ' || r.currency)), null
    from o join refund r on r.order_id = o.id";

pub(super) async fn list(conn: &mut AsyncPgConnection, order: OrderId) -> QueryResult<Vec<EvidenceRow>> {
    static SQL: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| ALL.replace("{most}", MOST));
    let rows: Vec<StoredFact> = Statement::new(&SQL).bind::<SqlUuid, _>(order.0).load(conn).await?;
    let read = |row: StoredFact| EvidenceRow {
        facts: facts(&row.facts),
        section: row.section,
        at: row.at,
        title: row.title,
        unit: row.unit,
    };
    Ok(rows.into_iter().map(read).collect())
}

/// The pairs whose value is known.
fn facts(stored: &Value) -> Vec<(String, String)> {
    let pair = |pair: &Value| {
        let name = pair[0].as_str()?;
        let text = match &pair[1] {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some((name.to_owned(), value(name, text)))
    };
    stored.as_array().into_iter().flatten().filter_map(pair).collect()
}

/// Ids in their public form, amounts with their decimal point.
fn value(name: &str, text: String) -> String {
    let id = || text.parse::<Uuid>().ok();
    let public = match name {
        "account" => id().map(|id| UserId(id).to_string()),
        "delivery" => id().map(|id| UnitId(id).to_string()),
        "line" => id().map(|id| LineId(id).to_string()),
        "payment" => id().map(|id| PaymentId(id).to_string()),
        "refund" => id().map(|id| RefundId(id).to_string()),
        _ => amount(&text),
    };
    public.unwrap_or(text)
}

fn amount(text: &str) -> Option<String> {
    let (minor, currency) = text.strip_prefix('¤')?.split_once(' ')?;
    let money = Money::new(minor.parse().ok()?, Currency::parse(currency).ok()?);
    Some(format!("{} {currency}", money.decimal()))
}
