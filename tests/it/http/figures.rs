//! The listener of operators: figures in Prometheus' form, and why the shop is not ready.

use std::collections::{BTreeMap, BTreeSet};

use dispense::infra::figures::{FIGURES, FigureKind};
use regex::Regex;
use serde_json::Value;

use crate::harness::{Server, TestApp, with_generic};

/// Units and words that names end with, beside `_total` (Prometheus' conventions on metric names).
const UNITS: [&str; 2] = ["_seconds", "_bytes"];

/// What is wrong with an exposition: every family has HELP before TYPE, once, and its samples behind them; names follow the
/// conventions.
fn faults(text: &str) -> Vec<String> {
    let sample = Regex::new(r#"^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\\]|\\\\.)*",?)*\})? (\S+)$"#).unwrap();
    let (mut helps, mut types, mut wrong) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
    for line in text.lines().filter(|l| !l.is_empty()) {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
            if help.trim().is_empty() || !helps.insert(name.to_owned()) {
                wrong.push(format!("help: {line}"));
            }
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, ""));
            if types.insert(name.to_owned(), kind.to_owned()).is_some() {
                wrong.push(format!("type twice: {line}"));
            }
            if (kind == "counter") != name.ends_with("_total") {
                wrong.push(format!("counters end with _total, and nothing else does: {line}"));
            }
            if kind == "histogram" && !UNITS.iter().any(|unit| name.ends_with(unit)) {
                wrong.push(format!("a unit is missing: {line}"));
            }
        } else if let Some(found) = sample.captures(line) {
            let name = &found[1];
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let family = family.filter(|family| types.contains_key(*family)).unwrap_or(name);
            if !types.contains_key(family) || !helps.contains(family) {
                wrong.push(format!("neither help nor type: {line}"));
            }
            if found[3].parse::<f64>().is_err() {
                wrong.push(format!("no number: {line}"));
            }
        } else {
            wrong.push(format!("not understood: {line}"));
        }
    }
    wrong
}

#[test]
fn what_breaks_the_form_of_figures_is_found() {
    let good = "# HELP a_total Some.\n# TYPE a_total counter\na_total{x=\"1\"} 0\n";
    assert!(faults(good).is_empty(), "{:?}", faults(good));
    for bad in [
        good.replace("# HELP a_total Some.\n", ""),
        good.replace(" Some.", ""),
        good.replace("a_total", "a"),
        good.replace("} 0", "} none"),
        good.replace("counter", "gauge"),
        good.replace("# TYPE a_total counter\n", ""),
        format!("{good}nonsense here too\n"),
        "# HELP a Some.\n# TYPE a histogram\na_bucket{le=\"1\"} 0\n".to_owned(),
    ] {
        assert!(!faults(&bad).is_empty(), "{bad}");
    }
}

/// Rows: X2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_have_help_and_form_and_counters_are_there_from_the_start() {
    let t = TestApp::start_with(with_generic).await;
    assert_eq!(t.get("/healthz").await.status(), 200);
    let shop = t.figures().await;
    let worker = Server::of(&t.db.app_url()).works().start();
    let read = async |path: &str| {
        let answer = t.http().get(worker.admin(path)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (_, work) = read("/metrics").await;
    for text in [&shop, &work] {
        assert!(faults(text).is_empty(), "{:#?}", faults(text));
        // Those that need no event to be there.
        for figure in FIGURES.iter().filter(|f| f.kind == FigureKind::Counter) {
            let known = figure.labels.iter().all(|(_, values)| !values.is_empty());
            let zero = Regex::new(&format!(r"(?m)^{}(\{{[^}}]*\}})? \d+$", figure.name)).unwrap();
            assert!(!known || zero.is_match(text), "{} is missing:\n{text}", figure.name);
        }
    }
    assert!(shop.contains("dispense_notices_total{account="), "{shop}");
    assert!(work.contains("dispense_jobs_dead_total{kind=\"message.send\"} 0"), "{work}");
    assert!(
        shop.contains("dispense_connections_closed_total{listener=\"public\",reason=\"slow_head\"} 0"),
        "{shop}"
    );
    assert_eq!(read("/healthz").await, (200, "ok\n".into()));
    let (status, ready) = read("/readyz").await;
    let ready: Value = serde_json::from_str(&ready).unwrap();
    assert_eq!((status, &ready["ready"]), (200, &Value::Bool(true)));
    for path in ["/", "/graphql", "/openapi.json", "/downloads/x"] {
        assert_eq!(read(path).await.0, 404, "{path} is not for operators");
    }
    // To the public there are none, and no details.
    assert_eq!(t.get("/metrics").await.status(), 404);
    assert_eq!(t.get("/readyz").await.text().await.unwrap(), "ready\n");
    drop(worker);
    t.finish_with_jobs().await;
}

/// Every figure that the source writes is described, and every one that is described is written.
#[test]
fn the_table_of_figures_is_whole() {
    let written = Regex::new(r#"(counter|gauge|histogram)!\(\s*"(dispense_[a-z_]+)""#).unwrap();
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for source in crate::architecture::sources() {
        for one in written.captures_iter(&source.code()) {
            found.insert(one[2].to_owned(), one[1].to_owned());
        }
    }
    let table: BTreeMap<String, String> =
        FIGURES.iter().map(|f| (f.name.to_owned(), format!("{:?}", f.kind).to_lowercase())).collect();
    assert_eq!(found, table);
    let reactions = std::fs::read_to_string("src/worker/reactions.rs").unwrap();
    let handled = reactions.matches("::KIND =>").count();
    assert_eq!(handled, dispense::worker::reactions::KINDS.len(), "kinds of jobs without a counter");
}

/// Rows: X2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_takes_no_writes_is_alive_but_not_ready() {
    let t = TestApp::start().await;
    let ready = async || {
        let public = t.get("/readyz").await;
        let (status, public) = (public.status().as_u16(), public.text().await.unwrap());
        let details = t.http().get(format!("{}/readyz", t.admin)).send().await.unwrap();
        let details: Value = serde_json::from_str(&details.text().await.unwrap()).unwrap();
        (status, public, details)
    };
    assert_eq!(ready().await.0, 200);
    let only_reads = |on: &str| {
        format!(
            "do $$ begin execute format('alter database %I set default_transaction_read_only = {on}', current_database()); end $$"
        )
    };
    t.db.sql(&only_reads("on")).await;
    let others = "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    t.db.sql(others).await;
    let began = std::time::Instant::now();
    let (public, details) = loop {
        // An answer is good for a second; connections that were ended are replaced.
        let (status, public, details) = ready().await;
        if status == 503 && details["reason"] == "not_writable" {
            break (public, details);
        }
        assert!(began.elapsed().as_secs() < 20, "{status} {details}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert!(!public.contains("read-only") && !public.contains("not_writable"), "{public}");
    assert!(details["fault"].as_str().unwrap().contains("read-only"), "{details}");
    assert_eq!(t.get("/healthz").await.status(), 200);
    t.db.sql(&format!("set default_transaction_read_only = off; {}", only_reads("off"))).await;
    t.finish_with_jobs().await;
}
