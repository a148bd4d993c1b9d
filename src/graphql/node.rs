//! Anything that has an id, by that id. The prefix names the kind; a foreign thing looks exactly like a missing one.

use crate::base::error_code::ErrorCode;
use crate::delivery;
use std::sync::Arc;

use async_graphql::{Context, ID, Interface, Object};
use futures::future::try_join_all;

use crate::base::ids::{
    self, ActivationId, BatchId, CaseId, FileVersionId, GrantId, LineId, OrderId, PaymentId, ProductId,
    RefundId, SellerId, SessionId, TaskId, UnitId, UserId, VariantId,
};
use crate::base::outcome::Failure;
use crate::catalogue::read::{self, By};
use crate::catalogue::scope::Scope;
use crate::files;
use crate::graphql::catalogue::{self, FileVersion, Product, SellerProfile, Variant};
use crate::graphql::context::ContextExt;
use crate::graphql::desk::Task;
use crate::graphql::error::{Answer, OutcomeExt, coded};
use crate::graphql::loaders;
use crate::graphql::orders::{
    self, Activation, Delivery, DownloadGrant, FileDelivery, Order, OrderLine, ReportedCase, SecretDelivery,
};
use crate::graphql::payments::types::METHOD_PREFIX;
use crate::graphql::payments::{Payment, PaymentMethod, Refund};
use crate::graphql::people::types::{self as persons, Session, User};
use crate::graphql::seller::KeyBatch;
use crate::licences;
use crate::orders::access::AccessLevel;
use crate::orders::staff;
use crate::payments;
use crate::people;

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
    Activation(Activation),
    Payment(Payment),
    PaymentMethod(PaymentMethod),
    Refund(Refund),
    User(User),
    Session(Session),
    KeyBatch(KeyBatch),
    Task(Task),
    Case(ReportedCase),
}

/// Things by their ids.
#[derive(Default)]
pub struct NodeQuery;

/// Things of one field, and how many of them are looked up at once.
const MOST: usize = 100;
const AT_ONCE: usize = 4;

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
            return Err(coded(ErrorCode::BadRequest, format!("`ids` has at most {MOST} entries")));
        }
        let mut nodes = Vec::with_capacity(ids.len());
        for few in ids.chunks(AT_ONCE) {
            let found: Vec<_> = few.iter().map(|id| find(ctx, id)).collect();
            nodes.extend(try_join_all(found).await?);
        }
        Ok(nodes)
    }
}

async fn find(ctx: &Context<'_>, id: &ID) -> Answer<Option<Node>> {
    if let Some(account) = id.strip_prefix(METHOD_PREFIX) {
        return Ok(PaymentMethod::find(ctx, account).await?.map(Node::PaymentMethod));
    }
    let Ok((prefix, uuid)) = ids::decode(id) else { return Ok(None) };
    Ok(match prefix {
        ProductId::PREFIX => catalogue::find(ctx, By::Id(uuid.into())).await?.map(Node::Product),
        VariantId::PREFIX => loaders::variant(ctx, uuid.into()).await?.map(Node::Variant),
        OrderId::PREFIX => orders::find(ctx, uuid.into(), None).await?.map(Node::Order),
        LineId::PREFIX => line(ctx, uuid.into()).await?.map(Node::OrderLine),
        UnitId::PREFIX => delivery(ctx, uuid.into()).await?,
        GrantId::PREFIX => grant(ctx, uuid.into()).await?.map(Node::DownloadGrant),
        ActivationId::PREFIX => activation(ctx, uuid.into()).await?.map(Node::Activation),
        SellerId::PREFIX => seller(ctx, uuid.into()).await?.map(Node::SellerProfile),
        SessionId::PREFIX => session(ctx, uuid.into()).await?.map(Node::Session),
        FileVersionId::PREFIX => file_version(ctx, uuid.into()).await?.map(Node::FileVersion),
        PaymentId::PREFIX => payment(ctx, uuid.into()).await?.map(Node::Payment),
        RefundId::PREFIX => refund(ctx, uuid.into()).await?.map(Node::Refund),
        UserId::PREFIX => {
            let id = UserId(uuid);
            let seen = ctx.actor().user_id() == Some(id) || ctx.actor().is_staff();
            if seen { persons::find(ctx, id).await?.map(Node::User) } else { None }
        }
        BatchId::PREFIX => {
            let mut conn = ctx.backend().db.conn().await.or_top()?;
            match crate::vault::batch::get_any(&mut conn, ctx.actor(), uuid.into()).await {
                Ok(batch) => Some(Node::KeyBatch(KeyBatch(batch))),
                Err(Failure::Refused(_)) => None,
                Err(fault) => return Err(fault).or_top(),
            }
        }
        CaseId::PREFIX => case(ctx, uuid.into()).await?.map(Node::Case),
        TaskId::PREFIX => task(ctx, uuid.into()).await?.map(Node::Task),
        _ => None,
    })
}

/// The order that a row belongs to, as far as the caller may see it.
async fn of_order(ctx: &Context<'_>, id: Option<OrderId>) -> Answer<Option<Order>> {
    match id {
        Some(id) => {
            Ok(orders::find(ctx, id, None).await?.filter(|order| order.0.access_level >= AccessLevel::Buyer))
        }
        None => Ok(None),
    }
}

async fn line(ctx: &Context<'_>, id: LineId) -> Answer<Option<OrderLine>> {
    let order = {
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        staff::order_of_line(&mut conn, id).await.or_top()?
    };
    let Some(order) = of_order(ctx, order).await? else { return Ok(None) };
    let at = order.0.lines.iter().position(|l| l.line.id == id);
    Ok(at.map(|at| OrderLine { whole: order.0.clone(), at }))
}

async fn delivery(ctx: &Context<'_>, id: UnitId) -> Answer<Option<Node>> {
    let order = {
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        staff::order_of_unit(&mut conn, id).await.or_top()?
    };
    let Some(order) = of_order(ctx, order).await? else { return Ok(None) };
    for (at, line) in order.0.lines.iter().enumerate() {
        if let Some(unit) = line.units.iter().chain(&line.replaced).find(|unit| unit.id == id) {
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
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        payments::attempts::store::find(&mut conn, id).await.or_top()?
    };
    let seen = of_order(ctx, found.as_ref().map(|p| p.order_id)).await?.is_some();
    Ok(found.filter(|_| seen).map(|row| Payment { row, whole: true }))
}

async fn refund(ctx: &Context<'_>, id: RefundId) -> Answer<Option<Refund>> {
    let found = {
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        payments::refunds::store::find(&mut conn, id).await.or_top()?
    };
    let seen = of_order(ctx, found.as_ref().map(|r| r.order_id)).await?.is_some();
    Ok(found.filter(|_| seen).map(Into::into))
}

async fn grant(ctx: &Context<'_>, id: GrantId) -> Answer<Option<DownloadGrant>> {
    let found = {
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        delivery::read::find_standing(&mut conn, id).await.or_top()?
    };
    let seen = of_order(ctx, found.as_ref().map(|grant| grant.order_id)).await?.is_some();
    Ok(found.filter(|_| seen).map(DownloadGrant))
}

async fn activation(ctx: &Context<'_>, id: ActivationId) -> Answer<Option<Activation>> {
    let (owner, found) = {
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        let owner = licences::read::find_owner(&mut conn, id).await.or_top()?;
        (owner, licences::read::find_activation(&mut conn, id).await.or_top()?)
    };
    let seen = of_order(ctx, owner.map(|owner| owner.order_id)).await?.is_some();
    Ok(found.filter(|_| seen).map(Activation))
}

/// What was reported is its buyer's, staff's, and of who sells the piece.
async fn case(ctx: &Context<'_>, id: CaseId) -> Answer<Option<ReportedCase>> {
    let found = {
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        delivery::cases::read::find(&mut conn, id).await.or_top()?
    };
    let Some(row) = found else { return Ok(None) };
    let access_level = match of_order(ctx, Some(row.order_id)).await? {
        Some(order) => order.0.access_level,
        None if ctx.actor().sells_for(row.seller_id) => AccessLevel::Status,
        None => return Ok(None),
    };
    Ok(orders::load_cases(ctx, vec![row], access_level).await?.pop())
}

/// Whoever sells something is everybody's to know about.
async fn seller(ctx: &Context<'_>, id: SellerId) -> Answer<Option<SellerProfile>> {
    let mut conn = ctx.backend().db.conn().await.or_top()?;
    let found = read::find_seller(&mut conn, &Scope::of(ctx.actor()), id).await.or_top()?;
    Ok(found.map(|seller| SellerProfile {
        id: id.into(),
        slug: seller.seller_slug,
        name: seller.seller_name,
    }))
}

/// One's own sessions that are still open, as `User.sessions` shows them.
async fn session(ctx: &Context<'_>, id: SessionId) -> Answer<Option<Session>> {
    let Some(person) = &ctx.actor().person else { return Ok(None) };
    let mut conn = ctx.backend().db.conn().await.or_top()?;
    let rows = people::read::sessions(&mut conn, person.user_id).await.or_top()?;
    Ok(rows.into_iter().find(|row| row.id == id).map(|row| Session::new(row, person.session_id)))
}

/// Files on sale are everybody's to know about in the version one gets; what was bought is its buyer's too, and the rest
/// its seller's.
async fn file_version(ctx: &Context<'_>, id: FileVersionId) -> Answer<Option<FileVersion>> {
    let Some(found) = loaders::file_version(ctx, id).await? else { return Ok(None) };
    let own = match Scope::of(ctx.actor()) {
        Scope::Everything => true,
        Scope::Sellers(own) => own.contains(&found.seller_id),
        Scope::Buyers => false,
    };
    let seen = own || on_sale(ctx, id).await? || bought(ctx, id).await?;
    Ok(seen.then_some(FileVersion(found)))
}

async fn on_sale(ctx: &Context<'_>, id: FileVersionId) -> Answer<bool> {
    let variant = {
        let mut conn = ctx.backend().db.conn().await.or_top()?;
        files::read::find_showing_variant(&mut conn, id).await.or_top()?
    };
    match variant {
        Some(variant) => Ok(loaders::variant(ctx, variant).await?.is_some()),
        None => Ok(false),
    }
}

async fn bought(ctx: &Context<'_>, id: FileVersionId) -> Answer<bool> {
    let Some(user) = ctx.actor().user_id() else { return Ok(false) };
    let mut conn = ctx.backend().db.conn().await.or_top()?;
    let grants = delivery::read::list_grants_of_version(&mut conn, id, user).await.or_top()?;
    let shows = |g: &delivery::model::GrantStanding| {
        [Some(g.bought_version_id), g.current_version_id, g.newest_version_id].contains(&Some(id))
    };
    Ok(grants.iter().any(shows))
}

async fn task(ctx: &Context<'_>, id: TaskId) -> Answer<Option<Task>> {
    if !ctx.actor().is_staff() {
        return Ok(None);
    }
    let mut conn = ctx.backend().db.conn().await.or_top()?;
    Ok(crate::operations::find_task(&mut conn, id).await.or_top()?.map(Task))
}
