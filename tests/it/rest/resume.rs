//! Imports that break off and are gone on with.

use bytes::Bytes;
use dispense::base::actor::{Actor, Role};
use dispense::base::ids::{BatchId, VariantId};
use dispense::catalogue::intake;
use dispense::vault::Batch;
use dispense::vault::batch::{self, NewBatch};
use serde_json::{Value, json};

use crate::harness::TestApp;

/// A shop whose admin brings keys in.
struct Importer {
    t: TestApp,
    token: String,
    variant: VariantId,
}

impl Importer {
    async fn start() -> Self {
        let t = TestApp::start().await;
        let variant = t.variant_on_sale("key", 500).await;
        t.person("boss@shop.example", &[Role::Admin]).await;
        let token = t.sign_in("boss@shop.example").await.tokens.access.expose().to_owned();
        Self { t, token, variant }
    }

    async fn open(&self) -> BatchId {
        intake::open_batch(&self.t.app, &Actor::system(), NewBatch::import(self.variant)).await.unwrap().id
    }

    async fn batch(&self, id: BatchId) -> Batch {
        batch::get(&mut self.t.app.db.conn().await.unwrap(), &Actor::system(), id).await.unwrap()
    }

    async fn send(
        &self,
        id: BatchId,
        headers: &[(&str, String)],
        body: impl Into<reqwest::Body>,
    ) -> (u16, Value) {
        let mut request =
            self.t.http().post(format!("{}/keys/import/{id}", self.t.base)).bearer_auth(&self.token);
        request = request.header("content-type", "text/plain");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = request.body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }

    /// Sends the beginning of a body and breaks off; the batch as it is left.
    async fn broken(&self, id: BatchId, beginning: &[u8], lines: i64) -> Batch {
        let pieces: Vec<std::io::Result<Bytes>> = vec![Ok(Bytes::copy_from_slice(beginning))];
        let endless =
            futures::stream::StreamExt::chain(futures::stream::iter(pieces), futures::stream::pending());
        let request =
            self.t.http().post(format!("{}/keys/import/{id}", self.t.base)).bearer_auth(&self.token);
        let request = request.header("content-type", "text/plain").body(reqwest::Body::wrap_stream(endless));
        let sent = tokio::spawn(request.send());
        let stored = format!("select lines = {lines} from key_batch where id = '{}'", id.0);
        self.t.wait_until(&stored).await;
        sent.abort();
        let _ = sent.await;
        self.batch(id).await
    }

    async fn stored(&self) -> i64 {
        self.t.db.one("select count(*) from vault_key").await.parse().unwrap()
    }
}

fn lines(numbers: std::ops::Range<usize>) -> String {
    numbers.map(|n| format!("KEY-{n:06}\r\n")).collect()
}

fn code(answer: (u16, Value)) -> String {
    format!("{} {}", answer.0, answer.1["code"].as_str().unwrap_or("none"))
}

/// Rows: K2, K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rest_of_a_broken_file_is_taken_where_it_says_and_never_lost_where_it_does_not() {
    let shop = Importer::start().await;
    let file = lines(0..3_000);
    let id = shop.open().await;
    let left = shop.broken(id, &file.as_bytes()[..file.len() * 9 / 10], 2_000).await;
    assert_eq!((left.lines, left.added, left.bytes), (2_000, 2_000, lines(0..2_000).len() as i64));
    let rest = lines(2_000..3_000);
    // The rest alone, without saying that it is one: shorter than what is stored, and longer.
    assert_eq!(code(shop.send(id, &[], rest.clone()).await), "409 IMPORT_OTHER_FILE");
    assert_eq!(code(shop.send(id, &[], lines(2_000..6_000)).await), "409 IMPORT_OTHER_FILE");
    let offset = |by: i64| [("upload-offset", (left.bytes + by).to_string())];
    assert_eq!(code(shop.send(id, &offset(1), rest.clone()).await), "409 IMPORT_GAP");
    assert_eq!(code(shop.send(id, &offset(-11), rest.clone()).await), "409 IMPORT_OVERLAP");
    let line = |number: i64| [("upload-line", number.to_string())];
    assert_eq!(code(shop.send(id, &line(2_002), rest.clone()).await), "409 IMPORT_GAP");
    assert_eq!(code(shop.send(id, &line(2_000), rest.clone()).await), "409 IMPORT_OVERLAP");
    for (name, value) in [
        ("upload-offset", "-1"),
        ("upload-offset", "x"),
        ("upload-line", "0"),
        ("upload-line", ""),
        ("upload-offset", "99999999999999999999"),
    ] {
        let answer = shop.send(id, &[(name, value.to_owned())], rest.clone()).await;
        assert_eq!(code(answer), "400 INVALID", "{name}: {value}");
    }
    let both = [("upload-offset", left.bytes.to_string()), ("upload-line", "2001".to_owned())];
    assert_eq!(code(shop.send(id, &both, rest.clone()).await), "400 INVALID");
    assert_eq!(shop.stored().await, 2_000, "nothing of it was stored");

    let look = shop.t.http().head(format!("{}/keys/import/{id}", shop.t.base)).bearer_auth(&shop.token);
    let look = look.send().await.unwrap();
    assert_eq!(look.status().as_u16(), 200);
    assert_eq!(look.headers()["upload-offset"], left.bytes.to_string());
    assert_eq!(look.headers()["upload-line"], "2001");
    let (status, report) = shop.send(id, &offset(0), rest.clone()).await;
    assert_eq!(status, 200, "{report}");
    assert_eq!(
        (&report["lines"], &report["added"], &report["refused"]),
        (&json!(3_000), &json!(3_000), &json!(0))
    );
    assert_eq!((&report["storedBefore"], &report["skipped"]), (&json!(2_000), &json!(0)));
    assert_eq!(report["offset"], json!(file.len()));

    // The batch has ended: the same again changes nothing, anything else is refused and nothing of it is stored.
    let (status, report) = shop.send(id, &[], file.clone()).await;
    assert_eq!(
        (status, &report["skipped"], &report["added"]),
        (200, &json!(3_000), &json!(3_000)),
        "{report}"
    );
    assert_eq!(code(shop.send(id, &[], lines(0..3_001)).await), "422 IMPORT_ALREADY_COMMITTED");
    assert_eq!(code(shop.send(id, &[], lines(0..2_999)).await), "409 IMPORT_OTHER_FILE");
    assert_eq!(code(shop.send(id, &[], lines(5_000..5_010)).await), "409 IMPORT_OTHER_FILE");
    assert_eq!(
        code(shop.send(id, &[("upload-line", "3001".to_owned())], "NEW-KEY-1").await),
        "422 IMPORT_ALREADY_COMMITTED"
    );
    assert_eq!(shop.stored().await, 3_000);
    shop.t.finish_with_jobs().await;
}

/// Rows: K2, K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_file_again_goes_on_where_it_was_and_another_one_is_refused() {
    let shop = Importer::start().await;
    let file = lines(0..2_500);
    let id = shop.open().await;
    shop.broken(id, &file.as_bytes()[..file.len() / 2], 1_000).await;
    for other in [
        file.replacen("KEY-000000", "key-000000", 1),
        file.replacen("KEY-000999", "KEY-999999", 1),
        format!("\n{file}"),
        lines(0..999),
        String::new(),
    ] {
        assert_eq!(code(shop.send(id, &[], other).await), "409 IMPORT_OTHER_FILE");
    }
    assert_eq!(shop.stored().await, 1_000);
    // Offset 0 and line 1 are the beginning. What a program writes as line ends is no part of the lines.
    let (status, report) =
        shop.send(id, &[("upload-offset", "0".to_owned())], file.replace("\r\n", "\n")).await;
    assert_eq!(status, 200, "{report}");
    assert_eq!((&report["lines"], &report["added"]), (&json!(2_500), &json!(2_500)));
    assert_eq!((&report["storedBefore"], &report["skipped"]), (&json!(1_000), &json!(1_000)));
    shop.t.finish_with_jobs().await;
}

/// Rows: K2, K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_two_byte_units_goes_on_too_and_its_rest_may_come_in_another_encoding() {
    let shop = Importer::start().await;
    let wide: Vec<u8> =
        format!("\u{feff}{}", lines(0..2_500)).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let id = shop.open().await;
    let left = shop.broken(id, &wide[..wide.len() / 2], 1_000).await;
    assert_eq!(left.encoding.as_deref(), Some("utf-16le"));
    let rest = wide[left.bytes as usize..].to_vec();
    let (status, report) = shop.send(id, &[("upload-offset", left.bytes.to_string())], rest).await;
    assert_eq!((status, &report["added"]), (200, &json!(2_500)), "{report}");
    let second = shop.open().await;
    let wide: Vec<u8> =
        format!("\u{feff}{}", lines(10_000..12_500)).encode_utf16().flat_map(u16::to_be_bytes).collect();
    shop.broken(second, &wide[..wide.len() / 2], 1_000).await;
    let (status, report) = shop
        .send(second, &[("upload-line", "1001".to_owned())], format!("\u{feff}{}", lines(11_000..12_500)))
        .await;
    assert_eq!((status, &report["added"], &report["refused"]), (200, &json!(2_500), &json!(0)), "{report}");
    assert_eq!(shop.stored().await, 5_000);
    shop.t.finish_with_jobs().await;
}

/// Rows: K2, K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_send_to_one_batch_at_once_none_loses_keys_under_a_success() {
    let shop = Importer::start().await;
    for round in 0..4 {
        let id = shop.open().await;
        let (from, before) = (round * 10_000, shop.stored().await);
        let file = lines(from..from + 4_000);
        let other = if round % 2 == 0 { file.clone() } else { lines(from + 5_000..from + 8_000) };
        let (a, b) = tokio::join!(shop.send(id, &[], file.clone()), shop.send(id, &[], other.clone()));
        let sent = [(a, &file), (b, &other)];
        assert!(
            sent.iter().any(|(answer, _)| answer.0 == 200) || sent.iter().any(|(answer, _)| answer.0 == 409)
        );
        for (answer, body) in sent {
            if answer.0 == 200 {
                assert_eq!(answer.1["lines"], json!(body.lines().count()), "{answer:?}");
            } else {
                let codes = ["409 IN_PROGRESS", "409 IMPORT_OTHER_FILE", "422 IMPORT_ALREADY_COMMITTED"];
                assert!(codes.contains(&code(answer.clone()).as_str()), "{answer:?}");
            }
        }
        // Whoever was turned away sends again.
        let batch = shop.batch(id).await;
        if batch.state.as_str() == "running" {
            for _ in 0..2 {
                shop.send(id, &[], file.clone()).await;
                shop.send(id, &[], other.clone()).await;
            }
        }
        let batch = shop.batch(id).await;
        assert_eq!(batch.state.as_str(), "done");
        assert_eq!(batch.added, batch.lines);
        assert!([file, other].iter().any(|body| body.lines().count() as i64 == batch.lines));
        assert_eq!(shop.stored().await - before, batch.added);
    }
    let report = dispense::check::run(&shop.t.app.db, &shop.t.app.config.secrets).await.unwrap();
    assert!(report.is_clean(), "{report}");
    shop.t.finish_with_jobs().await;
}

/// Rows: K2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_says_where_it_goes_on_and_made_keys_take_no_file() {
    let shop = Importer::start().await;
    let id = shop.open().await;
    let file = lines(0..1_500);
    let left = shop.broken(id, &file.as_bytes()[..file.len() - 20], 1_000).await;
    let query = "query($id: ID!) { node(id: $id) { ... on KeyBatch { lines offset state } } }";
    let body = json!({ "query": query, "variables": { "id": id.to_string() } }).to_string();
    let request = shop.t.http().post(format!("{}/graphql", shop.t.base)).bearer_auth(&shop.token);
    let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
    let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let expected = json!({ "lines": "1000", "offset": left.bytes.to_string(), "state": "RUNNING" });
    assert_eq!(answer["data"]["node"], expected, "{answer}");
    // One that an earlier program read, which kept no digest: nobody knows which file it was.
    shop.t.db.sql("update key_batch set digest = null, encoding = null, bytes = 0").await;
    assert_eq!(code(shop.send(id, &[], file.clone()).await), "409 IMPORT_OTHER_FILE");
    assert_eq!(
        code(shop.send(id, &[("upload-line", "1001".to_owned())], lines(1_000..1_500)).await),
        "409 IMPORT_OTHER_FILE"
    );
    let fresh = shop.open().await;
    let (status, report) = shop.send(fresh, &[], file).await;
    assert_eq!((status, &report["added"], &report["refused"]), (200, &json!(500), &json!(1_000)));
    let made = intake::open_batch(&shop.t.app, &Actor::system(), NewBatch::generate(shop.variant, 10, None))
        .await
        .unwrap();
    assert_eq!(code(shop.send(made.id, &[], "KEY-FOREIGN").await), "400 INVALID");
    shop.t.finish_with_jobs().await;
}
