//! (j) Slow and many: what a shopper waits while thousands of connections are slow, or open for nothing.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::shop::Shop;
use crate::{median, rounds, scaled, shop, verdict};

/// How many of each.
const SLOW: f64 = 1_000.0;
const IDLE: f64 = 5_000.0;
/// How long a round lasts, and how often the shopper asks.
const ROUND: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(5);
/// Wanted: at most twice the calm time, or this.
const MOST_MS: f64 = 50.0;

/// Each of the client's addresses has its share; there are enough of them.
const ADDRESSES: usize = 40;

const CONFIG: &str = "[connections]\nrequests_per_client = 10000\n";

#[derive(Clone, Copy, PartialEq)]
enum Load {
    Heads,
    Bodies,
    Readers,
    Idle,
}

const LOADS: [(&str, Load, f64); 4] = [
    ("slow heads", Load::Heads, SLOW),
    ("slow bodies", Load::Bodies, SLOW),
    ("slow readers", Load::Readers, SLOW),
    ("idle keep-alives", Load::Idle, IDLE),
];

pub async fn measure() {
    println!("\n(j) a shopper among slow and idle connections");
    // Both ends of some thousand connections: the client's are files too.
    let files = nix::sys::resource::Resource::RLIMIT_NOFILE;
    if let Ok((_, hard)) = nix::sys::resource::getrlimit(files) {
        let _ = nix::sys::resource::setrlimit(files, hard, hard);
    }
    let home = shop::folder();
    let shop = Shop::start_apart(home.path(), CONFIG);
    let (mut calm, mut ratios) = (Vec::new(), Vec::new());
    for round in 1..=rounds() {
        let before = p99(&shop.address, ROUND / 3).await;
        let stop = CancellationToken::new();
        let mut clients = JoinSet::new();
        let mut opened = Vec::new();
        for (name, load, count) in LOADS {
            let count = scaled(count);
            for n in 0..count {
                let (address, stop) = (shop.address.clone(), stop.clone());
                clients.spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = client(&address, load, n) => {}
                    }
                });
                // As fast as a listener's queue takes them.
                if n % 50 == 49 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
            opened.push(format!("{count} {name}"));
        }
        let under = p99(&shop.address, ROUND).await;
        println!(
            "    round {round}: p99 {before:.1} ms calm, {under:.1} ms beside {}; {:.0} MiB",
            opened.join(", "),
            shop.resident()
        );
        stop.cancel();
        while clients.join_next().await.is_some() {}
        calm.push(before);
        ratios.push(under);
    }
    let (calm, under) = (median(calm), median(ratios));
    let most = (2.0 * calm).max(MOST_MS);
    println!(
        "    median {calm:.1} ms calm, {under:.1} ms under load, wanted at most {most:.1}: {}",
        verdict(most / under, 1.0)
    );
    shop.stop();
}

/// From one of many addresses, with a small window.
async fn connect(address: &str, n: usize) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().ok()?;
    socket.set_recv_buffer_size(4_096).ok()?;
    socket.bind(SocketAddr::from(([127, 0, 1, (n % ADDRESSES) as u8 + 1], 0))).ok()?;
    socket.connect(address.parse().ok()?).await.ok()
}

/// One bad client; closed by the shop, it comes again.
async fn client(address: &str, load: Load, n: usize) {
    loop {
        if let Some(stream) = connect(address, n).await {
            let _ = behave(stream, load).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn behave(mut stream: TcpStream, load: Load) -> std::io::Result<()> {
    let first = match load {
        Load::Heads => "GET /healthz HTTP/1.1\r\nhost: bench\r\n",
        Load::Bodies => {
            "POST /graphql HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n{"
        }
        Load::Readers => "GET /schema.graphql HTTP/1.1\r\nhost: bench\r\n\r\n",
        Load::Idle => "GET /healthz HTTP/1.1\r\nhost: bench\r\n\r\n",
    };
    stream.write_all(first.as_bytes()).await?;
    let mut piece = [0; 512];
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        match load {
            Load::Heads => stream.write_all(b"x: y\r\n").await?,
            Load::Bodies => stream.write_all(b" ").await?,
            Load::Readers => {
                if stream.read(&mut piece[..64]).await? == 0 {
                    return Ok(());
                }
            }
            // Whatever came is read; then there is nothing until it is closed.
            Load::Idle => {
                while stream.read(&mut piece).await? > 0 {}
                return Ok(());
            }
        }
    }
}

/// The slowest of a hundred requests of a shopper who asks for this long, each on a connection of its own; milliseconds.
async fn p99(address: &str, long: Duration) -> f64 {
    let (began, mut times) = (Instant::now(), Vec::new());
    while began.elapsed() < long {
        let asked = Instant::now();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
        times.push(asked.elapsed().as_secs_f64() * 1_000.0);
        tokio::time::sleep(PAUSE).await;
    }
    times.sort_by(f64::total_cmp);
    times[(times.len() - 1) * 99 / 100]
}
