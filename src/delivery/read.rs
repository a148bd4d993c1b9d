//! Questions about grants, and about the links that lead to them.

use diesel::sql_types::{Array, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult, QueryableByName};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::ids::{FileVersionId, GrantId, LineId, LinkId, OrderId, UserId};
use crate::delivery::model::{GrantStanding, Link};
use crate::infra::db::statement::Statement;

/// One question in four scopes: the rows around a grant.
macro_rules! standing {
    ($where:literal) => {
        concat!(
            "select g.id as grant_id, g.seller_id, g.order_id, g.line_id, g.unit_id, g.file_id, g.state, \
               g.max_downloads, g.used, nullif(g.expires_at, 'infinity') as expires_at, g.bind_address, \
               o.state as order_state, o.access_generation, u.state as unit_state, \
               (select h.cause from hold h where h.order_id = u.order_id and (h.unit_id is null or h.unit_id = u.id) \
                 order by h.cause <> 'refund', h.cause limit 1) as hold, \
               coalesce(p.lost_minor > 0, false) as is_lost, \
               s.id as session_id, s.file_version_id as session_version_id, s.served_bytes as session_served, \
               s.byte_cap as session_cap, g.file_version_id as bought_version_id, \
               case when coalesce((ol.terms ->> 'updates_included')::boolean, true) then newest.id else coalesce(bought.id, newest.id) end as current_version_id, \
               newest.id as newest_version_id, app_now() as now \
             from download_grant g \
             join orders o on o.id = g.order_id \
             join unit u on u.id = g.unit_id \
             join order_line ol on ol.id = u.line_id \
             left join payment p on p.order_id = g.order_id and p.allocated \
             left join download_session s on s.grant_id = g.id and s.closed_at is null and s.expires_at > app_now() \
             left join file_version bought on bought.id = g.file_version_id and bought.yanked_at is null \
             left join lateral (select id from file_version where file_id = g.file_id and yanked_at is null \
               order by published_at desc, id desc limit 1) newest on true ",
            $where
        )
    };
}

const OF_GRANTS: &str = standing!("where g.id = any($1::uuid[]) order by g.id");
const OF_LINES: &str = standing!("where g.line_id = any($1::uuid[]) order by g.line_id, u.unit_no, g.id");
const OF_ORDER: &str = standing!("where g.order_id = $1 order by g.line_id, u.unit_no, g.id");

/// The grant, if there is one.
pub async fn find_standing(conn: &mut AsyncPgConnection, id: GrantId) -> QueryResult<Option<GrantStanding>> {
    Ok(list_standings(conn, &[id]).await?.pop())
}

/// These grants, by id.
pub async fn list_standings(
    conn: &mut AsyncPgConnection,
    ids: &[GrantId],
) -> QueryResult<Vec<GrantStanding>> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    Statement::new(OF_GRANTS).bind::<Array<SqlUuid>, _>(ids).load(conn).await
}

/// The grants of these lines, by line, unit and file.
pub async fn list_standings_of_lines(
    conn: &mut AsyncPgConnection,
    lines: &[LineId],
) -> QueryResult<Vec<GrantStanding>> {
    let lines: Vec<_> = lines.iter().map(|id| id.0).collect();
    Statement::new(OF_LINES).bind::<Array<SqlUuid>, _>(lines).load(conn).await
}

/// The grants of an order.
pub async fn list_standings_of_order(
    conn: &mut AsyncPgConnection,
    order: OrderId,
) -> QueryResult<Vec<GrantStanding>> {
    Statement::new(OF_ORDER).bind::<SqlUuid, _>(order).load(conn).await
}

/// What a person bought of the file that this is a version of; at most 100 grants, the newest first.
pub async fn list_grants_of_version(
    conn: &mut AsyncPgConnection,
    id: FileVersionId,
    user: UserId,
) -> QueryResult<Vec<GrantStanding>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        id: GrantId,
    }
    let rows: Vec<Row> = Statement::new(
        "select g.id from (select $1::uuid as version, $2::uuid as owner) w join file_version v on v.id = w.version \
           join download_grant g on g.file_id = v.file_id join orders o on o.id = g.order_id \
         where o.user_id = w.owner order by g.created_at desc, g.id desc limit 100",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<SqlUuid, _>(user.0)
    .load(conn)
    .await?;
    list_standings(conn, &rows.into_iter().map(|row| row.id).collect::<Vec<_>>()).await
}

macro_rules! link {
    ($where:literal) => {
        concat!(
            "select id, grant_id, created_at, expires_at, revoked_at, session_id, generation from download_link l ",
            $where
        )
    };
}

/// A link of minutes.
pub async fn find_download_link(conn: &mut AsyncPgConnection, id: LinkId) -> QueryResult<Option<Link>> {
    Statement::new(link!("where id = $1 and kind = 'download'"))
        .bind::<SqlUuid, _>(id)
        .get_result(conn)
        .await
        .optional()
}

/// A link of days.
pub async fn find_claim_link(conn: &mut AsyncPgConnection, id: LinkId) -> QueryResult<Option<Link>> {
    Statement::new(link!("where id = $1 and kind = 'claim'"))
        .bind::<SqlUuid, _>(id)
        .get_result(conn)
        .await
        .optional()
}

/// The claim links of these grants that were made at most a day ago and still work, newest first.
pub async fn list_fresh_claim_links(
    conn: &mut AsyncPgConnection,
    grants: &[GrantId],
) -> QueryResult<Vec<Link>> {
    let grants: Vec<_> = grants.iter().map(|id| id.0).collect();
    Statement::new(link!(
        "where grant_id = any($1::uuid[]) and kind = 'claim' and revoked_at is null and expires_at > app_now() \
         and created_at > app_now() - interval '1 day' and generation = (select o.access_generation \
           from download_grant g join orders o on o.id = g.order_id where g.id = l.grant_id) \
         order by created_at desc, id desc"
    ))
    .bind::<Array<SqlUuid>, _>(grants)
    .load(conn)
    .await
}
