//! The shop under measurement: the release build with a cluster of its own, every commit on the disk.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_dispense");
pub const SHOP: &str = "00000000-0000-7000-8000-000000000001";

/// 32 bytes in base64, for the account that the bench's notices are signed for.
pub const SECRET: &str = "whsec_ASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8=";

pub struct Shop {
    child: Child,
    pub address: String,
    pub data: PathBuf,
    /// From the call to the line that says it listens.
    pub ready_after: Duration,
}

/// A folder that the cluster's user can pass through.
pub fn folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("dispense-bench-").tempdir().unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();
    folder
}

impl Shop {
    /// Starts it over `data` without a worker, so that only what is asked for is measured.
    pub fn start(home: &Path) -> Self {
        Self::start_with(home, &["--no-worker"], "")
    }

    /// Starts it with its worker, and more of the configuration file.
    pub fn start_working(home: &Path, config: &str) -> Self {
        Self::start_with(home, &[], config)
    }

    /// Starts it without a worker, which `Worker` is, and with more of the configuration file.
    pub fn start_apart(home: &Path, config: &str) -> Self {
        Self::start_with(home, &["--no-worker"], config)
    }

    fn start_with(home: &Path, arguments: &[&str], more: &str) -> Self {
        let data = home.join("data");
        let config = configure(home, more);
        let began = Instant::now();
        let mut child = Command::new(PROGRAM)
            .arg("serve")
            .args(arguments)
            .args(["--listen", "127.0.0.1:0", "--config"])
            .arg(&config)
            .arg("--data")
            .arg(&data)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(home.join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = loop {
            let Some(Ok(line)) = lines.next() else {
                panic!("the shop did not start: {}", std::fs::read_to_string(home.join("log")).unwrap());
            };
            if let Some(address) = line.strip_prefix("listening on http://") {
                break address.to_owned();
            }
        };
        let ready_after = began.elapsed();
        // Whatever else it says is read away, so that it never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, data, ready_after }
    }

    /// Resident memory of the server process, MiB.
    pub fn resident(&self) -> f64 {
        self.memory("VmRSS:")
    }

    fn memory(&self, name: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|l| l.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1_024.0
    }

    /// Resident memory, MiB, from which `peak` counts on.
    pub fn forget_peak(&self) -> f64 {
        // proc(5): 5 sets the peak to what is resident now.
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
        self.resident()
    }

    /// The most memory that was resident since, MiB.
    pub fn peak(&self) -> f64 {
        self.memory("VmHWM:")
    }

    pub fn socket(&self) -> PathBuf {
        socket(&self.data)
    }

    /// A connection as the schema's owner.
    pub async fn sql(&self) -> Client {
        let target =
            format!("host={} port=5432 user=dispense_owner dbname=dispense", self.socket().display());
        let (client, connection) = tokio_postgres::connect(&target, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Transactions per second of a script of `benches/`, as pgbench reports them, the time to connect left out. It does
    /// `count` of them, from the row of this number on, with so many clients.
    pub fn pgbench(&self, script: &str, clients: usize, start: usize, count: usize) -> f64 {
        let output = Command::new(postgres_program("pgbench"))
            .args(["-n", "-M", "prepared", "-j", "2", "-f"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join(script))
            .args(["-c", &clients.to_string(), "-t", &(count / clients).to_string()])
            .args(["-D", "i=-1", "-D", &format!("start={start}"), "-D", &format!("step={clients}")])
            .args(["-h", &self.socket().display().to_string(), "-U", "dispense_owner", "dispense"])
            .env("PGOPTIONS", "-c plan_cache_mode=force_generic_plan")
            .output()
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{out}{err}");
        let line = out.lines().find(|l| l.starts_with("tps = ")).unwrap_or_else(|| panic!("{out}{err}"));
        line.split_whitespace().nth(2).unwrap().parse().unwrap()
    }

    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.end();
        }
    }
}

/// The background work as a process of its own, beside a shop.
pub struct Worker(Child);

impl Worker {
    pub fn start(home: &Path, config: &str) -> Self {
        let child = Command::new(PROGRAM)
            .args(["work", "--config"])
            .arg(configure(home, config))
            .arg("--data")
            .arg(home.join("data"))
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(home.join("worker.log")).unwrap())
            .spawn()
            .unwrap();
        Self(child)
    }

    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = kill(Pid::from_raw(self.0.id() as i32), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            self.end();
        }
    }
}

/// Writes the configuration file.
fn configure(home: &Path, more: &str) -> PathBuf {
    let config = home.join("bench.toml");
    let text = format!(
        "[limits]\nrequests_per_minute = 1000000\nsign_ins_per_minute = 1000000\nmails_per_hour = 1000000\nforged_notices_per_minute = 1000000\n\
         [log]\nfilter = \"error\"\n{more}\
         [[accounts]]\nid = \"bench\"\ngateway = \"generic\"\ncurrencies = [\"USD\"]\n\
         secrets = [\"{SECRET}\"]\nsandbox = true\n"
    );
    std::fs::write(&config, text).unwrap();
    config
}

/// Begins a measurement with nothing to be written yet, where the owner of the schema may ask for that.
pub async fn checkpoint(sql: &Client) {
    sql.batch_execute("checkpoint").await.ok();
}

/// The folder with the cluster: the data folder's own, or where the note in it points.
pub fn cluster_root(data: &Path) -> PathBuf {
    match std::fs::read_to_string(data.join("postgres.path")) {
        Ok(note) => PathBuf::from(note.trim()),
        Err(_) => data.join("postgres"),
    }
}

fn socket(data: &Path) -> PathBuf {
    let near = cluster_root(data).join("socket");
    if near.exists() {
        return near;
    }
    let entries = std::fs::read_dir("/tmp").unwrap().flatten().map(|e| e.path());
    let mut found: Vec<PathBuf> = entries
        .filter(|p| {
            p.join(".s.PGSQL.5432.lock").exists()
                && p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("dispense-"))
        })
        .collect();
    found.sort_by_key(|p| std::fs::metadata(p).and_then(|m| m.modified()).ok());
    found.pop().expect("the socket of the cluster")
}

/// A PostgreSQL program: from `PATH`, else from Debian's folders.
pub fn postgres_program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = debian.map(|e| e.path().join("bin")).collect();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    folders
        .into_iter()
        .map(|f| f.join(name))
        .find(|p| p.exists())
        .unwrap_or_else(|| panic!("no {name} found"))
}

/// What a PostgreSQL program prints.
pub fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(postgres_program(program)).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
