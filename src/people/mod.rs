//! People: who they are, how they prove it, what they may. A sign-in on a device is a session; its refresh tokens
//! are spent one after the other, its access tokens live minutes.

mod authenticate;
pub mod captcha;
mod change_password;
pub mod clients;
pub mod code;
mod confirm;
mod create_admin;
pub mod error;
pub mod events;
pub mod jobs;
pub mod kit;
pub mod messages;
pub mod model;
pub mod password;
mod password_rule;
pub mod read;
mod refresh;
pub mod refresh_token;
pub mod register;
pub mod reset_password;
pub mod retention;
mod revoke;
mod set_roles;
mod sign_in;
pub mod state;
mod store;
mod suspend;
pub mod throttle;
pub mod token;
mod update_profile;

pub use authenticate::authenticate;
pub use change_password::change_password;
pub use confirm::{confirm_email, resend_confirmation};
pub use create_admin::create_admin;
pub use model::{Profile, Session, SignedIn, Tokens, User};
pub use refresh::refresh;
pub use register::{Registration, register};
pub use reset_password::{request_password_reset, reset_password};
pub use revoke::{revoke_all_sessions, revoke_session, revoke_session_of_token};
pub use set_roles::set_roles;
pub use sign_in::{SignIn, sign_in};
pub use suspend::{reinstate, suspend};
pub use update_profile::update_profile;
