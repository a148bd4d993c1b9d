//! A replacement for which there is no stock waits in the place of its payment.

use serde_json::json;

use super::shop::{line, replace, states};
use crate::graphql::doors::shop::{
    GUEST, deliveries, draft, import, new_keys, order, pay, put_on_sale, refusal, shop,
};

/// Rows: K13 (deliveryReplace), K6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replacement_without_stock_waits_in_the_order_of_payment_and_is_mailed_when_it_comes() {
    let shop = shop().await;
    let t = shop.t();
    let goods = draft(&shop.seller, "rare", "A rare one", "key", "5.00").await;
    import(t, &shop.seller, &goods.variant, &new_keys(t, 1)).await;
    put_on_sale(&shop.seller, &shop.support, &goods).await;
    let buys = async || order(&shop.street, &shop.guest, &[(&goods, 1)], "5.00", Some(GUEST)).await;
    let (late, early) = (buys().await, buys().await);
    pay(&shop.street, &early).await;
    pay(&shop.street, &late).await;
    let piece = deliveries(&shop.see(&early).await, "key").remove(0);
    let made = replace(&shop.seller, &piece, json!({})).await;
    assert_eq!((refusal(&made).as_str(), &made["delivery"]["state"]), ("done", &json!("PENDING")));
    shop.street.settled().await;
    assert_eq!(states(&line(&shop, &early).await), "PENDING REPLACED");
    assert_eq!(shop.see(&early).await["stage"], "DELIVERING");
    let mails = async || {
        let sql =
            "select coalesce(string_agg(kind || ' ' || state, ', ' order by created_at), '') from message
            where kind like 'delivery_repl%'";
        t.db.one(sql).await
    };
    assert_eq!(mails().await, "delivery_replacement_awaited sent");
    assert_eq!(
        refusal(&replace(&shop.seller, made["delivery"]["id"].as_str().unwrap(), json!({})).await),
        "NOT_READY deliveryId"
    );

    // The first key is for who paid first, although the other has waited longer.
    import(t, &shop.seller, &goods.variant, &new_keys(t, 1)).await;
    shop.street.settled().await;
    assert_eq!(states(&line(&shop, &early).await), "READY REPLACED");
    assert_eq!(states(&line(&shop, &late).await), "PENDING");
    assert_eq!(mails().await, "delivery_replacement_awaited sent, delivery_replaced sent");
    assert_eq!(shop.see(&early).await["stage"], "DELIVERED");
    import(t, &shop.seller, &goods.variant, &new_keys(t, 1)).await;
    shop.street.settled().await;
    assert_eq!(states(&line(&shop, &late).await), "READY");
    shop.sound().await;
}

/// Rows: K13 (deliveryReplace, orderRefund).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_that_goes_back_meanwhile_ends_the_waiting() {
    let shop = shop().await;
    let t = shop.t();
    let goods = draft(&shop.seller, "rare", "A rare one", "key", "5.00").await;
    import(t, &shop.seller, &goods.variant, &new_keys(t, 1)).await;
    put_on_sale(&shop.seller, &shop.support, &goods).await;
    let bought = order(&shop.street, &shop.guest, &[(&goods, 1)], "5.00", Some(GUEST)).await;
    pay(&shop.street, &bought).await;
    let piece = deliveries(&shop.see(&bought).await, "key").remove(0);
    assert_eq!(refusal(&replace(&shop.seller, &piece, json!({})).await), "done");
    let input = json!({ "idempotencyKey": crate::graphql::doors::shop::once(), "orderId": bought.id, "units": [piece] });
    assert_eq!(refusal(&shop.support.act("orderRefund", input, "").await), "done");
    shop.street.settled().await;
    assert_eq!(shop.street.refunded(&bought.number), 500);
    import(t, &shop.seller, &goods.variant, &new_keys(t, 1)).await;
    shop.street.settled().await;
    let sold = format!(
        "select count(*) from vault_key k join unit u on u.id = k.unit_id join orders o on o.id = u.order_id
        where k.state = 'sold' and o.number = '{}'",
        bought.number
    );
    assert_eq!(t.db.one(&sold).await, "0", "nobody gets it");
    let mails =
        "select string_agg(kind, ' ' order by created_at) from message where kind like 'delivery_repl%'";
    assert_eq!(t.db.one(mails).await, "delivery_replacement_awaited");
    shop.sound().await;
}
