//! What statements say of an account, and the lines that said it.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bytea, Date, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use crate::base::ids::{PaymentId, RefundId};
use crate::infra::db::statement::Statement;
use crate::payments::gateways::gateway::StatementLine;
use crate::payments::statements::facts::Known;
use crate::payments::statements::model::{Fact, Run};

/// Until the end of the transaction nobody else reads a statement of this account. A large one takes its time.
pub async fn lock_account(conn: &mut AsyncPgConnection, account_id: &str) -> QueryResult<()> {
    conn.batch_execute("set local lock_timeout = '60s'; set local statement_timeout = '70s'").await?;
    Statement::new("select pg_advisory_xact_lock(hashtextextended('statements:' || $1::text, 0))")
        .bind::<Text, _>(account_id)
        .execute(conn)
        .await?;
    Ok(())
}

#[derive(QueryableByName)]
struct KnownRow {
    #[diesel(embed)]
    fact: Fact,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    ours: Option<RefundId>,
    #[diesel(sql_type = Nullable<Text>)]
    theirs: Option<String>,
}

const KNOWN: &str = "select f.*, r.id as ours, r.gateway_refund_id as theirs from statement_fact f
    left join refund r on r.id = f.our_refund
  where f.account_id = $1 and f.trade_no = any($2) order by f.id";

/// What is known of these trades, the oldest first.
pub async fn list_known(
    conn: &mut AsyncPgConnection,
    account_id: &str,
    trades: &[&str],
) -> QueryResult<Vec<Known>> {
    let rows: Vec<KnownRow> = Statement::new(KNOWN)
        .bind::<Text, _>(account_id)
        .bind::<Array<Text>, _>(trades.to_vec())
        .load(conn)
        .await?;
    let known =
        |row: KnownRow| Known { fact: row.fact, ours: row.ours.map(|id| id.to_string()), theirs: row.theirs };
    Ok(rows.into_iter().map(known).collect())
}

#[derive(QueryableByName)]
struct DigestRow {
    #[diesel(sql_type = Bytea)]
    digest: Vec<u8>,
    #[diesel(sql_type = BigInt)]
    fact_id: i64,
}

/// Those of the lines that were read before, in whatever file, and the fact that each states.
pub async fn list_seen(
    conn: &mut AsyncPgConnection,
    account_id: &str,
    digests: &[&[u8]],
) -> QueryResult<HashMap<Vec<u8>, i64>> {
    let rows: Vec<DigestRow> = Statement::new(
        "select digest, min(fact_id) as fact_id from statement_line where account_id = $1 and digest = any($2)
           group by digest",
    )
    .bind::<Text, _>(account_id)
    .bind::<Array<Bytea>, _>(digests.to_vec())
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.digest, row.fact_id)).collect())
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

const INSERT: &str = "insert into statement_fact (run_id, account_id, day, stated, trade_no, number, refund_id,
    gateway_refund_id, unnamed, amount_minor, fee_minor, currency, at)
  select $1, $2, $3, w.stated, w.trade_no, w.number, w.refund_id, w.gateway_refund_id, w.unnamed, w.amount_minor,
    w.fee_minor, w.currency, w.at
  from unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::bigint[],
    $12::text[], $13::timestamptz[]) with ordinality as w (stated, trade_no, number, refund_id, gateway_refund_id,
    unnamed, amount_minor, fee_minor, currency, at, place) order by w.place returning id";

/// Stores new facts and answers their ids, in their order.
pub async fn insert(conn: &mut AsyncPgConnection, run: &Run, facts: &[&Fact]) -> QueryResult<Vec<i64>> {
    let rows: Vec<IdRow> = Statement::new(INSERT)
        .bind::<SqlUuid, _>(run.id.0)
        .bind::<Text, _>(run.account_id.as_str())
        .bind::<Date, _>(run.day)
        .bind::<Array<Text>, _>(facts.iter().map(|f| f.stated.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(facts.iter().map(|f| f.trade_no.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(facts.iter().map(|f| f.number.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(facts.iter().map(|f| f.refund_id.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(
            facts.iter().map(|f| f.gateway_refund_id.as_deref()).collect::<Vec<_>>(),
        )
        .bind::<Array<Nullable<Text>>, _>(facts.iter().map(|f| f.unnamed.as_deref()).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(facts.iter().map(|f| f.amount_minor).collect::<Vec<_>>())
        .bind::<Array<Nullable<BigInt>>, _>(facts.iter().map(|f| f.fee_minor).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(facts.iter().map(|f| f.currency.as_str()).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(facts.iter().map(|f| f.at).collect::<Vec<_>>())
        .load(conn)
        .await?;
    let mut ids: Vec<i64> = rows.into_iter().map(|row| row.id).collect();
    ids.sort_unstable();
    Ok(ids)
}

const UPDATE: &str =
    "update statement_fact f set run_id = w.run_id, day = w.day, number = w.number, refund_id = w.refund_id,
    gateway_refund_id = w.gateway_refund_id, unnamed = w.unnamed, amount_minor = w.amount_minor,
    fee_minor = w.fee_minor, currency = w.currency, at = w.at, outcome = w.outcome
  from (select $1::uuid as run_id, x.* from unnest($2::bigint[], $3::date[], $4::text[], $5::text[], $6::text[],
      $7::text[], $8::bigint[], $9::bigint[], $10::text[], $11::timestamptz[], $12::text[])
    as x (id, day, number, refund_id, gateway_refund_id, unnamed, amount_minor, fee_minor, currency, at, outcome)) w
  where f.id = w.id";

/// Facts as a later line says they are.
pub async fn update(conn: &mut AsyncPgConnection, run: &Run, facts: &[&Fact]) -> QueryResult<usize> {
    Statement::new(UPDATE)
        .bind::<SqlUuid, _>(run.id.0)
        .bind::<Array<BigInt>, _>(facts.iter().map(|f| f.id).collect::<Vec<_>>())
        .bind::<Array<Date>, _>(facts.iter().map(|f| f.day).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(facts.iter().map(|f| f.number.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(facts.iter().map(|f| f.refund_id.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(
            facts.iter().map(|f| f.gateway_refund_id.as_deref()).collect::<Vec<_>>(),
        )
        .bind::<Array<Nullable<Text>>, _>(facts.iter().map(|f| f.unnamed.as_deref()).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(facts.iter().map(|f| f.amount_minor).collect::<Vec<_>>())
        .bind::<Array<Nullable<BigInt>>, _>(facts.iter().map(|f| f.fee_minor).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(facts.iter().map(|f| f.currency.as_str()).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(facts.iter().map(|f| f.at).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(facts.iter().map(|f| f.outcome.as_deref()).collect::<Vec<_>>())
        .execute(conn)
        .await
}

/// A line, its digest, and the fact it states.
pub struct NewLine<'a> {
    pub line: &'a StatementLine,
    pub digest: &'a [u8],
    pub fact: i64,
}

const INSERT_LINES: &str =
    "insert into statement_line (run_id, account_id, day, digest, stated, number, trade_no, refund_id,
    gateway_refund_id, amount_minor, fee_minor, currency, at, fact_id)
  select $1, $2, $3, w.* from unnest($4::bytea[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::bigint[], $11::bigint[], $12::text[], $13::timestamptz[], $14::bigint[]) as w
  on conflict (account_id, day, digest) do nothing";

/// Stores the lines that this day's statement did not have before.
pub async fn insert_lines(
    conn: &mut AsyncPgConnection,
    run: &Run,
    lines: &[NewLine<'_>],
) -> QueryResult<usize> {
    let all = || lines.iter().map(|new| new.line);
    Statement::new(INSERT_LINES)
        .bind::<SqlUuid, _>(run.id.0)
        .bind::<Text, _>(run.account_id.as_str())
        .bind::<Date, _>(run.day)
        .bind::<Array<Bytea>, _>(lines.iter().map(|new| new.digest).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(all().map(|l| l.stated.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(all().map(|l| l.number.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(all().map(|l| l.trade_no.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(all().map(|l| l.refund_id.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(all().map(|l| l.gateway_refund_id.as_deref()).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(all().map(|l| l.amount_minor).collect::<Vec<_>>())
        .bind::<Array<Nullable<BigInt>>, _>(all().map(|l| l.fee_minor).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(all().map(|l| l.currency.as_str()).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(all().map(|l| l.at).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(lines.iter().map(|new| new.fact).collect::<Vec<_>>())
        .execute(conn)
        .await
}

const LIST_OPEN: &str = "select f.* from statement_fact f where f.account_id = $1
    and (f.outcome is distinct from 'matched' or f.booked_minor is distinct from f.fee_minor) and f.id > $2
    and exists (select 1 from statement_line l where l.fact_id = f.id and l.day = $3) order by f.id limit $4";

/// What a day's statement says and is not settled yet, from `after` on.
pub async fn list_open(
    conn: &mut AsyncPgConnection,
    run: &Run,
    after: i64,
    limit: i64,
) -> QueryResult<Vec<Fact>> {
    Statement::new(LIST_OPEN)
        .bind::<Text, _>(run.account_id.as_str())
        .bind::<BigInt, _>(after)
        .bind::<Date, _>(run.day)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await
}

const LIST_WAITING: &str = "select f.* from statement_fact f where f.account_id = $1
    and (f.outcome is null or (f.outcome = 'matched' and f.booked_minor is distinct from f.fee_minor))
    and exists (select 1 from statement_line l where l.fact_id = f.id and l.day = $2) order by f.id limit $3";

/// What a day's statement says and nobody has compared in its present state.
pub async fn list_waiting(conn: &mut AsyncPgConnection, run: &Run, limit: i64) -> QueryResult<Vec<Fact>> {
    Statement::new(LIST_WAITING)
        .bind::<Text, _>(run.account_id.as_str())
        .bind::<Date, _>(run.day)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await
}

/// Locks a fact, so that two runs do not book its fee twice. None: it was found to be one with another.
pub async fn lock(conn: &mut AsyncPgConnection, id: i64) -> QueryResult<Option<Fact>> {
    Statement::new("select f.* from statement_fact f where f.id = $1 for update")
        .bind::<BigInt, _>(id)
        .get_result(conn)
        .await
        .optional()
}

const LOCK_HOLDER: &str =
    "select f.* from statement_fact f, (select $1::uuid as refund, $2::text as stated, $3::bigint as id) w
  where f.our_refund = w.refund and f.stated = w.stated and f.id <> w.id for update of f";

/// The other fact of this kind that was taken for a refund of ours.
pub async fn lock_holder(
    conn: &mut AsyncPgConnection,
    refund: RefundId,
    fact: &Fact,
) -> QueryResult<Option<Fact>> {
    Statement::new(LOCK_HOLDER)
        .bind::<SqlUuid, _>(refund.0)
        .bind::<Text, _>(fact.stated.as_str())
        .bind::<BigInt, _>(fact.id)
        .get_result(conn)
        .await
        .optional()
}

const SAME_REFUND: &str = "select f.* from statement_fact f, (select $1::text as account_id, $2::text as trade_no, $3::text as stated,
    $4::text as theirs, $5::text as ours) w
  where f.account_id = w.account_id and f.trade_no = w.trade_no and f.stated = w.stated
    and (f.gateway_refund_id = w.theirs or (f.refund_id = w.ours
      and (f.gateway_refund_id is null or w.theirs is null))) order by f.id limit 1";

/// What statements say in another way (`refund`, `refund_failed`) of the refund that a fact is about.
pub async fn find_same_refund(
    conn: &mut AsyncPgConnection,
    account_id: &str,
    fact: &Fact,
    stated: &str,
) -> QueryResult<Option<Fact>> {
    Statement::new(SAME_REFUND)
        .bind::<Text, _>(account_id)
        .bind::<Text, _>(fact.trade_no.as_str())
        .bind::<Text, _>(stated)
        .bind::<Nullable<Text>, _>(fact.gateway_refund_id.as_deref())
        .bind::<Nullable<Text>, _>(fact.refund_id.as_deref())
        .get_result(conn)
        .await
        .optional()
}

/// It is no refund of ours after all, and is to be compared again.
pub async fn release(conn: &mut AsyncPgConnection, id: i64) -> QueryResult<usize> {
    Statement::new("update statement_fact set our_refund = null, outcome = null where id = $1")
        .bind::<BigInt, _>(id)
        .execute(conn)
        .await
}

/// Two facts turned out to be one: the lines of `other` say `kept`, which is stored as it is here.
pub async fn fold(conn: &mut AsyncPgConnection, kept: &Fact, other: i64) -> QueryResult<()> {
    Statement::new(
        "update statement_line l set fact_id = w.kept
        from (select $1::bigint as kept, $2::bigint as other) w where l.fact_id = w.other",
    )
    .bind::<BigInt, _>(kept.id)
    .bind::<BigInt, _>(other)
    .execute(conn)
    .await?;
    Statement::new("delete from statement_fact where id = $1").bind::<BigInt, _>(other).execute(conn).await?;
    Statement::new(FOLD)
        .bind::<BigInt, _>(kept.id)
        .bind::<Nullable<Text>, _>(kept.number.as_deref())
        .bind::<Nullable<Text>, _>(kept.refund_id.as_deref())
        .bind::<Nullable<Text>, _>(kept.gateway_refund_id.as_deref())
        .bind::<BigInt, _>(kept.amount_minor)
        .bind::<Nullable<BigInt>, _>(kept.fee_minor)
        .bind::<Text, _>(kept.currency.as_str())
        .bind::<Nullable<BigInt>, _>(kept.booked_minor)
        .bind::<Date, _>(kept.day)
        .execute(conn)
        .await?;
    Ok(())
}

const FOLD: &str = "update statement_fact f set number = w.number, refund_id = w.refund_id,
    gateway_refund_id = w.gateway_refund_id, unnamed = null, amount_minor = w.amount_minor, fee_minor = w.fee_minor,
    currency = w.currency, booked_minor = w.booked_minor, day = w.day
  from (select $1::bigint as id, $2::text as number, $3::text as refund_id, $4::text as gateway_refund_id,
    $5::bigint as amount_minor, $6::bigint as fee_minor, $7::text as currency, $8::bigint as booked_minor,
    $9::date as day) w
  where f.id = w.id";

const SETTLE: &str =
    "update statement_fact f set outcome = w.outcome, payment_id = coalesce(w.payment_id, f.payment_id),
    our_refund = w.our_refund, booked_minor = coalesce(w.booked, f.booked_minor)
  from (select $1::bigint as id, $2::text as outcome, $3::uuid as payment_id, $4::uuid as our_refund,
    $5::bigint as booked) w where f.id = w.id";

/// What came of comparing a fact; `booked` is how much of it the ledger holds as its fee now, where that was changed.
pub async fn settle(
    conn: &mut AsyncPgConnection,
    id: i64,
    matched: bool,
    payment_id: Option<PaymentId>,
    our_refund: Option<RefundId>,
    booked: Option<i64>,
) -> QueryResult<usize> {
    Statement::new(SETTLE)
        .bind::<BigInt, _>(id)
        .bind::<Text, _>(if matched { "matched" } else { "differs" })
        .bind::<Nullable<SqlUuid>, _>(payment_id.map(|p| p.0))
        .bind::<Nullable<SqlUuid>, _>(our_refund.map(|r| r.0))
        .bind::<Nullable<BigInt>, _>(booked)
        .execute(conn)
        .await
}
