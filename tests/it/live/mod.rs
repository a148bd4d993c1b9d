//! Subscriptions over real sockets.

mod alerts;
pub mod client;
mod follow;
mod hostile;
mod jobs;
mod many;
mod protocol;
mod quiet;
mod rights;
mod servers;

use dispense::base::ids::{SHOP, VariantId};
use dispense::config::Config;
use dispense::infra::wake;
use dispense::orders::place::Placed;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::harness::{TestApp, with_generic};

/// As little of an order as shows how it goes.
pub const FOLLOW: &str = "subscription($n: String!, $t: String, $after: String) {
    orderChanged(number: $n, accessToken: $t, after: $after) { cursor event at order { id stage live { cursor pollAfterSeconds } } } }";

/// The same by a ticket.
const WATCH: &str = "subscription($t: String!, $after: String) {
    orderStatusChanged(ticket: $t, after: $after) { cursor event status { __typename number stage live { pollAfterSeconds } } } }";

/// A served shop whose process hears what is numbered.
struct LiveShop {
    t: TestApp,
    keys: VariantId,
    stop: CancellationToken,
    hears: tokio::task::JoinHandle<()>,
}

impl LiveShop {
    async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    async fn open_with(change: impl FnOnce(&mut Config)) -> Self {
        let t = TestApp::start_with(|config| {
            with_generic(config);
            config.live.init_seconds = 30;
            change(config);
        })
        .await;
        let keys = t.selling_keys(10, 1_250).await;
        t.drain().await;
        let stop = CancellationToken::new();
        let hears = tokio::spawn(wake::run(t.app.db.clone(), t.app.bell.clone(), stop.clone()));
        let mut numbering = t.app.bell.numbering();
        numbering.wait_for(|numbering| numbering.heard).await.unwrap();
        Self { t, keys, stop, hears }
    }

    /// A guest's order whose events are numbered.
    async fn order(&self) -> Placed {
        let placed = self.t.order(self.keys, 1).await;
        self.t.drain().await;
        placed
    }

    /// Pays it and numbers what came of that.
    async fn pay(&self, order: &Placed) {
        let paid = crate::harness::Said::paid(order, &format!("T{}", order.order.number));
        assert_eq!(self.t.notify(&paid).await.0, 200);
        self.t.drain().await;
    }

    /// Something happens to it that changes no state.
    async fn touch(&self, order: &Placed) {
        let id = order.order.id.0;
        self.t
            .db
            .sql(&format!(
                "insert into event (seller_id, kind, object_id, order_id, actor, body)
                 values ('{}', 'order.mail_asked_again', '{id}', '{id}', 'system', '{{}}')",
                SHOP.0
            ))
            .await;
        self.t.drain().await;
    }

    async fn finish(self) {
        self.stop.cancel();
        self.hears.await.unwrap();
        self.t.finish_with_jobs().await;
    }
}

/// Variables of [`FOLLOW`] for a guest.
fn of(order: &Placed) -> Value {
    json!({ "n": order.order.number, "t": order.access_token.expose() })
}

/// The same, going on from a cursor.
fn since(order: &Placed, cursor: &Value) -> Value {
    json!({ "n": order.order.number, "t": order.access_token.expose(), "after": cursor })
}
