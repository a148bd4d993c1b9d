//! Faults in events on their way to endpoints.

use serde_json::json;

use super::planted::{Planted, find_all};
use crate::hooks::receiver::Manner;
use crate::hooks::shop::Relay;

/// Rows: D9, K4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_lost_late_or_sent_to_a_stranger_is_found() {
    let shop = Relay::open().await;
    let t = &shop.t;
    let variant = shop.selling(4).await;
    shop.connect("/one", json!({})).await;
    shop.receiver.answers("/two", Manner::Status(500));
    shop.connect("/two", json!({ "eventTypes": ["order.paid"] })).await;
    shop.another_seller("olga@other.example").await;
    t.paid_order(variant, 1).await;
    t.drain().await;
    crate::check::clean::number(t).await;
    let faults = [
        Planted {
            sql: "delete from hook_delivery where id = (select id from hook_delivery where event_type = 'order.paid' limit 1)",
            found_by: "an event that an endpoint wants is on its way there, or was",
            names: "endpoint ",
        },
        Planted {
            sql: "update hook_endpoint set event_types = '{order.paid,line.assigned}' where event_types = '{order.paid}'",
            found_by: "an event that an endpoint wants is on its way there, or was",
            names: "endpoint ",
        },
        Planted {
            sql: "alter table hook_delivery drop constraint hook_delivery_endpoint_fkey;
                update hook_endpoint set seller_id = (select id from seller where slug like 's-%')
                where id = (select id from hook_endpoint limit 1)",
            found_by: "an event goes to its own seller's endpoints, or to those of the API client whose order it is about",
            names: "delivery ",
        },
        Planted {
            sql: "update hook_endpoint set failing_since = null;
                update hook_delivery set next_at = app_now() - interval '20 minutes' where state = 'queued'",
            found_by: "nothing waits beyond its time at an endpoint that takes what it is sent",
            names: "delivery ",
        },
        Planted {
            sql: "delete from hook_attempt where delivery_id = (select id from hook_delivery where state = 'delivered' limit 1)",
            found_by: "attempts at endpoints are numbered from 1 without gaps, as many as the delivery counts",
            names: "delivery ",
        },
        Planted {
            sql: "update hook_attempt set outcome = 'refused' where outcome = 'delivered'",
            found_by: "a delivered event was taken by its last attempt",
            names: "delivery ",
        },
        Planted {
            sql: "update hook_delivery set state = 'queued', ended_at = null where state = 'delivered'",
            found_by: "an event that an endpoint took is not sent again by itself",
            names: "delivery ",
        },
        Planted {
            sql: "update hook_endpoint set state = 'disabled', disabled_for = 'FAILING' where id = (select id from hook_endpoint limit 1)",
            found_by: "an endpoint that the program disabled was put before a person",
            names: "endpoint ",
        },
        Planted {
            sql: "update hook_endpoint set secret = (select secret from hook_endpoint order by id limit 1)",
            found_by: "the text of a secret opens in its row, under its variant, by its data key",
            names: "hook secret ",
        },
        Planted {
            sql: "update data_key set uses = 0 where id = (select data_key_id from hook_endpoint limit 1)",
            found_by: "a data key counts at least the values it sealed",
            names: "data key ",
        },
    ];
    find_all(t, &faults).await;
    shop.t.finish_with_jobs().await;
}
