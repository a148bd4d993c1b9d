//! What was promised when it was bought stays promised.

use serde_json::json;

use super::shop::Counter;
use crate::downloads::shop::{FileShop, content};

/// Rows: K15, L2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_of_the_seller_changes_no_terms_of_earlier_buyers() {
    let shop = Counter::open().await;
    let t = &shop.t;
    let files = FileShop { variant: t.variant_on_sale("file", 500).await };
    files.publish(t, "book.zip", "1", &content(50, 1)).await;
    let generous = json!({ "warrantyDays": 30, "downloadLimit": 5, "accessDays": 90, "updatesIncluded": true, "activationLimit": null });
    assert_eq!(shop.edit(files.variant, generous.clone()).await, None);
    let early = t.paid_order(files.variant, 1).await;
    // Placed under the old terms, paid under the new ones.
    let between = t.order(files.variant, 1).await;
    let stingy = json!({ "warrantyDays": 1, "downloadLimit": 1, "accessDays": 2, "updatesIncluded": false, "activationLimit": null });
    assert_eq!(shop.edit(files.variant, stingy.clone()).await, None);
    let paid = crate::harness::Said::paid(&between, "BETWEEN");
    assert_eq!(t.notify(&paid).await.0, 200);
    let late = t.paid_order(files.variant, 1).await;
    files.publish(t, "book.zip", "2", &content(50, 2)).await;

    for placed in [&early, &between] {
        let line = shop.line(placed).await;
        assert_eq!(line["terms"], generous);
        let newest = json!([{ "file": { "version": "2" }, "newerVersion": null }]);
        assert_eq!(line["grants"], newest, "updates belong to the purchase");
    }
    let line = shop.line(&late).await;
    assert_eq!(line["terms"], stingy);
    assert_eq!(line["grants"], json!([{ "file": { "version": "1" }, "newerVersion": { "version": "2" } }]));
    let limits =
        "select string_agg(coalesce(max_downloads::text, '-'), ' ' order by created_at) from download_grant";
    assert_eq!(t.db.one(limits).await, "5 5 1");
    shop.must_be_sound().await;
    t.drain().await;
    shop.t.finish_with_jobs().await;
}

/// A program of the version before writes single columns; both forms say the same, whoever wrote last.
/// Rows: K15.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terms_and_the_columns_of_earlier_programs_stay_in_step() {
    let shop = Counter::open().await;
    let t = &shop.t;
    let variant = t.selling_keys(1, 500).await;
    let terms = format!("select terms::text from variant where id = '{}'", variant.0);
    assert_eq!(t.db.one(&terms).await, r#"{"updates_included": true}"#);
    t.db.sql("update variant set warranty_days = 7, updates_included = false").await;
    assert_eq!(t.db.one(&terms).await, r#"{"warranty_days": 7, "updates_included": false}"#);
    assert_eq!(shop.edit(variant, json!({ "warrantyDays": 9, "accessDays": 3 })).await, None);
    let columns = "select warranty_days || ' ' || access_days || ' ' || updates_included from variant";
    assert_eq!(t.db.one(columns).await, "9 3 false");
    let placed = t.place(&[(variant, 1)]).await;
    let line = format!(
        "select access_days || ' ' || (terms ->> 'warranty_days') from order_line where order_id = '{}'",
        placed.order.id.0
    );
    assert_eq!(t.db.one(&line).await, "3 9");
    // As an earlier program places an order.
    t.db.sql(&format!(
        "insert into order_line (id, seller_id, order_id, position, product_id, variant_id, title, variant_title, kind, quantity,
           partial_delivery, mail_policy, download_limit, unit_minor, total_minor, currency, locale)
         select '{}', seller_id, order_id, 9, product_id, variant_id, title, variant_title, kind, quantity,
           partial_delivery, mail_policy, 4, unit_minor, total_minor, currency, locale from order_line",
        t.app.clock.uuid()
    ))
    .await;
    let old = "select terms::text from order_line where position = 9";
    let wanted = r#"{"warranty_days": 9, "download_limit": 4, "updates_included": false}"#;
    assert_eq!(t.db.one(old).await, wanted);
    shop.t.finish_with_jobs().await;
}
