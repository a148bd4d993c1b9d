//! The audit chain, recomputed event by event: `hash = SHA-256(previous hash | number as 8 bytes | the event's JSON
//! array)`, from 32 zero bytes on.

use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sha2::{Digest, Sha256};

use crate::base::outcome::Fault;
use crate::check::report::Finding;

/// Questions answered by hashing: numbers, links, events, the head.
pub(super) const BY_HASHING: usize = 4;

const GAPLESS: &str = "the numbers of events have no gap";
const LINKED: &str = "each seal names the one before it";
const UNCHANGED: &str = "the seal of an event recomputes from what is written";
const HEAD: &str = "the head of the sequence is its last seal";

const PAGE: i64 = 2_000;

#[derive(QueryableByName)]
struct Link {
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = BigInt)]
    event_id: i64,
    #[diesel(sql_type = Binary)]
    prev_hash: Vec<u8>,
    #[diesel(sql_type = Binary)]
    hash: Vec<u8>,
    #[diesel(sql_type = Nullable<Text>)]
    fact: Option<String>,
    #[diesel(sql_type = Bool)]
    may_be_gone: bool,
}

#[derive(QueryableByName)]
struct Head {
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = Binary)]
    hash: Vec<u8>,
}

pub(super) struct Recomputed {
    pub events: usize,
    pub findings: Vec<Finding>,
}

/// Walks the whole chain.
pub(super) async fn recompute(conn: &mut AsyncPgConnection) -> Result<Recomputed, Fault> {
    let mut done = Recomputed { events: 0, findings: Vec::new() };
    let (mut seq, mut hash) = (0_i64, vec![0_u8; 32]);
    loop {
        // An event is older than its seal: what was sealed before the horizon may have left, and only that.
        let page: Vec<Link> = sql_query(
            "select s.seq, s.event_id, s.prev_hash, s.hash, e.fact,
               s.sealed_at < h.gone_before + interval '1 day' as may_be_gone
             from (select * from event_seq where seq > $1 order by seq limit $2) s
             left join lateral (select jsonb_build_array(e.id, (extract(epoch from e.created_at) * 1000000)::bigint,
               e.seller_id, e.kind, e.object_id, e.order_id, e.actor, e.body)::text as fact
               from event e where e.id = s.event_id) e on true
             cross join (select gone_before from retention_horizon where name = 'event') h
             order by s.seq",
        )
        .bind::<BigInt, _>(seq)
        .bind::<BigInt, _>(PAGE)
        .load(conn)
        .await?;
        if page.is_empty() {
            break;
        }
        for link in page {
            if link.seq != seq + 1 {
                note(&mut done.findings, GAPLESS, || format!("number {} after {seq}", link.seq));
            }
            if link.prev_hash != hash {
                note(&mut done.findings, LINKED, || format!("number {}", link.seq));
            }
            match &link.fact {
                Some(fact) if sealed(&link.prev_hash, link.seq, fact) == link.hash => done.events += 1,
                None if link.may_be_gone => {}
                Some(_) | None => {
                    note(&mut done.findings, UNCHANGED, || {
                        format!("number {}, event {}", link.seq, link.event_id)
                    });
                }
            }
            (seq, hash) = (link.seq, link.hash);
        }
    }
    let head: Head = sql_query("select seq, hash from event_head").get_result(conn).await?;
    if head.seq != seq || head.hash != hash {
        note(&mut done.findings, HEAD, || format!("the head is at {}, the last seal is {seq}", head.seq));
    }
    Ok(done)
}

fn sealed(previous: &[u8], seq: i64, fact: &str) -> Vec<u8> {
    Sha256::new()
        .chain_update(previous)
        .chain_update(seq.to_be_bytes())
        .chain_update(fact)
        .finalize()
        .to_vec()
}

fn note(findings: &mut Vec<Finding>, question: &'static str, counter: impl FnOnce() -> String) {
    match findings.iter_mut().find(|f| f.question == question) {
        Some(finding) => finding.count += 1,
        None => findings.push(Finding { question, count: 1, first: counter() }),
    }
}
