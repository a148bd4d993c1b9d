//! A PostgreSQL cluster of our own in the data folder: found, made, started, watched, stopped. A Unix socket only,
//! fsync on, and nobody but the system user who runs the program (and root) gets in.
//!
//! ```text
//! <data>/lock                 held while a program owns the cluster
//! <data>/postgres/pg15        the cluster; the folder's name carries the major version
//! <data>/postgres/socket      the Unix socket (a folder in the temporary folder when this path is too long)
//! <data>/postgres/server.log  what PostgreSQL says
//! ```

mod cluster;
mod folder;
mod initialise;
mod postmaster;
mod programs;
mod runner;

pub use cluster::{Cluster, DatabaseRole};
