//! Anything that has an id, by that id. The prefix tells the kind; a foreign thing looks exactly like a missing one.

use std::sync::Arc;

use async_graphql::{Context, ID, Interface, Object};

use crate::base::ids::{
    self, BatchId, FileVersionId, LineId, OrderId, PaymentId, ProductId, RefundId, TaskId, UnitId, UserId,
    VariantId,
};
use crate::catalogue::read::By;
use crate::catalogue::scope::Scope;
use crate::graphql::catalogue::{self, FileVersion, Product, SellerProfile, Variant};
use crate::graphql::context::ContextExt;
use crate::graphql::desk::Task;
use crate::graphql::error::{Answer, Code, OutcomeExt, coded};
use crate::graphql::loaders;
use crate::graphql::orders::{self, Delivery, DownloadGrant, FileDelivery, Order, OrderLine, SecretDelivery};
use crate::graphql::payments::types::METHOD_PREFIX;
use crate::graphql::payments::{Payment, PaymentMethod, Refund};
use crate::graphql::people::types::{self, Session, User};
use crate::graphql::seller::KeyBatch;
use crate::orders::access::Sight;
use crate::orders::staff;
use crate::payments;

/// Anything that has an id. Ids are opaque and unique over all kinds.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The thing's id."))]
#[allow(clippy::large_enum_variant)]
pub enum Node {
    Product(Product),
    Variant(Variant),
    FileVersion(FileVersion),
    SellerProfile(SellerProfile),
    Order(Order),
    OrderLine(OrderLine),
    SecretDelivery(SecretDelivery),
    FileDelivery(FileDelivery),
    DownloadGrant(DownloadGrant),
    Payment(Payment),
    PaymentMethod(PaymentMethod),
    Refund(Refund),
    User(User),
    Session(Session),
    KeyBatch(KeyBatch),
    Task(Task),
}

/// Things by their ids.
#[derive(Default)]
pub struct NodeQuery;

/// Things read at once.
const MOST: usize = 100;

#[Object]
impl NodeQuery {
    /// Anything by its id; null when there is no such thing, or none that the caller may see.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "Its id.")] id: ID) -> Answer<Option<Node>> {
        find(ctx, &id).await
    }

    /// Several things by their ids, in their order; null for each that the caller may not see.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Their ids; at most 100.")] ids: Vec<ID>,
    ) -> Answer<Vec<Option<Node>>> {
        if ids.len() > MOST {
            return Err(coded(Code::BadRequest, format!("`ids` has at most {MOST} entries")));
        }
        let mut nodes = Vec::with_capacity(ids.len());
        for id in &ids {
            nodes.push(find(ctx, id).await?);
        }
        Ok(nodes)
    }
}

async fn find(ctx: &Context<'_>, id: &ID) -> Answer<Option<Node>> {
    if let Some(account) = id.strip_prefix(METHOD_PREFIX) {
        return Ok(PaymentMethod::find(ctx.app(), account).map(Node::PaymentMethod));
    }
    let Ok((prefix, uuid)) = ids::decode(id) else { return Ok(None) };
    Ok(match prefix {
        ProductId::PREFIX => catalogue::find(ctx, By::Id(uuid.into())).await?.map(Node::Product),
        VariantId::PREFIX => loaders::variant(ctx, uuid.into()).await?.map(Node::Variant),
        OrderId::PREFIX => orders::find(ctx, uuid.into(), None).await?.map(Node::Order),
        LineId::PREFIX => line(ctx, uuid.into()).await?.map(Node::OrderLine),
        UnitId::PREFIX => delivery(ctx, uuid.into()).await?,
        FileVersionId::PREFIX => file_version(ctx, uuid.into()).await?.map(Node::FileVersion),
        PaymentId::PREFIX => payment(ctx, uuid.into()).await?.map(Node::Payment),
        RefundId::PREFIX => refund(ctx, uuid.into()).await?.map(Node::Refund),
        UserId::PREFIX => {
            let id = UserId(uuid);
            let seen = ctx.actor().user_id() == Some(id) || ctx.actor().is_staff();
            if seen { types::find(ctx, id).await?.map(Node::User) } else { None }
        }
        BatchId::PREFIX => {
            let mut conn = ctx.app().db.conn().await.or_top()?;
            crate::vault::batch::get(&mut conn, ctx.actor(), uuid.into())
                .await
                .ok()
                .map(|b| Node::KeyBatch(KeyBatch(b)))
        }
        TaskId::PREFIX => task(ctx, uuid.into()).await?.map(Node::Task),
        _ => None,
    })
}

/// The order that a row belongs to, as far as the caller may see it without a token.
async fn of_order(ctx: &Context<'_>, id: Option<OrderId>) -> Answer<Option<Order>> {
    match id {
        Some(id) => Ok(orders::find(ctx, id, None).await?.filter(|order| order.0.sight >= Sight::Buyer)),
        None => Ok(None),
    }
}

async fn line(ctx: &Context<'_>, id: LineId) -> Answer<Option<OrderLine>> {
    let order = {
        let mut conn = ctx.app().db.conn().await.or_top()?;
        staff::order_of_line(&mut conn, id).await.or_top()?
    };
    let Some(order) = of_order(ctx, order).await? else { return Ok(None) };
    let at = order.0.lines.iter().position(|l| l.line.id == id);
    Ok(at.map(|at| OrderLine { whole: order.0.clone(), at }))
}

async fn delivery(ctx: &Context<'_>, id: UnitId) -> Answer<Option<Node>> {
    let order = {
        let mut conn = ctx.app().db.conn().await.or_top()?;
        staff::order_of_unit(&mut conn, id).await.or_top()?
    };
    let Some(order) = of_order(ctx, order).await? else { return Ok(None) };
    for (at, line) in order.0.lines.iter().enumerate() {
        if let Some(unit) = line.units.iter().find(|unit| unit.id == id) {
            let line = OrderLine { whole: Arc::clone(&order.0), at };
            return Ok(Some(match Delivery::of(&line, unit.clone()) {
                Delivery::Secret(secret) => Node::SecretDelivery(secret),
                Delivery::File(file) => Node::FileDelivery(file),
            }));
        }
    }
    Ok(None)
}

async fn payment(ctx: &Context<'_>, id: PaymentId) -> Answer<Option<Payment>> {
    let found = {
        let mut conn = ctx.app().db.conn().await.or_top()?;
        payments::store::attempts::find(&mut conn, id).await.or_top()?
    };
    let seen = of_order(ctx, found.as_ref().map(|p| p.order_id)).await?.is_some();
    Ok(found.filter(|_| seen).map(|row| Payment { row, whole: true }))
}

async fn refund(ctx: &Context<'_>, id: RefundId) -> Answer<Option<Refund>> {
    let found = {
        let mut conn = ctx.app().db.conn().await.or_top()?;
        payments::refunds::store::find(&mut conn, id).await.or_top()?
    };
    let seen = of_order(ctx, found.as_ref().map(|r| r.order_id)).await?.is_some();
    Ok(found.filter(|_| seen).map(Into::into))
}

/// Files on sale are everybody's to know about; what was withdrawn only its seller's.
async fn file_version(ctx: &Context<'_>, id: FileVersionId) -> Answer<Option<FileVersion>> {
    let found = loaders::file_version(ctx, id).await?;
    let scope = Scope::of(ctx.actor());
    Ok(found
        .filter(|version| match &scope {
            Scope::Everything => true,
            Scope::Sellers(own) => own.contains(&version.seller_id),
            Scope::Buyers => false,
        })
        .map(FileVersion))
}

async fn task(ctx: &Context<'_>, id: TaskId) -> Answer<Option<Task>> {
    if !ctx.actor().is_staff() {
        return Ok(None);
    }
    let mut conn = ctx.app().db.conn().await.or_top()?;
    Ok(crate::fulfilment::by_hand::find_task(&mut conn, id).await.or_top()?.map(Task))
}
