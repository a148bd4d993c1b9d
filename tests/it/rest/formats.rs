//! Files of keys in every form.

use dispense::infra::seal::Sealer;
use dispense::vault::import::{ChunkReader, LONGEST_KEY, Mark};
use dispense::vault::layout::{KeyFileFormat, Layout};
use serde_json::{Value, json};

use super::desk::{Desk, problems, raw};
use crate::harness::test_config;

/// Rows: K2 (keyImportCreate, seller), K14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_read_as_their_header_says_and_a_bad_one_loses_no_other() {
    let desk = Desk::open().await;
    let variant = desk.t.variant_on_sale("key", 500).await;
    desk.t.canary("CANARY-");
    let fields = json!({ "format": "CSV", "columns": { "key": "code", "expiresAt": "until" } });
    let file = "\u{feff}note,code,until\r\n\
        first,CANARY-1,\r\n\
        \"a \"\"quoted\"\" note\",\"CANARY-2,with a comma\",2099-01-31T10:00:00+08:00\r\n\
        two lines,\"CANARY-3\nsecond line\",2099-02-01\r\n\
        \r\n\
        short,CANARY-4\r\n\
        long,CANARY-5,,more\r\n\
        never closed,\"CANARY-6,\r\n\
        seventh,CANARY-7,\r\n\
        badly,\"CANARY-8\"x,\r\n\
        over,CANARY-9,2001-01-01\r\n\
        nonsense,CANARY-10,soon\r\n\
        empty,,\r\n\
        again, CANARY-1 ,\r\n\
        hidden,CANARY\u{200b}-11,\r\n\
        last,CANARY-12,";
    let report = desk.take(variant, fields, "text/csv; charset=utf-8", file).await;
    let expected = [
        "7:WRONG_COLUMNS",
        "8:WRONG_COLUMNS",
        "9:INVALID_CSV",
        "11:INVALID_CSV",
        "12:EXPIRED",
        "13:INVALID_EXPIRY",
        "14:NO_KEY",
        "15:DUPLICATE",
        "16:HIDDEN_CHARACTER",
    ];
    assert_eq!(problems(&report), expected);
    assert_eq!(
        (&report["added"], &report["refused"], &report["duplicates"]),
        (&json!(5), &json!(9), &json!(1))
    );
    assert_eq!(
        desk.keys(variant).await,
        ["CANARY-1", "CANARY-2,with a comma", "CANARY-3\nsecond line", "CANARY-7", "CANARY-12"]
    );
    let dates =
        "select string_agg(coalesce(nullif(expires_at, 'infinity')::text, 'never'), ' ' order by pos) from
        (select expires_at at time zone 'UTC' as expires_at, pos from vault_key) k";
    assert_eq!(desk.t.db.one(dates).await, "never 2099-01-31 02:00:00 2099-02-01 00:00:00 never never");
    let batch = desk
        .batch(report["id"].as_str().unwrap(), "format state added refused duplicates problems { line code }")
        .await;
    assert_eq!(
        (&batch["format"], &batch["state"], &batch["duplicates"]),
        (&json!("CSV"), &json!("DONE"), &json!("1"))
    );
    assert_eq!(batch["problems"][2], json!({ "line": "9", "code": "INVALID_CSV" }));
    desk.sound().await;
    desk.t.finish_with_jobs().await;
}

/// Rows: K2 (keyImportCreate), K14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_and_keys_of_several_lines_are_read_and_dates_of_the_batch_fill_in() {
    let desk = Desk::open().await;
    let (variant, blocks) =
        (desk.t.variant_on_sale("key", 500).await, desk.t.variant_on_sale("key", 500).await);
    desk.t.canary("CANARY-");
    let fields =
        json!({ "format": "JSONL", "columns": { "key": "licence" }, "keysExpireAt": "2098-01-01T00:00:00Z" });
    let file = "{\"licence\": \"CANARY-A1\", \"expires_at\": \"2097-05-05T00:00:00Z\", \"x\": [1, {\"y\": 2}]}\n\
        \"CANARY-A2\"\n\n{\"licence\": \"CANARY-A3\\nsecond\", \"expires_at\": null}\n{\"licence\": 17}\n{\"key\": \"CANARY-A4\"}\n\
        {\"licence\": \"CANARY-A5\"\n[1]\n{\"licence\": \"CANARY-A6\", \"expires_at\": 5}\n{\"licence\": \" \"}\n";
    for kind in ["application/json", "text/csv"] {
        let batch = desk.import(variant, fields.clone()).await;
        assert_eq!(desk.send(&batch, kind, file).await.0, 415, "{kind}");
    }
    let report = desk.take(variant, fields, "application/x-ndjson", file).await;
    assert_eq!(
        problems(&report),
        ["5:NO_KEY", "6:NO_KEY", "7:INVALID_JSON", "8:INVALID_JSON", "9:INVALID_EXPIRY", "10:NO_KEY"]
    );
    assert_eq!(desk.keys(variant).await, ["CANARY-A1", "CANARY-A2", "CANARY-A3\nsecond"]);
    let dates = "select string_agg(extract(year from expires_at at time zone 'UTC')::text, ' ' order by pos) from vault_key";
    assert_eq!(desk.t.db.one(dates).await, "2097 2098 2098");

    let long = "x".repeat(4_000);
    let file = format!(
        "\n  CANARY-B1\n\n  indented\n====\n====\n\n====\nCANARY-B2\r\n second\r\n  ====  \n{long}\n{long}\n{long}\n{long}\n{long}\n====\nCANARY-B1\n\n  indented  \n===="
    );
    let report =
        desk.take(blocks, json!({ "format": "BLOCKS", "separator": "====" }), "text/plain", file).await;
    assert_eq!(problems(&report), ["12:TOO_LONG", "18:DUPLICATE"]);
    assert_eq!(desk.keys(blocks).await, ["CANARY-B1\n\n  indented", "CANARY-B2\n second"]);
    let plain =
        desk.take(blocks, json!({ "format": "BLOCKS" }), "text/plain", "CANARY-C1\n---\nCANARY-C2").await;
    assert_eq!(plain["added"], 2);
    desk.sound().await;
    desk.t.finish_with_jobs().await;
}

/// Rows: K2 (keyImportCreate).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layout_that_fits_no_file_is_refused_before_or_by_the_first_row() {
    let desk = Desk::open().await;
    let variant = desk.t.variant_on_sale("key", 500).await;
    for (fields, field) in [
        (json!({ "separator": ";" }), json!(["separator"])),
        (json!({ "format": "JSONL", "separator": ";" }), json!(["separator"])),
        (json!({ "format": "CSV", "separator": ";;" }), json!(["separator"])),
        (json!({ "format": "CSV", "separator": "" }), json!(["separator"])),
        (json!({ "format": "CSV", "separator": "\"" }), json!(["separator"])),
        (json!({ "format": "CSV", "separator": "\n" }), json!(["separator"])),
        (json!({ "format": "BLOCKS", "separator": " " }), json!(["separator"])),
        (json!({ "format": "BLOCKS", "separator": "a\nb" }), json!(["separator"])),
        (json!({ "format": "TEXT", "header": false }), json!(["header"])),
        (json!({ "columns": { "key": "k" } }), json!(["columns", "key"])),
        (json!({ "format": "CSV", "columns": { "expiresAt": "" } }), json!(["columns", "expiresAt"])),
        (
            json!({ "format": "CSV", "header": false, "columns": { "key": "code" } }),
            json!(["columns", "key"]),
        ),
        (json!({ "format": "CSV", "header": false, "columns": { "key": "0" } }), json!(["columns", "key"])),
    ] {
        let made = desk.create(variant, fields.clone()).await;
        assert_eq!(made["userErrors"][0]["code"], "INVALID", "{fields}");
        assert_eq!(made["userErrors"][0]["field"], field, "{fields}");
    }
    for (fields, file) in [
        (json!({ "format": "CSV" }), "code,until\nA-1,\n"),
        (json!({ "format": "CSV", "columns": { "expiresAt": "until" } }), "key,date\nA-1,\n"),
        (json!({ "format": "CSV", "header": false, "columns": { "key": "3" } }), "a,b\n"),
        (json!({ "format": "CSV" }), "\"key\nA-1\n"),
    ] {
        let batch = desk.import(variant, fields.clone()).await;
        let (status, problem) = desk.send(&batch, "text/csv", file).await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("INVALID")), "{fields} {problem}");
        assert_eq!(
            desk.batch(&batch, "state lines").await["lines"],
            "0",
            "the same batch takes the right file yet"
        );
    }
    let semicolons = json!({ "format": "CSV", "separator": ";", "header": false, "columns": { "key": "2", "expiresAt": "3" } });
    let report = desk.take(variant, semicolons, "text/plain", "x;KEY-1;\nx;\"KEY;2\";2099-01-01\n").await;
    assert_eq!(report["added"], 2);
    assert_eq!(desk.keys(variant).await, ["KEY-1", "KEY;2"]);
    desk.t.finish_with_jobs().await;
}

/// Rows: K2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_rows_that_broke_off_goes_on_in_its_middle_without_its_header() {
    let desk = Desk::open().await;
    let variant = desk.t.variant_on_sale("key", 500).await;
    let row = |n: usize| format!("{n},\"ROW-{n:05}\n of two lines\",2099-01-01\n");
    let file: String = std::iter::once("n,key,expires_at\n".to_owned()).chain((0..1_200).map(row)).collect();
    let batch = desk.import(variant, json!({ "format": "CSV" })).await;
    // A body that breaks off: everything up to the middle of a row is sent, and no end.
    let cut = file.len() / 2 + 7;
    let pieces: Vec<std::io::Result<bytes::Bytes>> = vec![Ok(file.as_bytes()[..cut].to_vec().into())];
    let endless =
        futures::stream::StreamExt::chain(futures::stream::iter(pieces), futures::stream::pending());
    let url = format!("{}/keys/import/{batch}", desk.t.base);
    let request = desk.t.http().post(url).bearer_auth(&desk.token).header("content-type", "text/csv");
    let sent = tokio::spawn(request.body(reqwest::Body::wrap_stream(endless)).send());
    desk.t.wait_until(&format!("select lines > 0 from key_batch where id = '{}'", raw(&batch))).await;
    sent.abort();
    let _ = sent.await;
    let offset: usize = desk.batch(&batch, "offset").await["offset"].as_str().unwrap().parse().unwrap();
    assert!((1..cut).contains(&offset));
    let (status, other) = desk.send_at(&batch, "text/csv", Some(offset + 1), file[offset..].to_owned()).await;
    assert_eq!((status, other["code"].as_str()), (409, Some("IMPORT_GAP")));
    let (status, report) = desk.send_at(&batch, "text/csv", Some(offset), file[offset..].to_owned()).await;
    assert_eq!((status, &report["added"], &report["refused"]), (200, &json!(1_200), &json!(0)), "{report}");
    // The whole file again changes nothing.
    let (status, again) = desk.send(&batch, "text/csv", file).await;
    assert_eq!((status, &again["added"], &again["skipped"]), (200, &json!(1_200), &json!(2_401)));
    desk.sound().await;
    desk.t.finish_with_jobs().await;
}

/// What a layout reads of a text that comes in pieces of this size: `line text` and `line CODE`.
async fn read(text: &[u8], size: usize, layout: &Layout) -> Vec<String> {
    let data = tempfile::tempdir().unwrap();
    let secrets = test_config(data.path()).secrets;
    let sealer = Sealer::new(&secrets.vault, &secrets.fingerprint).unwrap();
    let pieces: Vec<std::io::Result<bytes::Bytes>> =
        text.chunks(size).map(|piece| Ok(piece.to_vec().into())).collect();
    let input = tokio_util::io::StreamReader::new(futures::stream::iter(pieces));
    let mut reader =
        ChunkReader::new(input, sealer.line_chain(uuid::Uuid::nil()), Mark::default(), layout.clone());
    let mut rows: Vec<(i64, String)> = Vec::new();
    while let Some(chunk) = reader.next().await.unwrap() {
        rows.extend(chunk.keys.iter().map(|key| (key.line, key.text.expose().to_owned())));
        rows.extend(chunk.problems.iter().map(|(line, problem)| (*line, problem.code().to_owned())));
    }
    rows.sort();
    rows.into_iter().map(|(line, text)| format!("{line} {text}")).collect()
}

/// Rows: K2.
#[tokio::test]
async fn whatever_the_csv_library_writes_is_read_as_it_was_however_the_bytes_come() {
    let alphabet = ["A", "b", "7", "\"", ",", "\n", "-", "é", "\t", "''"];
    for seed in 0..40_usize {
        let mut state = seed * 7_919 + 1;
        let mut next = |most: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % most
        };
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["before", "key", "behind"]).unwrap();
        let mut wanted = Vec::new();
        for n in 0..30 {
            let word = |inner: &mut dyn FnMut(usize) -> usize| -> String {
                (0..inner(12)).map(|_| alphabet[inner(alphabet.len())]).collect()
            };
            let (before, middle, behind) = (word(&mut next), word(&mut next), word(&mut next));
            let key = format!("K{n}{middle}Z");
            writer.write_record([&before, &key, &behind]).unwrap();
            wanted.push(key);
        }
        let file = writer.into_inner().unwrap();
        let layout = Layout::of(KeyFileFormat::Csv);
        let whole = read(&file, file.len(), &layout).await;
        let texts: Vec<&str> = whole.iter().map(|row| row.split_once(' ').unwrap().1).collect();
        assert_eq!(texts, wanted, "seed {seed}");
        for size in [1, 3, 64] {
            assert_eq!(read(&file, size, &layout).await, whole, "seed {seed} in pieces of {size}");
        }
    }
}

/// Rows: K2.
#[tokio::test]
async fn a_forgotten_quotation_mark_costs_its_own_line_however_many_follow() {
    let mut file = String::from("key,note\n\"OPEN,\n");
    (0..2_500).for_each(|n| file.push_str(&format!("KEY-{n:04},\n")));
    file.push_str("\"OPEN TOO,\nLAST,x\n");
    let rows = read(file.as_bytes(), 4_096, &Layout::of(KeyFileFormat::Csv)).await;
    assert_eq!(rows.len(), 2_503);
    assert_eq!((rows[0].as_str(), rows[1].as_str()), ("2 UNCLOSED_QUOTE", "3 KEY-0000"));
    assert_eq!(rows[2_501], "2503 UNCLOSED_QUOTE");
    assert_eq!(rows[2_502], "2504 LAST");
}

/// Rows: K2.
#[tokio::test]
async fn large_keys_make_small_chunks_and_too_large_ones_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let secrets = test_config(data.path()).secrets;
    let sealer = Sealer::new(&secrets.vault, &secrets.fingerprint).unwrap();
    let object = |n: usize, size: usize| {
        json!({ "key": format!("{n:06}{}", "x".repeat(size - 6)) }).to_string() + "\n"
    };
    let file: String =
        (0..300).map(|n| object(n, LONGEST_KEY)).chain([object(300, LONGEST_KEY + 1)]).collect();
    let layout = Layout::of(KeyFileFormat::Jsonl);
    let mut reader =
        ChunkReader::new(file.as_bytes(), sealer.line_chain(uuid::Uuid::nil()), Mark::default(), layout);
    let mut sizes = Vec::new();
    let mut problems: Vec<Value> = Vec::new();
    while let Some(chunk) = reader.next().await.unwrap() {
        sizes.push(chunk.keys.len());
        problems.extend(chunk.problems.iter().map(|(line, problem)| json!([line, problem.code()])));
    }
    assert_eq!((sizes.iter().sum::<usize>(), problems), (300, vec![json!([301, "TOO_LONG"])]));
    assert!(sizes.iter().all(|keys| *keys <= 64), "a chunk is a mebibyte: {sizes:?}");
}
