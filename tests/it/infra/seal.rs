use dispense::app::App;
use dispense::base::clock::Clock;
use dispense::config::{Bytes32, RingKey};
use dispense::infra::data_keys;
use dispense::infra::seal::{SealError, SealedPlace, Sealer};
use uuid::Uuid;

use crate::harness::{TestApp, test_config};

fn key(id: &str, fill: u8) -> RingKey {
    RingKey { id: id.into(), bytes: Bytes32::new([fill; 32]) }
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

const HERE: SealedPlace = SealedPlace { column: "t.c", row: Uuid::from_u128(1), owner: Uuid::from_u128(2) };

/// Rows: K4.
#[test]
fn what_is_sealed_opens_in_its_own_place_only() {
    let sealer = Sealer::new(&[key("k1", 1)], &key("f", 9)).unwrap();
    let (data_key, _) = sealer.make_data_key(id(7)).unwrap();
    let (other_key, _) = sealer.make_data_key(id(8)).unwrap();
    let sealed = sealer.seal(&data_key, HERE, b"secret").unwrap();
    assert_eq!(sealed.len(), 1 + 12 + 6 + 16, "format byte, nonce, text, tag");
    assert_eq!(sealer.open(&data_key, HERE, &sealed).unwrap().as_slice(), b"secret");
    for moved in [
        SealedPlace { column: "t.d", ..HERE },
        SealedPlace { row: id(3), ..HERE },
        SealedPlace { owner: id(3), ..HERE },
    ] {
        assert_eq!(sealer.open(&data_key, moved, &sealed).unwrap_err(), SealError::Broken);
    }
    assert_eq!(sealer.open(&other_key, HERE, &sealed).unwrap_err(), SealError::Broken);
    for index in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[index] ^= 1;
        assert_eq!(sealer.open(&data_key, HERE, &changed).unwrap_err(), SealError::Broken, "byte {index}");
        assert!(sealer.open(&data_key, HERE, &sealed[..index]).is_err(), "cut at {index}");
    }
    assert_ne!(sealer.seal(&data_key, HERE, b"secret").unwrap(), sealed, "a nonce is never used twice");
}

/// Rows: K4.
#[test]
fn a_data_key_opens_under_any_key_of_the_ring_and_is_wrapped_again_by_the_first() {
    let old = Sealer::new(&[key("k1", 1)], &key("f", 9)).unwrap();
    let (data_key, wrapped) = old.make_data_key(id(7)).unwrap();
    let sealed = old.seal(&data_key, HERE, b"secret").unwrap();

    let ring = Sealer::new(&[key("k2", 2), key("k1", 1)], &key("f", 9)).unwrap();
    let same = ring.unwrap_data_key(&wrapped).unwrap();
    assert_eq!(ring.open(&same, HERE, &sealed).unwrap().as_slice(), b"secret");
    let rewrapped = ring.rewrap(&wrapped).unwrap().unwrap();
    assert_eq!((rewrapped.kek_id.as_str(), ring.rewrap(&rewrapped).unwrap()), ("k2", None));

    let new = Sealer::new(&[key("k2", 2)], &key("f", 9)).unwrap();
    assert!(matches!(new.unwrap_data_key(&wrapped), Err(SealError::UnknownKey(id)) if id == "k1"));
    let same = new.unwrap_data_key(&rewrapped).unwrap();
    assert_eq!(new.open(&same, HERE, &sealed).unwrap().as_slice(), b"secret");

    let mut renamed = rewrapped.clone();
    renamed.id = id(8);
    assert!(
        matches!(new.unwrap_data_key(&renamed), Err(SealError::Broken)),
        "a wrapped key moved to another row"
    );
    let liar = Sealer::new(&[key("k2", 3)], &key("f", 9)).unwrap();
    assert!(
        matches!(liar.unwrap_data_key(&rewrapped), Err(SealError::Broken)),
        "another key of the same name"
    );
}

/// Rows: K4.
#[test]
fn a_small_secret_is_bound_to_its_purpose_and_row() {
    let old = Sealer::new(&[key("k1", 1)], &key("f", 9)).unwrap();
    let blob = old.seal_small("refresh", id(1), b"token").unwrap();
    let ring = Sealer::new(&[key("k2", 2), key("k1", 1)], &key("f", 9)).unwrap();
    assert_eq!(ring.open_small("refresh", id(1), &blob).unwrap().as_slice(), b"token");
    assert_eq!(ring.open_small("refresh", id(2), &blob).unwrap_err(), SealError::Broken);
    assert_eq!(ring.open_small("other", id(1), &blob).unwrap_err(), SealError::Broken);
    let new = Sealer::new(&[key("k2", 2)], &key("f", 9)).unwrap();
    assert_eq!(new.open_small("refresh", id(1), &blob).unwrap_err(), SealError::UnknownKey("k1".into()));
    for cut in 0..blob.len() {
        assert!(ring.open_small("refresh", id(1), &blob[..cut]).is_err());
    }
}

/// Rows: K3.
#[test]
fn a_fingerprint_depends_on_the_seller_and_the_text_as_it_is_compared() {
    let sealer = Sealer::new(&[key("k1", 1)], &key("f", 9)).unwrap();
    let print = |seller: u128, text: &str, fold| sealer.fingerprint(id(seller), text, fold);
    assert_eq!(print(1, "cafe\u{301}", false), print(1, "  caf\u{e9}\r\n", false));
    assert_ne!(print(1, "ABC", false), print(1, "abc", false));
    assert_eq!(print(1, "ABC", true), print(1, "abc", true));
    assert_ne!(print(1, "abc", false), print(2, "abc", false));
    let other = Sealer::new(&[key("k1", 1)], &key("f", 8)).unwrap();
    assert_ne!(print(1, "abc", false), other.fingerprint(id(1), "abc", false));
}

/// Rows: K4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_refuses_to_start_without_a_key_that_stored_secrets_need() {
    let t = TestApp::start().await;
    let (_, wrapped) = t.app.sealer.make_data_key(t.app.clock.uuid()).unwrap();
    let mut conn = t.app.db.conn().await.unwrap();
    data_keys::insert(&mut conn, &wrapped).await.unwrap();

    let start = async |ring: Vec<RingKey>| {
        let mut config = test_config(t.data.path());
        config.secrets.vault = ring;
        App::start(config, Clock::default(), &t.db.app_url()).await
    };
    let first = t.app.config.secrets.vault[0].clone();
    let refusal = start(vec![key("k9", 9)]).await.err().unwrap();
    assert!(refusal.to_string().contains(&first.id), "{refusal}");

    let rotating = start(vec![key("k9", 9), first]).await.unwrap();
    assert_eq!(data_keys::rewrap(&mut conn, &rotating.sealer, 100).await.unwrap(), 1);
    assert_eq!(data_keys::rewrap(&mut conn, &rotating.sealer, 100).await.unwrap(), 0);
    start(vec![key("k9", 9)]).await.unwrap();
    drop((conn, rotating));
    t.finish().await;
}
