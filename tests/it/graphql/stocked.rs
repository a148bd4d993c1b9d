//! A shop that has something of everything, for tests that ask whether what is promised is there.

use dispense::base::actor::{Actor, Role};
use dispense::base::ids::{
    ActivationId, BatchId, CaseId, FileVersionId, GrantId, LineId, PaymentId, ProductId, RefundId, SHOP,
    SessionId, TaskId, UnitId, UserId, VariantId,
};
use dispense::config::Account;
use dispense::hooks::endpoint::NewHookEndpoint;
use dispense::hooks::{self, HookOwner};
use dispense::orders::place::Placed;
use dispense::people::clients::{self, NewApiClient};
use uuid::Uuid;

use super::wire::Wire;
use crate::downloads::shop::FileShop;
use crate::harness::{TestApp, with_generic};

pub struct Stocked {
    pub t: TestApp,
    pub keys: VariantId,
    pub file: FileVersionId,
    /// Two keys, one refunded by name, of the buyer.
    pub order: Placed,
    /// A file, of the buyer.
    pub download: Placed,
    /// A key, of somebody who never signed in.
    pub guest: Placed,
}

pub const BUYER: &str = "buyer@example.com";
pub const ADMIN: &str = "admin@example.com";
pub const STRANGER: &str = "stranger@example.com";

impl Stocked {
    pub async fn open() -> Self {
        let t = TestApp::start_with(|config| {
            with_generic(config);
            // Buyers can choose it; nobody here does.
            let till = Account {
                id: "till".into(),
                api_url: Some("http://127.0.0.1:9".into()),
                ..config.accounts[0].clone()
            };
            config.accounts.push(till);
        })
        .await;
        let keys = t.selling_keys(12, 1_250).await;
        let files = t.variant_on_sale("file", 300).await;
        let file = FileShop { variant: files }.publish(&t, "a.bin", "1", b"content").await.id;
        let order = t.paid_order(keys, 2).await;
        let download = t.paid_order(files, 1).await;
        let guest = t.paid_order(keys, 1).await;
        let buyer = t.buyer(BUYER).await;
        t.buyer(STRANGER).await;
        t.person(ADMIN, &[Role::Admin, Role::Seller]).await;
        for id in [&order, &download] {
            let id = id.order.id.0;
            t.db.sql(&format!("update orders set user_id = '{}' where id = '{id}'", buyer.0)).await;
        }
        let refund = t.app.clock.uuid();
        t.db.sql(&format!(
            "insert into refund (id, order_id, payment_id, amount_minor, currency, state)
               select '{refund}', order_id, id, 100, 'USD', 'failed' from payment where order_id = '{}';
             insert into delivery_case (id, seller_id, order_id, line_id, unit_id, problem, wish)
               select '{}', seller_id, order_id, line_id, id, 'too_slow', 'help' from unit where order_id = '{}';
             insert into task (id, kind, subject) values ('{}', 'test', 'one'), ('{}', 'test', 'two');
             insert into statement_run (id, account_id, day, source) values ('{}', 'generic', '2026-01-31', 'file')",
            order.order.id.0,
            t.app.clock.uuid(),
            download.order.id.0,
            t.app.clock.uuid(),
            t.app.clock.uuid(),
            t.app.clock.uuid(),
        ))
        .await;
        let actor = Actor::system();
        let hook = NewHookEndpoint {
            owner: HookOwner::Seller(SHOP),
            url: "https://hooks.example/".into(),
            description: None,
            event_types: Vec::new(),
            ordered: false,
        };
        hooks::endpoint::create(&t.app.hooks, &actor, hook).await.unwrap();
        let till = NewApiClient { name: "Till".into(), scopes: Vec::new() };
        clients::create(&t.app, &actor, till).await.unwrap();
        t.db.sql(&format!(
            "insert into hook_delivery (id, endpoint_id, seller_id, seq, event_type, state, ended_at)
               select gen_random_uuid(), id, seller_id, 1, 'order.placed', 'delivered', app_now() from hook_endpoint;
             update orders set api_client_id = (select id from api_client) where id = '{}'",
            guest.order.id.0
        ))
        .await;
        Self { t, keys, file, order, download, guest }
    }

    pub async fn buyer(&self) -> Wire<'_> {
        Wire::signed_in(&self.t, BUYER).await
    }

    pub async fn stranger(&self) -> Wire<'_> {
        Wire::signed_in(&self.t, STRANGER).await
    }

    pub async fn admin(&self) -> Wire<'_> {
        Wire::signed_in(&self.t, ADMIN).await
    }

    async fn id(&self, sql: &str) -> Uuid {
        self.t.db.one(sql).await.parse().unwrap()
    }

    /// The id of something of every type that is a `Node`, and whether everybody may see it. The buyer must have signed in.
    pub async fn nodes(&self) -> Vec<(&'static str, String, bool)> {
        let of = |order: &Placed| format!("order_id = '{}'", order.order.id.0);
        let (order, download) = (of(&self.order), of(&self.download));
        let buyer = self.id(&format!("select id from app_user where email = '{BUYER}'")).await;
        let session = format!("select id from session where user_id = '{buyer}' order by id desc limit 1");
        let device = format!(
            "insert into licence_activation (id, seller_id, key_id, unit_id, device, name)
               select gen_random_uuid(), seller_id, id, unit_id, sha256('device'), 'a device' from vault_key
               where unit_id in (select id from unit where {order}) limit 1 returning id"
        );
        vec![
            ("Product", ProductId(self.id("select product_id from variant limit 1").await).to_string(), true),
            ("Variant", self.keys.to_string(), true),
            ("SellerProfile", SHOP.to_string(), true),
            ("FileVersion", self.file.to_string(), true),
            ("PaymentMethod", "mth_till".into(), true),
            ("Order", self.order.order.id.to_string(), false),
            (
                "OrderLine",
                LineId(self.id(&format!("select id from order_line where {order}")).await).to_string(),
                false,
            ),
            (
                "SecretDelivery",
                UnitId(self.id(&format!("select id from unit where {order} limit 1")).await).to_string(),
                false,
            ),
            (
                "FileDelivery",
                UnitId(self.id(&format!("select id from unit where {download}")).await).to_string(),
                false,
            ),
            (
                "DownloadGrant",
                GrantId(self.id(&format!("select id from download_grant where {download}")).await)
                    .to_string(),
                false,
            ),
            (
                "Payment",
                PaymentId(self.id(&format!("select id from payment where {order}")).await).to_string(),
                false,
            ),
            (
                "Refund",
                RefundId(self.id(&format!("select id from refund where {order}")).await).to_string(),
                false,
            ),
            ("Activation", ActivationId(self.id(&device).await).to_string(), false),
            ("Case", CaseId(self.id("select id from delivery_case").await).to_string(), false),
            ("User", UserId(buyer).to_string(), false),
            ("Session", SessionId(self.id(&session).await).to_string(), false),
            ("KeyBatch", BatchId(self.id("select id from key_batch limit 1").await).to_string(), false),
            ("Task", TaskId(self.id("select id from task limit 1").await).to_string(), false),
        ]
    }

    pub async fn finish(self) {
        self.t.finish_with_jobs().await;
    }
}
