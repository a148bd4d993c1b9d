use std::collections::HashSet;

use dispense::base::actor::Actor;
use dispense::base::error_code::ErrorCode;
use dispense::base::outcome::Failure;
use dispense::catalogue::intake;
use dispense::vault::KeyFormat;
use dispense::vault::batch::NewBatch;
use dispense::vault::format::MIN_BITS;
use dispense::vault::generate::next_chunk;

use super::fixture::{insert_chunk, variant};
use crate::harness::TestApp;

fn checked(groups: u8, group_length: u8) -> KeyFormat {
    KeyFormat { prefix: "VC-".into(), groups, group_length, check: true, ..KeyFormat::default() }
}

/// Rows: K1.
#[test]
fn a_made_key_has_its_format_and_a_changed_letter_is_noticed() {
    let format = checked(4, 5);
    format.check(false, MIN_BITS).unwrap();
    let mut seen = HashSet::new();
    for _ in 0..500 {
        let key = format.make();
        let text = key.expose();
        assert!(text.starts_with("VC-") && text.len() == 3 + 4 * 5 + 3, "{text}");
        assert!(format.fits(text), "{text}");
        let last = text.chars().last().unwrap();
        let other = format.alphabet.chars().find(|c| *c != last).unwrap();
        assert!(!format.fits(&format!("{}{other}", &text[..text.len() - 1])));
        assert!(seen.insert(text.to_owned()), "two of 500 random keys are equal");
    }
    assert!(!format.fits("VC-AAAAA") && !format.fits("no key"));
}

/// Rows: K1.
#[test]
fn every_character_of_the_alphabet_is_as_likely_as_the_others() {
    let format = KeyFormat { groups: 1, group_length: 16, ..KeyFormat::default() };
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..5_000 {
        format.make().expose().chars().for_each(|c| *counts.entry(c).or_insert(0) += 1);
    }
    let fair = 5_000 * 16 / format.alphabet.len();
    assert_eq!(counts.len(), format.alphabet.len());
    // Nine standard deviations of a binomial count: never by chance, always with a plain modulo.
    let bound = 9 * (fair as f64).sqrt() as usize;
    assert!(counts.values().all(|n| fair.abs_diff(*n) < bound), "{counts:?}");
}

/// Rows: K1.
#[test]
fn a_weak_format_is_refused_with_its_strength_and_the_check_character_adds_none() {
    let refusal = checked(3, 5).check(false, MIN_BITS).unwrap_err();
    assert_eq!(refusal.code.as_str(), "FORMAT_TOO_WEAK");
    // 14 random characters out of 27 symbols: 14 * log2(27).
    assert!(refusal.message.contains("66.6 bits"), "{}", refusal.message);
    assert!(refusal.message.contains("14 random characters out of 27"), "{}", refusal.message);
    assert!(KeyFormat::default().bits() > 95.0);
}

/// Rows: K1.
#[test]
fn look_alikes_doubles_and_letters_of_both_cases_are_refused() {
    let with = |alphabet: &str| KeyFormat { alphabet: alphabet.into(), ..KeyFormat::default() };
    for bad in ["ABCDEFGHJKMNPQR0O", "AABCDEFGHJKMN", "ABCDE", "ABCDEFGHIJKL1", "ÄBCDEFGHJKMN"] {
        assert_eq!(with(bad).check(false, MIN_BITS).unwrap_err().code.as_str(), "INVALID", "{bad}");
    }
    let both = "ACDEFGHJKMNPacdefghjkmnp";
    assert!(with(both).check(false, MIN_BITS).is_ok());
    assert_eq!(with(both).check(true, MIN_BITS).unwrap_err().code.as_str(), "INVALID");
}

/// Rows: K1, K2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generated_batch_gets_exactly_the_number_asked_for_in_chunks() {
    let t = TestApp::start().await;
    let v = variant(&t).await;
    let system = Actor::system();
    let new = NewBatch::generate(v, 2_500, checked(4, 6));
    let mut batch = intake::open_batch(&t.app, &system, new).await.unwrap();
    let mut sizes = Vec::new();
    while let Some(chunk) = next_chunk(&batch, &t.app.clock, None).unwrap() {
        chunk.keys.iter().take(3).for_each(|k| t.canary(k.text.expose()));
        let mut tx = t.app.db.begin().await.unwrap();
        let done = insert_chunk(&mut tx, &t, &batch, chunk).await.unwrap();
        tx.commit().await.unwrap();
        sizes.push(done.added);
        batch = done.batch;
    }
    assert_eq!(sizes, [1_000, 1_000, 500]);
    assert_eq!((batch.added, batch.lines, batch.refused), (2_500, 2_500, 0));
    assert_eq!(t.db.one("select count(distinct fp) from vault_key where state = 'available'").await, "2500");
    assert_eq!(t.db.one("select uses from data_key").await, "2500");
    t.drain_all().await;
    assert_eq!(t.db.one("select state || ' ' || added from key_batch").await, "done 2500");
    t.finish().await;
}

/// Its maker was killed after one chunk.
/// Rows: K2, D5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_left_half_made_is_finished_by_its_job() {
    let t = TestApp::start().await;
    let v = variant(&t).await;
    let system = Actor::system();
    let batch =
        intake::open_batch(&t.app, &system, NewBatch::generate(v, 2_500, checked(4, 6))).await.unwrap();
    let chunk = next_chunk(&batch, &t.app.clock, None).unwrap().unwrap();
    let mut tx = t.app.db.begin().await.unwrap();
    insert_chunk(&mut tx, &t, &batch, chunk).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(t.drain().await, 0, "whoever opened it has a head start");
    t.drain_all().await;
    assert_eq!(t.db.one("select state || ' ' || added from key_batch").await, "done 2500");
    assert_eq!(t.db.one("select count(distinct fp) from vault_key").await, "2500");
    t.finish().await;
}

/// Rows: K1, K2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_too_weak_and_foreign_batches_are_refused_before_anything_is_written() {
    let t = TestApp::start().await;
    let v = variant(&t).await;
    let code = async |actor: Actor, new: NewBatch| match intake::open_batch(&t.app, &actor, new).await {
        Err(Failure::Refused(refusal)) => refusal.code,
        other => panic!("{other:?}"),
    };
    let strong = KeyFormat::default;
    assert_eq!(code(Actor::system(), NewBatch::generate(v, 1_000_001, strong())).await, ErrorCode::TooMany);
    assert_eq!(code(Actor::system(), NewBatch::generate(v, 0, strong())).await, ErrorCode::TooMany);
    assert_eq!(
        code(Actor::system(), NewBatch::generate(v, 5, checked(1, 5))).await,
        ErrorCode::FormatTooWeak
    );
    assert_eq!(code(Actor::guest(), NewBatch::generate(v, 5, strong())).await, ErrorCode::NotFound);
    let past = Some(t.app.clock.now());
    let stale = NewBatch { keys_expire_at: past, ..NewBatch::import(v) };
    assert_eq!(code(Actor::system(), stale).await, ErrorCode::Invalid);
    assert_eq!(
        t.db.one("select (select count(*) from key_batch) + (select count(*) from data_key)").await,
        "0"
    );
    t.finish().await;
}
