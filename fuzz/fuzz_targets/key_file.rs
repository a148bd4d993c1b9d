//! A file of keys: read in pieces of the size its first byte gives, from its beginning and from the middle.
#![no_main]

use std::pin::Pin;
use std::task::{Context, Poll};

use dispense::base::key_text::{KeyText, canonical};
use dispense::config::{Bytes32, RingKey};
use dispense::infra::seal::{LineChain, Sealer};
use dispense::vault::import::{CHUNK, Chunk, ChunkReader, LONGEST_LINE, Mark};
use dispense::vault::layout::Layout;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncRead, ReadBuf};

struct Pieces<'a> {
    rest: &'a [u8],
    size: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let (now, later) = self.rest.split_at(self.size.min(self.rest.len()).min(out.remaining()));
        out.put_slice(now);
        self.rest = later;
        Poll::Ready(Ok(()))
    }
}

std::thread_local! {
    static CHAIN: LineChain = chain();
}

fn chain() -> LineChain {
    let key = || RingKey { id: "f".into(), bytes: Bytes32::new([7; 32]) };
    Sealer::new(&[key()], &key()).expect("a ring of one").line_chain(uuid::Uuid::nil())
}

/// All chunks of an input. Nothing here waits for anything, so one look at each future is enough.
fn read(bytes: &[u8], size: usize, at: Mark) -> Vec<Chunk> {
    let mut reader = ChunkReader::new(Pieces { rest: bytes, size }, CHAIN.with(LineChain::clone), at, Layout::default());
    let mut chunks = Vec::new();
    while let Some(chunk) = futures::executor::block_on(reader.next()).expect("reading memory") {
        chunks.push(chunk);
    }
    chunks
}

fn told(chunks: &[Chunk]) -> Vec<(i64, String)> {
    let keys = chunks.iter().flat_map(|c| &c.keys).map(|key| (key.line, key.text.expose().to_owned()));
    let problems = chunks.iter().flat_map(|c| &c.problems).map(|(line, problem)| (*line, problem.code().to_owned()));
    let mut rows: Vec<_> = keys.chain(problems).collect();
    rows.sort();
    rows
}

fuzz_target!(|input: &[u8]| {
    let Some((size, bytes)) = input.split_first() else { return };
    let whole = read(bytes, usize::from(*size) + 1, Mark::default());
    let other = read(bytes, 64 * 1024, Mark::default());
    assert_eq!(told(&whole), told(&other), "how the bytes are cut decides nothing");
    let end = whole.last().map(|chunk| chunk.end).unwrap_or_default();
    assert_eq!(end.bytes, if whole.is_empty() { 0 } else { bytes.len() as i64 });
    let rows = told(&whole);
    assert!(rows.windows(2).all(|pair| pair[0].0 < pair[1].0), "a line is told of once");
    assert!(rows.iter().all(|(line, _)| (1..=end.lines).contains(line)));
    for chunk in &whole {
        assert!(chunk.keys.len() + chunk.problems.len() <= CHUNK);
        for key in &chunk.keys {
            let text = key.text.expose();
            assert!(!text.is_empty() && text.len() <= 3 * LONGEST_LINE && canonical(text) == text);
            assert_eq!(KeyText::parse(text).ok().flatten().as_ref(), Some(&key.text), "a key is its own canonical form");
        }
        // The rest is read as it is in the whole.
        let rest = read(&bytes[chunk.end.bytes as usize..], usize::from(*size) + 1, chunk.end);
        let behind: Vec<_> = rows.iter().filter(|(line, _)| *line > chunk.end.lines).cloned().collect();
        assert_eq!(told(&rest), behind);
    }
});
