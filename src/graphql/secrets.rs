//! Which values of a document are secrets: known by the argument or input field they are in, wherever that is.

use std::collections::HashMap;
use std::convert::Infallible;

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet, VariableDefinition};
use async_graphql::{Name, Positioned, Value};

/// Arguments and input fields whose value is a secret.
const SECRETS: [&str; 11] = [
    "accessToken",
    "refreshToken",
    "password",
    "newPassword",
    "currentPassword",
    "token",
    "ticket",
    "code",
    "emailCode",
    "captchaToken",
    "secretText",
];

/// How watch tickets begin: they show a state for an hour and may be part of a URL.
const WATCH_TICKET: &str = "wat_";

/// Whether this text, the value of `name` below the field `field`, is a secret. `direct` is for arguments
/// themselves, not for the fields inside their values.
pub fn is_secret(name: &str, text: &str, field: &str, direct: bool) -> bool {
    let named = SECRETS.contains(&name)
        || (direct && name == "key")
        || (direct && name == "search" && field == "desk");
    named && !text.starts_with(WATCH_TICKET)
}

/// Begin the tokens of guests and of gifts' recipients, in whatever argument one is.
const ORDER_TOKENS: [&str; 2] = ["oat_", "gft_"];

/// Defaults of variables, which are part of the document's text.
type Defaults = HashMap<Name, Value>;

/// Whether the document itself, without the variables sent beside it, holds a secret or somebody's address. Such a text
/// is run and not kept.
pub fn stand_in(document: &ExecutableDocument) -> bool {
    let variables = document.operations.iter().flat_map(|(_, o)| &o.node.variable_definitions);
    let default = |variable: &Positioned<VariableDefinition>| {
        let value = variable.node.default_value.as_ref()?;
        Some((variable.node.name.node.clone(), value.node.clone()))
    };
    let defaults: Defaults = variables.filter_map(default).collect();
    defaults.iter().any(|(name, value)| holds(name.as_str(), value, "", true))
        || document.operations.iter().any(|(_, o)| in_selections(&o.node.selection_set.node, "", &defaults))
        || document.fragments.values().any(|f| in_selections(&f.node.selection_set.node, "", &defaults))
}

fn in_selections(set: &SelectionSet, parent: &str, defaults: &Defaults) -> bool {
    set.items.iter().any(|item| match &item.node {
        Selection::Field(field) => {
            let field = &field.node;
            let arguments = field.arguments.iter().any(|(name, value)| {
                let Ok(value) = value
                    .node
                    .clone()
                    .into_const_with(|v| Ok::<_, Infallible>(defaults.get(&v).cloned().unwrap_or_default()));
                holds(name.node.as_str(), &value, parent, true)
            });
            arguments || in_selections(&field.selection_set.node, field.name.node.as_str(), defaults)
        }
        Selection::InlineFragment(inline) => in_selections(&inline.node.selection_set.node, parent, defaults),
        Selection::FragmentSpread(_) => false,
    })
}

fn holds(name: &str, value: &Value, field: &str, direct: bool) -> bool {
    match value {
        Value::String(text) => {
            let personal = name == "email" || ORDER_TOKENS.iter().any(|begin| text.starts_with(begin));
            !text.is_empty() && (personal || is_secret(name, text, field, direct))
        }
        Value::List(items) => items.iter().any(|item| holds(name, item, field, false)),
        Value::Object(object) => object.iter().any(|(name, value)| holds(name.as_str(), value, field, false)),
        _ => false,
    }
}
