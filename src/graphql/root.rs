//! The schema, put together from the features' parts.

use std::sync::LazyLock;

use async_graphql::{EmptySubscription, MergedObject, SDLExportOptions, SchemaBuilder};

use crate::graphql::catalogue::{
    CatalogueQuery, FileMutation, ProductMutation, SecretMutation, VariantMutation,
};
use crate::graphql::desk::{
    DeskMutation, DeskQuery, FulfilMutation, GrantMutation, NoticeMutation, StaffDeliveryMutation,
    StatementMutation,
};
use crate::graphql::node::NodeQuery;
use crate::graphql::orders::{DeliveryMutation, LicenceMutation, OrderMutation, OrderQuery, PlacingMutation};
use crate::graphql::payments::{PaymentMutation, PaymentQuery, RefundMutation};
use crate::graphql::people::{PasswordMutation, PeopleMutation, PeopleQuery};
use crate::graphql::seller::{KeyMutation, SellerQuery};
use crate::graphql::shop::ShopQuery;
use crate::graphql::user_error::UserError;

/// What can be asked.
#[derive(MergedObject, Default)]
pub struct Query(
    NodeQuery,
    ShopQuery,
    SellerQuery,
    CatalogueQuery,
    PaymentQuery,
    OrderQuery,
    PeopleQuery,
    DeskQuery,
);

/// What can be done.
#[derive(MergedObject, Default)]
pub struct Mutation(
    PlacingMutation,
    PaymentMutation,
    OrderMutation,
    DeliveryMutation,
    LicenceMutation,
    PeopleMutation,
    PasswordMutation,
    ProductMutation,
    VariantMutation,
    FileMutation,
    SecretMutation,
    KeyMutation,
    RefundMutation,
    DeskMutation,
    GrantMutation,
    StaffDeliveryMutation,
    FulfilMutation,
    NoticeMutation,
    StatementMutation,
);

pub type Schema = async_graphql::Schema<Query, Mutation, EmptySubscription>;

fn builder() -> SchemaBuilder<Query, Mutation, EmptySubscription> {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .register_output_type::<UserError>()
        .disable_suggestions()
}

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| builder().limit_recursive_depth(256).finish());

/// The schema, made once; the program comes with each request. Depth, cost and the rest are bounded before it sees a
/// document: its own limit on recursion only has to be wider.
pub fn schema() -> &'static Schema {
    &SCHEMA
}

/// The schema in its definition language, in an order that does not change by itself.
pub fn sdl() -> String {
    let options = SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items();
    schema().sdl_with_options(options)
}
