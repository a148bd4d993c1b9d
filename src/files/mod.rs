//! Files that are sold: uploading and publishing them, and the right to download one (a *grant*).

pub mod contents;
pub mod events;
pub mod grant;
pub mod model;
pub mod name;
pub mod publish;
pub mod read;
pub mod retention;
pub mod state;
pub mod store;
pub mod sweep;
pub mod tasks;
pub mod upload;

pub use grant::{grant, revoke};
pub use model::{FileVersion, GrantWant, Granted, Upload};
pub use publish::{NewVersion, publish_version, yank_version};
pub use upload::{NewUpload, create_upload};
