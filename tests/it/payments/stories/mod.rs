//! Stories drawn by chance over all gateways: at the end of each the gateways' own books equal the shop's. A seed
//! decides each of them. `make chaos` plays more; `CHAOS_SEED` says where to begin and `CHAOS_STORIES` how many.

pub mod books;
pub mod chance;
pub mod shop;
pub mod story;

use std::time::Instant;

use shop::Shop;
use story::{Story, play};

use super::street::street;

/// Shops that are played with at a time, each with its own gateways.
const LANES: usize = 2;

/// Stories between two proofs of a shop's database.
const BETWEEN_CHECKS: usize = 25;

pub fn setting(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")),
        Err(_) => otherwise,
    }
}

/// The stories of these seeds in one shop, and what `dispense check` has to say in between.
async fn lane(seeds: Vec<u64>) -> (Vec<Story>, Vec<String>) {
    let shop = Shop::open(street().await).await;
    let (mut reported, mut broken) = (Vec::new(), Vec::new());
    let mut since = seeds.first().copied().unwrap_or_default();
    for (index, seed) in seeds.iter().enumerate() {
        let story = play(&shop, *seed).await;
        show(&story);
        reported.push(story);
        if (index + 1) % BETWEEN_CHECKS == 0 || index + 1 == seeds.len() {
            if let Some(text) = broken_by_now(&shop).await {
                broken.push(format!("after one of the seeds {since} to {seed}:\n{text}"));
                // What is broken stays so: more stories would show the same again.
                break;
            }
            since = *seed;
        }
    }
    shop.street.t.finish_with_jobs().await;
    (reported, broken)
}

/// What `dispense check` finds in a shop's database.
pub async fn broken_by_now(shop: &Shop) -> Option<String> {
    let t = &shop.street.t;
    let report = match dispense::check::run(&t.app.db, &t.app.config.secrets).await {
        Ok(report) if report.is_clean() => return None,
        Ok(report) => report.to_string(),
        Err(error) => return Some(error.to_string()),
    };
    Some(report.lines().filter(|line| !line.starts_with("ok ")).collect::<Vec<_>>().join("\n"))
}

/// Prints a story that failed, so that it can be reported again.
fn show(story: &Story) {
    if story.faults.is_empty() {
        return;
    }
    let steps = story.steps.iter().map(|step| format!("  {step}\n")).collect::<String>();
    let faults = story.faults.iter().map(|fault| format!("  WRONG {fault}\n")).collect::<String>();
    println!("\nseed {seed} (CHAOS_SEED={seed} CHAOS_STORIES=1):\n{steps}{faults}", seed = story.seed);
}

/// Rows: P9, P11, P7.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stories_told_by_chance_end_with_the_gateways_books_equal_to_the_shops() {
    let (first, count) = (setting("CHAOS_SEED", 1), setting("CHAOS_STORIES", 60));
    println!("{count} stories from seed {first}");
    let started = Instant::now();
    let lanes = (0..LANES).map(|lane_number| {
        let seeds = (first..first + count).filter(|seed| (*seed - first) as usize % LANES == lane_number);
        tokio::spawn(lane(seeds.collect()))
    });
    let (mut reported, mut broken) = (Vec::new(), Vec::new());
    for done in futures::future::join_all(lanes).await {
        let (of_lane, of_check) = done.unwrap();
        reported.extend(of_lane);
        broken.extend(of_check);
    }
    reported.sort_by_key(|t| t.seed);
    let steps: usize = reported.iter().map(|t| t.steps.len()).sum();
    let seconds = started.elapsed().as_secs_f64();
    let failing: Vec<&Story> = reported.iter().filter(|t| !t.faults.is_empty()).collect();
    broken.iter().for_each(|text| println!("\nBROKEN {text}"));
    println!(
        "{} of {count} stories with {steps} steps in {seconds:.1} s, {:.1} a second: {} failed{}",
        reported.len(),
        reported.len() as f64 / seconds,
        failing.len(),
        failing.iter().map(|t| format!(" {}", t.seed)).collect::<String>(),
    );
    assert!(failing.is_empty() && broken.is_empty(), "{} stories failed, see above", failing.len());
}
