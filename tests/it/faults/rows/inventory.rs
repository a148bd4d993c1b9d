//! docs/FAULTS.md says which test shows which row: it is compared with the tests.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use crate::harness::declared;

/// Rows that must be there.
const PROMISED: &str = "A1 A2 A3 A4 A5 A6 A7 A8 B1 B2 B3 B4 B5 B6 B6b B7 B8 B9 C1 C2 C3 C4 C5 D1 D2 D3 D4 D5 \
    E1 E2 E3 E4 E5 F1 F2 F3 F4 F5 I1 I2 K6 L4";

/// Rows with the tests that they name.
fn table() -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string("docs/FAULTS.md").unwrap();
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Row ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [id, wrong, promised, shown] = cells.as_slice() else { panic!("four cells: {line}") };
        assert!(!wrong.is_empty() && !promised.is_empty(), "{line}");
        let tests: Vec<String> =
            shown.split(',').map(|name| name.trim().trim_matches('`').to_owned()).collect();
        assert!(rows.insert((*id).to_owned(), tests).is_none(), "{id} is there twice");
    }
    rows
}

/// Every test of the suite that is run, as the test runner names it.
fn tests() -> BTreeSet<String> {
    let test = Regex::new(r"(?m)^#\[(?:tokio::)?test[^\]]*\]\n(?:async )?fn ([a-z0-9_]+)").unwrap();
    let mut found = BTreeSet::new();
    for (path, module) in declared::sources() {
        let text = std::fs::read_to_string(path).unwrap();
        found.extend(test.captures_iter(&text).map(|named| format!("{module}::{}", &named[1])));
    }
    found
}

#[test]
fn every_row_names_tests_that_are_run_and_every_row_that_is_played_is_written_down() {
    let (rows, tests) = (table(), tests());
    let promised: BTreeSet<&str> = PROMISED.split_ascii_whitespace().collect();
    let written: BTreeSet<&str> = rows.keys().map(String::as_str).collect();
    assert_eq!(written, promised);
    for (row, named) in &rows {
        assert!(!named.is_empty());
        for name in named {
            assert!(tests.contains(name), "{row}: there is no test `{name}`");
        }
    }
    let played = Regex::new(r#""([A-K][0-9]b?)[":,]"#).unwrap();
    let mut found = BTreeSet::new();
    for (path, module) in declared::sources() {
        if !module.starts_with("faults::rows::") || module.ends_with("inventory") {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        for id in played.captures_iter(&text) {
            let id = id[1].to_owned();
            let here = rows.get(&id).unwrap_or_else(|| panic!("{id} is played and not written down"));
            assert!(
                here.iter().any(|name| name.starts_with(&format!("{module}::"))),
                "{id} does not name {module}"
            );
            found.insert(id);
        }
    }
    assert!(found.len() > 20, "{found:?}");
}
