//! The schema, put together from the features' parts.

use std::sync::Arc;

use async_graphql::{EmptyMutation, EmptySubscription, MergedObject, SDLExportOptions, SchemaBuilder};

use crate::app::App;
use crate::graphql::shop::ShopQuery;

/// What can be asked.
#[derive(MergedObject, Default)]
pub struct Query(ShopQuery);

pub type Schema = async_graphql::Schema<Query, EmptyMutation, EmptySubscription>;

fn builder() -> SchemaBuilder<Query, EmptyMutation, EmptySubscription> {
    Schema::build(Query::default(), EmptyMutation, EmptySubscription).disable_suggestions()
}

/// The schema over a running program. Depth, cost and the rest are bounded before it sees a document; its own limit
/// on recursion only has to be wider.
pub fn schema(app: Arc<App>) -> Schema {
    builder().limit_recursive_depth(256).data(app).finish()
}

/// The schema in its definition language, in an order that does not change by itself.
pub fn sdl() -> String {
    let options = SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items();
    builder().finish().sdl_with_options(options)
}
