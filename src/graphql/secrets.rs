//! Which values of a document are secrets: known by the argument or input field they stand in, wherever that is.

use std::convert::Infallible;

use async_graphql::Value;
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};

/// Arguments and input fields whose value is a secret.
const SECRETS: [&str; 8] =
    ["accessToken", "refreshToken", "password", "newPassword", "currentPassword", "token", "ticket", "code"];

/// How watch tickets begin: they show a state for an hour and may stand in a URL.
const WATCH_TICKET: &str = "wat_";

/// Whether this text, the value of `name` below the field `field`, is a secret. `direct` is for arguments
/// themselves, not for what stands inside their values.
pub fn is_secret(name: &str, text: &str, field: &str, direct: bool) -> bool {
    let named = SECRETS.contains(&name)
        || (direct && name == "key")
        || (direct && name == "search" && field == "desk");
    named && !text.starts_with(WATCH_TICKET)
}

/// Whether the document itself, without its variables, holds a secret or somebody's address. Such a text is run and not
/// kept.
pub fn stand_in(document: &ExecutableDocument) -> bool {
    let operations = document.operations.iter().any(|(_, operation)| {
        let defaults = operation.node.variable_definitions.iter().any(|variable| {
            let default = variable.node.default_value.as_ref();
            default.is_some_and(|value| holds(variable.node.name.node.as_str(), &value.node, "", true))
        });
        defaults || in_selections(&operation.node.selection_set.node, "")
    });
    operations || document.fragments.values().any(|f| in_selections(&f.node.selection_set.node, ""))
}

fn in_selections(set: &SelectionSet, parent: &str) -> bool {
    set.items.iter().any(|item| match &item.node {
        Selection::Field(field) => {
            let field = &field.node;
            let arguments = field.arguments.iter().any(|(name, value)| {
                let Ok(value) = value.node.clone().into_const_with(|_| Ok::<_, Infallible>(Value::Null));
                holds(name.node.as_str(), &value, parent, true)
            });
            arguments || in_selections(&field.selection_set.node, field.name.node.as_str())
        }
        Selection::InlineFragment(inline) => in_selections(&inline.node.selection_set.node, parent),
        Selection::FragmentSpread(_) => false,
    })
}

fn holds(name: &str, value: &Value, field: &str, direct: bool) -> bool {
    match value {
        Value::String(text) => !text.is_empty() && (name == "email" || is_secret(name, text, field, direct)),
        Value::List(items) => items.iter().any(|item| holds(name, item, field, false)),
        Value::Object(object) => object.iter().any(|(name, value)| holds(name.as_str(), value, field, false)),
        _ => false,
    }
}
