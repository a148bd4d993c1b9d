//! One running server: spawned by us, or an orphan of an earlier program that was killed.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

use crate::base::outcome::Fault;
use crate::infra::db::embedded::folder::{Folder, unusable};
use crate::infra::db::embedded::programs::Programs;
use crate::infra::db::embedded::runner::Runner;

/// How often a server that starts or stops is looked at.
const GLANCE: Duration = Duration::from_millis(5);
/// A server that recovers from a crash may read much log first.
const LONGEST_START: Duration = Duration::from_secs(600);
const FAST_STOP: Duration = Duration::from_secs(20);
const IMMEDIATE_STOP: Duration = Duration::from_secs(5);
const LARGEST_LOG: u64 = 16 * 1024 * 1024;

/// Everything a start needs, kept to start again when the server ends by itself.
#[derive(Clone)]
pub struct Launch {
    pub folder: Folder,
    pub runner: Runner,
    pub programs: Programs,
    /// The cluster itself (PGDATA).
    pub cluster: PathBuf,
    /// Address for the runtime role.
    pub url: String,
}

pub struct Postmaster {
    pid: Pid,
    /// None for an orphan: it is no child of ours, so its end is seen by looking.
    child: Option<Child>,
    launch: Launch,
    ended: bool,
}

impl Launch {
    /// A server that answers: an orphan when one runs, else a new one.
    pub async fn start(&self) -> Result<Postmaster, Fault> {
        self.write_access()?;
        if let Some(orphan) = self.orphan().await? {
            return Ok(orphan);
        }
        self.wait_for_stragglers().await;
        let mut server = self.spawn()?;
        match server.wait_until_ready().await? {
            true => Ok(server),
            false => Err(Fault::setup(format!("PostgreSQL did not start: {}", self.folder.last_words()))),
        }
    }

    /// Who gets in: the program's own system users, as one of the two roles. Written at every start, because
    /// root may start what an ordinary user made.
    fn write_access(&self) -> Result<(), Fault> {
        let mut map = String::new();
        for visitor in self.runner.visitors() {
            for role in ["dispense_owner", "dispense_app"] {
                map.push_str(&format!("dispense \"{visitor}\" {role}\n"));
            }
        }
        let access = "local dispense dispense_owner,dispense_app peer map=dispense\n";
        for (name, text) in [("pg_hba.conf", access), ("pg_ident.conf", &map)] {
            let path = self.cluster.join(name);
            let written = std::fs::write(&path, text).and_then(|()| self.runner.give(&path));
            written.map_err(|e| unusable(&path, &e))?;
        }
        Ok(())
    }

    /// A server that runs in this cluster already. One that is on its way down is waited for.
    async fn orphan(&self) -> Result<Option<Postmaster>, Fault> {
        let Some(pid) = self.running() else { return Ok(None) };
        tracing::info!(
            pid = pid.as_raw(),
            "a database server of an earlier start still runs; it is taken over"
        );
        let _ = kill(pid, Signal::SIGHUP);
        let mut orphan = Postmaster { pid, child: None, launch: self.clone(), ended: false };
        Ok(orphan.wait_until_ready().await?.then_some(orphan))
    }

    /// The live postmaster that postmaster.pid names. The file outlives a crash, and its number may be
    /// somebody else's by now: the process must be ours by its command line.
    fn running(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(self.cluster.join("postmaster.pid")).ok()?;
        let pid = Pid::from_raw(text.lines().next()?.trim().parse().ok()?);
        self.is_postmaster(pid).then_some(pid)
    }

    /// Returns when no server runs in this cluster, or after the patience of a fast stop.
    pub async fn wait_until_gone(&self) {
        let deadline = Instant::now() + FAST_STOP;
        while self.running().is_some() && Instant::now() < deadline {
            sleep(GLANCE).await;
        }
    }

    fn is_postmaster(&self, pid: Pid) -> bool {
        match command_line(pid) {
            Some(line) => line.split('\0').any(|word| Path::new(word) == self.cluster),
            None => false,
        }
    }

    /// Processes of a killed postmaster end by themselves, but not at once, and PostgreSQL refuses to start
    /// beside them. When none is left, a postmaster.pid whose number meanwhile belongs to somebody else would
    /// keep PostgreSQL from starting for ever: it goes.
    async fn wait_for_stragglers(&self) {
        let file = self.cluster.join("postmaster.pid");
        if !file.exists() || !Path::new("/proc/self/cmdline").exists() {
            return;
        }
        let title = format!("postgres: {}:", self.folder.mark);
        let ours = |pid: Pid| {
            self.is_postmaster(pid) || command_line(pid).is_some_and(|line| line.starts_with(&title))
        };
        let patience = Instant::now() + Duration::from_secs(30);
        while processes().any(ours) {
            if Instant::now() > patience {
                return;
            }
            sleep(GLANCE).await;
        }
        let _ = std::fs::remove_file(&file);
    }

    fn spawn(&self) -> Result<Postmaster, Fault> {
        if self.folder.log.metadata().is_ok_and(|m| m.len() > LARGEST_LOG) {
            let _ = std::fs::rename(&self.folder.log, self.folder.log.with_extension("log.1"));
        }
        let log = File::options().create(true).append(true).mode(0o600).open(&self.folder.log);
        let log = log.map_err(|e| unusable(&self.folder.log, &e))?;
        let again = log.try_clone().map_err(|e| unusable(&self.folder.log, &e))?;
        let mut command = self.runner.command(&self.programs.path("postgres"));
        command.arg("-D").arg(&self.cluster).stdout(Stdio::from(log)).stderr(Stdio::from(again));
        let settings = [
            "listen_addresses=".to_owned(),
            "port=5432".to_owned(),
            format!("unix_socket_directories={}", self.folder.socket.display()),
            "unix_socket_permissions=0700".to_owned(),
            format!("cluster_name={}", self.folder.mark),
            "fsync=on".to_owned(),
            "full_page_writes=on".to_owned(),
            "logging_collector=off".to_owned(),
            "log_destination=stderr".to_owned(),
            "log_timezone=UTC".to_owned(),
            // Statements and DETAIL lines quote values.
            "log_min_error_statement=panic".to_owned(),
            "log_error_verbosity=terse".to_owned(),
            // Compiling pays for reports, and costs the short statements of a shop.
            "jit=off".to_owned(),
        ];
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        let child = command.spawn().map_err(|e| Fault::setup(format!("cannot run PostgreSQL: {e}")))?;
        let pid = child
            .id()
            .map(|id| Pid::from_raw(id as i32))
            .ok_or_else(|| Fault::setup("PostgreSQL ended at once"))?;
        Ok(Postmaster { pid, child: Some(child), launch: self.clone(), ended: false })
    }
}

impl Postmaster {
    pub fn id(&self) -> i32 {
        self.pid.as_raw()
    }

    /// True when a session opens, false when the server ended instead.
    async fn wait_until_ready(&mut self) -> Result<bool, Fault> {
        let deadline = Instant::now() + LONGEST_START;
        let mut next_report = Instant::now() + Duration::from_secs(5);
        loop {
            match tokio_postgres::connect(&self.launch.url, tokio_postgres::NoTls).await {
                Ok(_) => return Ok(true),
                // 57P03: starting up, shutting down or recovering.
                Err(error) => match error.as_db_error().filter(|e| e.code().code() != "57P03") {
                    Some(no) => {
                        return Err(Fault::setup(format!("the database refuses us: {}", no.message())));
                    }
                    None if Instant::now() > deadline => {
                        return Err(Fault::Database(format!(
                            "no answer: {}",
                            self.launch.folder.last_words()
                        )));
                    }
                    None => {}
                },
            }
            if self.has_ended() {
                return Ok(false);
            }
            if Instant::now() > next_report {
                tracing::info!(pid = self.id(), "the database is still starting (it recovers after a crash)");
                next_report += Duration::from_secs(30);
            }
            sleep(GLANCE).await;
        }
    }

    fn has_ended(&mut self) -> bool {
        self.ended = self.ended
            || match &mut self.child {
                Some(child) => !matches!(child.try_wait(), Ok(None)),
                None => !self.launch.is_postmaster(self.pid),
            };
        self.ended
    }

    /// Returns when the server has ended.
    pub async fn ended(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.wait().await;
            self.ended = true;
        }
        while !self.has_ended() {
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Asks for a fast stop (SIGINT), then for an immediate one (SIGQUIT), then kills: whatever happens, nothing
    /// committed is lost, only the next start takes longer.
    pub async fn stop(mut self) {
        let steps = [
            (Signal::SIGINT, FAST_STOP),
            (Signal::SIGQUIT, IMMEDIATE_STOP),
            (Signal::SIGKILL, IMMEDIATE_STOP),
        ];
        for (signal, patience) in steps {
            if self.has_ended() {
                return;
            }
            if signal != Signal::SIGINT {
                tracing::warn!(pid = self.id(), signal = signal.as_str(), "the database does not stop");
            }
            let _ = kill(self.pid, signal);
            let gone = async {
                while !self.has_ended() {
                    sleep(GLANCE).await;
                }
            };
            let _ = timeout(patience, gone).await;
        }
    }
}

impl Drop for Postmaster {
    /// A program that falls over does not leave its database behind, if it gets this far.
    fn drop(&mut self) {
        if !self.has_ended() {
            let _ = kill(self.pid, Signal::SIGINT);
        }
    }
}

fn processes() -> impl Iterator<Item = Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().to_string_lossy().parse().ok().map(Pid::from_raw))
}

/// Words separated by NUL; empty for a zombie, None when there is no such process.
fn command_line(pid: Pid) -> Option<String> {
    if cfg!(target_os = "linux") {
        let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        return Some(String::from_utf8_lossy(&bytes).into_owned());
    }
    let out = std::process::Command::new("ps").args(["-o", "args=", "-p", &pid.to_string()]).output().ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().replace(' ', "\0"))
}
