//! Log lines: nothing that a client sends starts a second line or steers a terminal.

use std::io::Write;
use std::sync::{Arc, Mutex};

use dispense::infra::logs::{Lines, plain};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn text_of_clients_is_shown_without_control_characters_and_not_longer_than_needed() {
    let shown = plain("a\r\n2026 ERROR forged\u{1b}[31m\u{202e}\u{2028}é鑰").to_string();
    assert_eq!(shown, "a\\u{d}\\u{a}2026 ERROR forged\\u{1b}[31m\\u{202e}\\u{2028}é鑰");
    assert_eq!(plain(&"x".repeat(500)).to_string().chars().count(), 201);
}

#[test]
fn a_field_that_slips_by_stays_on_its_line() {
    let kept = Kept::default();
    let writer = kept.clone();
    let lines = Lines(move || writer.clone());
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(lines).finish();
    tracing::subscriber::with_default(subscriber, || {
        tracing::warn!(agent = %"curl\n2026 ERROR forged\u{1b}[2J", "a request");
        tracing::info!("another");
    });
    let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    // A writer made once more writes on.
    Lines(std::io::sink).make_writer().write_all(b"x\n").unwrap();
}
