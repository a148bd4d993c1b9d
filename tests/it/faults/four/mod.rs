//! Two servers and two workers, one of the four killed at random every second and started again, while buyers pay at every
//! gateway for keys and for what a supplier sells, keys come in, mails leave and events go to endpoints. Then nobody is
//! killed any more, and everything must come to its end: delivered, imported, sent, and the same in the books of the
//! gateways, of the supplier and of the receiver. `KILLS_SECONDS` says how long the killing lasts, `KILLS_SEED` which it is.

mod load;
mod proof;
mod world;

use std::time::{Duration, Instant};

use dispense::base::clock::random;

use crate::payments::stories::setting;
use world::World;

/// Seconds of killing in the suite. `make storm` kills for a minute.
const SHORT: u64 = 8;

/// Buyers at a time, and sellers who bring keys.
const BUYERS: u64 = 8;
const SELLERS: u64 = 2;

/// Rows: P5, P6, P7, D1, D5, D7, D9, K2, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_servers_and_two_workers_of_which_one_is_killed_every_second_lose_nothing_and_do_nothing_twice() {
    let seconds = setting("KILLS_SECONDS", SHORT);
    let seed = setting("KILLS_SEED", u64::from(u32::from_be_bytes(random())));
    println!("{seconds} s of kills by seed {seed}");
    let world = World::open().await;
    let started = Instant::now();
    let buying = (0..BUYERS).map(|n| tokio::spawn(load::buy(world.clone(), seed, n)));
    let buying: Vec<_> = buying.collect();
    let selling = (0..SELLERS).map(|n| tokio::spawn(load::bring(world.clone(), seed, n)));
    let selling: Vec<_> = selling.collect();
    let others =
        [tokio::spawn(world::kill(world.clone(), seed)), tokio::spawn(load::vex(world.clone(), seed))];
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    world.end();
    for other in others {
        other.await.unwrap();
    }
    let mut bought = Vec::new();
    for buyer in buying {
        bought.extend(buyer.await.unwrap());
    }
    for seller in selling {
        seller.await.unwrap();
    }
    println!("{} orders after {:.0} s", bought.len(), started.elapsed().as_secs_f64());
    let world = std::sync::Arc::into_inner(world).expect("everybody has gone");
    proof::prove(world, bought).await;
}
