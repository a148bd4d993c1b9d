//! Finding PostgreSQL's server programs.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::base::outcome::Fault;

/// The oldest major version that has everything the schema uses.
pub const OLDEST: u32 = 14;

/// How to get the programs, for every message that misses them.
pub const HOW_TO_INSTALL: &str = "install PostgreSQL's server programs (Debian, Ubuntu: `apt-get install postgresql`; \
     Fedora: `dnf install postgresql-server`; macOS: `brew install postgresql`), name their folder in \
     `database.programs`, or give a server's address in `database.url`";

/// A folder that has both `initdb` and `postgres`.
#[derive(Clone, Debug)]
pub struct Programs {
    pub folder: PathBuf,
    pub major: u32,
}

impl Programs {
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// All usable programs, newest first. `named` is looked at alone when it is given.
pub async fn all(named: Option<&Path>) -> Vec<Programs> {
    let mut found: Vec<Programs> = Vec::new();
    let places = match named {
        Some(folder) => vec![folder.to_owned()],
        None => usual_places(),
    };
    for folder in places {
        look(&mut found, &folder).await;
    }
    if found.is_empty() && named.is_none() {
        // Last, because Debian's pg_config is a slow script, and present without any server.
        if let Ok(out) = Command::new("pg_config").arg("--bindir").output().await {
            look(&mut found, Path::new(String::from_utf8_lossy(&out.stdout).trim())).await;
        }
    }
    found.sort_by_key(|p| std::cmp::Reverse(p.major));
    found
}

/// The newest programs, for a cluster that is yet to be made.
pub async fn newest(named: Option<&Path>) -> Result<Programs, Fault> {
    match all(named).await.into_iter().next() {
        Some(programs) if programs.major >= OLDEST => Ok(programs),
        Some(programs) => Err(Fault::setup(format!(
            "PostgreSQL {} is too old, {OLDEST} or newer is needed: {HOW_TO_INSTALL}",
            programs.major
        ))),
        None => Err(Fault::setup(format!("PostgreSQL's server programs were not found: {HOW_TO_INSTALL}"))),
    }
}

/// The programs of one major version, for a cluster that exists.
pub async fn of_version(major: u32, cluster: &Path, named: Option<&Path>) -> Result<Programs, Fault> {
    let found = all(named).await;
    if let Some(programs) = found.iter().find(|p| p.major == major) {
        return Ok(programs.clone());
    }
    let others = found.iter().map(|p| p.major.to_string()).collect::<Vec<_>>().join(", ");
    let others = if others.is_empty() { "none".to_owned() } else { others };
    Err(Fault::setup(format!(
        "{} is a PostgreSQL {major} cluster, and the programs of that version were not found (found: {others}). \
         Install PostgreSQL {major} again and start; or, with both versions installed, upgrade the cluster by \
         `pg_upgrade` into a folder beside it named after the new version (pg17 for 17) and remove the old one. \
         An empty cluster is never made beside an existing one",
        cluster.display()
    )))
}

async fn look(found: &mut Vec<Programs>, folder: &Path) {
    let Ok(folder) = folder.canonicalize() else { return };
    let complete = ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file());
    if !complete || found.iter().any(|p| p.folder == folder) {
        return;
    }
    let Ok(out) = Command::new(folder.join("postgres")).arg("--version").output().await else { return };
    if let Some(major) = major_of(&String::from_utf8_lossy(&out.stdout)) {
        found.push(Programs { folder, major });
    }
}

/// `postgres (PostgreSQL) 15.18 (Debian …)` → 15.
fn major_of(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL) ")?.1;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn usual_places() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).filter(|p| p.is_absolute()).collect();
    let below = |parent: &str, prefix: &str, end: &str| -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
        entries
            .flatten()
            .filter(|e| e.file_name().to_string_lossy().starts_with(prefix))
            .map(|e| e.path().join(end))
            .collect()
    };
    places.extend(below("/usr/lib/postgresql", "", "bin"));
    places.extend(below("/usr/lib64/pgsql", "", "bin"));
    places.extend(below("/usr", "pgsql-", "bin"));
    places.extend(["/usr/local/pgsql/bin", "/usr/libexec/postgresql"].map(PathBuf::from));
    for homebrew in ["/opt/homebrew/opt", "/usr/local/opt", "/home/linuxbrew/.linuxbrew/opt"] {
        places.extend(below(homebrew, "postgresql", "bin"));
    }
    places.extend(below("/Applications/Postgres.app/Contents/Versions", "", "bin"));
    places
}
