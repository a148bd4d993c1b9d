//! What a test sent to the GraphQL endpoint over HTTP, and what became of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationType, Selection, SelectionSet,
};
use serde_json::Value;

use super::declared::{self, Declared};
use super::paths;

/// What became of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    pub mutation: bool,
    /// It was answered with what was asked for. Of a mutation, also that `userErrors` was asked for and is empty.
    pub done: bool,
    /// It was refused: by `userErrors`, or at the top.
    pub refused: bool,
}

/// The root fields that were sent to one shop.
#[derive(Clone, Debug, Default)]
pub struct Sent(Arc<Mutex<BTreeMap<String, Fate>>>);

/// The same of all shops of a test, by the test's name.
static OF_TESTS: Mutex<BTreeMap<String, BTreeMap<String, Fate>>> = Mutex::new(BTreeMap::new());

impl Sent {
    /// Records a request and its answer. A text that cannot be parsed sends nothing.
    pub fn record(&self, query: &str, operation: Option<&str>, answer: &Value) {
        let Ok(document) = async_graphql::parser::parse_query(query) else { return };
        let chosen = match &document.operations {
            DocumentOperations::Single(only) => Some(only),
            DocumentOperations::Multiple(several) => operation.and_then(|name| several.get(name)),
        };
        let Some(chosen) = chosen else { return };
        let mutation = chosen.node.ty == OperationType::Mutation;
        let mut fields = Vec::new();
        root_fields(&document, &chosen.node.selection_set.node, &mut fields);
        let mut sent = self.0.lock().unwrap();
        for (name, key) in fields {
            let fate = sent.entry(name.clone()).or_default();
            let value = &answer["data"][&key];
            if mutation {
                paths::check(&name, value);
            }
            let refused = refused(value) || refused_at_the_top(answer, &key);
            let asked = !mutation || value["userErrors"].is_array();
            fate.mutation = mutation;
            fate.refused |= refused;
            fate.done |= !value.is_null() && asked && !refused;
        }
    }

    /// Checks that the running test sent to its shops what its comment says. To be called at the end of the test.
    pub fn check(&self) {
        let name = running_test().expect("the running test has a name");
        let mut tests = OF_TESTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let of_test = tests.entry(name.clone()).or_default();
        for (operation, fate) in self.0.lock().unwrap().iter() {
            let known = of_test.entry(operation.clone()).or_default();
            known.mutation = fate.mutation;
            known.done |= fate.done;
            known.refused |= fate.refused;
        }
        let Some(declared) = declared::of_test(&name) else { return };
        let missing = missing(&declared, of_test);
        assert!(
            missing.is_empty(),
            "the comment above this test says more than it does: {}",
            missing.join(", ")
        );
    }
}

/// The test's own thread has its name. A shop that ends in another task finds the name in what the test runner says of
/// this process, which runs one test.
fn running_test() -> Option<String> {
    let own = std::thread::current().name().map(str::to_owned);
    let names = own.into_iter().chain(std::env::var("NEXTEST_TEST_NAME").ok()).chain(std::env::args());
    names.filter(|name| !name.contains('/')).find(|name| name.contains("::"))
}

/// What a test declares and did not do.
pub fn missing(declared: &Declared, sent: &BTreeMap<String, Fate>) -> Vec<String> {
    let fate = |operation: &String| sent.get(operation).copied().unwrap_or_default();
    let not_done = declared.operations().filter(|o| !fate(o).done);
    let never_refused = declared.sends.iter().filter(|o| fate(o).mutation && !fate(o).refused);
    let mut missing: Vec<String> = not_done.map(|o| format!("`{o}` was not sent with success")).collect();
    missing.extend(never_refused.map(|o| format!("`{o}` was never refused")));
    missing
}

/// Names of the root fields and the keys of their answers.
fn root_fields(document: &ExecutableDocument, set: &SelectionSet, found: &mut Vec<(String, String)>) {
    for item in &set.items {
        match &item.node {
            Selection::Field(field) => {
                found.push((field.node.name.node.to_string(), field.node.response_key().node.to_string()));
            }
            Selection::InlineFragment(inner) => root_fields(document, &inner.node.selection_set.node, found),
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                    root_fields(document, &fragment.node.selection_set.node, found);
                }
            }
        }
    }
}

/// A payload with `userErrors`, its own or all of its results'.
fn refused(payload: &Value) -> bool {
    let full = |value: &Value| value["userErrors"].as_array().is_some_and(|errors| !errors.is_empty());
    let results = payload["results"].as_array().map(Vec::as_slice).unwrap_or_default();
    full(payload) || (!results.is_empty() && results.iter().all(full))
}

fn refused_at_the_top(answer: &Value, key: &str) -> bool {
    answer["errors"].as_array().is_some_and(|errors| errors.iter().any(|error| error["path"][0] == *key))
}
