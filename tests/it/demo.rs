//! `dispense demo`, played as a newcomer plays it.

use std::process::{Command, Stdio};

use crate::harness::program;

/// The text after a label at the beginning of some line.
fn after<'a>(story: &'a str, label: &str) -> &'a str {
    let line = story.lines().find_map(|line| line.trim_start().strip_prefix(label));
    line.unwrap_or_else(|| panic!("no `{label}` in:\n{story}")).trim()
}

/// Rows: P3, D1, L1, C7.
#[test]
fn the_demo_sells_a_key_and_a_file_to_a_guest_and_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    std::fs::set_permissions(temporary.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let played = Command::new(program())
        .arg("demo")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("TMPDIR", temporary.path())
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let story = String::from_utf8(played.stdout).unwrap();
    let trouble = String::from_utf8_lossy(&played.stderr);
    assert!(played.status.success(), "{story}\n{trouble}");

    let key = after(&story, "key ");
    assert!(key.len() >= 16, "{story}");
    let uploaded = after(&story, "sha256 of the uploaded file");
    assert_eq!(uploaded.len(), 64);
    assert_eq!(uploaded, after(&story, "sha256 of what was downloaded"));
    assert!(story.contains(&format!("|   Key: {key}")), "the mail does not carry the key:\n{story}");
    assert!(story.contains("payment.succeeded") && story.contains("answered 200"), "{story}");
    assert!(story.contains("wish REPLACE: the case is OPEN"), "{story}");
    assert!(story.contains("The case is CLOSED: REPLACED"), "{story}");
    let others: Vec<&str> = story
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("The guest reveals another key: "))
        .collect();
    assert!(others.len() == 2 && others[0] != others[1] && !others.contains(&key), "{story}");
    assert!(story.contains("buyers hold one"), "{story}");
    assert!(story.contains("neither a key nor the guest's token"), "{story}");
    assert!(
        !others.iter().any(|other| trouble.contains(other)) && !trouble.contains(key),
        "a key was logged"
    );
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0, "the private shop was left behind");
}
