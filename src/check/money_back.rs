//! Money goes back once, as often as it was asked for, and what is withheld follows it.

use crate::check::report::{Invariant, Question};

pub(super) const INVARIANT: Invariant = Invariant {
    number: 6,
    title: "money that went back is counted once, and its goods with it",
    questions: &[
        Question {
            name: "refunds and lost disputes do not exceed what was received",
            sql: "select 'payment ' || p.id || ' received ' || coalesce(p.received_minor, 0) || ' and gave back '
                || p.refunded_minor + p.lost_minor as counter
              from payment p where p.refunded_minor + p.lost_minor > coalesce(p.received_minor, 0)",
        },
        Question {
            name: "what a payment gave back is what its refunds count",
            sql: "select 'payment ' || p.id || ' says ' || p.refunded_minor || ', refunds say '
                || coalesce(sum(r.counted_minor), 0) as counter
              from payment p left join refund r on r.payment_id = p.id
              group by p.id having p.refunded_minor <> coalesce(sum(r.counted_minor), 0)",
        },
        Question {
            name: "what a payment lost is what its disputes count",
            sql: "select 'payment ' || p.id || ' says ' || p.lost_minor || ', disputes say '
                || coalesce(sum(d.counted_minor), 0) as counter
              from payment p left join dispute d on d.payment_id = p.id
              group by p.id having p.lost_minor <> coalesce(sum(d.counted_minor), 0)",
        },
        // The same arithmetic as the books', stated a second time: known refunds that were part of the newest
        // sum explain it, the rest is in rows of its own. Stripe alone counts refunds that are still open.
        Question {
            name: "a sum that a gateway named is explained by its refunds",
            sql: "select 'payment ' || p.id || ' has ' || f.sums || ' by sums alone, the sum leaves ' || f.left_over as counter
              from payment p cross join lateral (select coalesce(bool_or(a.account_snapshot->>'gateway' = 'stripe'), false)
                  as counts_open from payment a where a.order_id = p.order_id and a.account_id = p.account_id) g
                cross join lateral (select
                  coalesce(sum(r.amount_minor) filter (where r.basis = 'sum'), 0) as sums,
                  least(p.received_minor - coalesce(sum(r.amount_minor) filter (where r.basis = 'refund'
                      and r.state = 'succeeded'), 0),
                    p.told_sum_minor - coalesce(sum(r.amount_minor) filter (where r.basis = 'refund' and case
                        when r.origin <> 'gateway' and r.requested_at > p.told_sum_heard_at then false
                        when r.state not in ('succeeded', 'failed') and not (g.counts_open and r.gateway_refund_id is not null)
                          then false
                        when p.told_sum_asked and r.heard_at + interval '5 minutes' * (r.state = 'failed')::int
                            <= p.told_sum_at then r.state <> 'failed'
                        else coalesce(r.made_at, case when r.origin <> 'gateway' then r.requested_at end, '-infinity')
                            <= p.told_sum_at + interval '5 minutes'
                          and (r.state <> 'failed' or (r.gateway_refund_id is not null
                            and (g.counts_open or r.ever_succeeded)
                            and r.failed_at > p.told_sum_at - interval '5 minutes')) end), 0))
                    as left_over
                from refund r where r.payment_id = p.id) f
              where p.told_sum_at is not null and p.received_minor is not null and f.sums <> greatest(f.left_over, 0)",
        },
        Question {
            name: "a refund counts its whole amount unless the payment had less",
            sql: "select 'refund ' || r.id || ' counts ' || r.counted_minor || ' of ' || r.amount_minor as counter
              from refund r join payment p on p.id = r.payment_id
              where (r.state = 'succeeded' and r.counted_minor < r.amount_minor
                  and p.refunded_minor < p.received_minor)
                or (r.state <> 'succeeded' and r.counted_minor <> 0) or r.counted_minor > r.amount_minor",
        },
        Question {
            name: "money that went back was mailed about",
            sql: "select 'refund ' || r.id || ' counts ' || r.counted_minor || ' and nobody was mailed' as counter
              from refund r where r.mailed_minor < r.counted_minor
                and not (r.basis = 'sum' and exists (select 1 from payment p where p.id = r.payment_id
                  and p.told_sum_heard_at > app_now() - interval '10 minutes'))",
        },
        Question {
            name: "the ledger holds what each refund counts",
            sql: "select 'refund ' || r.id || ' counts ' || r.counted_minor || ', the ledger says '
                || coalesce(-sum(e.amount_minor), 0) as counter
              from refund r left join ledger_entry e on e.refund_id = r.id and e.book = 'gateway'
              group by r.id having coalesce(-sum(e.amount_minor), 0) <> r.counted_minor",
        },
        Question {
            name: "the ledger holds what each dispute counts",
            sql: "select 'dispute ' || d.id || ' counts ' || d.counted_minor || ', the ledger says '
                || coalesce(-sum(e.amount_minor), 0) as counter
              from dispute d left join ledger_entry e on e.dispute_id = d.id and e.book = 'gateway'
              group by d.id having coalesce(-sum(e.amount_minor), 0) <> d.counted_minor",
        },
        // A refund by name whose units cost what it gives back falls on their lines and on no other, as long as the
        // payment pays for the order.
        Question {
            name: "a refund by name is booked on the lines of its units",
            sql: "select 'refund ' || r.id as counter from refund r join payment p on p.id = r.payment_id and p.allocated
              where r.state = 'succeeded' and r.counted_minor = r.amount_minor
                and exists (select 1 from refund_unit ru where ru.refund_id = r.id)
                and (select array_agg((n.line_id, n.minor) order by n.line_id) from (select u.line_id,
                    sum(ru.amount_minor)::bigint as minor from refund_unit ru join unit u on u.id = ru.unit_id
                    where ru.refund_id = r.id group by 1) n where n.minor <> 0)
                  is distinct from
                  (select array_agg((b.line_id, b.minor) order by b.line_id) from (select e.line_id,
                    sum(e.amount_minor)::bigint as minor from ledger_entry e
                    where e.refund_id = r.id and e.book = 'sales' group by 1) b where b.minor <> 0)
                and not exists (select 1 from refund o where o.payment_id = r.payment_id and o.id <> r.id
                  and o.counted_minor > 0)",
        },
        Question {
            name: "a unit is named by one refund that is open or succeeded",
            sql: "select 'unit ' || ru.unit_id || ' by ' || count(*) || ' refunds' as counter from refund_unit ru
                join refund r on r.id = ru.refund_id join payment p on p.id = r.payment_id and p.allocated
              where r.state <> 'failed' and ru.active group by ru.unit_id having count(*) > 1",
        },
        Question {
            name: "a refund is of its payment's order and currency",
            sql: "select 'refund ' || r.id as counter from refund r join payment p on p.id = r.payment_id
              where r.order_id <> p.order_id or r.currency is distinct from p.received_currency",
        },
        Question {
            name: "a dispute is of its payment's order, account and currency",
            sql: "select 'dispute ' || d.id as counter from dispute d join payment p on p.id = d.payment_id
              where d.order_id <> p.order_id or d.account_id <> p.account_id
                or d.currency is distinct from p.received_currency",
        },
        Question {
            name: "units that a refund names are of its order and lost their goods with it",
            sql: "select 'unit ' || u.id || ' of refund ' || r.id || ' is ' || u.state as counter
              from refund r join payment p on p.id = r.payment_id join refund_unit ru on ru.refund_id = r.id
                join unit u on u.id = ru.unit_id
              where u.order_id <> r.order_id
                or (r.state = 'succeeded' and p.allocated and ru.active and u.state not in ('revoked', 'cancelled', 'replaced'))",
        },
        Question {
            name: "an order whose money went back whole keeps no goods",
            sql: "select 'unit ' || u.id || ' of order ' || o.number || ' is ' || u.state as counter
              from payment p join orders o on o.id = p.order_id join unit u on u.order_id = o.id
              where p.allocated and p.received_minor > 0 and p.received_minor = p.refunded_minor + p.lost_minor
                and u.state not in ('revoked', 'cancelled', 'replaced')
                and not exists (select 1 from payment other where other.order_id = o.id
                  and other.received_minor > other.refunded_minor + other.lost_minor)",
        },
        Question {
            name: "a unit that was taken back has its reason",
            sql: "select 'unit ' || u.id as counter from unit u where u.state = 'revoked'
                and not exists (select 1 from refund r where r.id = u.revoked_for and r.order_id = u.order_id)
                and not exists (select 1 from dispute d where d.id = u.revoked_for and d.order_id = u.order_id)
                and not exists (select 1 from payment p where p.id = u.revoked_for and p.order_id = u.order_id)",
        },
        Question {
            name: "the holds of an order are those of its open refunds and disputes",
            sql: "with wanted as (
                select d.order_id, null::uuid as unit_id, 'dispute' as cause, d.id as cause_id
                  from dispute d join payment p on p.id = d.payment_id where d.state = 'opened' and p.allocated
                union all select r.order_id, ru.unit_id, 'refund', r.id from refund r join payment p on p.id = r.payment_id
                    and p.allocated join refund_unit ru on ru.refund_id = r.id
                  where r.state in ('requested', 'pending', 'unknown')
                union all select r.order_id, null, 'refund', r.id from refund r join payment p on p.id = r.payment_id
                    and p.allocated
                  where r.state in ('requested', 'pending', 'unknown')
                    and r.amount_minor >= p.received_minor - p.refunded_minor - p.lost_minor
                    and not exists (select 1 from refund_unit ru where ru.refund_id = r.id)
                union all select p.order_id, null, 'uncovered', p.id from payment p
                  where p.allocated and p.received_minor > 0 and p.received_minor = p.refunded_minor + p.lost_minor
                    and exists (select 1 from payment other where other.order_id = p.order_id
                      and other.received_minor > other.refunded_minor + other.lost_minor)
                    and exists (select 1 from unit u where u.order_id = p.order_id and u.superseded_by is null
                      and u.state not in ('revoked', 'cancelled'))),
              there as (select order_id, unit_id, cause, cause_id from hold where cause <> 'review')
              select 'order ' || order_id || ' lacks a hold for ' || cause || ' ' || cause_id as counter
                from (select * from wanted except select * from there) missing
              union all select 'order ' || order_id || ' is held for ' || cause || ' ' || cause_id
                from (select * from there except select * from wanted) needless",
        },
        Question {
            name: "nothing was filled or assigned while it was held",
            sql: "select 'unit ' || u.id || ' of order ' || u.order_id as counter from unit u
                join hold h on h.order_id = u.order_id and (h.unit_id is null or h.unit_id = u.id)
              where u.assigned_at > h.created_at or u.revealed_at > h.created_at",
        },
        // A key that two buyers may have read is the worst that can happen.
        Question {
            name: "no key was shown or mailed for two units",
            sql: "select 'key ' || k.key as counter from (
                select jsonb_array_elements_text(e.body -> 'keys') as key, jsonb_array_elements_text(e.body -> 'units') as unit
                  from event e where e.kind in ('line.assigned', 'line.filled')) k
              group by k.key having count(distinct k.unit) > 1
                and bool_or(exists (select 1 from unit u where u.id::text = k.unit and u.revealed_at is not null
                  and u.state = 'revoked' and exists (select 1 from vault_key v where v.id::text = k.key
                    and v.unit_id is not null and v.unit_id <> u.id)))",
        },
        Question {
            name: "a key that may have been read never went back on sale",
            sql: "select 'key ' || id as counter from vault_key
              where state in ('available', 'reserved') and (revealed_at is not null or mailed_at is not null)",
        },
        Question {
            name: "no refund is open longer than a day without a person knowing",
            sql: "select 'refund ' || r.id || ' is ' || r.state as counter from refund r
              where r.state in ('requested', 'pending', 'unknown') and r.requested_at < app_now() - interval '1 day'
                and not exists (select 1 from task t where t.subject = r.id::text and t.state <> 'resolved'
                  and t.kind in ('refund_unclear', 'refund_needs_person', 'refund_overdue'))",
        },
        Question {
            name: "an order's ledger is what its payments are worth",
            sql: "select 'order ' || o.number || ': ledger ' || coalesce(b.held, 0) || ', payments ' || p.held as counter
              from orders o join (select order_id, sum(coalesce(received_minor, 0) - refunded_minor - lost_minor) as held
                  from payment group by 1) p on p.order_id = o.id
                left join (select order_id, sum(amount_minor) as held from ledger_entry
                  where book in ('gateway', 'fees') group by 1) b on b.order_id = o.id
              where coalesce(b.held, 0) <> p.held",
        },
    ],
};
