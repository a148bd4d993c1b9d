//! What makes it a storm: kills of servers and database, servers that stand still, gateways and a mail server in trouble.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use super::world::World;
use crate::harness::Trouble;
use crate::payments::stories::chance::Chance;

/// Kills a server or two, or the database, every few seconds; the killed one comes back.
pub async fn kill(world: Arc<World>, seed: u64) {
    let mut chance = Chance::of(seed ^ 0x0dead);
    for turn in 1.. {
        if world.is_over() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(700 + chance.below(2_500) as u64)).await;
        let away = Duration::from_millis(chance.below(800) as u64);
        match chance.below(10) {
            _ if turn % 6 == 3 => {
                let mut cluster = world.cluster.lock().await;
                cluster.kill();
                tokio::time::sleep(away).await;
                cluster.restart().await;
                world.counts.database_kills.fetch_add(1, Ordering::Relaxed);
            }
            0 | 1 => {
                tokio::join!(kill_server(&world, 0, away), kill_server(&world, 1, away));
            }
            2 => pause_server(&world, chance.below(2), away * 3).await,
            n => kill_server(&world, n % 2, away).await,
        }
    }
}

async fn kill_server(world: &World, place: usize, away: Duration) {
    let mut held = world.servers[place].lock().await;
    let mut server = held.take().unwrap();
    server.kill();
    world.logs.lock().unwrap().push(server.log());
    world.counts.kills.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(away).await;
    let started = tokio::task::spawn_blocking(move || server.start_again()).await.unwrap();
    world.front.set(place, &started.address);
    *held = Some(started);
}

/// One that stands still and goes on: what it held was perhaps done by another meanwhile.
async fn pause_server(world: &World, place: usize, still: Duration) {
    let held = world.servers[place].lock().await;
    let server = held.as_ref().unwrap();
    server.signal(Signal::SIGSTOP);
    tokio::time::sleep(still).await;
    server.signal(Signal::SIGCONT);
    world.counts.pauses.fetch_add(1, Ordering::Relaxed);
}

/// Gateways and the mail server misbehave for moments.
pub async fn vex(world: Arc<World>, seed: u64) {
    let mut chance = Chance::of(seed ^ 0x0bad);
    let simulator = &world.shop.street.simulator;
    while !world.is_over() {
        let reported = *chance.pick(&["sum_last", "sum_first", "sum_alone", "refund_alone"]);
        let trouble = match chance.below(10) {
            0 => json!({ "fail_calls": true }),
            1 => json!({ "spoil_answers": true, "report": reported }),
            2 => json!({ "forge_answers": true }),
            3 | 4 => json!({ "refunds": "pending", "report": reported }),
            5 => json!({ "refunds": "failed" }),
            _ => json!({ "report": reported }),
        };
        simulator.set_trouble(trouble).unwrap();
        world.smtp.next(match chance.below(4) {
            0 => Trouble::CutAfterDot,
            1 => Trouble::Say("RCPT", "451 later"),
            2 => Trouble::Cut("DATA"),
            _ => Trouble::Say(".", "452 full"),
        });
        tokio::time::sleep(Duration::from_millis(200 + chance.below(600) as u64)).await;
    }
    simulator.set_trouble(json!({})).unwrap();
}
