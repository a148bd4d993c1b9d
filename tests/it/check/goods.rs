//! Faults in keys, units, money and grants.

use super::clean::busy_shop;
use super::planted::{Planted, find_all};

/// Rows: K4, K5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_sold_twice_or_lost_is_found() {
    let t = busy_shop().await;
    let faults = [
        Planted {
            sql: "update vault_key set unit_id = (select min(unit_id::text)::uuid from vault_key where state = 'sold'),
                state = 'sold', sold_at = app_now() where id = (select id from vault_key where state = 'available' limit 1)",
            found_by: "a unit holds at most one key",
            names: "unit ",
        },
        Planted {
            sql: "update vault_key set unit_id = (select id from unit where state = 'awaiting_stock' limit 1),
                state = 'sold', sold_at = app_now() where id = (select id from vault_key where state = 'available' limit 1)",
            found_by: "a sold key belongs to one delivered unit of its own variant and seller",
            names: "key ",
        },
        Planted {
            sql: "update vault_key set unit_id = null where id = (select id from vault_key where state = 'sold' limit 1)",
            found_by: "a delivered unit of a key product holds a sold key",
            names: "unit ",
        },
        Planted {
            sql: "update unit set state = 'assigned', assigned_at = app_now()
                where id = (select id from unit where state = 'awaiting_stock' limit 1)",
            found_by: "as many keys of a variant are sold as units of it are delivered",
            names: "variant ",
        },
        Planted {
            sql: "update vault_key set state = 'available' where id = (select id from vault_key where state = 'sold' limit 1)",
            found_by: "no key is both free and sold",
            names: "key ",
        },
        Planted {
            sql: "update vault_key set state = 'reserved', reserved_until = app_now() + interval '1 hour', reserved_line_id =
                (select l.id from order_line l join orders o on o.id = l.order_id where o.state = 'paid' and l.kind = 'key' limit 1)
                where id = (select id from vault_key where state = 'available' limit 1)",
            found_by: "a held key is held for an unpaid line of its variant",
            names: "key ",
        },
        Planted {
            sql: "update vault_key set state = 'reserved', reserved_until = app_now() + interval '1 hour', reserved_line_id =
                (select l.id from order_line l join orders o on o.id = l.order_id
                  where o.state = 'pending_payment' and l.quantity = 1 limit 1)
                where id in (select id from vault_key where state = 'available' limit 2)",
            found_by: "a line has no more keys than pieces",
            names: "line ",
        },
        Planted {
            sql: "update vault_key set state = 'reserved', reserved_until = app_now() - interval '1 hour', reserved_line_id =
                (select l.id from order_line l join orders o on o.id = l.order_id where o.state = 'pending_payment' limit 1)
                where id = (select id from vault_key where state = 'available' limit 1)",
            found_by: "no hold has been over for a quarter of an hour",
            names: "key ",
        },
        Planted {
            sql: "update key_batch set preview = true, staged = 1 where id = (select id from key_batch limit 1)",
            found_by: "an import has the keys that are looked at, and none of them once it is over",
            names: "batch ",
        },
        Planted {
            sql: "update key_batch set preview = true, staged = 1, state = 'ready', finished_at = null
                where id = (select id from key_batch limit 1);
                insert into staged_key (batch_id, line, id, fp, otherwise, sealed)
                select b.id, 1, k.id, k.fp, k.fp, k.sealed from key_batch b join vault_key k on k.batch_id = b.id limit 1",
            found_by: "a key that is looked at is not sold",
            names: "key ",
        },
        Planted {
            sql: "update key_batch set preview = true, state = 'committing', finished_at = null
                where id = (select id from key_batch limit 1)",
            found_by: "a committed import has a job that puts its keys on sale",
            names: "batch ",
        },
        Planted {
            sql: "update vault_key set fp = (select fp from vault_key order by id limit 1)
                where id = (select id from vault_key order by id offset 1 limit 1)",
            found_by: "no fingerprint is stored twice within a seller",
            names: "keys ",
        },
        Planted {
            sql: "delete from vault_key where id = (select id from vault_key where state = 'available' limit 1)",
            found_by: "a batch has the keys that it counted",
            names: "batch ",
        },
        Planted {
            sql: "update unit set state = 'unassigned' where id = (select id from unit where state = 'assigned' limit 1)",
            found_by: "no unit of a paid order is unassigned",
            names: "unit ",
        },
        Planted {
            sql: "update unit set state = 'awaiting_stock' where id = (select u.id from unit u join orders o on o.id = u.order_id
                where o.state = 'pending_payment' limit 1)",
            found_by: "no unit of an unpaid order has moved",
            names: "unit ",
        },
        Planted {
            sql: "insert into unit (id, seller_id, order_id, line_id, variant_id, unit_no, total_minor)
                select gen_random_uuid(), seller_id, order_id, line_id, variant_id, unit_no, 0 from unit limit 1",
            found_by: "a line has as many units as its quantity, and each number once",
            names: "line ",
        },
        Planted {
            sql: "delete from job where kind = 'fulfilment.fill';
                update unit set state = 'assigned', assigned_at = app_now() where state = 'awaiting_stock'
                  and id <> (select id from unit where state = 'awaiting_stock' limit 1)",
            found_by: "no line sleeps beside free keys",
            names: "line ",
        },
        Planted {
            sql: "delete from job where kind in ('fulfilment.fill', 'downloads.published');
                update unit set state = 'awaiting_person' where id = (select u.id from unit u
                  join order_line l on l.id = u.line_id where l.kind = 'file' and u.state = 'assigned' limit 1)",
            found_by: "no unit awaits a person although it can be delivered",
            names: "unit ",
        },
        Planted {
            sql: "delete from job where kind in ('fulfilment.fill', 'downloads.published');
                update vault_key set state = 'available', unit_id = null, sold_at = null, revealed_at = null,
                  mailed_at = null where state = 'sold';
                update unit set state = 'awaiting_person' where id = (select u.id from unit u
                  join order_line l on l.id = u.line_id where l.kind = 'key' and l.quantity = 1
                  and u.state = 'assigned' limit 1)",
            found_by: "no unit awaits a person although it can be delivered",
            names: "unit ",
        },
    ];
    find_all(&t, &faults).await;
    t.finish_with_jobs().await;
}

/// Rows: P4, P9, O6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_that_does_not_add_up_is_found() {
    let t = busy_shop().await;
    let faults = [
        Planted {
            sql: "delete from ledger_entry where id = (select min(id) from ledger_entry)",
            found_by: "each ledger transaction sums to zero per currency",
            names: "transaction ",
        },
        Planted {
            sql: "delete from ledger_entry where transaction_id = (select transaction_id from ledger_entry limit 1)",
            found_by: "the gateway's book and its fees hold what a payment received less what it gave back",
            names: "payment ",
        },
        Planted {
            sql: "update ledger_entry set book = 'unallocated', line_id = null
                where id = (select id from ledger_entry where book = 'sales' limit 1)",
            found_by: "sellers earned what the allocated payment kept, and nothing of other money",
            names: "payment ",
        },
        Planted {
            sql: "update ledger_entry set currency = 'EUR'
                where transaction_id = (select transaction_id from ledger_entry limit 1)",
            found_by: "a ledger entry is of its payment's order, account and currency",
            names: "entry ",
        },
        Planted {
            sql: "update unit set total_minor = total_minor + 1 where id = (select id from unit limit 1)",
            found_by: "an order's total is the sum of its lines and of its units",
            names: "order ",
        },
        Planted {
            sql: "update payment set refunded_minor = received_minor + 1 where id = (select id from payment where allocated limit 1)",
            found_by: "refunds and lost disputes do not exceed what was received",
            names: "payment ",
        },
        Planted {
            sql: "update refund set counted_minor = counted_minor - 1",
            found_by: "what a payment gave back is what its refunds count",
            names: "payment ",
        },
        Planted {
            sql: "update payment set state = 'captured' where state = 'refunded'",
            found_by: "a payment's state says what became of its money",
            names: "payment ",
        },
        Planted {
            sql: "update unit set state = 'assigned' where state = 'revoked'",
            found_by: "an order whose money went back whole keeps no goods",
            names: "unit ",
        },
        Planted {
            sql: "update payment set allocated = false where id = (select id from payment where allocated limit 1)",
            found_by: "an order is paid exactly when one payment is allocated to it",
            names: "order ",
        },
        Planted {
            sql: "update payment set received_minor = received_minor - 1 where id = (select id from payment where allocated limit 1)",
            found_by: "an allocated payment brought what the order costs",
            names: "payment ",
        },
        Planted {
            sql: "update orders set state = 'expired', paid_at = null where id = (select o.id from orders o join unit u
                on u.order_id = o.id where u.state = 'assigned' limit 1)",
            found_by: "a key of an unpaid order was not sold",
            names: "key ",
        },
        Planted {
            sql: "delete from task where payment_id is not null",
            found_by: "money that pays for no order is before a person",
            names: "payment ",
        },
    ];
    find_all(&t, &faults).await;
    t.finish_with_jobs().await;
}

/// Rows: L3, L7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn downloads_that_are_not_counted_or_outlive_their_grant_are_found() {
    let t = busy_shop().await;
    let faults = [
        Planted {
            sql: "update download_grant set used = used + 1",
            found_by: "a grant has used as many downloads as it has sessions",
            names: "grant ",
        },
        Planted {
            sql: "update download_grant set used = 2, max_downloads = 1",
            found_by: "no grant is used more often than it may be",
            names: "grant ",
        },
        Planted {
            sql: "update download_session set closed_at = null; update download_grant set state = 'revoked'",
            found_by: "a revoked grant has no open session and no link that works",
            names: "grant ",
        },
        Planted {
            sql: "update unit set state = 'revoked', revoked_at = app_now() where id = (select unit_id from download_grant)",
            found_by: "a unit that was taken back, or got nothing yet, has no active grant",
            names: "grant ",
        },
        Planted {
            sql: "update download_session set served_bytes = byte_cap + 1",
            found_by: "no session served more than its cap",
            names: "session ",
        },
        Planted {
            sql: "update download_grant set expires_at = (select opened_at from download_session) - interval '1 second'",
            found_by: "a session began within its grant's time, by a link of the grant, for a version of its file",
            names: "session ",
        },
    ];
    find_all(&t, &faults).await;
    t.finish_with_jobs().await;
}
