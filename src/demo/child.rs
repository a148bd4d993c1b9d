//! The shop of the story: this very program as a child process with a data folder of its own, so that its log is a
//! server's log and its end a server's end.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::base::clock::random;
use crate::base::outcome::Fault;

/// A first start makes a database cluster.
const START: Duration = Duration::from_secs(180);
const STOP: Duration = Duration::from_secs(60);

/// A running shop and everything it keeps.
pub struct DemoShop {
    child: Child,
    folder: PathBuf,
    /// `http://127.0.0.1:…`
    pub base: String,
    /// The simulator's address.
    pub sandbox: String,
}

impl DemoShop {
    /// Starts it and waits until it listens.
    pub async fn start() -> Result<Self, Fault> {
        let folder = std::env::temp_dir().join(format!("dispense-demo-{}", hex::encode(random::<6>())));
        std::fs::create_dir(&folder).map_err(|e| unusable(&folder, e))?;
        match launch(&folder).await {
            Ok((child, base, sandbox)) => Ok(Self { child, folder, base, sandbox }),
            Err(fault) => {
                let _ = std::fs::remove_dir_all(&folder);
                Err(fault)
            }
        }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// All that the server has logged.
    pub fn log(&self) -> Result<String, Fault> {
        let path = self.folder.join("server.log");
        std::fs::read_to_string(&path).map_err(|e| unusable(&path, e))
    }

    /// Makes an administrator beside the running shop, by the command line; the password.
    pub async fn create_admin(&self, email: &str) -> Result<String, Fault> {
        let mut command = alone(&self.folder)?;
        command.args(["admin", "create", email, "--data"]).arg(self.data());
        let made = tokio::time::timeout(START, command.output()).await;
        let made = made.map_err(|_| Fault::setup("no administrator was made in time"))?;
        let made = made.map_err(|e| Fault::setup(format!("no administrator was made: {e}")))?;
        let printed = String::from_utf8_lossy(&made.stdout).into_owned();
        let password = printed.lines().find_map(|line| line.strip_prefix("password: "));
        password.map(str::to_owned).ok_or_else(|| {
            let trouble = String::from_utf8_lossy(&made.stderr).into_owned();
            Fault::setup(format!("no administrator was made: {}", trouble.trim_end()))
        })
    }

    /// Asks it to end, waits until it has, and takes its folder away.
    pub async fn stop(mut self) -> Result<(), Fault> {
        let ended = end(&mut self.child).await;
        std::fs::remove_dir_all(&self.folder).map_err(|e| unusable(&self.folder, e))?;
        ended
    }
}

/// This program, in a private shop's folder: neither the environment nor a file of the current folder has a say there.
fn alone(folder: &Path) -> Result<Command, Fault> {
    let program =
        std::env::current_exe().map_err(|e| Fault::setup(format!("this program's own file: {e}")))?;
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("DISPENSE_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

async fn launch(folder: &Path) -> Result<(Child, String, String), Fault> {
    let log = folder.join("server.log");
    let stderr = File::create(&log).map_err(|e| unusable(&log, e))?;
    let mut command = alone(folder)?;
    command
        .args(["serve", "--demo", "--sandbox", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.join("data"))
        .stderr(stderr);
    // A group of its own: an interrupt at the terminal reaches the story alone, which then ends the shop in order.
    command.process_group(0);
    let mut child = command.spawn().map_err(|e| Fault::setup(format!("the shop did not start: {e}")))?;
    let stdout = child.stdout.take().ok_or_else(|| Fault::bug("a child without its output"))?;
    let mut lines = BufReader::new(stdout).lines();
    let addresses = tokio::time::timeout(START, addresses(&mut lines)).await;
    let Ok(Some((base, sandbox))) = addresses else {
        let _ = end(&mut child).await;
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        return Err(Fault::setup(format!("the shop did not start:\n{}", log.trim_end())));
    };
    // What it prints later is read away, so that a full pipe never stops it.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok((child, base, sandbox))
}

async fn addresses(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<(String, String)> {
    let mut sandbox = None;
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(address) = line.strip_prefix("sandbox on ") {
            sandbox = Some(address.to_owned());
        } else if let Some(address) = line.strip_prefix("listening on ") {
            return Some((address.to_owned(), sandbox?));
        }
    }
    None
}

async fn end(child: &mut Child) -> Result<(), Fault> {
    if let Some(id) = child.id() {
        let _ = kill(Pid::from_raw(id as i32), Signal::SIGTERM);
    }
    match tokio::time::timeout(STOP, child.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(Fault::setup(format!("the shop ended badly: {status}"))),
        Ok(Err(error)) => Err(Fault::setup(format!("the shop's end is unknown: {error}"))),
        Err(_) => {
            let _ = child.kill().await;
            Err(Fault::setup("the shop did not end when asked to"))
        }
    }
}

fn unusable(path: &Path, error: std::io::Error) -> Fault {
    Fault::setup(format!("cannot use {}: {error}", path.display()))
}
