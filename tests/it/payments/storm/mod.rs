//! A shop of two server processes that are killed, and their database too, while buyers pay at every gateway, money goes
//! back in every form, keys come in and mails leave. At the end the gateways' own books equal the shop's, and no key went
//! to two. `make storm` makes three of two minutes; `STORM_SECONDS` says how long one lasts, `STORM_SEED` which.

pub mod buyers;
mod proof;
mod seller;
mod trouble;
mod world;

use std::time::{Duration, Instant};

use dispense::base::clock::random;

use super::stories::setting;
use world::World;

/// Seconds of the storm in the suite. Only what must hold whatever the moments of the kills is asserted of it: the program's
/// own check, the audit chain, no key for two. The gateways' books are compared by `make storm`.
const SHORT: u64 = 4;

/// Buyers at a time.
const BUYERS: u64 = 24;

/// Rows: P5, P6, P7, P9, P11, X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_of_kills_amid_refunds_and_disputes_leaves_both_sides_books_equal() {
    let seconds = setting("STORM_SECONDS", SHORT);
    let seed = setting("STORM_SEED", u64::from(u32::from_be_bytes(random())));
    println!("a storm of {seconds} s by seed {seed}");
    let world = World::open().await;
    let started = Instant::now();
    let buying = (0..BUYERS).map(|n| tokio::spawn(buyers::buy(world.clone(), seed.wrapping_add(n << 32))));
    let buying: Vec<_> = buying.collect();
    let others = [
        tokio::spawn(seller::fill(world.clone(), seed)),
        tokio::spawn(trouble::kill(world.clone(), seed)),
        tokio::spawn(trouble::vex(world.clone(), seed)),
    ];
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    world.end();
    let mut bought = Vec::new();
    for buyer in buying {
        bought.extend(buyer.await.unwrap());
    }
    println!("{} orders after {:.0} s", bought.len(), started.elapsed().as_secs_f64());
    for other in others {
        other.await.unwrap();
    }
    let world = std::sync::Arc::into_inner(world).expect("everybody has gone");
    let blown = started.elapsed();
    proof::prove(world, bought, blown, seconds > SHORT).await;
}
