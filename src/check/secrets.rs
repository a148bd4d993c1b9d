//! Texts that are no keys: shared secrets and what people deliver.

use diesel::sql_types::{Binary, Text, Uuid as SqlUuid};
use diesel::{QueryResult, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::base::outcome::Fault;
use crate::check::report::{Finding, Invariant, Question};
use crate::check::seals::{Tally, unwrap};
use crate::infra::seal::{SealedPlace, Sealer};

pub(super) const INVARIANT: Invariant = Invariant {
    number: 17,
    title: "who paid for a secret or a person's work has its text, and nobody else",
    questions: &[
        Question {
            name: "a delivered unit of a shared secret has a version of it",
            sql: "select 'unit ' || u.id as counter from unit u join order_line l on l.id = u.line_id
              where l.kind in {shared} and u.state in ('assigned', 'revealed')
                and not exists (select 1 from unit_secret s where s.unit_id = u.id and s.version_id is not null)",
        },
        Question {
            name: "a delivered unit of a person's work has a text of its own",
            sql: "select 'unit ' || u.id as counter from unit u join order_line l on l.id = u.line_id
              where l.kind in {person} and u.state in ('assigned', 'revealed')
                and not exists (select 1 from unit_secret s where s.unit_id = u.id and s.sealed is not null)",
        },
        Question {
            name: "a text is that of a delivered unit of its own variant and seller, whose order is paid",
            sql: "select 'unit ' || s.unit_id || ' is ' || u.state as counter
              from unit_secret s join unit u on u.id = s.unit_id join orders o on o.id = u.order_id
              where u.state not in ('assigned', 'revealed', 'replaced', 'revoked') or u.variant_id <> s.variant_id
                or u.seller_id <> s.seller_id or o.state not in ('paid', 'closed')",
        },
        Question {
            name: "a text was taken back exactly when its unit was",
            sql: "select 'unit ' || s.unit_id || ' is ' || u.state as counter
              from unit_secret s join unit u on u.id = s.unit_id
              where (s.taken_back_at is not null) <> (u.state in ('revoked', 'replaced'))",
        },
        Question {
            name: "a unit has a version of its own variant's secret",
            sql: "select 'unit ' || s.unit_id as counter from unit_secret s join secret_version v on v.id = s.version_id
              where v.variant_id <> s.variant_id or v.seller_id <> s.seller_id",
        },
        Question {
            name: "the versions of a secret are numbered from one without holes",
            sql: "select 'variant ' || variant_id as counter from secret_version
              group by variant_id having min(number) <> 1 or max(number) <> count(*)",
        },
    ],
};

/// Questions answered by opening.
pub(super) const BY_OPENING: usize = 1;

const OPENS: &str = "the text of a secret opens in its row, under its variant, by its data key";

/// Rows opened at a time.
const PAGE: usize = 1_000;

#[derive(QueryableByName)]
struct SecretRow {
    #[diesel(sql_type = Text)]
    place: String,
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    variant_id: Uuid,
    #[diesel(sql_type = Binary)]
    sealed: Vec<u8>,
    #[diesel(sql_type = SqlUuid)]
    data_key_id: Uuid,
    #[diesel(sql_type = Text)]
    kek_id: String,
    #[diesel(sql_type = Binary)]
    wrapped: Vec<u8>,
}

/// Opens every text, page by page: how many opened, and what did not.
pub(super) async fn open_all(
    conn: &mut AsyncPgConnection,
    sealer: &Sealer,
) -> Result<(usize, Vec<Finding>), Fault> {
    let (mut opened, mut closed) = (0, Tally::default());
    let mut after = Uuid::nil();
    loop {
        let page = page_of(conn, after).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for row in &page {
            match opens(sealer, row) {
                true => opened += 1,
                false => closed.add(|| format!("{} {}", row.place, row.id)),
            }
        }
        if page.len() < PAGE {
            break;
        }
    }
    Ok((opened, closed.into_finding(OPENS).into_iter().collect()))
}

fn opens(sealer: &Sealer, row: &SecretRow) -> bool {
    let column = match row.place.as_str() {
        "version" => "secret_version.sealed",
        "signing secret" => "supplier.secret",
        "hook secret" => "hook_endpoint.secret",
        _ => "unit_secret.sealed",
    };
    let Ok(data_key) = unwrap(sealer, row.data_key_id, &row.kek_id, &row.wrapped) else { return false };
    let place = SealedPlace { column, row: row.id, owner: row.variant_id };
    sealer.open(&data_key, place, &row.sealed).is_ok_and(|bytes| std::str::from_utf8(&bytes).is_ok())
}

async fn page_of(conn: &mut AsyncPgConnection, after: Uuid) -> QueryResult<Vec<SecretRow>> {
    sql_query(format!(
        "select t.place, t.id, t.variant_id, t.sealed, t.data_key_id, d.kek_id, d.wrapped
         from (select 'version' as place, id, variant_id, sealed, data_key_id from secret_version
           union all select 'unit', unit_id, variant_id, sealed, data_key_id from unit_secret where sealed is not null
           union all select 'signing secret', id, seller_id, secret, data_key_id from supplier
           union all select 'hook secret', id, seller_id, secret, data_key_id from hook_endpoint) t
         join data_key d on d.id = t.data_key_id where t.id > $1 order by t.id limit {PAGE}"
    ))
    .bind::<SqlUuid, _>(after)
    .load(conn)
    .await
}
