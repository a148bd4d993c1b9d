//! Questions about people.

use std::collections::HashMap;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::base::actor::Role;
use crate::base::ids::{SellerId, UserId};
use crate::base::page::{Page, PageArgs};
use crate::infra::db::schema::{app_user, seller_member, session, user_role};
use crate::infra::db::statement::Statement;
use crate::infra::db::total;
use crate::people::model::{Profile, Session, User};

/// These people with their rights, in no order; three statements whatever their number.
pub async fn profiles(conn: &mut AsyncPgConnection, ids: &[UserId]) -> QueryResult<Vec<Profile>> {
    let users: Vec<User> = app_user::table
        .filter(app_user::id.eq_any(ids.to_vec()))
        .select(User::as_select())
        .load(conn)
        .await?;
    with_rights(conn, users).await
}

pub async fn profile(conn: &mut AsyncPgConnection, id: UserId) -> QueryResult<Option<Profile>> {
    Ok(profiles(conn, &[id]).await?.pop())
}

/// For staff: everybody, the newest first, or those whose address or name holds `search`. The cursor's only key is
/// the id.
pub async fn users(
    conn: &mut AsyncPgConnection,
    args: &PageArgs,
    search: Option<&str>,
) -> QueryResult<Page<Profile>> {
    let mut query = app_user::table.select(User::as_select()).limit(args.size + 1).into_boxed();
    if let Some(search) = search {
        let pattern = containing(search);
        query = query.filter(
            app_user::email_normalised
                .like(pattern.clone())
                .or(app_user::email.ilike(pattern.clone()))
                .or(app_user::name.ilike(pattern).assume_not_null()),
        );
    }
    let from = args.from.as_ref().and_then(|keys| UserId::parse(keys.last()?).ok());
    query = match (args.backwards, from) {
        (false, Some(id)) => query.filter(app_user::id.lt(id)).order(app_user::id.desc()),
        (false, None) => query.order(app_user::id.desc()),
        (true, Some(id)) => query.filter(app_user::id.gt(id)).order(app_user::id.asc()),
        (true, None) => query.order(app_user::id.asc()),
    };
    let page = Page::cut(query.load::<User>(conn).await?, args);
    let (has_next, has_previous) = (page.has_next, page.has_previous);
    Ok(Page { rows: with_rights(conn, page.rows).await?, has_next, has_previous })
}

/// How many people there are, or how many that `search` finds; none above 10,000.
pub async fn count_users(conn: &mut AsyncPgConnection, search: Option<&str>) -> QueryResult<Option<i64>> {
    let mut query = Statement::new("select 1 from app_user u where true");
    if let Some(search) = search {
        query.push(" and (u.email_normalised like ").push_bind::<Text, _>(containing(search));
        query.push(" or u.name ilike ").push_bind::<Text, _>(containing(search)).push(")");
    }
    total::count(conn, query).await
}

/// A pattern for texts that have `part` in them, taken literally, in lower case.
fn containing(part: &str) -> String {
    format!("%{}%", part.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

/// The person's open sessions, the one used last first.
pub async fn sessions(conn: &mut AsyncPgConnection, user: UserId) -> QueryResult<Vec<Session>> {
    let now = sql::<Timestamptz>("app_now()");
    session::table
        .filter(session::user_id.eq(user))
        .filter(session::revoked_at.is_null())
        .filter(session::expires_at.gt(now))
        // A session nobody refreshed for long has no token left that works.
        .filter(sql::<Bool>(
            "exists (select from refresh_token t where t.session_id = session.id and t.successor_id is null \
             and t.expires_at > app_now())",
        ))
        .order((session::last_used_at.desc(), session::id.desc()))
        .select(Session::as_select())
        .load(conn)
        .await
}

async fn with_rights(conn: &mut AsyncPgConnection, users: Vec<User>) -> QueryResult<Vec<Profile>> {
    let ids: Vec<UserId> = users.iter().map(|u| u.id).collect();
    let mut roles: HashMap<UserId, Vec<Role>> = HashMap::new();
    let rows: Vec<(UserId, String)> = user_role::table
        .filter(user_role::user_id.eq_any(ids.clone()))
        .select((user_role::user_id, user_role::role))
        .load(conn)
        .await?;
    for (user, role) in rows {
        roles.entry(user).or_default().extend(Role::parse(&role));
    }
    let mut sellers: HashMap<UserId, Vec<SellerId>> = HashMap::new();
    let rows: Vec<(UserId, SellerId)> = seller_member::table
        .filter(seller_member::user_id.eq_any(ids))
        .select((seller_member::user_id, seller_member::seller_id))
        .load(conn)
        .await?;
    for (user, seller) in rows {
        sellers.entry(user).or_default().push(seller);
    }
    let profile = |user: User| {
        let mut own = roles.remove(&user.id).unwrap_or_default();
        own.sort();
        Profile { roles: own, sellers: sellers.remove(&user.id).unwrap_or_default(), user }
    };
    Ok(users.into_iter().map(profile).collect())
}

/// Addresses and languages of the people who act for a seller and may sign in, the earliest first.
pub async fn list_members(
    conn: &mut AsyncPgConnection,
    seller: SellerId,
    limit: i64,
) -> QueryResult<Vec<(String, String)>> {
    seller_member::table
        .inner_join(app_user::table.on(app_user::id.eq(seller_member::user_id)))
        .filter(seller_member::seller_id.eq(seller))
        .filter(app_user::email_confirmed_at.is_not_null().and(app_user::state.eq("active")))
        .order(app_user::id)
        .limit(limit)
        .select((app_user::email, app_user::locale))
        .load(conn)
        .await
}
