//! The schema, put together from the features' parts.

use std::sync::{Arc, LazyLock};

use async_graphql::{MergedObject, MergedSubscription, SDLExportOptions, SchemaBuilder};
use tokio::sync::Semaphore;

use crate::config;

use crate::graphql::catalogue::{
    CatalogueQuery, FileMutation, ProductMutation, SecretMutation, VariantMutation,
};
use crate::graphql::clients::{ClientMutation, ClientQuery};
use crate::graphql::desk::{
    ALERTS, AlertSubscription, BlockMutation, DeskMutation, DeskQuery, FulfilMutation, GrantMutation,
    MailMutation, NoticeMutation, PauseMutation, StaffDeliveryMutation, StatementMutation,
};
use crate::graphql::hooks::HookMutation;
use crate::graphql::live::Live;
use crate::graphql::node::NodeQuery;
use crate::graphql::orders::{
    DeliveryMutation, LicenceMutation, OrderMutation, OrderQuery, OrderSubscription, PlacingMutation,
    WarrantyMutation,
};
use crate::graphql::payments::{PaymentMutation, PaymentQuery, RefundMutation};
use crate::graphql::people::{PasswordMutation, PeopleMutation, PeopleQuery};
use crate::graphql::seller::{
    ExportMutation, ImportMutation, JobQuery, JobSubscription, KeyMutation, RecallMutation, SellerQuery,
    StockMutation,
};
use crate::graphql::shop::ShopQuery;
use crate::graphql::suppliers::SupplierMutation;
use crate::graphql::user_error::UserError;

/// What can be asked.
#[derive(MergedObject, Default)]
pub struct Query(
    NodeQuery,
    ShopQuery,
    SellerQuery,
    JobQuery,
    CatalogueQuery,
    PaymentQuery,
    OrderQuery,
    PeopleQuery,
    DeskQuery,
    ClientQuery,
);

/// What buyers do, and what is done for them.
#[derive(MergedObject, Default)]
struct BuyerMutation(
    PlacingMutation,
    PaymentMutation,
    OrderMutation,
    DeliveryMutation,
    LicenceMutation,
    PeopleMutation,
    PasswordMutation,
);

/// What sellers do.
#[derive(MergedObject, Default)]
struct SellerMutation(
    ProductMutation,
    VariantMutation,
    FileMutation,
    SecretMutation,
    KeyMutation,
    ImportMutation,
    ExportMutation,
    StockMutation,
    RecallMutation,
    WarrantyMutation,
    SupplierMutation,
    HookMutation,
);

/// What staff does.
#[derive(MergedObject, Default)]
struct StaffMutation(
    RefundMutation,
    DeskMutation,
    GrantMutation,
    StaffDeliveryMutation,
    MailMutation,
    FulfilMutation,
    NoticeMutation,
    StatementMutation,
    PauseMutation,
    BlockMutation,
    ClientMutation,
);

/// What can be done.
#[derive(MergedObject, Default)]
pub struct Mutation(BuyerMutation, SellerMutation, StaffMutation);

/// What can be followed.
#[derive(MergedSubscription, Default)]
pub struct Subscription(OrderSubscription, AlertSubscription, JobSubscription);

pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .register_output_type::<UserError>()
        .disable_suggestions()
}

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| builder().limit_recursive_depth(256).finish());

/// The schema, made once; the program comes with each request. Depth, cost and the rest are bounded before it sees a
/// document: its own limit on recursion only has to be wider.
pub fn schema() -> &'static Schema {
    &SCHEMA
}

/// What streams share, with the events that the subscriptions follow.
pub fn live_of(config: &config::Live, lasting: &Arc<Semaphore>) -> Arc<Live> {
    Live::new(config, lasting, ALERTS)
}

/// The schema in its definition language, in an order that does not change by itself.
pub fn sdl() -> String {
    let options = SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items();
    schema().sdl_with_options(options)
}
