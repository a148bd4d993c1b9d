//! Which requirement is shown by which test: read from the `/// Rows: K3, K4.` comments above the tests.

use std::collections::BTreeMap;
use std::path::Path;

/// The rows that the first version promises.
const PROMISED: &str = "K1 K2 K3 K4 K5 K6 K7 K9 K10 K14 K15 C5 C7 C12 C13 O1 O2 O3 O4 O5 O6 O8 \
    P3 P4 P5 P6 P7 P9 D1 D3 D4 D5 D6 L1 L2 L3 L4 L5 L6 L7 L8 X2 X3 X4 X6";

/// A row's letter and number, so that K9 stands before K10.
type Row = (char, u32);

fn row(text: &str) -> Row {
    let mut letters = text.chars();
    let letter = letters.next().filter(char::is_ascii_uppercase);
    let number = letters.as_str().parse().ok();
    letter.zip(number).unwrap_or_else(|| panic!("`{text}` is no row such as K3"))
}

/// Rows and tests of one file; its module path stands before the tests' names.
fn scan(file: &Path, module: &str, found: &mut BTreeMap<Row, Vec<String>>) {
    let text = std::fs::read_to_string(file).unwrap();
    let mut pending: Vec<Row> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(rows) = line.strip_prefix("/// Rows: ") {
            pending.extend(rows.trim_end_matches('.').split(',').map(|r| row(r.trim())));
        } else if let Some((_, rest)) = line.split_once("fn ").filter(|_| !pending.is_empty()) {
            let name = rest.split(['(', '<']).next().unwrap();
            for row in pending.drain(..) {
                found.entry(row).or_default().push(format!("{module}::{name}"));
            }
        }
    }
    assert!(pending.is_empty(), "{}: rows without a test below them", file.display());
}

fn scan_folder(folder: &Path, module: &str, found: &mut BTreeMap<Row, Vec<String>>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let inner = match (module, name.as_str()) {
            (outer, "mod" | "main") => outer.to_owned(),
            ("", name) => name.to_owned(),
            (outer, name) => format!("{outer}::{name}"),
        };
        if path.is_dir() {
            scan_folder(&path, &inner, found);
        } else if path.extension().is_some_and(|e| e == "rs") && name != "rows" {
            scan(&path, &inner, found);
        }
    }
}

#[test]
fn every_requirement_has_a_test() {
    let mut found = BTreeMap::new();
    scan_folder(Path::new("tests/it"), "", &mut found);
    println!("\nRow  Tests that show it");
    for ((letter, number), tests) in &found {
        let row = format!("{letter}{number}");
        for (index, test) in tests.iter().enumerate() {
            println!("{:<4} {test}", if index == 0 { &row } else { "" });
        }
    }
    let promised = PROMISED.split_ascii_whitespace();
    let missing: Vec<&str> = promised.filter(|text| !found.contains_key(&row(text))).collect();
    assert!(missing.is_empty(), "no test shows {}", missing.join(", "));
}
