//! The system user that PostgreSQL runs as: ourselves, or an unprivileged one when we are root (PostgreSQL
//! refuses to run as root).

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;

use nix::unistd::{Gid, Uid, User, geteuid};
use tokio::process::Command;

use crate::base::outcome::Fault;

#[derive(Clone, Debug)]
pub struct Runner {
    pub name: String,
    uid: Uid,
    gid: Gid,
    /// We are root and step down for PostgreSQL.
    lowered: bool,
}

impl Runner {
    /// As root: the owner of a cluster that exists (`existing`), else `postgres`, else `nobody`.
    pub fn choose(existing: Option<&Path>) -> Result<Self, Fault> {
        let own = geteuid();
        if !own.is_root() {
            let user = by_uid(own)?;
            return Ok(Self { name: user.name, uid: own, gid: user.gid, lowered: false });
        }
        let owner =
            existing.and_then(|p| p.metadata().ok()).map(|m| Uid::from_raw(m.uid())).filter(|u| !u.is_root());
        let user = match owner {
            Some(uid) => by_uid(uid)?,
            None => ["postgres", "nobody"]
                .iter()
                .find_map(|name| User::from_name(name).ok().flatten())
                .ok_or_else(|| {
                    Fault::setup("PostgreSQL does not run as root, and there is no user postgres or nobody")
                })?,
        };
        Ok(Self { name: user.name, uid: user.uid, gid: user.gid, lowered: true })
    }

    /// The names of the system users that may open the socket's sessions.
    pub fn visitors(&self) -> Vec<&str> {
        if self.lowered { vec!["root", &self.name] } else { vec![&self.name] }
    }

    /// A command of this user: nothing of our environment, its own process group (Ctrl-C in the terminal must not
    /// end the database before the program has drained).
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
        command.current_dir("/").process_group(0).stdin(Stdio::null()).kill_on_drop(false);
        if self.lowered {
            command.uid(self.uid.as_raw()).gid(self.gid.as_raw());
        }
        command
    }

    /// Makes a private folder of this user; one that exists must be his already.
    pub fn own_folder(&self, folder: &Path) -> Result<(), Fault> {
        let said = |e: std::io::Error| Fault::setup(format!("cannot prepare {}: {e}", folder.display()));
        if !folder.exists() {
            std::fs::create_dir_all(folder).map_err(said)?;
            if self.lowered {
                std::os::unix::fs::chown(folder, Some(self.uid.as_raw()), Some(self.gid.as_raw()))
                    .map_err(said)?;
            }
        }
        let found = folder.symlink_metadata().map_err(said)?;
        if !found.is_dir() || found.uid() != self.uid.as_raw() {
            let text = format!("{} exists and does not belong to the user {}", folder.display(), self.name);
            return Err(Fault::setup(text));
        }
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).map_err(said)
    }

    /// Gives a file that we wrote to this user.
    pub fn give(&self, file: &Path) -> std::io::Result<()> {
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))?;
        if self.lowered {
            std::os::unix::fs::chown(file, Some(self.uid.as_raw()), Some(self.gid.as_raw()))?;
        }
        Ok(())
    }

    /// Whether this user can get into `folder`: the folders above it may be closed to him. Asked by entering it
    /// as him, because permissions, access lists and mount options all have a say.
    pub async fn reaches(&self, folder: &Path) -> bool {
        if !self.lowered {
            return true;
        }
        let mut command = self.command(Path::new("/bin/ls"));
        command.arg("-d").arg(folder).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().await.is_ok_and(|status| status.success())
    }

    pub fn is_lowered(&self) -> bool {
        self.lowered
    }
}

fn by_uid(uid: Uid) -> Result<User, Fault> {
    let found = User::from_uid(uid).ok().flatten();
    found.ok_or_else(|| {
        Fault::setup(format!("the system has no user with the number {uid}, and PostgreSQL wants one"))
    })
}
