//! The public API: GraphQL over HTTP. Resolvers translate and guard; what happens is in the features.

mod caching;
pub mod catalogue;
mod clients;
pub mod codes;
pub mod connection;
pub mod context;
mod desk;
mod endpoint;
pub mod error;
mod execute;
mod hooks;
mod id;
pub mod limits;
mod live;
mod loaders;
pub mod messages;
mod negotiate;
mod node;
pub mod orders;
mod page;
pub mod payments;
pub mod people;
mod persisted;
mod request;
mod root;
pub mod scalars;
mod scan;
mod secrets;
mod seller;
pub mod shop;
mod suppliers;
pub mod user_error;
mod viewer;

pub use endpoint::{GraphqlEndpoint, schema_file};
pub use live::{Live, SocketEndpoint};
pub use root::{Schema, live_of, schema, sdl};
