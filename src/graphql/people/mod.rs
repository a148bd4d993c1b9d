//! People: registering, signing in, sessions, passwords.

mod inputs;
mod mutations;
mod passwords;
mod queries;
pub mod types;

pub use mutations::PeopleMutation;
pub use passwords::PasswordMutation;
pub use queries::PeopleQuery;
