//! How long an answer may be kept by caches between us and the client: as long as the least of what was asked for, and
//! not at all as soon as anything of it belongs to a person, an order or a quote.

use std::collections::BTreeMap;
use std::convert::Infallible;

use async_graphql::parser::types::{ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet};
use async_graphql::{Name, Value, Variables};
use sha2::{Digest, Sha256};

/// Seconds.
const SHOP: u64 = 300;
const PRODUCTS: u64 = 60;
const AVAILABILITY: u64 = 5;

/// What a cache holds answers apart by.
pub const VARY: &str =
    "Accept, Accept-Language, Accept-Encoding, Origin, Authorization, Dispense-Order-Token";

/// Seconds that everybody may be given this operation's answer; none when it is the caller's alone. What is not known
/// here to be everybody's is not.
pub fn max_age(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Variables,
) -> Option<u64> {
    let mut resolved: BTreeMap<&Name, Value> = BTreeMap::new();
    for definition in &operation.variable_definitions {
        let name = &definition.node.name.node;
        let default = definition.node.default_value.as_ref().map(|v| v.node.clone());
        if let Some(value) = variables.get(name).cloned().or(default) {
            resolved.insert(name, value);
        }
    }
    let mut age = None;
    for field in fields(document, &operation.selection_set.node) {
        let own = match field.name.node.as_str() {
            "__typename" => continue,
            "shop" if !asks(document, &field.selection_set.node, "now") => SHOP,
            "products" | "product"
                if by_stock(field, &resolved)
                    || asks(document, &field.selection_set.node, "availability") =>
            {
                AVAILABILITY
            }
            "products" | "product" => PRODUCTS,
            _ => return None,
        };
        age = Some(age.map_or(own, |age: u64| age.min(own)));
    }
    age
}

/// The fields of a selection, those of its fragments too; the limits have seen that no fragment contains itself.
fn fields<'a>(document: &'a ExecutableDocument, set: &'a SelectionSet) -> Vec<&'a Field> {
    let mut found = Vec::new();
    let mut open = vec![set];
    let mut spread: Vec<&Name> = Vec::new();
    while let Some(set) = open.pop() {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => found.push(&field.node),
                Selection::InlineFragment(inline) => open.push(&inline.node.selection_set.node),
                Selection::FragmentSpread(named) => {
                    let name = &named.node.fragment_name.node;
                    if !spread.contains(&name)
                        && let Some(fragment) = document.fragments.get(name)
                    {
                        spread.push(name);
                        open.push(&fragment.node.selection_set.node);
                    }
                }
            }
        }
    }
    found
}

/// Whether a field of this name is asked for anywhere below.
fn asks(document: &ExecutableDocument, set: &SelectionSet, name: &str) -> bool {
    let inside = |field: &Field| field.name.node == name || asks(document, &field.selection_set.node, name);
    fields(document, set).into_iter().any(inside)
}

/// Whether a list is narrowed by what is in stock.
fn by_stock(field: &Field, variables: &BTreeMap<&Name, Value>) -> bool {
    field.arguments.iter().any(|(name, value)| {
        let Ok(value) = value
            .node
            .clone()
            .into_const_with(|name| Ok::<_, Infallible>(variables.get(&name).cloned().unwrap_or_default()));
        let narrowed = |object: &async_graphql::indexmap::IndexMap<Name, Value>| {
            object.get("inStock").is_some_and(|value| *value != Value::Null)
        };
        name.node == "filter" && matches!(&value, Value::Object(object) if narrowed(object))
    })
}

/// The entity tag of an answer in this media type.
pub fn tag(media: &str, text: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(media.as_bytes());
    digest.update([0]);
    digest.update(text.as_bytes());
    format!("\"{}\"", hex::encode(&digest.finalize()[..16]))
}

/// Whether an `If-None-Match` has this tag (RFC 9110, 13.1.2: compared weakly).
pub fn has(if_none_match: Option<&str>, tag: &str) -> bool {
    let same = |given: &str| given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag;
    if_none_match.is_some_and(|given| given.split(',').map(str::trim).any(same))
}
