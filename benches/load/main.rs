//! Ratios of speed and memory, from one run on one machine. A program of its own: it starts the shop's release build as
//! a child, speaks to it over HTTP, and does the same work by other means beside it.
//!
//! `load [notices|claims|catalogue|readiness|live|stock|licences|outbox|doors|retention|timing|scale]`; nothing is everything.

mod admin;
mod catalogue;
mod claims;
mod client;
mod doors;
mod licences;
mod live;
mod notices;
mod orders;
mod outbox;
mod readiness;
mod retention;
mod scale;
mod shop;
mod stock;
mod timing;

use std::time::Duration;

/// The middle one of some figures.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    if figures.is_empty() { 0.0 } else { figures[figures.len() / 2] }
}

fn setting(name: &str, default: f64) -> f64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn rounds() -> usize {
    setting("BENCH_ROUNDS", 3.0) as usize
}

fn scaled(count: f64) -> usize {
    (count * setting("BENCH_SCALE", 1.0)) as usize
}

fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

fn verdict(ratio: f64, wanted: f64) -> &'static str {
    if ratio >= wanted { "met" } else { "MISSED" }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    if arguments.first().is_some_and(|a| a == "fixed") {
        return catalogue::serve_fixed().await;
    }
    let wants = |part: &str| arguments.is_empty() || arguments.iter().any(|a| a == part);
    conditions().await;
    if wants("readiness") {
        readiness::measure().await;
    }
    if wants("notices") {
        notices::measure().await;
    }
    if wants("claims") {
        claims::measure().await;
    }
    if wants("catalogue") {
        catalogue::measure().await;
    }
    if wants("live") {
        live::measure().await;
    }
    if wants("stock") {
        stock::measure().await;
    }
    if wants("licences") {
        licences::measure().await;
    }
    if wants("outbox") {
        outbox::measure().await;
    }
    if wants("doors") {
        doors::measure().await;
    }
    if wants("retention") {
        retention::measure().await;
    }
    if wants("timing") {
        timing::measure().await;
    }
    // It takes a quarter of an hour: only where it is named.
    if arguments.iter().any(|a| a == "scale") {
        scale::measure().await;
    }
}

async fn conditions() {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.lines().next().unwrap_or_default().trim_start_matches("MemTotal:").trim().to_owned();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let version = shop::output("postgres", &["--version"]);
    println!("cores: {cores}; memory: {memory}; load before: {}", load.trim());
    println!("server: {}; client, server and database share the cores", version.trim());
    println!("rounds: {}, interleaved; medians; scale {}", rounds(), setting("BENCH_SCALE", 1.0));
}
