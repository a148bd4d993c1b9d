//! Chaos at the simulator: by a seed, reported step by step over HTTP, and by itself in a running program.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::witness::{NUMBER, Witness};
use crate::harness::program;

/// The acts of a story with what has no random number in it.
async fn story(seed: u64) -> Vec<String> {
    let witness = Witness::paid("stripe").await;
    let story = witness.simulator.begin_story(seed, &[NUMBER], 20).unwrap();
    let mut steps = Vec::new();
    loop {
        let done = witness.simulator.next_step(story).unwrap();
        witness.settled().await;
        if done["over"] == true {
            return steps;
        }
        assert_eq!(done["refused"], Value::Null, "chance does what is possible: {done}");
        steps.push(format!("{} {} {}", done["act"], done["input"]["amount"], done["input"]["seed"]));
    }
}

/// Rows: P11.
#[tokio::test]
async fn a_seed_tells_the_same_story_again_and_another_seed_another() {
    let first = story(11).await;
    assert!(first.len() >= 20, "{first:?}");
    assert_eq!(story(11).await, first);
    assert_ne!(story(12).await, first);
}

/// Rows: P11.
#[tokio::test]
async fn a_story_is_told_over_http_too() {
    let witness = Witness::paid("generic").await;
    let base = format!("http://{}/sandbox/chaos", witness.simulator.address());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = async |url: String, body: String| {
        let sent =
            client.post(url).header("content-type", "application/json").body(body).send().await.unwrap();
        let status = sent.status().as_u16();
        (status, serde_json::from_str::<Value>(&sent.text().await.unwrap()).unwrap_or_default())
    };
    let (_, begun) =
        post(base.clone(), json!({ "seed": 3, "payments": [NUMBER], "steps": 5 }).to_string()).await;
    let story = begun["story"].as_u64().unwrap();
    let (_, step) = post(format!("{base}/{story}/next"), String::new()).await;
    assert_eq!((&step["step"], &step["payment"], &step["over"]), (&json!(1), &json!(NUMBER), &json!(false)));
    let (_, rest) = post(format!("{base}/{story}/play"), String::new()).await;
    assert!(rest["steps"].as_array().unwrap().len() >= 4, "{rest}");
    let (_, over) = post(format!("{base}/{story}/next"), String::new()).await;
    assert_eq!(over, json!({ "over": true }));
    assert_eq!(post(format!("{base}/99/next"), String::new()).await.0, 404);
    let (status, _) = post(base.clone(), json!({ "seed": 3, "payments": ["nobody"] }).to_string()).await;
    assert_eq!(status, 404);
    witness.settled().await;
}

/// Rows: P11.
#[tokio::test]
async fn chaos_goes_on_by_itself_where_a_buyer_stops() {
    let witness = Witness::paid("generic").await;
    witness.simulator.unleash_chaos(7);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let journal = witness.simulator.journal();
        let of_chaos = |entry: &&Value| entry["what"] == "chaos";
        if let Some(entry) = journal["entries"].as_array().unwrap().iter().find(of_chaos) {
            assert_eq!((&entry["details"]["seed"], &entry["details"]["step"]), (&json!(7), &json!(1)));
            return;
        }
        assert!(Instant::now() < deadline, "nothing happened: {journal}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Rows: P11.
#[test]
fn the_seed_of_chaos_is_printed_and_without_a_sandbox_there_is_none() {
    let data = tempfile::tempdir().unwrap();
    let mut child = Command::new(program())
        .args(["sandbox", "--sandbox-chaos", "42", "--listen", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .current_dir(data.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut head = Vec::new();
    for line in lines {
        let last = line.starts_with("sandbox on http://");
        head.push(line);
        if last {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(head.iter().any(|line| line == "sandbox chaos by seed 42"), "{head:?}");
    let refused = Command::new(program()).args(["serve", "--sandbox-chaos", "42"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--sandbox"));
}
