//! Every sealed value opens under its row's own place, and every fingerprint recomputes. What is opened is compared by
//! salted digests and wiped; nothing of it is reported.

use std::collections::HashMap;
use std::sync::Arc;

use diesel::sql_types::{Binary, Bool, Nullable, Text, Uuid as SqlUuid};
use diesel::{QueryResult, QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::base::clock;
use crate::base::key_text;
use crate::base::outcome::Fault;
use crate::check::report::{Finding, Invariant, Question};
use crate::infra::seal::{DataKey, SealError, SealedPlace, Sealer, WrappedKey};

pub(super) const INVARIANT: Invariant = Invariant {
    number: 12,
    title: "seals open in their place, fingerprints and the audit chain recompute",
    questions: &[
        Question {
            name: "a key is sealed under its batch's data key, as its variant and seller say",
            sql: "select 'key ' || k.id as counter from vault_key k join key_batch b on b.id = k.batch_id
              where k.data_key_id <> b.data_key_id or k.variant_id <> b.variant_id or k.seller_id <> b.seller_id",
        },
        Question {
            name: "a data key counts at least the values it sealed",
            sql: "select 'data key ' || d.id || ' counts ' || d.uses || ', sealed ' || count(k.data_key_id) as counter
              from data_key d left join (select data_key_id from vault_key union all select data_key_id from secret_version
                union all select b.data_key_id from staged_key s join key_batch b on b.id = s.batch_id
                union all select data_key_id from unit_secret where sealed is not null
                union all select data_key_id from supplier union all select data_key_id from hook_endpoint) k on k.data_key_id = d.id
              group by d.id having count(k.data_key_id) > d.uses",
        },
        Question {
            name: "every event that the sequence has passed has its number",
            sql: "select 'event ' || e.id as counter from event e
              where pg_visible_in_snapshot(e.xid::text::xid8, (select numbered::pg_snapshot from event_head))
                and not exists (select 1 from event_seq s where s.event_id = e.id)",
        },
        Question {
            name: "the audit chain names every paid order",
            sql: "select 'order ' || o.number as counter from orders o
              where o.paid_at > {events_kept} and not exists (select 1 from event e
                where e.order_id = o.id and e.kind = 'order.paid' and e.object_id = o.id)",
        },
        Question {
            name: "the audit chain names every payment that brought money",
            sql: "select 'payment ' || p.id as counter from payment p
              where p.captured_at > {events_kept} and not exists (select 1 from event e
                where e.order_id = p.order_id and e.kind = 'payment.captured' and e.object_id = p.id)",
        },
        Question {
            name: "the audit chain names every refund that was made",
            sql: "select 'refund ' || r.id as counter from refund r
              where r.succeeded_at > {events_kept} and not exists (select 1 from event e
                where e.order_id = r.order_id and e.kind = 'refund.succeeded' and e.object_id = r.id)",
        },
        Question {
            name: "the audit chain names which unit got which key",
            sql: "select 'key ' || k.id as counter from vault_key k join unit u on u.id = k.unit_id
              where k.state = 'sold' and k.sold_at > {events_kept} and not exists (select 1 from event e
                where e.order_id = u.order_id and e.object_id = u.line_id and e.body -> 'units' ? u.id::text
                  and e.body -> 'keys' ? k.id::text)",
        },
        Question {
            name: "the audit chain names every grant that was revoked",
            sql: "select 'grant ' || g.id as counter from download_grant g
              where g.state = 'revoked' and g.created_at > {events_kept} and not exists (select 1 from event e
                where e.order_id = g.order_id and e.object_id = g.id and e.kind = 'grant.revoked')",
        },
    ],
};

/// Questions answered by opening: keys, their fingerprints, refresh tokens.
pub(super) const BY_OPENING: usize = 3;

const OPENS: &str = "a sealed key opens in its row, under its variant, by its data key";
const RECOMPUTES: &str = "the fingerprint of a key recomputes from its text";
const TOKEN_OPENS: &str =
    "a sealed refresh token opens in its row and is the one whose digest is stored there";
const TWINS: &str = "no text of a key is stored twice within a seller";

/// Rows opened at a time.
const PAGE: usize = 2_000;

#[derive(Default)]
pub(super) struct Opened {
    pub opened: usize,
    pub broken: Vec<Finding>,
    pub twins: Vec<Finding>,
}

#[derive(QueryableByName)]
struct KeyRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    seller_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    variant_id: Uuid,
    #[diesel(sql_type = Bool)]
    fold_case: bool,
    #[diesel(sql_type = Binary)]
    fp: Vec<u8>,
    #[diesel(sql_type = Nullable<Binary>)]
    fp_next: Option<Vec<u8>>,
    #[diesel(sql_type = Bool)]
    seen_to: bool,
    #[diesel(sql_type = Binary)]
    sealed: Vec<u8>,
    #[diesel(sql_type = SqlUuid)]
    data_key_id: Uuid,
    #[diesel(sql_type = Text)]
    kek_id: String,
    #[diesel(sql_type = Binary)]
    wrapped: Vec<u8>,
}

#[derive(QueryableByName)]
struct TokenRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Binary)]
    digest: Vec<u8>,
    #[diesel(sql_type = Nullable<Binary>)]
    sealed: Option<Vec<u8>>,
}

/// Counts counter-examples of one question and keeps the first.
#[derive(Default)]
pub(super) struct Tally {
    count: i64,
    first: String,
}

impl Tally {
    pub(super) fn add(&mut self, counter: impl FnOnce() -> String) {
        if self.count == 0 {
            self.first = counter();
        }
        self.count += 1;
    }

    pub(super) fn into_finding(self, question: &'static str) -> Option<Finding> {
        (self.count > 0).then_some(Finding { question, count: self.count, first: self.first })
    }
}

/// Opens everything that is sealed, page by page.
pub(super) async fn open_all(conn: &mut AsyncPgConnection, sealer: &Sealer) -> Result<Opened, Fault> {
    let (mut closed, mut changed, mut twins, mut tokens) =
        (Tally::default(), Tally::default(), Tally::default(), Tally::default());
    let salt = clock::random::<32>();
    // 16 of 32 bytes of digest distinguish a billion texts, in half the memory.
    let mut seen: HashMap<[u8; 16], Uuid> = HashMap::new();
    let mut data_keys: HashMap<Uuid, Result<Arc<DataKey>, SealError>> = HashMap::new();
    let mut opened = 0;
    let mut after = Uuid::nil();
    loop {
        let page = page_of_keys(conn, after).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for row in &page {
            let data_key = data_keys
                .entry(row.data_key_id)
                .or_insert_with(|| unwrap(sealer, row.data_key_id, &row.kek_id, &row.wrapped));
            let place = SealedPlace { column: "vault_key.sealed", row: row.id, owner: row.variant_id };
            let text = match data_key {
                Ok(key) => sealer.open(key, place, &row.sealed),
                Err(_) => Err(SealError::Broken),
            };
            let Some(text) = text.as_ref().ok().and_then(|bytes| std::str::from_utf8(bytes).ok()) else {
                closed.add(|| format!("key {}", row.id));
                continue;
            };
            opened += 1;
            let print = sealer.fingerprint(row.seller_id, text, row.fold_case);
            let before = sealer.fingerprint_before(row.seller_id, text, row.fold_case);
            let next_fits = row.fp_next.as_deref().is_none_or(|next| next == print.as_slice());
            if !next_fits || ![print, before].iter().any(|print| print.as_slice() == row.fp.as_slice()) {
                changed.add(|| format!("key {}", row.id));
            }
            // Whoever voided one, or is asked which, has seen to it.
            if row.seen_to {
                continue;
            }
            if let Some(twin) = seen.insert(digest(&salt, row.seller_id, text), row.id) {
                twins.add(|| format!("keys {twin} and {}", row.id));
            }
        }
        if page.len() < PAGE {
            break;
        }
    }
    opened += open_tokens(conn, sealer, &mut tokens).await?;
    let broken =
        [closed.into_finding(OPENS), changed.into_finding(RECOMPUTES), tokens.into_finding(TOKEN_OPENS)];
    Ok(Opened {
        opened,
        broken: broken.into_iter().flatten().collect(),
        twins: twins.into_finding(TWINS).into_iter().collect(),
    })
}

async fn page_of_keys(conn: &mut AsyncPgConnection, after: Uuid) -> QueryResult<Vec<KeyRow>> {
    sql_query(format!(
        "select k.id, k.seller_id, k.variant_id, v.fold_case, k.fp, k.fp_next, k.sealed, k.data_key_id, d.kek_id, d.wrapped,
           exists (select 1 from staged_key s where s.id = k.id) or (k.fp_next is null and exists (select 1 from task t
             where t.kind = 'key_text_twin' and t.subject = k.id::text)) as seen_to
         from (select id, seller_id, variant_id, fp, fp_next, sealed, data_key_id from vault_key union all
             select s.id, b.seller_id, b.variant_id, s.fp, null, s.sealed, b.data_key_id from staged_key s
               join key_batch b on b.id = s.batch_id) k
           join variant v on v.id = k.variant_id join data_key d on d.id = k.data_key_id
         where k.id > $1 order by k.id limit {PAGE}"
    ))
    .bind::<SqlUuid, _>(after)
    .load(conn)
    .await
}

pub(super) fn unwrap(
    sealer: &Sealer,
    id: Uuid,
    kek_id: &str,
    wrapped: &[u8],
) -> Result<Arc<DataKey>, SealError> {
    sealer.unwrap_data_key(&WrappedKey { id, kek_id: kek_id.to_owned(), wrapped: wrapped.to_vec() })
}

/// Distinguishes texts without keeping them; the salt is gone with this run.
fn digest(salt: &[u8; 32], seller: Uuid, text: &str) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(seller.as_bytes());
    hash.update(key_text::compared(text, false).as_bytes());
    let mut half = [0; 16];
    half.copy_from_slice(&hash.finalize()[..16]);
    half
}

/// Refresh tokens whose text is still kept: `drt_` and base64url of the 32 bytes whose SHA-256 is the digest.
async fn open_tokens(
    conn: &mut AsyncPgConnection,
    sealer: &Sealer,
    tally: &mut Tally,
) -> Result<usize, Fault> {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut opened = 0;
    let mut after = Uuid::nil();
    loop {
        let page: Vec<TokenRow> = sql_query(format!(
            "select id, digest, sealed from refresh_token where sealed is not null and id > $1 order by id limit {PAGE}"
        ))
        .bind::<SqlUuid, _>(after)
        .load(conn)
        .await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for row in &page {
            let text =
                sealer.open_small("refresh_token.sealed", row.id, row.sealed.as_deref().unwrap_or_default());
            let bytes = text.ok().and_then(|text| {
                let encoded = std::str::from_utf8(&text).ok()?.strip_prefix("drt_")?.to_owned();
                URL_SAFE_NO_PAD.decode(zeroize::Zeroizing::new(encoded).as_str()).ok()
            });
            match bytes.map(zeroize::Zeroizing::new) {
                Some(bytes) if Sha256::digest(bytes.as_slice()).as_slice() == row.digest.as_slice() => {
                    opened += 1
                }
                Some(_) | None => tally.add(|| format!("refresh token {}", row.id)),
            }
        }
    }
    Ok(opened)
}
