//! Lines out of a stream, however it is cut.

use std::pin::Pin;
use std::task::{Context, Poll};

use dispense::base::ids::BatchId;
use dispense::infra::seal::Sealer;
use dispense::vault::import::{CHUNK, Chunk, ChunkReader, LONGEST_LINE, Mark};
use dispense::vault::layout::Layout;
use tokio::io::{AsyncRead, ReadBuf};

use crate::harness::test_config;

/// Gives a few bytes at a time.
struct Drops<'a> {
    rest: &'a [u8],
    size: usize,
}

impl AsyncRead for Drops<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let count = self.size.min(self.rest.len()).min(out.remaining());
        let (now, later) = self.rest.split_at(count);
        out.put_slice(now);
        self.rest = later;
        Poll::Ready(Ok(()))
    }
}

fn reader<R: AsyncRead + Unpin>(input: R, at: Mark) -> ChunkReader<R> {
    let data = tempfile::tempdir().unwrap();
    let secrets = test_config(data.path()).secrets;
    let sealer = Sealer::new(&secrets.vault, &secrets.fingerprint).unwrap();
    ChunkReader::new(input, sealer.line_chain(BatchId(uuid::Uuid::nil()).0), at, Layout::default())
}

fn reported(chunk: &Chunk) -> Vec<String> {
    let keys = chunk.keys.iter().map(|key| (key.line, key.text.expose().to_owned()));
    let problems = chunk.problems.iter().map(|(line, problem)| (*line, problem.code().to_owned()));
    let mut rows: Vec<(i64, String)> = keys.chain(problems).collect();
    rows.sort();
    rows.into_iter().map(|(line, text)| format!("{line} {text}")).collect()
}

/// Lines and the place behind them, read in pieces of this size.
async fn read(bytes: &[u8], size: usize) -> (Vec<String>, Mark) {
    let mut reader = reader(Drops { rest: bytes, size }, Mark::default());
    let (mut rows, mut end) = (Vec::new(), Mark::default());
    while let Some(chunk) = reader.next().await.unwrap() {
        rows.extend(reported(&chunk));
        end = chunk.end;
    }
    (rows, end)
}

fn wide(units: &[u16], little: bool) -> Vec<u8> {
    units.iter().flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
}

/// Rows: K2.
#[tokio::test]
async fn line_ends_of_all_systems_mixed_count_alike_wherever_the_reads_are_cut() {
    let mixed = b"\xef\xbb\xbfA\r\nB\nC\rD\n\rE\r\r\nF\n\nG".as_slice();
    let expected = ["1 A", "2 B", "3 C", "4 D", "6 E", "8 F", "10 G"];
    let emoji: Vec<u16> = "\u{feff}A😀\r\nB\r\r\nC\n\u{4e0a}\u{0a4e}".encode_utf16().collect();
    for size in [1, 2, 3, 5, 7, 64 * 1024] {
        let (rows, end) = read(mixed, size).await;
        assert_eq!(rows, expected, "{size}");
        assert_eq!((end.lines, end.bytes), (10, mixed.len() as i64), "{size}");
        for little in [true, false] {
            let bytes = wide(&emoji, little);
            let (rows, end) = read(&bytes, size).await;
            // Units that hold the byte of a line end are none.
            assert_eq!(rows, ["1 A😀", "2 B", "4 C", "5 \u{4e0a}\u{0a4e}"], "{size} {little}");
            assert_eq!((end.lines, end.bytes), (5, bytes.len() as i64));
        }
    }
    assert_eq!(read(b"", 1).await, (Vec::new(), Mark::default()));
    assert_eq!(read(b"\xef\xbb\xbf", 1).await.0, Vec::<String>::new());
    assert_eq!(read(b"\xff\xfe", 1).await.0, Vec::<String>::new());
    assert_eq!(read(b"\xff", 1).await.0, ["1 INVALID_UTF8"]);
}

/// Rows: K2.
#[tokio::test]
async fn broken_characters_are_refused_with_their_line_and_the_next_line_is_read() {
    for little in [true, false] {
        let mark = 0xfeff;
        let (high, low, a, lf) = (0xd83d, 0xde00, 0x41, 0x0a);
        let bytes = wide(
            &[mark, high, lf, low, lf, low, high, lf, high, high, low, lf, a, lf, 0, lf, a, high],
            little,
        );
        for size in [1, 3, 4_096] {
            let expected = [
                "1 INVALID_UTF16",
                "2 INVALID_UTF16",
                "3 INVALID_UTF16",
                "4 INVALID_UTF16",
                "5 A",
                "6 CONTROL_CHARACTER",
                "7 INVALID_UTF16",
            ];
            assert_eq!(read(&bytes, size).await.0, expected);
        }
        // Half a unit at the end, behind a line and on a line of its own.
        let odd = [wide(&[mark, a, lf, a], little), vec![0x41]].concat();
        assert_eq!(read(&odd, 1).await.0, ["1 A", "2 INVALID_UTF16"]);
        let alone = [wide(&[mark, a, lf], little), vec![0x41]].concat();
        assert_eq!(read(&alone, 2).await.0, ["1 A", "2 INVALID_UTF16"]);
    }
    let utf8 = b"a\xc3\nb\xed\xa0\x80\nc\xc0\xaf\nd\xf4\x90\x80\x80\ne\xff\xfe\nf\x00\n\xc3\xa9";
    for size in [1, 2, 4_096] {
        let expected = [
            "1 INVALID_UTF8",
            "2 INVALID_UTF8",
            "3 INVALID_UTF8",
            "4 INVALID_UTF8",
            "5 INVALID_UTF8",
            "6 CONTROL_CHARACTER",
            "7 é",
        ];
        assert_eq!(read(utf8, size).await.0, expected);
    }
}

/// Rows: K2.
#[tokio::test]
async fn a_line_without_end_is_read_in_constant_memory() {
    let mut file = vec![b'x'; 3_000_000];
    file.extend_from_slice(b"\r\nGOOD\n");
    assert_eq!(read(&file, 64 * 1024).await.0, ["1 TOO_LONG", "2 GOOD"]);
    let mut units = vec![0xfeff_u16];
    units.extend(std::iter::repeat_n(0x4e0a, LONGEST_LINE));
    units.extend("\nGOOD".encode_utf16());
    assert_eq!(read(&wide(&units, true), 1_000).await.0, ["1 TOO_LONG", "2 GOOD"]);
    let longest = "x".repeat(LONGEST_LINE);
    assert_eq!(
        read(format!("{longest}\n{longest}y").as_bytes(), 999).await.0,
        [format!("1 {longest}"), "2 TOO_LONG".into()]
    );
}

/// Rows: K2, K3.
#[tokio::test]
async fn the_place_behind_a_chunk_is_where_the_rest_begins_whatever_ends_its_lines() {
    for end in ["\n", "\r", "\r\n"] {
        for wide_units in [false, true] {
            let text: String = (0..2 * CHUNK + 5).map(|n| format!("KEY-{n}{end}")).collect();
            let bytes = match wide_units {
                false => text.into_bytes(),
                true => wide(&format!("\u{feff}{text}").encode_utf16().collect::<Vec<_>>(), true),
            };
            for size in [1, 4_099] {
                let mut whole = reader(Drops { rest: &bytes, size }, Mark::default());
                let first = whole.next().await.unwrap().unwrap();
                assert_eq!((first.end.lines, first.keys.len()), (CHUNK as i64, CHUNK));
                let rest = &bytes[first.end.bytes as usize..];
                let mut rest = reader(Drops { rest, size }, first.end);
                loop {
                    let (from_whole, from_rest) = (whole.next().await.unwrap(), rest.next().await.unwrap());
                    assert_eq!(from_whole.as_ref().map(reported), from_rest.as_ref().map(reported));
                    assert_eq!(from_whole.as_ref().map(|c| c.end), from_rest.as_ref().map(|c| c.end));
                    let Some(chunk) = from_whole else { break };
                    assert_eq!(
                        chunk.keys.len(),
                        (chunk.end.lines as usize - 1) % CHUNK + 1,
                        "no line too many"
                    );
                }
                // Another file has another digest at the same place.
                let mut other = bytes.clone();
                other[10] ^= 1;
                let passed = reader(other.as_slice(), Mark::default()).pass(CHUNK as i64).await.unwrap();
                assert_eq!(passed.lines, first.end.lines);
                assert_ne!(passed.digest, first.end.digest);
            }
        }
    }
}
