//! SQL of disputes.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{DisputeId, OrderId, PaymentId};
use crate::infra::db::schema::dispute;
use crate::infra::db::statement::Statement;
use crate::payments::disputes::model::Dispute;
use crate::payments::disputes::state::DisputeState;

/// Disputes about the payments of these orders, the oldest first.
pub async fn list_of_orders(mut conn: &AsyncPgConnection, ids: &[OrderId]) -> QueryResult<Vec<Dispute>> {
    dispute::table
        .filter(dispute::order_id.eq_any(ids))
        .order((dispute::opened_at, dispute::id))
        .select(Dispute::as_select())
        .load(&mut conn)
        .await
}

pub async fn find(conn: &mut AsyncPgConnection, id: DisputeId) -> QueryResult<Option<Dispute>> {
    dispute::table.find(id).select(Dispute::as_select()).first(conn).await.optional()
}

/// The last dispute about a payment.
pub async fn find_last_of_payment(
    conn: &mut AsyncPgConnection,
    id: PaymentId,
) -> QueryResult<Option<Dispute>> {
    dispute::table
        .filter(dispute::payment_id.eq(id))
        .order((dispute::opened_at.desc(), dispute::id.desc()))
        .select(Dispute::as_select())
        .first(conn)
        .await
        .optional()
}

/// Whether somebody has still to decide about this payment's money.
pub async fn is_open(conn: &mut AsyncPgConnection, payment_id: PaymentId) -> QueryResult<bool> {
    let open = dispute::table
        .filter(dispute::payment_id.eq(payment_id))
        .filter(dispute::state.eq(DisputeState::Opened));
    diesel::select(diesel::dsl::exists(open)).get_result(conn).await
}

const CLAIM_DUE: &str = "update dispute set asked_at = app_now()
  where id in (select id from dispute where state in ('inquiry', 'opened')
      and coalesce(asked_at, opened_at)
        < app_now() - case when asked_at is null then interval '10 minutes' else interval '1 day' end
    order by coalesce(asked_at, opened_at) limit $1 for update skip locked)
  returning payment_id";

#[derive(QueryableByName)]
struct DueRow {
    #[diesel(sql_type = SqlUuid)]
    payment_id: PaymentId,
}

/// Payments whose undecided disputes the gateway has not been asked about for long enough; they are marked as asked.
pub async fn claim_due(conn: &mut AsyncPgConnection, limit: i64) -> QueryResult<BTreeSet<PaymentId>> {
    let rows: Vec<DueRow> = Statement::new(CLAIM_DUE).bind::<BigInt, _>(limit).load(conn).await?;
    Ok(rows.into_iter().map(|row| row.payment_id).collect())
}

const INSERT: &str =
    "insert into dispute (id, order_id, payment_id, account_id, gateway_dispute_id, state, amount_minor,
    counted_minor, currency, reason, opened_at, decided_at, said_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

pub async fn insert(conn: &mut AsyncPgConnection, row: &Dispute) -> QueryResult<usize> {
    Statement::new(INSERT)
        .bind::<SqlUuid, _>(row.id.0)
        .bind::<SqlUuid, _>(row.order_id.0)
        .bind::<SqlUuid, _>(row.payment_id.0)
        .bind::<Text, _>(row.account_id.as_str())
        .bind::<Nullable<Text>, _>(row.gateway_dispute_id.as_deref())
        .bind::<Text, _>(row.state.as_str())
        .bind::<BigInt, _>(row.amount_minor)
        .bind::<BigInt, _>(row.counted_minor)
        .bind::<Text, _>(row.currency.as_str())
        .bind::<Nullable<Text>, _>(row.reason.as_deref())
        .bind::<Timestamptz, _>(row.opened_at)
        .bind::<Nullable<Timestamptz>, _>(row.decided_at)
        .bind::<Nullable<Timestamptz>, _>(row.said_at)
        .execute(conn)
        .await
}

const ADVANCE: &str = "update dispute set state = w.after, gateway_dispute_id = w.gateway_dispute_id,
    amount_minor = w.amount_minor, counted_minor = w.counted_minor, reason = w.reason, decided_at = w.decided_at,
    said_at = w.said_at
  from (select $1::uuid as id, $2::text as before, $3::text as after, $4::text as gateway_dispute_id,
    $5::bigint as amount_minor, $6::bigint as counted_minor, $7::text as reason, $8::timestamptz as decided_at,
    $9::timestamptz as said_at) w
  where dispute.id = w.id and dispute.state = w.before";

/// Writes a dispute whose order is locked, from the state it was read in.
pub async fn advance(
    conn: &mut AsyncPgConnection,
    before: DisputeState,
    row: &Dispute,
) -> QueryResult<usize> {
    Statement::new(ADVANCE)
        .bind::<SqlUuid, _>(row.id.0)
        .bind::<Text, _>(before.as_str())
        .bind::<Text, _>(row.state.as_str())
        .bind::<Nullable<Text>, _>(row.gateway_dispute_id.as_deref())
        .bind::<BigInt, _>(row.amount_minor)
        .bind::<BigInt, _>(row.counted_minor)
        .bind::<Nullable<Text>, _>(row.reason.as_deref())
        .bind::<Nullable<Timestamptz>, _>(row.decided_at)
        .bind::<Nullable<Timestamptz>, _>(row.said_at)
        .execute(conn)
        .await
}
