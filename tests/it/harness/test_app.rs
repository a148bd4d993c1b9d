//! The real program over a database of its own.

use std::sync::Arc;

use chrono::TimeDelta;
use dispense::app::App;
use dispense::base::clock::Clock;
use dispense::config::Config;

use super::{TestDatabase, test_config};

/// Ends with `finish`, which looks for what must not be left behind.
pub struct TestApp {
    pub app: Arc<App>,
    pub db: TestDatabase,
    pub data: tempfile::TempDir,
    canaries: std::sync::Mutex<Vec<String>>,
    finished: bool,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With a changed configuration.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut config = test_config(data.path());
        change(&mut config);
        let db = TestDatabase::migrated().await;
        let app = App::start(config, Clock::default(), &db.app_url()).await.unwrap();
        Self { app, db, data, canaries: Default::default(), finished: false }
    }

    /// Moves the program's clock and the database's together.
    pub async fn advance(&self, by: TimeDelta) {
        let offset = self.app.clock.offset() + by;
        self.db.set_clock_offset(offset.num_microseconds().unwrap()).await;
        self.app.clock.set_offset(offset);
    }

    /// Remembers a secret that must not be found in any plain column when the test ends.
    pub fn canary(&self, text: impl Into<String>) {
        self.canaries.lock().unwrap().push(text.into());
    }

    /// Ends the test: no canary in any column, the database dropped.
    pub async fn finish(mut self) {
        self.finished = true;
        let dump = self.db.dump_text().await;
        for canary in self.canaries.lock().unwrap().iter() {
            assert!(!dump.contains(canary.as_str()), "a secret lies in a plain column: {canary}");
        }
        self.db.finish().await;
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if !self.finished && !std::thread::panicking() {
            panic!("a test ended without `finish`");
        }
    }
}
