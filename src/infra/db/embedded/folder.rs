//! Where the cluster is: in the data folder, or, when we are root and the data folder is in a folder closed to others
//! (a home of mode 0700), in /var/lib with a note of the place in the data folder.

use std::fs::{File, TryLockError};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::base::outcome::Fault;
use crate::infra::db::embedded::runner::Runner;

/// A socket's path has at most 107 bytes; the file's own name takes 16 of them.
const LONGEST_SOCKET_FOLDER: usize = 80;

#[derive(Clone, Debug)]
pub struct Folder {
    /// `<data>/postgres` or its replacement.
    pub root: PathBuf,
    pub socket: PathBuf,
    pub log: PathBuf,
    /// Marks the cluster's processes (`cluster_name`), so that they can be distinguished from others'.
    pub mark: String,
}

impl Folder {
    /// Finds the place that earlier starts used, or chooses one. Makes nothing but the data folder itself.
    pub async fn of(data: &Path) -> Result<(Self, Runner), Fault> {
        make_data(data)?;
        let data = data.canonicalize().map_err(|e| unusable(data, &e))?;
        let note = data.join("postgres.path");
        let moved = std::fs::read_to_string(&note).ok().map(|text| PathBuf::from(text.trim()));
        let mut root = moved.clone().unwrap_or_else(|| data.join("postgres"));
        let runner = Runner::choose(root.exists().then_some(root.as_path()))?;
        if runner.is_lowered() && moved.is_none() {
            open_to_pass(&data)?;
            if !runner.reaches(&data).await {
                root = PathBuf::from(format!("/var/lib/dispense-{}", digest(&data)));
                std::fs::write(&note, format!("{}\n", root.display())).map_err(|e| unusable(&note, &e))?;
                tracing::info!(folder = %root.display(), user = %runner.name,
                    "the database's user cannot reach the data folder; the cluster goes elsewhere");
            }
        }
        let mark = format!("dispense-{}", digest(&root));
        let near = root.join("socket");
        let socket = if near.as_os_str().len() <= LONGEST_SOCKET_FOLDER {
            near
        } else {
            PathBuf::from("/tmp").join(&mark)
        };
        Ok((Self { log: root.join("server.log"), socket, root, mark }, runner))
    }

    /// The newest cluster that is here, with its major version. PG_VERSION in it decides.
    pub fn existing(&self) -> Option<(PathBuf, u32)> {
        let entries = std::fs::read_dir(&self.root).ok()?;
        entries
            .flatten()
            .filter(|e| e.file_name().to_string_lossy().starts_with("pg"))
            .filter_map(|e| {
                let version = std::fs::read_to_string(e.path().join("PG_VERSION")).ok()?;
                Some((e.path(), version.trim().parse().ok()?))
            })
            .max_by_key(|(_, major)| *major)
    }

    /// Last lines of the server's log, for a message about a start that failed.
    pub fn last_words(&self) -> String {
        let text =
            std::fs::read(&self.log).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(6)..].join("; ")
    }
}

/// The lock that its owner holds as long as he lives: a second program that wants the cluster is refused at once.
pub fn own(data: &Path) -> Result<Option<File>, Fault> {
    let path = data.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| unusable(&path, &e))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(unusable(&path, &e)),
    }
}

fn make_data(data: &Path) -> Result<(), Fault> {
    if data.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(data).map_err(|e| unusable(data, &e))?;
    std::fs::set_permissions(data, std::fs::Permissions::from_mode(0o700)).map_err(|e| unusable(data, &e))
}

/// Lets the lowered user pass through the data folder without listing it. What is private in there has modes of
/// its own.
fn open_to_pass(data: &Path) -> Result<(), Fault> {
    let mode = data.metadata().map_err(|e| unusable(data, &e))?.permissions().mode();
    if mode & 0o001 == 0 {
        let permissions = std::fs::Permissions::from_mode((mode & 0o7777) | 0o011);
        std::fs::set_permissions(data, permissions).map_err(|e| unusable(data, &e))?;
    }
    Ok(())
}

fn digest(path: &Path) -> String {
    hex::encode(&Sha256::digest(path.as_os_str().as_bytes())[..8])
}

pub fn unusable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::setup(format!("cannot use {}: {error}", path.display()))
}
