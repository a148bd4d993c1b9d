//! What gateways said about trades that nobody here knows.

use diesel::prelude::*;
use diesel::sql_types::{Array, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::infra::db::statement::Statement;

/// A trade that its gateway was asked about.
#[derive(Clone, Debug, QueryableByName)]
pub struct AskedTrade {
    #[diesel(sql_type = Text)]
    pub account_id: String,
    #[diesel(sql_type = Text)]
    pub trade_no: String,
    /// The number that the gateway keeps with it, where it keeps one that may be ours.
    #[diesel(sql_type = Nullable<Text>)]
    pub number: Option<String>,
}

const LIST: &str = "select a.account_id, a.trade_no, a.number from unnest($1::text[], $2::text[]) as w (account_id, trade_no)
  join asked_trade a on a.account_id = w.account_id and a.trade_no = w.trade_no";

/// The answers kept about these pairs of account and trade.
pub async fn list(mut conn: &AsyncPgConnection, trades: &[(&str, &str)]) -> QueryResult<Vec<AskedTrade>> {
    if trades.is_empty() {
        return Ok(Vec::new());
    }
    Statement::new(LIST)
        .bind::<Array<Text>, _>(trades.iter().map(|t| t.0).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(trades.iter().map(|t| t.1).collect::<Vec<_>>())
        .load(&mut conn)
        .await
}

const INSERT: &str =
    "insert into asked_trade (account_id, trade_no, number) values ($1, $2, $3) on conflict do nothing";

/// Keeps an answer; the first one counts.
pub async fn insert(
    mut conn: &AsyncPgConnection,
    account_id: &str,
    trade_no: &str,
    number: Option<&str>,
) -> QueryResult<usize> {
    Statement::new(INSERT)
        .bind::<Text, _>(account_id)
        .bind::<Text, _>(trade_no)
        .bind::<Nullable<Text>, _>(number)
        .execute(&mut conn)
        .await
}
