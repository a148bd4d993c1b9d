//! (d) How soon the shop serves, against PostgreSQL's own programs on the same kind of cluster, and its idle memory.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::unistd::User;

use crate::shop::{self, Shop};
use crate::{median, rounds};

pub async fn measure() {
    println!("\n(d) seconds until the shop serves / until a bare PostgreSQL takes connections");
    let (mut first, mut later, mut bare_first, mut bare_later, mut memory) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds() {
        let home = shop::folder();
        let shop = Shop::start(home.path());
        first.push(shop.ready_after.as_secs_f64());
        shop.stop();
        let shop = Shop::start(home.path());
        later.push(shop.ready_after.as_secs_f64());
        tokio::time::sleep(Duration::from_secs(2)).await;
        memory.push(shop.resident());
        shop.stop();
        bare_later.push(bare_start(home.path()));
        bare_first.push(bare_from_nothing());
    }
    let (first, later) = (median(first), median(later));
    let (bare_first, bare_later, memory) = (median(bare_first), median(bare_later), median(memory));
    let word = |met: bool| if met { "met" } else { "MISSED" };
    println!(
        "    existing data folder: {later:.2} / pg_ctl -w start of the same cluster {bare_later:.2} (wanted at most 0.3 more: {})",
        word(later <= bare_later + 0.3)
    );
    println!(
        "    first start: {first:.2} / initdb and start {bare_first:.2} (wanted at most 3 more: {})",
        word(first <= bare_first + 3.0)
    );
    println!("    idle memory of the server: {memory:.1} MiB (wanted under 25: {})", word(memory < 25.0));
}

/// Runs a program as the owner of `folder`, as PostgreSQL demands.
fn lowered(program: &str, folder: &Path) -> Command {
    use std::os::unix::fs::MetadataExt;
    let mut command = Command::new(shop::postgres_program(program));
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let owner = std::fs::metadata(folder).unwrap();
    if nix::unistd::getuid().is_root() && owner.uid() != 0 {
        command.uid(owner.uid()).gid(owner.gid());
    }
    command
}

fn timed_start(cluster: &Path, socket: &Path) -> f64 {
    let options = format!("-c listen_addresses= -c unix_socket_directories={} -c jit=off", socket.display());
    let began = Instant::now();
    let started = lowered("pg_ctl", cluster)
        .args(["-w", "-D"])
        .arg(cluster)
        .args(["-o", &options, "-l"])
        .arg(cluster.join("bare.log"))
        .arg("start")
        .status()
        .unwrap();
    let took = began.elapsed().as_secs_f64();
    assert!(started.success(), "pg_ctl did not start {}", cluster.display());
    let _ = lowered("pg_ctl", cluster).args(["-w", "-m", "fast", "-D"]).arg(cluster).arg("stop").status();
    took
}

/// The cluster that the shop has just left, started by pg_ctl.
fn bare_start(home: &Path) -> f64 {
    let root = shop::cluster_root(&home.join("data"));
    let cluster = std::fs::read_dir(&root)
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .find(|p| p.join("PG_VERSION").exists())
        .unwrap();
    timed_start(&cluster, &cluster)
}

fn bare_from_nothing() -> f64 {
    let home = shop::folder();
    let cluster = home.path().join("bare");
    std::fs::create_dir(&cluster).unwrap();
    if nix::unistd::getuid().is_root() {
        let user = User::from_name("postgres").unwrap().expect("a user postgres");
        std::os::unix::fs::chown(&cluster, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    }
    let began = Instant::now();
    let made = lowered("initdb", &cluster)
        .arg("-D")
        .arg(&cluster)
        .args(["-E", "UTF8", "--locale=C", "--data-checksums", "--no-instructions"])
        .status()
        .unwrap();
    assert!(made.success(), "initdb failed");
    let made = began.elapsed().as_secs_f64();
    made + timed_start(&cluster, &cluster)
}
