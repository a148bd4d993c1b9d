//! The public API: GraphQL over HTTP. Resolvers translate and guard; what happens is in the features.

pub mod connection;
pub mod context;
mod endpoint;
pub mod error;
pub mod limits;
mod negotiate;
mod page;
mod request;
mod root;
pub mod scalars;
mod scan;
pub mod shop;
mod viewer;

pub use endpoint::{GraphqlEndpoint, schema_file};
pub use root::{Schema, schema, sdl};
