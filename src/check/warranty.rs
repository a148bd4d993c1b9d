//! What does not work is replaced once, by one piece, and is never good again; a recalled batch sells nothing and forgets
//! nobody.

use crate::check::report::{Invariant, Question};

pub(super) const INVARIANT: Invariant = Invariant {
    number: 22,
    title: "what was replaced or recalled is not sold again, and whoever had it has something else",
    questions: &[
        Question {
            name: "a replaced piece has one successor, of its line, number and price, and one record of why",
            sql: "select 'unit ' || u.id as counter from unit u left join unit s on s.id = u.superseded_by
                left join replacement r on r.unit_id = u.id
              where (u.state = 'replaced' or u.superseded_by is not null)
                and (s.id is null or r.successor_id is distinct from s.id or s.line_id <> u.line_id
                  or s.unit_no <> u.unit_no or s.total_minor <> u.total_minor or s.order_id <> u.order_id or s.id = u.id)
              union all select 'unit ' || r.unit_id from replacement r join unit u on u.id = r.unit_id
                where u.superseded_by is distinct from r.successor_id
              union all select 'unit ' || superseded_by from unit where superseded_by is not null
                group by superseded_by having count(*) > 1",
        },
        Question {
            name: "what a replaced piece had is taken back",
            sql: "select 'key ' || k.id || ' is ' || k.state as counter from unit u join vault_key k on k.unit_id = u.id
              where u.state = 'replaced' and k.state <> 'voided'
              union all select 'unit ' || u.id from unit u join unit_secret s on s.unit_id = u.id
                where u.state = 'replaced' and s.taken_back_at is null",
        },
        // A key that was given back unseen and sold anew is another piece's; one that was replaced never is.
        Question {
            name: "a key that was replaced is never anybody's again",
            sql: "select 'key ' || k.id || ' is ' || k.state as counter
              from event e join unit u on u.state = 'replaced'
                join lateral (select (jsonb_array_elements_text(e.body -> 'keys'))::uuid as key_id,
                  jsonb_array_elements_text(e.body -> 'units')::uuid as unit_id) given on given.unit_id = u.id
                join vault_key k on k.id = given.key_id
              where e.kind in ('line.assigned', 'line.filled') and e.object_id = u.line_id
                and jsonb_array_length(e.body -> 'keys') = jsonb_array_length(e.body -> 'units')
                and k.state in ('available', 'reserved', 'sold')",
        },
        Question {
            name: "no piece was replaced more often than its line says, unless staff let it pass",
            sql: "select 'line ' || l.id || ' number ' || r.unit_no || ': ' || count(*) || ' times of '
                || (l.terms ->> 'replacement_limit') as counter
              from replacement r join order_line l on l.id = r.line_id
              where r.cause = 'warranty' and not r.overridden and l.terms ? 'replacement_limit'
              group by l.id, r.unit_no having count(*) > (l.terms ->> 'replacement_limit')::int",
        },
        Question {
            name: "a piece whose money went back by name has no successor with goods",
            sql: "with recursive chain as (
                select ru.unit_id as asked, u.id, u.superseded_by, u.state from refund_unit ru
                  join refund f on f.id = ru.refund_id and f.state = 'succeeded' join payment p on p.id = f.payment_id and p.allocated
                  join unit u on u.id = ru.unit_id where ru.active
                union select c.asked, u.id, u.superseded_by, u.state from chain c join unit u on u.id = c.superseded_by)
              select 'unit ' || id || ' is ' || state as counter from chain
              where superseded_by is null and asked <> id and state not in ('revoked', 'cancelled')",
        },
        Question {
            name: "no key of a recalled batch may be sold",
            sql: "select 'key ' || k.id || ' is ' || k.state as counter from key_batch b join vault_key k on k.batch_id = b.id
              where b.recalled_at is not null and k.state in ('available', 'reserved')",
        },
        Question {
            name: "a recalled batch takes no keys in, and has a recall",
            sql: "select 'batch ' || b.id || ' is ' || b.state as counter from key_batch b
                left join batch_recall r on r.batch_id = b.id
              where b.recalled_at is not null and (r.id is null or b.state in ('running', 'ready', 'committing'))
              union all select 'batch ' || b.id from batch_recall r join key_batch b on b.id = r.batch_id where b.recalled_at is null",
        },
        Question {
            name: "whoever holds a key of a recalled batch is listed in its recall",
            sql: "select 'key ' || k.id || ' of unit ' || k.unit_id as counter from batch_recall r
                join vault_key k on k.batch_id = r.batch_id and k.state = 'sold'
              where not exists (select 1 from recall_piece p where p.recall_id = r.id and p.unit_id = k.unit_id)",
        },
        Question {
            name: "a recall that is over has seen to everybody, and one that is not has a job",
            sql: "select 'recall ' || r.id || ' is ' || r.state as counter from batch_recall r
              where (r.state = 'done' and exists (select 1 from recall_piece p where p.recall_id = r.id and p.state = 'open'))
                or (r.state = 'done' and r.action <> 'list_only' and exists (select 1 from recall_piece p
                  where p.recall_id = r.id and p.state = 'listed'))
                or r.holders <> (select count(*) from recall_piece p where p.recall_id = r.id)
                or (r.state = 'running' and not exists (select 1 from job j where j.kind = 'delivery.recall'
                  and j.state in ('queued', 'running') and j.payload ->> 'recall' = r.id::text))",
        },
        Question {
            name: "a piece that a recall replaced or refunded no longer holds its key, or its money is on its way back",
            sql: "select 'unit ' || p.unit_id || ' is ' || u.state as counter from recall_piece p join unit u on u.id = p.unit_id
                left join refund f on f.id = p.refund_id
              where (p.state = 'replaced' and (u.state <> 'replaced' or u.superseded_by is distinct from p.successor_id))
                or (p.state = 'refunded' and f.state = 'succeeded' and u.state not in ('revoked', 'cancelled'))",
        },
        Question {
            name: "a case is of its piece's line and order, and one at a time waits for its answer",
            sql: "select 'case ' || c.id as counter from delivery_case c join unit u on u.id = c.unit_id
              where c.line_id <> u.line_id or c.order_id <> u.order_id or c.seller_id <> u.seller_id
              union all select 'unit ' || unit_id from delivery_case where state = 'open' group by unit_id having count(*) > 1",
        },
        Question {
            name: "a case that was replaced or refunded has what it says",
            sql: "select 'case ' || c.id || ' is ' || c.outcome as counter from delivery_case c
              where (c.outcome = 'replaced' and not exists (select 1 from unit u where u.id = c.unit_id and u.state = 'replaced'))
                or (c.outcome = 'refunded' and not exists (select 1 from case_answer a where a.case_id = c.id
                  and a.refund_id is not null))",
        },
    ],
};
