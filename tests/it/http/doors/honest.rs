//! Who is slow and keeps up the least rate is served to the end.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{connect, get, shop};

/// Rows: X3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_and_a_download_above_the_least_rate_outlive_every_time_out() {
    let t = shop(|c| {
        (c.head_seconds, c.body_seconds, c.idle_seconds) = (1, 1, 1);
        (c.stall_seconds, c.bytes_per_second) = (1, 20_000);
    })
    .await;
    let upload = async {
        let mut stream = connect(&t.base).await;
        let (pieces, piece) = (30, vec![b'x'; 10_000]);
        let length = pieces * piece.len();
        let head = format!("POST /counts HTTP/1.1\r\nhost: shop\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let began = Instant::now();
        for _ in 0..pieces {
            tokio::time::sleep(Duration::from_millis(100)).await;
            stream.write_all(&piece).await.unwrap();
        }
        assert_eq!(super::answer(&mut stream).await, 200);
        assert!(began.elapsed() > Duration::from_millis(2_900));
    };
    let download = async {
        let mut stream = connect(&t.base).await;
        stream.write_all(get("/big").as_bytes()).await.unwrap();
        let (began, mut piece, mut read) = (Instant::now(), vec![0; 20_000], 0);
        while began.elapsed() < Duration::from_secs(3) {
            read += stream.read(&mut piece).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // What lay in buffers when it began is not all that came.
        let rest = tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut piece)).await;
        rest.expect("nothing came any more").expect("cut off");
        read
    };
    let ((), read) = tokio::join!(upload, download);
    assert!(read > 100_000, "{read}");
    t.finish().await;
}
