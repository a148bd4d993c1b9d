//! The HTTP server: one table of routes, and what every request passes before and after its handler (id, client
//! address, origin, time-out, rate limit, log line, figures).

pub mod address;
pub mod backend;
mod cors;
mod doors;
mod figures;
mod limits;
mod middleware;
mod request_id;
pub mod routes;
mod server;

pub use figures::serve_figures;
pub use routes::openapi;
pub use server::{serve, serve_with};
