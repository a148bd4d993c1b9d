//! The schema, put together from the features' parts.

use std::sync::LazyLock;

use async_graphql::{EmptyMutation, EmptySubscription, MergedObject, SDLExportOptions, SchemaBuilder};

use crate::graphql::shop::ShopQuery;

/// What can be asked.
#[derive(MergedObject, Default)]
pub struct Query(ShopQuery);

pub type Schema = async_graphql::Schema<Query, EmptyMutation, EmptySubscription>;

fn builder() -> SchemaBuilder<Query, EmptyMutation, EmptySubscription> {
    Schema::build(Query::default(), EmptyMutation, EmptySubscription).disable_suggestions()
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
