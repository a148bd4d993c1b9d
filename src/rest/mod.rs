//! The REST side: what is not GraphQL. Handlers only; they are mounted by the table in `http/routes.rs`.

pub mod accept;
pub mod credentials;
pub mod downloads;
pub mod events;
pub mod evidence;
pub mod health;
pub mod keys;
pub mod licences;
pub mod mails;
pub mod openapi;
pub mod page;
pub mod pay;
pub mod problem;
pub mod qr;
pub mod results;
pub mod signed_in;
pub mod state;
pub mod storefront;
pub mod suppliers;
pub mod uploads;
pub mod webhooks;
