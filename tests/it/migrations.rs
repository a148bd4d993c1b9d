//! Migrations that have landed are never edited: whoever ran one would have another schema than whoever runs it now.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Each migration's name and the SHA-256 of what it does, in the order in which they run. A new one is added with
/// `UPDATE_DOCS=1`; a line that is there is never changed.
const LANDED: &str = "migrations/checksums.txt";

/// The first that says in its first line whether it expands or contracts.
const FIRST_THAT_SAYS: &str = "2026-11-27-000009";

fn folders() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir("migrations")
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn up(name: &str) -> String {
    std::fs::read_to_string(format!("migrations/{name}/up.sql")).unwrap()
}

fn line(name: &str) -> String {
    format!("{name} {}", hex::encode(Sha256::digest(up(name))))
}

/// Rows: X5.
#[test]
fn a_migration_that_has_landed_is_never_edited() {
    let names = folders();
    let landed = std::fs::read_to_string(LANDED).unwrap_or_default();
    let landed: Vec<&str> = landed.lines().collect();
    for (index, known) in landed.iter().enumerate() {
        let name = names.get(index).unwrap_or_else(|| panic!("a migration is gone: {known}"));
        assert_eq!(line(name), *known, "a landed migration was edited: write a new one");
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let mut text = String::new();
        names.iter().for_each(|name| writeln!(text, "{}", line(name)).unwrap());
        std::fs::write(LANDED, text).unwrap();
    } else {
        assert_eq!(
            landed.len(),
            names.len(),
            "a new migration is missing in {LANDED}: run with UPDATE_DOCS=1"
        );
    }
}

/// Rows: X5.
#[test]
fn each_migration_says_whether_it_expands_or_contracts() {
    for name in folders().iter().filter(|name| name.as_str() >= FIRST_THAT_SAYS) {
        let text = up(name);
        let first = text.lines().next().unwrap_or_default();
        let says = first.starts_with("-- Expands") || first.starts_with("-- Contracts");
        assert!(says, "{name}: {first}");
    }
}
