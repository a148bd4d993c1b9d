//! The real program over a database of its own.

use std::sync::Arc;

use chrono::TimeDelta;
use dispense::app::App;
use dispense::base::clock::Clock;
use dispense::config::Config;
use dispense::http::routes::RouteRow;
use dispense::kinds;

use super::sent::Sent;
use super::{TestDatabase, log, test_config};

/// Ends with `finish`, which looks for what must not be left behind.
pub struct TestApp {
    pub app: Arc<App>,
    pub db: TestDatabase,
    pub data: tempfile::TempDir,
    /// `http://127.0.0.1:PORT`, where this very `App` is served.
    pub base: String,
    /// The same of its listener for operators.
    pub admin: String,
    /// What was sent to its GraphQL endpoint over HTTP.
    pub sent: Sent,
    http: reqwest::Client,
    stop: Option<tokio::sync::watch::Sender<()>>,
    server: Option<tokio::task::JoinHandle<()>>,
    operators: Option<tokio::task::JoinHandle<()>>,
    canaries: std::sync::Mutex<Vec<String>>,
    finished: bool,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With a changed configuration.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_with_rows(change, Vec::new()).await
    }

    /// With routes of the test's own beside the shop's.
    pub async fn start_with_rows(change: impl FnOnce(&mut Config), rows: Vec<RouteRow>) -> Self {
        Self::start_at(Clock::default(), TestDatabase::migrated().await, change, rows).await
    }

    /// Over a database that exists.
    pub async fn start_over(db: TestDatabase, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_by(Clock::default(), db, change).await
    }

    /// By a clock that others go by too.
    pub async fn start_by(clock: Clock, db: TestDatabase, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_at(clock, db, change, Vec::new()).await
    }

    async fn start_at(
        clock: Clock,
        db: TestDatabase,
        change: impl FnOnce(&mut Config),
        rows: Vec<RouteRow>,
    ) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut config = test_config(data.path());
        change(&mut config);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        if config.server.public_url.is_empty() {
            config.server.public_url = base.clone();
        }
        log::capture();
        let app = App::start(config, clock, &db.app_url()).await.unwrap();
        let (stop, stopped) = tokio::sync::watch::channel(());
        let until = |mut stopped: tokio::sync::watch::Receiver<()>| async move {
            while stopped.changed().await.is_ok() {}
        };
        let listener_of_admin = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let admin = format!("http://{}", listener_of_admin.local_addr().unwrap());
        let figures = dispense::http::serve_figures(
            app.kit.clone(),
            "admin",
            listener_of_admin,
            until(stopped.clone()),
        );
        let operators = Some(tokio::spawn(figures));
        let serving = app.http();
        let server = tokio::spawn(async move {
            dispense::http::serve_with(serving, listener, until(stopped), rows).await.unwrap();
        });
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(std::time::Duration::from_secs(30))
            .build()
            .unwrap();
        let (stop, server) = (Some(stop), Some(server));
        let sent = Sent::default();
        let canaries = Default::default();
        Self { app, db, data, base, admin, sent, http, stop, server, operators, canaries, finished: false }
    }

    /// A client that follows no redirects.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// GET of a path of this shop.
    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(format!("{}{path}", self.base)).send().await.unwrap()
    }

    /// The process's figures, as operators read them.
    pub async fn figures(&self) -> String {
        let answer = self.http.get(format!("{}/metrics", self.admin)).send().await.unwrap();
        answer.text().await.unwrap()
    }

    /// POST of JSON to a path of this shop.
    pub async fn post(&self, path: &str, body: &serde_json::Value) -> reqwest::Response {
        let request =
            self.http.post(format!("{}{path}", self.base)).header("content-type", "application/json");
        request.body(body.to_string()).send().await.unwrap()
    }

    /// Stops serving, as a signal would, and waits for the last requests.
    pub async fn stop_serving(&mut self) {
        drop(self.stop.take());
        if let Some(server) = self.server.take() {
            server.await.unwrap();
        }
        if let Some(operators) = self.operators.take() {
            operators.await.unwrap();
        }
    }

    /// Moves the program's clock and the database's together.
    pub async fn advance(&self, by: TimeDelta) {
        let offset = self.app.clock.offset() + by;
        self.db.set_clock_offset(offset.num_microseconds().unwrap()).await;
        self.app.clock.set_offset(offset);
    }

    /// Remembers a secret that must not be found in any plain column when the test ends.
    pub fn canary(&self, text: impl Into<String>) {
        let (text, mut known) = (text.into(), self.canaries.lock().unwrap());
        if !known.contains(&text) {
            known.push(text);
        }
    }

    pub fn canaries(&self) -> Vec<String> {
        self.canaries.lock().unwrap().clone()
    }

    /// Ends the test: no job left that is due, no canary in any column or log line, the database dropped.
    pub async fn finish(self) {
        let forgotten = self.forgotten_jobs().await;
        assert!(forgotten.is_empty(), "jobs are due and were not run (call `drain`): {forgotten:?}");
        self.finish_with_jobs().await;
    }

    /// `finish` for tests that are not about the work their actions left behind.
    pub async fn finish_with_jobs(mut self) {
        self.finished = true;
        self.sent.check();
        self.stop_serving().await;
        let dump = self.db.dump_text().await;
        let logged = log::lines();
        for canary in self.canaries.lock().unwrap().iter() {
            assert!(!dump.contains(canary.as_str()), "a secret lies in a plain column: {canary}");
            assert!(!logged.contains(canary.as_str()), "a secret was logged: {canary}");
        }
        self.events_and_tasks_are_declared().await;
        self.db.finish().await;
    }

    /// Every stored event and task is of a declared kind and form, and what the world sees of it has public ids alone.
    async fn events_and_tasks_are_declared(&self) {
        let uuid = regex::Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-").unwrap();
        let kinds = "select kind, body::text from event where kind not like 'test.%' limit 5000";
        for row in self.db.sql(kinds).await {
            let (kind, body) = (row[0].clone().unwrap(), row[1].clone().unwrap());
            let shown = kinds::events::read_body(&kind, &serde_json::from_str(&body).unwrap());
            let shown = shown.unwrap_or_else(|| panic!("an event of no declared form: {kind} {body}"));
            assert!(!uuid.is_match(&shown.to_string()), "an id that is not public: {kind} {shown}");
        }
        let tasks = "select kind, subject, body::text from task where kind not like 'test%' limit 5000";
        for row in self.db.sql(tasks).await {
            let [kind, subject, body] = [0, 1, 2].map(|column| row[column].clone().unwrap());
            let shown = kinds::tasks::read_subject(&kind, &subject)
                .zip(kinds::tasks::read_body(&kind, &serde_json::from_str(&body).unwrap()));
            let shown =
                shown.unwrap_or_else(|| panic!("a task of no declared form: {kind} {subject} {body}"));
            assert!(!uuid.is_match(&format!("{shown:?}")), "an id that is not public: {kind} {shown:?}");
        }
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if !self.finished && !std::thread::panicking() {
            panic!("a test ended without `finish`");
        }
    }
}
