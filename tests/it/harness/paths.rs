//! `field` of a refusal is a path into the mutation's `input`: whether it leads anywhere, by the schema.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;

/// Types of the fields of the input types: `("OrderPlaceInput", "lines")` is `[CartLine!]!`.
static INPUTS: LazyLock<HashMap<(String, String), String>> = LazyLock::new(|| {
    let text = std::fs::read_to_string("schema.graphql").unwrap();
    let (mut found, mut inside, mut described) = (HashMap::new(), None, false);
    for line in text.lines() {
        if line.trim() == "\"\"\"" {
            described = !described;
        } else if described {
        } else if let Some(name) = line.strip_prefix("input ") {
            inside = name.split([' ', '{']).next().map(str::to_owned);
        } else if line == "}" {
            inside = None;
        } else if let (Some(ty), Some((name, of))) = (&inside, line.trim().split_once(": ")) {
            found.insert((ty.clone(), name.to_owned()), of.split(" =").next().unwrap().to_owned());
        }
    }
    found
});

/// Whether a path leads to a value of the input of this mutation.
pub fn leads_somewhere(mutation: &str, path: &[&str]) -> bool {
    let mut ty = format!("{}{}Input!", mutation[..1].to_uppercase(), &mutation[1..]);
    for step in path {
        let bare = ty.trim_end_matches('!').to_owned();
        ty = match bare.strip_prefix('[') {
            Some(item) if step.bytes().all(|b| b.is_ascii_digit()) => item.trim_end_matches(']').to_owned(),
            Some(_) => return false,
            None => match INPUTS.get(&(bare, (*step).to_owned())) {
                Some(of) => of.clone(),
                None => return false,
            },
        };
    }
    true
}

/// Fails when a refusal in the payload of this mutation names a path that its input does not have.
pub fn check(mutation: &str, payload: &Value) {
    let results = payload["results"].as_array().map(Vec::as_slice).unwrap_or_default();
    let payloads = results.iter().chain([payload]);
    let lists = payloads.flat_map(|p| [&p["userErrors"], &p["paymentErrors"]]);
    for error in lists.filter_map(Value::as_array).flatten() {
        let path: Vec<&str> =
            error["field"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert!(leads_somewhere(mutation, &path), "`{mutation}` has no such input: {error}");
    }
}

#[test]
fn a_path_is_followed_through_lists_and_inner_inputs() {
    for (path, leads) in [
        (&["lines", "0", "quantity"][..], true),
        (&["start", "methodId"], true),
        (&["lines"], true),
        (&[], true),
        (&["lines", "quantity"], false),
        (&["options", "methodId"], false),
        (&["start", "0"], false),
    ] {
        assert_eq!(leads_somewhere("orderPlace", path), leads, "{path:?}");
    }
}
