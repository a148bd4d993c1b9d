//! Which requirement is shown by which test, and which operation of the API is sent by which test: read from what the
//! comments above the tests declare. That a test does what it declares is checked when it ends, by `harness::sent`.

use std::collections::{BTreeMap, BTreeSet};

use crate::harness::declared::{self, Declared, Row, row};
use crate::harness::sent::{Fate, missing};

/// The rows that the first version promises.
const PROMISED: &str = "K1 K2 K3 K4 K5 K6 K7 K9 K10 K13 K14 K15 C5 C7 C12 C13 O1 O2 O3 O4 O5 O6 O7 O8 \
    P3 P4 P5 P6 P7 P9 D1 D3 D4 D5 D6 L1 L2 L3 L4 L5 L6 L7 L8 X2 X3 X4 X6";

/// Ends of a test in which the shop checks what was sent to it.
const ENDS: [&str; 3] = [".finish().await", ".finish_with_jobs().await", ".sound().await"];

/// Everything that is declared, except by this file.
fn declarations() -> Vec<Declared> {
    let others = declared::sources()
        .into_iter()
        .filter(|(_, module)| module != "rows" && module != "harness::declared");
    others
        .flat_map(|(path, module)| declared::read(&std::fs::read_to_string(path).unwrap(), &module))
        .collect()
}

/// The root fields of the schema: `true` for mutations.
fn operations() -> BTreeMap<String, bool> {
    use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};
    let text = std::fs::read_to_string("schema.graphql").unwrap();
    let document = async_graphql::parser::parse_schema(text).unwrap();
    let mut found = BTreeMap::new();
    for definition in &document.definitions {
        let TypeSystemDefinition::Type(ty) = definition else { continue };
        let mutation = match ty.node.name.node.as_str() {
            "Query" | "Subscription" => false,
            "Mutation" => true,
            _ => continue,
        };
        let TypeKind::Object(object) = &ty.node.kind else { panic!("a root that is no object") };
        found.extend(object.fields.iter().map(|field| (field.node.name.node.to_string(), mutation)));
    }
    found
}

fn print(title: &str, table: &BTreeMap<String, Vec<String>>) {
    let width = table.keys().map(String::len).chain([title.len()]).max().unwrap_or_default();
    println!("\n{title:<width$}  Tests");
    for (name, tests) in table {
        for (index, test) in tests.iter().enumerate() {
            println!("{:<width$}  {test}", if index == 0 { name } else { "" });
        }
    }
}

#[test]
fn every_requirement_has_a_test() {
    let mut found: BTreeMap<Row, Vec<String>> = BTreeMap::new();
    for declared in declarations() {
        for (row, operations) in declared.rows {
            let by = match operations.is_empty() {
                true => String::new(),
                false => format!(" by {}", operations.join(", ")),
            };
            found.entry(row).or_default().push(format!("{}{by}", declared.name));
        }
    }
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

#[test]
fn every_operation_is_sent_over_http_by_a_test_that_is_about_it() {
    let operations = operations();
    assert!(operations["orderPlace"] && !operations["order"], "{operations:?}");
    let (mut about, mut also): (BTreeMap<String, Vec<String>>, BTreeMap<String, Vec<String>>) =
        Default::default();
    for declared in declarations().iter().filter(|declared| declared.operations().next().is_some()) {
        // What is declared is checked when the shop of the test ends: the test must run, and end one.
        let runs = declared.attributes.contains("test") && !declared.attributes.contains("ignore");
        assert!(runs, "{} names operations and is not run", declared.name);
        let ends = ENDS.iter().any(|end| declared.body.contains(end));
        assert!(ends, "{} names operations and ends no shop", declared.name);
        for operation in declared.operations() {
            assert!(operations.contains_key(operation), "{}: there is no `{operation}`", declared.name);
        }
        for operation in &declared.sends {
            about.entry(operation.clone()).or_default().push(declared.name.clone());
        }
        let rows: BTreeSet<_> = declared.rows.iter().flat_map(|(_, operations)| operations).collect();
        for operation in rows {
            also.entry(operation.clone()).or_default().push(declared.name.clone());
        }
    }
    print("Operation", &about);
    print("Used to show a requirement", &also);
    let missing: Vec<&String> = operations.keys().filter(|name| !about.contains_key(*name)).collect();
    assert!(missing.is_empty(), "no test is about {missing:?}");
}

#[test]
fn a_comment_alone_is_no_proof() {
    let text = "
        /// Rows: K3 (orderPlace, order), L1.
        /// Sends: orderCancel, me.
        #[tokio::test]
        async fn a_test() {}
";
    let declared = declared::read(text, "somewhere").remove(0);
    assert_eq!(declared.name, "somewhere::a_test");
    assert_eq!(
        declared.rows,
        [(('K', 3), vec!["orderPlace".into(), "order".into()]), (('L', 1), Vec::new())]
    );
    assert_eq!(missing(&declared, &BTreeMap::new()).len(), 4);
    let fate = |mutation, done, refused| Fate { mutation, done, refused };
    let mut sent: BTreeMap<String, Fate> = [
        ("orderPlace".to_owned(), fate(true, true, false)),
        ("order".to_owned(), fate(false, true, false)),
        ("orderCancel".to_owned(), fate(true, true, false)),
        ("me".to_owned(), fate(false, true, false)),
    ]
    .into();
    assert_eq!(missing(&declared, &sent), ["`orderCancel` was never refused"]);
    sent.insert("orderCancel".into(), fate(true, false, true));
    assert_eq!(missing(&declared, &sent), ["`orderCancel` was not sent with success"]);
    sent.insert("orderCancel".into(), fate(true, true, true));
    assert_eq!(missing(&declared, &sent), Vec::<String>::new());
}
