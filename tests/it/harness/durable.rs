//! PostgreSQL as it runs in production: every commit waits for the disk. For tests that kill it or the program.
//!
//! A cluster is copied from a folder that was initialised once; at most two run at a time on the machine.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use diesel_async::{AsyncConnection, AsyncPgConnection};
use dispense::infra::db::migrate;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};
use tokio_postgres::{Client, NoTls};

const AT_MOST: usize = 2;

/// A cluster of default durability (fsync, synchronous_commit and full_page_writes on). Dropping it kills the server and
/// removes the folder.
pub struct DurableCluster {
    folder: PathBuf,
    /// None: a Unix socket alone.
    tcp: Option<u16>,
    tls: bool,
    server: Option<Child>,
    _slot: File,
}

impl DurableCluster {
    /// Waits for one of the two places, copies the template and starts the server.
    pub async fn start() -> Self {
        let mut cluster = Self::copied().await;
        cluster.restart().await;
        cluster
    }

    /// One that listens on a port of loopback too, without TLS.
    pub async fn start_on_tcp() -> Self {
        let mut cluster = Self::copied().await;
        cluster.tcp = Some(free_port());
        cluster.restart().await;
        cluster
    }

    /// One that takes only encrypted connections on its port, and shows this certificate there.
    pub async fn start_with_tls(certificate: &str, key: &str) -> Self {
        let mut cluster = Self::copied().await;
        (cluster.tcp, cluster.tls) = (Some(free_port()), true);
        let hba = "local all all trust\nhostssl all all 127.0.0.1/32 trust\nhostssl all all ::1/128 trust\n";
        for (name, text) in [("server.crt", certificate), ("server.key", key), ("pg_hba.conf", hba)] {
            // As the server's user and for it alone, as PostgreSQL demands of a key.
            let mut tee = lowered("sh");
            tee.args(["-c", "umask 077 && cat > \"$0\""]).arg(cluster.folder.join("data").join(name));
            let mut child = tee.stdin(Stdio::piped()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
            assert!(child.wait().unwrap().success());
        }
        cluster.restart().await;
        cluster
    }

    async fn copied() -> Self {
        let home = home();
        let slot = slot(&home).await;
        let template = template(&home);
        let folder = home.join(format!("c-{}", hex::encode(dispense::base::clock::random::<4>())));
        run(lowered("mkdir").arg("-m").arg("700").arg(&folder));
        run(lowered("cp").arg("-a").arg(template).arg(folder.join("data")));
        Self { folder, tcp: None, tls: false, server: None, _slot: slot }
    }

    /// Starts the server again after `kill`, and waits until it has recovered.
    pub async fn restart(&mut self) {
        assert!(self.server.is_none(), "the server runs");
        let mut server = self.spawn();
        let deadline = Instant::now() + Duration::from_secs(60);
        while tokio_postgres::connect(&self.url("dispense_owner", "postgres"), NoTls).await.is_err() {
            assert!(Instant::now() < deadline, "the cluster does not start:\n{}", self.log());
            // While processes of the killed one are still going down it refuses to start; a supervisor tries again.
            if server.try_wait().unwrap().is_some() {
                server = self.spawn();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.server = Some(server);
    }

    fn spawn(&self) -> Child {
        let mut command = lowered(bin().join("postgres"));
        command.arg("-D").arg(self.folder.join("data"));
        let socket = format!("unix_socket_directories={}", self.folder.display());
        let port = format!("port={}", self.port());
        let listen = if self.tcp.is_some() { "listen_addresses=localhost" } else { "listen_addresses=" };
        let tls = if self.tls { "ssl=on" } else { "ssl=off" };
        for setting in [listen, &port, tls, "max_connections=200", "jit=off", &socket] {
            command.arg("-c").arg(setting);
        }
        let log = File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        command.spawn().unwrap()
    }

    /// SIGKILL to the postmaster and to all its processes, as when the machine's memory runs out; nothing is
    /// written down any more.
    pub fn kill(&mut self) {
        let mut server = self.server.take().expect("the server runs");
        let postmaster = server.id();
        // Stopped first: a postmaster that sees its children die starts others.
        let _ = kill(Pid::from_raw(postmaster as i32), Signal::SIGSTOP);
        for child in children(postmaster) {
            let _ = kill(Pid::from_raw(child as i32), Signal::SIGKILL);
        }
        let _ = kill(Pid::from_raw(postmaster as i32), Signal::SIGKILL);
        let _ = server.wait();
    }

    /// A new database with the schema, owned by dispense_owner.
    pub async fn database(&self) -> DurableDatabase {
        let name = format!("d_{}", hex::encode(dispense::base::clock::random::<4>()));
        let admin = self.client("dispense_owner", "postgres").await;
        admin.batch_execute(&format!("create database {name} template template0")).await.unwrap();
        let owner = AsyncPgConnection::establish(&self.url("dispense_owner", &name)).await.unwrap();
        migrate::up(owner, "dispense_app", false).await.unwrap();
        DurableDatabase {
            app_url: self.url("dispense_app", &name),
            owner_url: self.url("dispense_owner", &name),
            name,
        }
    }

    /// Address of a database by name; it stays the same over kills and restarts.
    pub fn url(&self, role: &str, database: &str) -> String {
        let (folder, port) = (self.folder.display(), self.port());
        format!("host={folder} port={port} user={role} dbname={database} sslmode=disable")
    }

    /// The same over TCP, by a name of the host; `more` is added as it is.
    pub fn tcp_url(&self, role: &str, database: &str, host: &str, more: &str) -> String {
        let url = format!("host={host} port={} user={role} dbname={database} {more}", self.port());
        url.trim_end().to_owned()
    }

    /// It names the socket too.
    fn port(&self) -> u16 {
        self.tcp.unwrap_or(5432)
    }

    pub async fn client(&self, role: &str, database: &str) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url(role, database), NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Folder of the socket: a proxy may listen in another folder and pass on to this one.
    pub fn socket(&self) -> &Path {
        &self.folder
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for DurableCluster {
    fn drop(&mut self) {
        if self.server.is_some() {
            self.kill();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A migrated database in a durable cluster: its addresses, which stay the same over kills and restarts.
pub struct DurableDatabase {
    pub name: String,
    pub app_url: String,
    pub owner_url: String,
}

/// A port that was free a moment ago; whoever takes it meanwhile makes the test fail, not pass.
fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run the tests by `make test` or `tests/cluster.sh with …`")
    })
}

fn bin() -> PathBuf {
    variable("DISPENSE_TEST_PG_BIN").into()
}

/// A command of the user that PostgreSQL runs as.
fn lowered(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").stdin(Stdio::null()).env("LC_ALL", "C");
    let name = variable("DISPENSE_TEST_USER");
    if !name.is_empty() {
        let user = User::from_name(&name).unwrap().expect("the cluster's user exists");
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

fn run(command: &mut Command) {
    let out = command.output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
}

/// In the temporary folder, because a socket's path must be short and the lowered user must get there.
fn home() -> PathBuf {
    let home = PathBuf::from(format!("/tmp/dispense-durable-{}", nix::unistd::geteuid()));
    std::fs::create_dir_all(&home).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode;
    std::fs::set_permissions(&home, open(0o1777)).unwrap();
    home
}

async fn slot(home: &Path) -> File {
    loop {
        for number in 0..AT_MOST {
            let file = File::create(home.join(format!("slot-{number}"))).unwrap();
            match file.try_lock() {
                Ok(()) => return file,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(e)) => panic!("{e}"),
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The initialised folder; whoever comes first makes it.
fn template(home: &Path) -> PathBuf {
    let version = Command::new(bin().join("postgres")).arg("--version").output().unwrap().stdout;
    let version: String =
        String::from_utf8_lossy(&version).chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
    let template = home.join(format!("template-{version}"));
    let lock = File::create(home.join("template.lock")).unwrap();
    lock.lock().unwrap();
    if !template.exists() {
        let unfinished = home.join("unfinished");
        run(lowered("rm").arg("-rf").arg(&unfinished));
        let ctype = if cfg!(target_os = "macos") { "--lc-ctype=en_US.UTF-8" } else { "--lc-ctype=C.UTF-8" };
        let mut initdb = lowered(bin().join("initdb"));
        initdb.arg("-D").arg(&unfinished).args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            ctype,
        ]);
        run(&mut initdb);
        let mut single = lowered(bin().join("postgres"));
        single.args(["--single", "-c", "exit_on_error=on", "-D"]).arg(&unfinished).arg("template1");
        let mut child =
            single.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let roles = "create role dispense_owner login createdb\ncreate role dispense_app login\n\
                     grant pg_signal_backend to dispense_owner\n";
        child.stdin.take().unwrap().write_all(roles.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        std::fs::rename(&unfinished, &template).unwrap();
    }
    template
}

/// Ids of a process's children. PostgreSQL's are leaders of sessions of their own, so its group does not hold them.
fn children(parent: u32) -> Vec<u32> {
    let pairs = if Path::new("/proc/self/stat").exists() { pairs_of_proc() } else { pairs_of_ps() };
    pairs.into_iter().filter(|(_, ppid)| *ppid == parent).map(|(pid, _)| pid).collect()
}

fn pairs_of_proc() -> Vec<(u32, u32)> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pairs = entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // pid (name) state ppid …; the name may hold anything.
        let ppid = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
        Some((pid, ppid))
    });
    pairs.collect()
}

fn pairs_of_ps() -> Vec<(u32, u32)> {
    let out = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let pairs = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace().map(str::parse::<u32>);
        Some((words.next()?.ok()?, words.next()?.ok()?))
    });
    pairs.collect()
}
