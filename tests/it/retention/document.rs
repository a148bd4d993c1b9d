//! The list of tables in docs/OPERATIONS.md is the schema's: a new table without a decision fails here.

use std::collections::{BTreeMap, BTreeSet};

use dispense::worker::retention;
use regex::Regex;

const PLACE: &str = "docs/OPERATIONS.md";

/// Table, how it is kept, and why.
fn documented() -> BTreeMap<String, (String, String)> {
    let text = std::fs::read_to_string(PLACE).unwrap();
    let (_, section) =
        text.split_once("\n## What is kept, and for how long\n").expect("the section is there");
    let section = section.split("\n## ").next().unwrap();
    let row = Regex::new(r"(?m)^\| `(\w+)` \| (days|months|bounded|for ever) \| (.+) \|$").unwrap();
    let mut tables = BTreeMap::new();
    for found in row.captures_iter(section) {
        let twice = tables.insert(found[1].to_owned(), (found[2].to_owned(), found[3].to_owned()));
        assert!(twice.is_none(), "{} is listed twice", &found[1]);
    }
    tables
}

/// Rows: D8.
#[test]
fn every_table_has_a_decision_how_long_its_rows_are_kept() {
    let schema = std::fs::read_to_string("src/infra/db/schema.rs").unwrap();
    let table = Regex::new(r"(?m)^    (\w+) \(").unwrap();
    let tables: BTreeSet<String> = table.captures_iter(&schema).map(|found| found[1].to_owned()).collect();
    let documented = documented();
    let listed: BTreeSet<String> = documented.keys().cloned().collect();
    let (missing, gone): (Vec<_>, Vec<_>) =
        (tables.difference(&listed).collect(), listed.difference(&tables).collect());
    assert!(
        missing.is_empty() && gone.is_empty(),
        "{PLACE}: missing {missing:?}, not in the schema {gone:?}"
    );

    // What the worker deletes is what is said to leave by age, by a setting that exists.
    let leaves: BTreeMap<&str, bool> = retention::rules()
        .map(|rule| {
            let table = rule.table.split('.').next().unwrap();
            (table, matches!(rule.leaves, dispense::infra::retention::Leaves::Months { .. }))
        })
        .collect();
    let settings = dispense::config::documented();
    let setting = Regex::new(r"`(retention|limits|shop)\.(\w+)`").unwrap();
    for (table, (kept, why)) in &documented {
        let wanted = match leaves.get(table.as_str()) {
            Some(true) => kept == "months",
            Some(false) => kept == "days",
            None => kept == "bounded" || kept == "for ever",
        };
        assert!(wanted, "{PLACE} says of {table}: {kept}");
        let named: Vec<String> = setting.captures_iter(why).map(|found| found[2].to_owned()).collect();
        assert!(
            !leaves.contains_key(table.as_str()) || table == "registration" || !named.is_empty(),
            "{PLACE} names no setting of {table}"
        );
        for name in named {
            assert!(settings.contains(&format!("\n{name} = ")), "{table}: there is no setting {name}");
        }
    }
}
