//! Everything the program logs while tests run, so that they can look for what must not be there.

use std::io::Write;
use std::sync::{Mutex, Once, PoisonError};

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Memory;

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Starts to collect; the first call of the process counts.
pub fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let filter = tracing_subscriber::EnvFilter::new("info,dispense=debug");
        let collector =
            tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(|| Memory).finish();
        // Whoever set one before shows the lines instead of collecting them.
        let _ = tracing::subscriber::set_global_default(collector);
    });
}

/// Every line of every test of this process so far.
pub fn lines() -> String {
    String::from_utf8_lossy(&LINES.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}
