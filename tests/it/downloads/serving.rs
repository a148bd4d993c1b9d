use dispense::files::name;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use super::shop::{FileShop, content, link, refusal};
use crate::harness::TestApp;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair =
        |(n, v): &(&'static str, &str)| (HeaderName::from_static(n), HeaderValue::from_str(v).unwrap());
    pairs.iter().map(pair).collect()
}

/// Rows: L1, L2, L5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bought_file_comes_whole_with_its_hash_as_tag_and_its_name() {
    let t = TestApp::start().await;
    let shop = FileShop::open(&t).await;
    let bytes = content(3_000_000, 1);
    shop.publish(&t, "game.zip", "1.0", &bytes).await;
    let (_, grant) = shop.granted(&t, Some(3)).await;
    let link = link(&t, grant).await;
    assert_eq!(link.file.size, 3_000_000);
    t.canary(&link.token);
    let answer = t.http().get(&link.url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let hash = hex::encode(Sha256::digest(&bytes));
    let got = answer.headers().clone();
    assert_eq!(got["etag"], format!("\"{hash}\""));
    assert_eq!(got["content-length"], "3000000");
    assert_eq!(got["accept-ranges"], "bytes");
    assert_eq!(got["content-type"], "application/zip");
    assert_eq!(got["content-disposition"], "attachment; filename=\"game.zip\"");
    assert_eq!(got["cache-control"], "private, no-store");
    assert_eq!(got["x-content-type-options"], "nosniff");
    let body = answer.bytes().await.unwrap();
    assert_eq!(hex::encode(Sha256::digest(&body)), hash);
    // The folder is nobody else's, and the database holds no content.
    use std::os::unix::fs::PermissionsExt;
    let files = t.data.path().join("files");
    assert_eq!(std::fs::metadata(&files).unwrap().permissions().mode() & 0o777, 0o700);
    let blob = t.db.one("select blob from file_version").await;
    assert_eq!(std::fs::metadata(files.join(&blob)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(t.db.one("select served_bytes from download_session").await, "3000000");
    assert_eq!(t.db.one("select used from download_grant").await, "1");
    t.finish().await;
}

/// Rows: L5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ranges_conditions_and_head_answer_as_rfc_9110_says_and_count_once() {
    let t = TestApp::start().await;
    let shop = FileShop::open(&t).await;
    let bytes = content(1_000, 2);
    let file = shop.publish(&t, "a.bin", "1", &bytes).await;
    let (_, grant) = shop.granted(&t, Some(1)).await;
    let url = link(&t, grant).await.url;
    let etag = file.etag();
    let weak = format!("W/{etag}");

    let head = t.http().head(&url).header("range", "bytes=0-9").send().await.unwrap();
    assert_eq!(
        (head.status().as_u16(), &head.headers()["content-length"]),
        (200, &HeaderValue::from_static("1000"))
    );
    assert_eq!(head.headers()["etag"], etag);
    // None of these sends a byte, so none counts.
    let nothing: &[(&[(&'static str, &str)], u16)] = &[
        (&[("if-none-match", &etag)], 304),
        (&[("if-none-match", &format!("\"x\", {weak}"))], 304),
        (&[("if-none-match", "*")], 304),
        (&[("if-match", "\"other\"")], 412),
        (&[("if-match", &weak)], 412),
        (&[("range", "bytes=1000-")], 416),
        (&[("range", "bytes=-0")], 416),
        (&[("range", "bytes=99999999999999999999999-")], 416),
    ];
    for (given, status) in nothing {
        let answer = t.http().get(&url).headers(headers(given)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), *status, "{given:?}");
        assert_eq!(answer.headers()["etag"], etag);
        if *status == 416 {
            assert_eq!(answer.headers()["content-range"], "bytes */1000");
            assert_eq!(refusal(answer).await, "416 RANGE_NOT_SATISFIABLE");
        }
    }
    assert_eq!(t.db.one("select used from download_grant").await, "0");
    assert_eq!(t.db.one("select count(*) from download_session").await, "0");

    type Asked<'a> = (&'a [(&'static str, &'a str)], u16, std::ops::Range<usize>);
    let some: &[Asked<'_>] = &[
        (&[("range", "bytes=0-0")], 206, 0..1),
        (&[("range", "bytes=10-19")], 206, 10..20),
        (&[("range", "bytes=990-2000")], 206, 990..1000),
        (&[("range", "bytes=-5")], 206, 995..1000),
        (&[("range", "bytes=-5000")], 206, 0..1000),
        (&[("range", "BYTES=998-")], 206, 998..1000),
        (&[("range", "bytes= , 7-8 ,")], 206, 7..9),
        // Several, faulty and foreign ranges are answered with everything.
        (&[("range", "bytes=0-1,5-6")], 200, 0..1000),
        (&[("range", "bytes=9-3")], 200, 0..1000),
        (&[("range", "bytes=a-3")], 200, 0..1000),
        (&[("range", "bytes=+1-3")], 200, 0..1000),
        (&[("range", "items=1-3")], 200, 0..1000),
        (&[("range", "bytes=5-6"), ("if-range", &etag)], 206, 5..7),
        (&[("range", "bytes=5-6"), ("if-range", &weak)], 200, 0..1000),
        (&[("range", "bytes=5-6"), ("if-range", "\"older\"")], 200, 0..1000),
        (&[("range", "bytes=5-6"), ("if-range", "Sat, 21 Nov 2026 00:00:00 GMT")], 200, 0..1000),
        (&[("if-none-match", "\"older\"")], 200, 0..1000),
        (&[("if-match", &etag), ("range", "bytes=1-1")], 206, 1..2),
    ];
    let mut first = true;
    for (given, status, part) in some {
        let answer = t.http().get(&url).headers(headers(given)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), *status, "{given:?}");
        if *status == 206 {
            let range = format!("bytes {}-{}/1000", part.start, part.end - 1);
            assert_eq!(answer.headers()["content-range"], range.as_str(), "{given:?}");
        } else {
            assert!(!answer.headers().contains_key("content-range"));
        }
        assert_eq!(answer.headers()["content-length"], part.len().to_string().as_str());
        assert_eq!(answer.bytes().await.unwrap(), bytes[part.clone()], "{given:?}");
        if first {
            // Nine whole copies are more than one download may serve: its limit is not what this test is about.
            t.db.sql("update download_session set byte_cap = 1000000").await;
            first = false;
        }
    }
    assert_eq!(t.db.one("select used from download_grant").await, "1");
    t.finish().await;
}

/// Rows: L5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_file_is_served_and_counted() {
    let t = TestApp::start().await;
    let shop = FileShop::open(&t).await;
    shop.publish(&t, "empty.txt", "1", b"").await;
    let (_, grant) = shop.granted(&t, Some(1)).await;
    let url = link(&t, grant).await.url;
    let answer = t.http().get(&url).header("range", "bytes=0-").send().await.unwrap();
    assert_eq!(answer.status(), 416);
    let answer = t.http().get(&url).header("range", "bytes=-3").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.bytes().await.unwrap().len()), (200, 0));
    assert_eq!(t.db.one("select used from download_grant").await, "1");
    t.finish().await;
}

/// Rows: L5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_resumes_where_it_stopped_and_the_hash_is_right() {
    let t = TestApp::start().await;
    let shop = FileShop::open(&t).await;
    let bytes = content(5_000_000, 3);
    shop.publish(&t, "big.bin", "1", &bytes).await;
    let (_, grant) = shop.granted(&t, Some(1)).await;
    let url = link(&t, grant).await.url;
    let path = t.data.path().join("got");
    // What an interrupted client holds.
    let part =
        t.http().get(&url).header("range", "bytes=0-1234566").send().await.unwrap().bytes().await.unwrap();
    std::fs::write(&path, &part).unwrap();
    let ran = tokio::process::Command::new("curl")
        .args(["-sS", "--fail", "--noproxy", "*", "-C", "-", "-o"])
        .args([path.as_os_str(), url.as_ref()])
        .output()
        .await;
    match ran {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        // Without curl on this machine the same request by our own client.
        Err(_) => {
            let rest =
                t.http().get(&url).header("range", format!("bytes={}-", part.len())).send().await.unwrap();
            assert_eq!(rest.status(), 206);
            std::fs::write(&path, [part, rest.bytes().await.unwrap()].concat()).unwrap();
        }
    }
    assert_eq!(Sha256::digest(std::fs::read(&path).unwrap()), Sha256::digest(&bytes));
    assert_eq!(t.db.one("select used from download_grant").await, "1");
    t.finish().await;
}

/// Rows: L5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_content_that_is_gone_or_short_costs_nothing_and_never_looks_whole() {
    let t = TestApp::start().await;
    let shop = FileShop::open(&t).await;
    let file = shop.publish(&t, "a.bin", "1", &content(2_000_000, 4)).await;
    let (_, grant) = shop.granted(&t, Some(1)).await;
    let url = link(&t, grant).await.url;
    let path = t.data.path().join("files").join(&file.blob);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..1_000_000]).unwrap();
    assert_eq!(refusal(t.http().get(&url).send().await.unwrap()).await, "503 UNAVAILABLE");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(refusal(t.http().get(&url).send().await.unwrap()).await, "503 UNAVAILABLE");
    assert_eq!(t.db.one("select used from download_grant").await, "0");
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(t.http().get(&url).send().await.unwrap().bytes().await.unwrap(), whole);
    t.finish().await;
}

/// Rows: L2, L5.
#[test]
fn no_file_name_can_leave_its_header_or_its_folder() {
    let cases = [
        ("plain.zip", "attachment; filename=\"plain.zip\""),
        ("two words.zip", "attachment; filename=\"two words.zip\""),
        ("a\"b\\c.zip", "attachment; filename=\"c.zip\""),
        ("a\"b.zip", "attachment; filename=\"a_b.zip\""),
        ("x\r\nSet-Cookie: a=b.zip", "attachment; filename=\"xSet-Cookie_ a=b.zip\""),
        ("../../etc/passwd", "attachment; filename=\"passwd\""),
        ("..\\..\\boot.ini", "attachment; filename=\"boot.ini\""),
        ("..", "attachment; filename=\"download\""),
        ("", "attachment; filename=\"download\""),
        ("100%25.zip", "attachment; filename=\"100_25.zip\"; filename*=UTF-8''100%2525.zip"),
        ("游戏.zip", "attachment; filename=\"__.zip\"; filename*=UTF-8''%E6%B8%B8%E6%88%8F.zip"),
        ("photo\u{202e}gpj.exe", "attachment; filename=\"photogpj.exe\""),
    ];
    for (name, expected) in cases {
        let header = name::content_disposition(name);
        assert_eq!(header, expected, "{name:?}");
        assert!(header.bytes().all(|b| (0x20..0x7f).contains(&b)));
    }
    for (given, expected) in [
        ("text/HTML; charset=x", "text/html"),
        ("application/x-7z-compressed", "application/x-7z-compressed"),
        ("a/b\r\nx: y", "application/octet-stream"),
        ("", "application/octet-stream"),
    ] {
        assert_eq!(name::media_type(given), expected);
    }
}
