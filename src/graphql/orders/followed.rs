//! Orders that are followed, read together: followers whose turn comes at the same moment share their statements, so that
//! what a change costs falls as changes become more.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::Context;
use async_graphql::dataloader::{DataLoader, Loader};

use crate::base::ids::OrderId;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Answer;
use crate::graphql::loaders::{self, Shared};
use crate::graphql::orders::load::{self, Whole};
use crate::infra::db::{Db, Purpose, within};
use crate::orders::access::AccessLevel;
use crate::orders::{self, store};

/// Orders of one batch at most.
const MOST: usize = 200;

/// How long the first of a batch waits for others.
const DELAY: Duration = Duration::from_millis(1);

/// What followers of all clients of a process read together. Nothing is kept: each batch is read after it was asked for.
pub type FollowedOrders = DataLoader<FollowedBatch>;

/// Reads a batch.
pub struct FollowedBatch(Db);

pub fn followed_orders(db: Db) -> FollowedOrders {
    DataLoader::new(FollowedBatch(db), |batch| tokio::spawn(within(Purpose::Requests, batch)))
        .delay(DELAY)
        .max_batch_size(MOST)
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct NumberOf(String);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct WholeOf(OrderId, AccessLevel);

impl Loader<NumberOf> for FollowedBatch {
    type Value = Arc<orders::Order>;
    type Error = Shared;

    async fn load(&self, keys: &[NumberOf]) -> Result<HashMap<NumberOf, Self::Value>, Shared> {
        let numbers: Vec<&str> = keys.iter().map(|key| key.0.as_str()).collect();
        let rows = store::list_by_numbers(&mut *self.0.conn().await?, &numbers).await?;
        Ok(rows.into_iter().map(|order| (NumberOf(order.number.clone()), Arc::new(order))).collect())
    }
}

impl Loader<WholeOf> for FollowedBatch {
    type Value = Arc<Whole>;
    type Error = Shared;

    async fn load(&self, keys: &[WholeOf]) -> Result<HashMap<WholeOf, Self::Value>, Shared> {
        let keys: Vec<_> = keys.iter().map(|key| (key.0, key.1)).collect();
        let wholes = load::list_followed(&mut self.0.conn().await?, &keys).await?;
        Ok(wholes.into_iter().map(|whole| (WholeOf(whole.order.id, whole.access_level), whole)).collect())
    }
}

/// The order with this number.
pub async fn find_by_number(ctx: &Context<'_>, number: &str) -> Answer<Option<Arc<orders::Order>>> {
    let found = ctx.backend().followed.load_one(NumberOf(number.to_owned())).await;
    found.map_err(loaders::failed)
}

/// An order together with its last event.
pub async fn find(ctx: &Context<'_>, id: OrderId, access_level: AccessLevel) -> Answer<Option<Arc<Whole>>> {
    let found = ctx.backend().followed.load_one(WholeOf(id, access_level)).await;
    found.map_err(loaders::failed)
}
