//! Making a cluster: in a folder beside its place, which it takes by one rename when it is whole. A start that was
//! killed half-way leaves rubbish that the next start removes, never something that looks like a cluster.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::base::clock::random;
use crate::base::outcome::Fault;
use crate::infra::db::embedded::folder::{Folder, unusable};
use crate::infra::db::embedded::programs::Programs;
use crate::infra::db::embedded::runner::Runner;

/// Run in single-user mode, so that the superuser never needs a way in.
const ROLES: &str = "create role dispense_owner login\n\
     create role dispense_app login\n\
     alter schema public owner to pg_database_owner\n\
     revoke create on schema public from public\n\
     create database dispense owner dispense_owner\n\
     revoke all on database dispense from public\n\
     grant connect, temporary on database dispense to dispense_app\n";

/// Character type: upper and lower case of all of Unicode; the collation stays C.
const CTYPE: &str = if cfg!(target_os = "macos") { "en_US.UTF-8" } else { "C.UTF-8" };

/// Makes the cluster with its two roles and the database `dispense`; answers its folder.
pub async fn make(folder: &Folder, runner: &Runner, programs: &Programs) -> Result<PathBuf, Fault> {
    remove_unfinished(&folder.root);
    let unfinished = folder.root.join(format!("init-{}", hex::encode(random::<6>())));
    let mut initdb = runner.command(&programs.path("initdb"));
    initdb.arg("-D").arg(&unfinished).args([
        "-U",
        "postgres",
        "-A",
        "peer",
        "-E",
        "UTF8",
        "--data-checksums",
    ]);
    initdb.args(["--locale=C", &format!("--lc-ctype={CTYPE}"), "--no-instructions"]);
    run(initdb, "initdb", "").await?;
    let mut single = runner.command(&programs.path("postgres"));
    single.arg("--single").arg("-D").arg(&unfinished).args(["-c", "exit_on_error=on", "template1"]);
    run(single, "postgres --single", ROLES).await?;
    let place = folder.root.join(format!("pg{}", programs.major));
    std::fs::rename(&unfinished, &place).map_err(|e| unusable(&place, &e))?;
    std::fs::File::open(&folder.root).and_then(|f| f.sync_all()).map_err(|e| unusable(&folder.root, &e))?;
    Ok(place)
}

/// What a killed start left. A program of that start may still be writing there: then a part stays for the next.
fn remove_unfinished(root: &Path) {
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("init-") {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

async fn run(mut command: Command, name: &str, input: &str) -> Result<(), Fault> {
    let failed = |said: &str| Fault::setup(format!("{name} failed: {}", said.trim()));
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| failed(&e.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).await.map_err(|e| failed(&e.to_string()))?;
    }
    let out = child.wait_with_output().await.map_err(|e| failed(&e.to_string()))?;
    if out.status.success() { Ok(()) } else { Err(failed(&String::from_utf8_lossy(&out.stderr))) }
}
