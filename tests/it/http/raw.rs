//! What no client library sends.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::TestApp;

/// Sends bytes and reads until the server closes; the statuses of all answers.
async fn answers(t: &TestApp, request: &[u8]) -> Vec<u16> {
    let mut stream = TcpStream::connect(t.base.trim_start_matches("http://")).await.unwrap();
    // The server may answer and close before it has read all.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let text = String::from_utf8_lossy(&answer);
    text.match_indices("HTTP/1.1 ")
        .filter_map(|(at, found)| text[at + found.len()..][..3].parse().ok())
        .collect()
}

/// Rows: X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_framing_is_the_senders_fault_and_never_hides_a_second_request() {
    let t = TestApp::start().await;
    let smuggled = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let huge = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Big: {}\r\n\r\n", "a".repeat(600_000));
    let many = format!(
        "GET /healthz HTTP/1.1\r\nHost: x\r\n{}\r\n",
        (0..200).map(|n| format!("X-{n}: 1\r\n")).collect::<String>()
    );
    let post = "POST /healthz HTTP/1.1\r\nHost: x\r\n";
    let cases = [
        (
            "length and chunks",
            format!("{post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"),
        ),
        (
            "chunks and length",
            format!("{post}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{smuggled}"),
        ),
        ("two lengths", format!("{post}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello{smuggled}")),
        ("a length list", format!("{post}Content-Length: 5, 6\r\n\r\nhello{smuggled}")),
        ("a signed length", format!("{post}Content-Length: +5\r\n\r\nhello{smuggled}")),
        ("a negative length", format!("{post}Content-Length: -5\r\n\r\nhello{smuggled}")),
        ("an unknown coding", format!("{post}Transfer-Encoding: zorro\r\n\r\nhello{smuggled}")),
        ("chunked first", format!("{post}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n{smuggled}")),
        (
            "a folded header",
            format!(
                "{post}X-Folded: a\r\n b\r\nContent-Length: 0\r\nTransfer-Encoding : chunked\r\n\r\n{smuggled}"
            ),
        ),
        ("a space before the colon", format!("{post}Content-Length : 5\r\n\r\nhello{smuggled}")),
        ("a huge header", huge),
        ("two hundred headers", many),
        ("no request at all", "\u{16}\u{3}\u{1}\0\0nonsense\r\n\r\n".into()),
    ];
    for (name, request) in cases {
        let statuses = answers(&t, request.as_bytes()).await;
        assert!(statuses.len() <= 1, "{name}: {statuses:?}");
        assert!(statuses.iter().all(|s| (400..500).contains(s)), "{name}: {statuses:?}");
    }
    let last = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(answers(&t, last.as_bytes()).await, [200]);
    t.finish().await;
}
