//! The built program as a child process: for races of two servers and for kills.
//!
//! ```ignore
//! let server = Server::of(&db.app_url()).config("[limits]\nrequests_per_minute = 1000000\n").start();
//! let answer = reqwest::get(server.url("/healthz")).await?;
//! server.kill();                       // SIGKILL: nothing gets a chance to tidy up
//! let again = server.start_again();    // same configuration, data folder, environment
//! again.terminate();                   // SIGTERM, waits for a clean end
//! let worker = Server::of(&db.app_url()).works().start();          // `dispense work`
//! ```

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dispense::config::{RingKey, Secrets};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::test_config;

/// The program that cargo built for these tests.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_dispense"))
}

/// How a server is to be started.
#[derive(Clone)]
pub struct Setup {
    folder: Arc<TempDir>,
    data: PathBuf,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    config: String,
    user: Option<(u32, u32)>,
}

/// A running `dispense serve` or `dispense work`, in its own process group. Dropping it kills it by its id.
pub struct Server {
    child: Child,
    setup: Setup,
    /// `127.0.0.1:…`; of a worker alone nothing.
    pub address: String,
    /// The same of its listener for operators.
    figures: String,
    log: PathBuf,
}

impl Server {
    /// A server over a database that exists (`TestDatabase::app_url`, `DurableDatabase::app_url`), with the secrets
    /// of `test_config`, so that it understands what a `TestApp` over the same database has written.
    pub fn of(database_url: &str) -> Setup {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let data = folder.path().join("data");
        let secrets = secrets_toml(&test_config(&data).secrets);
        Setup {
            config: format!(
                "{secrets}\n[limits]\nrequests_per_minute = 1000000\nsign_ins_per_minute = 1000000\n\
                 forged_notices_per_minute = 1000000\nmails_per_hour = 1000000\n\
                 [connections]\nper_address = 10000\nrequests_per_client = 10000\n"
            ),
            environment: vec![
                ("DISPENSE_DATABASE__URL".into(), database_url.into()),
                ("DISPENSE_SERVER__ADMIN_LISTEN".into(), "127.0.0.1:0".into()),
                ("DISPENSE_WORKER__LISTEN".into(), "127.0.0.1:0".into()),
            ],
            ..Self::bare(folder, data)
        }
    }

    /// A server with the cluster of its own in `data`, everything on defaults.
    pub fn embedded(data: &Path) -> Setup {
        Self::bare(Arc::new(tempfile::tempdir().unwrap()), data.to_owned())
    }

    fn bare(folder: Arc<TempDir>, data: PathBuf) -> Setup {
        Setup {
            folder,
            data,
            program: program().to_owned(),
            arguments: vec!["serve".into()],
            environment: Vec::new(),
            config: String::new(),
            user: None,
        }
    }

    /// Address of one of its routes.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Address of a route of its listener for operators.
    pub fn admin(&self, path: &str) -> String {
        format!("http://{}{path}", self.figures)
    }

    /// All that it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Rewrites its configuration file while it runs.
    pub fn edit_config(&mut self, edit: impl FnOnce(String) -> String) {
        self.setup.config = edit(std::mem::take(&mut self.setup.config));
        std::fs::write(self.setup.folder.path().join("dispense.toml"), &self.setup.config).unwrap();
    }

    /// Waits until its log has these words this many times. Panics when they do not come.
    pub fn wait_for_log(&self, words: &str, times: usize) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.log().matches(words).count() < times {
            assert!(Instant::now() < deadline, "never logged {times} times: {words}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// SIGKILL, and waits until the process is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    /// SIGTERM; the status of its clean end. Panics when it has not ended after 40 s.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait(Duration::from_secs(40))
    }

    /// Waits for an end that a fault point or a signal brings. Panics when it does not come.
    pub fn wait(&mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "the server has not ended after {patience:?}:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether it died of SIGKILL, which is what an armed fault point does to its own process.
    pub fn was_killed(&mut self, patience: Duration) -> bool {
        self.wait(patience).signal() == Some(Signal::SIGKILL as i32)
    }

    /// Waits until it stands still, by a signal or an armed fault point. Panics when it does not, or ends instead.
    pub fn wait_until_stopped(&self, patience: Duration) {
        let (pid, deadline) = (Pid::from_raw(self.child.id() as i32), Instant::now() + patience);
        loop {
            match waitpid(pid, Some(WaitPidFlag::WUNTRACED | WaitPidFlag::WNOHANG)).unwrap() {
                WaitStatus::Stopped(..) => return,
                WaitStatus::StillAlive => {}
                other => panic!("it has ended: {other:?}\n{}", self.log()),
            }
            assert!(Instant::now() < deadline, "it does not stop:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Another process of the same set-up; this one must have ended.
    pub fn start_again(&mut self) -> Server {
        assert!(self.child.try_wait().unwrap().is_some(), "the server still runs");
        self.setup.clone().start()
    }

    /// The set-up, to change it before another start (to disarm a fault point).
    pub fn setup(&self) -> Setup {
        self.setup.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Setup {
    /// More of the configuration file: whole sections, or `[[accounts]]`.
    pub fn config(mut self, toml: &str) -> Self {
        self.config.push_str(&format!("\n{toml}\n"));
        self
    }

    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.retain(|(n, _)| n != name);
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Takes a variable away again.
    pub fn without_env(mut self, name: &str) -> Self {
        self.environment.retain(|(n, _)| n != name);
        self
    }

    /// One more argument behind `serve` (`--no-worker`).
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// The background work alone, as `dispense work` does it.
    pub fn works(mut self) -> Self {
        self.arguments = vec!["work".into()];
        self
    }

    /// The configuration file written in another way.
    pub fn edit(mut self, edit: impl FnOnce(String) -> String) -> Self {
        self.config = edit(self.config);
        self
    }

    /// A data folder shared with another server.
    pub fn data(mut self, data: &Path) -> Self {
        self.data = data.to_owned();
        self
    }

    /// Another copy of the program.
    pub fn program(mut self, program: &Path) -> Self {
        self.program = program.to_owned();
        self
    }

    /// Runs as this user and group; needs root.
    pub fn user(mut self, uid: u32, gid: u32) -> Self {
        self.user = Some((uid, gid));
        self
    }

    /// A command of this set-up with other arguments than `serve` (`&["migrate"]`).
    pub fn command(&self, arguments: &[&str]) -> Command {
        let file = self.folder.path().join("dispense.toml");
        std::fs::write(&file, &self.config).unwrap();
        let mut command = Command::new(&self.program);
        command.args(arguments).arg("--config").arg(&file).arg("--data").arg(&self.data);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.environment.iter().cloned()).current_dir("/").stdin(Stdio::null()).process_group(0);
        if let Some((uid, gid)) = self.user {
            let open = std::os::unix::fs::PermissionsExt::from_mode;
            std::fs::set_permissions(self.folder.path(), open(0o755)).unwrap();
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Starts it on a free port and waits until it says that it listens, or works. Panics with its log when it does not.
    pub fn start(self) -> Server {
        self.try_start().unwrap_or_else(|log| panic!("the server did not start:\n{log}"))
    }

    /// The same, giving back the log of a server that ended instead.
    pub fn try_start(self) -> Result<Server, String> {
        let log =
            self.folder.path().join(format!("log-{}", hex::encode(dispense::base::clock::random::<4>())));
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let mut command = self.command(&arguments);
        command.args(["--listen", "127.0.0.1:0"]);
        command.stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut figures = String::new();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            if let Some(address) = line.strip_prefix("figures on http://") {
                figures = address.to_owned();
            }
            let address = line.strip_prefix("listening on http://").or((line == "working").then_some(""));
            address.map(str::to_owned)
        });
        // What it prints later is read away, so that a full pipe never stops it.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let mut server =
            Server { child, setup: self, address: address.clone().unwrap_or_default(), figures, log };
        if address.is_some() {
            return Ok(server);
        }
        server.wait(Duration::from_secs(30));
        Err(server.log())
    }
}

fn secrets_toml(secrets: &Secrets) -> String {
    let key = |k: &RingKey| format!("\"{}:{}\"", k.id, hex::encode(k.bytes.expose()));
    let ring = |ring: &[RingKey]| ring.iter().map(key).collect::<Vec<_>>().join(", ");
    format!(
        "[secrets]\nvault = [{}]\nfingerprint = {}\nlinks = [{}]\ntokens = [{}]\naccess = {}\n",
        ring(&secrets.vault),
        key(&secrets.fingerprint),
        ring(&secrets.links),
        ring(&secrets.tokens),
        key(&secrets.access)
    )
}
