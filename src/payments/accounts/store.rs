use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryResult, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::OrderId;
use crate::base::outcome::Fault;
use crate::infra::db::statement::Statement;
use crate::infra::sales::sales_pause;
use crate::payments::accounts::{Account, Accounts};

#[derive(QueryableByName)]
struct KeptAccount {
    #[diesel(sql_type = Text)]
    id: String,
}

const SYNC: &str = "
with wanted as (
  select * from unnest($1, $2, $3, $4, $5) as w (id, gateway, currencies, sandbox, active)
), put as (
  insert into gateway_account (id, gateway, currencies, sandbox, active)
  select id, gateway, string_to_array(currencies, ','), sandbox, active from wanted
  on conflict (id) do update set currencies = excluded.currencies, active = excluded.active
    where gateway_account.gateway = excluded.gateway and gateway_account.sandbox = excluded.sandbox
  returning id
), rest as (
  update gateway_account set active = false where active and id <> all ($1)
)
select id from wanted where id not in (select id from put) order by id";

/// Brings the rows in line with the configuration: configured accounts are there and active unless retired, all others
/// are kept and inactive. Answers the ids whose gateway or mode changed: old payments point there, so such an account
/// needs a new id, and the caller must roll everything back.
pub async fn sync(conn: &mut AsyncPgConnection, accounts: &Accounts) -> Result<Vec<String>, Fault> {
    let list: Vec<_> = accounts.iter().map(|(account, _)| account).collect();
    let currencies = |account: &Account| {
        account.currencies.iter().map(|c| c.as_str().to_owned()).collect::<Vec<_>>().join(",")
    };
    let kept: Vec<KeptAccount> = sql_query(SYNC)
        .bind::<Array<Text>, _>(list.iter().map(|a| a.id.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(list.iter().map(|a| a.gateway).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(list.iter().map(|a| currencies(a)).collect::<Vec<_>>())
        .bind::<Array<Bool>, _>(list.iter().map(|a| a.sandbox).collect::<Vec<_>>())
        .bind::<Array<Bool>, _>(list.iter().map(|a| !a.retired).collect::<Vec<_>>())
        .load(conn)
        .await?;
    Ok(kept.into_iter().map(|row| row.id).collect())
}

/// What is open at one account.
#[derive(Debug, QueryableByName)]
pub struct Open {
    #[diesel(sql_type = Text)]
    pub account_id: String,
    #[diesel(sql_type = BigInt)]
    pub payments: i64,
    #[diesel(sql_type = BigInt)]
    pub refunds: i64,
    #[diesel(sql_type = BigInt)]
    pub disputes: i64,
    /// Payments that pay for nothing and wait for a person to give them back.
    #[diesel(sql_type = BigInt)]
    pub waiting: i64,
}

const OPEN_ELSEWHERE: &str = "
with open as (
  select account_id, 1 as payments, 0 as refunds, 0 as disputes, 0 as waiting from payment
    where state in ('started', 'pending', 'unknown')
  union all
  select p.account_id, 0, 1, 0, 0 from refund r join payment p on p.id = r.payment_id
    where r.state in ('requested', 'pending', 'unknown')
  union all
  select account_id, 0, 0, 1, 0 from dispute where state in ('inquiry', 'opened')
  union all
  select account_id, 0, 0, 0, 1 from payment
    where captured_at is not null and not allocated and received_minor > refunded_minor + lost_minor
)
select account_id, sum(payments)::bigint as payments, sum(refunds)::bigint as refunds,
  sum(disputes)::bigint as disputes, sum(waiting)::bigint as waiting from open
  where account_id <> all ($1) and account_id <> 'free' group by account_id order by account_id";

/// Accounts beside these at which money is on its way, disputed, or waits for a person.
pub async fn list_open_elsewhere(conn: &mut AsyncPgConnection, ids: &[String]) -> Result<Vec<Open>, Fault> {
    Ok(sql_query(OPEN_ELSEWHERE).bind::<Array<Text>, _>(ids).load(conn).await?)
}

/// Why an account is paused, and since when.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct PausedAccount {
    #[diesel(sql_type = Text)]
    pub id: String,
    /// Staff's own words, for buyers to read.
    #[diesel(sql_type = Text)]
    pub because: String,
    #[diesel(sql_type = Timestamptz)]
    pub since: DateTime<Utc>,
}

/// The paused accounts, by their ids.
pub type Paused = HashMap<String, PausedAccount>;

pub async fn list_paused(conn: &mut AsyncPgConnection) -> QueryResult<Paused> {
    let sql = "select id, paused_because as because, paused_at as since from gateway_account \
               where paused_because is not null";
    let rows: Vec<PausedAccount> = Statement::new(sql).load(conn).await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}

const ADVANCE_PAUSED: &str = "update gateway_account set paused_because = $1,
    paused_at = case when $2 then coalesce(paused_at, app_now()) end
  where id = $3 and paused_because is distinct from $4";

/// Pauses an account for this reason, or resumes it. Says no when that is so already.
pub(super) async fn advance_paused(
    conn: &mut AsyncPgConnection,
    id: &str,
    because: Option<&str>,
) -> QueryResult<bool> {
    let changed = Statement::new(ADVANCE_PAUSED)
        .bind::<Nullable<Text>, _>(because)
        .bind::<Bool, _>(because.is_some())
        .bind::<Text, _>(id)
        .bind::<Nullable<Text>, _>(because)
        .execute(conn)
        .await?;
    Ok(changed == 1)
}

#[derive(QueryableByName)]
struct Reason {
    #[diesel(sql_type = Nullable<Text>)]
    because: Option<String>,
}

const PAUSE_OF: &str = concat!(
    "select coalesce((select value ->> 'because' from setting where key = ",
    sales_pause!(),
    "),
    (select p.paused_because from order_line l join variant v on v.id = l.variant_id join product p on p.id = v.product_id
       where l.order_id = $1 and p.paused_because is not null order by l.id limit 1),
    (select paused_because from gateway_account where id = $2)) as because"
);

/// Why no payment of this order is started at this account for now: the shop, a product of the order, or the account is
/// paused.
pub async fn find_pause(
    conn: &mut AsyncPgConnection,
    order: OrderId,
    account: &str,
) -> QueryResult<Option<String>> {
    let found: Reason = Statement::new(PAUSE_OF)
        .bind::<SqlUuid, _>(order.0)
        .bind::<Text, _>(account)
        .get_result(conn)
        .await?;
    Ok(found.because)
}
