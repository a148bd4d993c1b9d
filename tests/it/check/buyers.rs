//! Faults in limits per buyer and in who may get in.

use super::clean::busy_shop;
use super::planted::{Planted, find_all};

/// Rows: C7, C9, O2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_much_for_one_buyer_and_a_way_back_in_are_found() {
    let t = busy_shop().await;
    let faults = [
        Planted {
            sql: "update order_line set limit_per_buyer = 5 where order_id in (select id from orders where state = 'paid');
                update orders set limited = true, mailbox = 'm@x.example', mailbox_proven = true where state = 'paid'",
            found_by: "nobody has paid for more pieces than one buyer gets, unless a task says so",
            names: "order ",
        },
        Planted {
            sql: "update order_line set limit_per_buyer = 100 where order_id = (select min(id::text)::uuid from orders)",
            found_by: "an order of limited goods counts for somebody who is known",
            names: "order ",
        },
        Planted {
            sql: "update order_line set limit_per_buyer = 100; update orders set limited = true, mailbox_proven = true, mailbox = null",
            found_by: "an order of limited goods counts for somebody who is known",
            names: "order ",
        },
        Planted {
            sql: "insert into event (seller_id, kind, object_id, order_id, actor, body)
                select seller_id, 'order.access_revoked', id, id, 'system', '{\"generation\": 2}' from orders limit 1",
            found_by: "an access generation never falls",
            names: "order ",
        },
        Planted {
            sql: "insert into event (seller_id, kind, object_id, order_id, actor)
                select seller_id, 'order.claimed', id, id, 'system' from orders limit 1",
            found_by: "a claimed order's access was revoked",
            names: "order ",
        },
        Planted {
            sql: "update download_link set generation = 2",
            found_by: "no link is of an access generation that its order never had",
            names: "link ",
        },
        Planted {
            sql: "update orders set access_generation = 2;
                insert into event (seller_id, kind, object_id, order_id, actor, body, created_at)
                select seller_id, 'order.access_revoked', id, id, 'system', '{\"generation\": 2}', app_now() - interval '1 hour'
                from orders where id = (select order_id from download_grant limit 1)",
            found_by: "no download began by a link that had been revoked",
            names: "session ",
        },
        Planted {
            sql: "insert into app_user (id, email, email_normalised) select id, 's@x.example', 's@x.example' from orders limit 1;
                insert into staff_act (kind, order_id, unit_id, user_id, reason)
                select 'delivery_shown', u.order_id, u.id, (select id from app_user limit 1), 'typo'
                from unit u join vault_key k on k.unit_id = u.id where k.state = 'sold' limit 1",
            found_by: "a key that staff has seen counts as seen",
            names: "key ",
        },
    ];
    find_all(&t, &faults).await;
    t.finish_with_jobs().await;
}
