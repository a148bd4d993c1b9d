//! What one request may ask for, decided on the parsed document before validation and before any database. Fragments
//! are counted as often as they are spread, each measured once, so a bomb of them costs nothing to refuse.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::convert::Infallible;

use async_graphql::parser::types::{
    Directive, DocumentOperations, ExecutableDocument, Field, OperationDefinition, OperationType, Selection,
    SelectionSet,
};
use async_graphql::{Name, Positioned, Value, Variables};

use crate::base::error_code::ErrorCode;
use crate::config::Limits;
use crate::graphql::error::Refused;
use crate::graphql::secrets;

/// Mutations that make an order or move money: one per request, so that an answer is about one thing.
pub const MONEY: [&str; 5] = ["orderPlace", "paymentStart", "orderRefund", "paymentRefund", "refundRetry"];

/// What finding one thing by its id costs beside what is shown of it: whose it is takes as many statements as an order page.
const LOOK_UP: u64 = 8;

/// Depth of an operation that asks for nothing but the schema; generators nest `ofType` deeply.
const INTROSPECTION_DEPTH: u64 = 20;
/// Fields and spreads after expansion; the largest screen has 165.
const MOST_SELECTIONS: u64 = 5_000;
const DIRECTIVES_PER_FIELD: usize = 5;
/// Page size of a connection without `first`.
const DEFAULT_PAGE: u64 = 20;
const DEFAULT_DELIVERIES: u64 = 5;
const DEFAULT_REVEAL: u64 = 100;

/// How the request came, which decides what it may carry.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// By GET: the whole request is in a URL.
    pub in_url: bool,
    pub introspection: bool,
    /// A user or API client we know.
    pub known: bool,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    cost: u64,
    depth: u64,
    aliases: u64,
    selections: u64,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.cost = self.cost.saturating_add(other.cost);
        self.depth = self.depth.max(other.depth);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.selections = self.selections.saturating_add(other.selections);
    }
}

struct Walk<'a> {
    document: &'a ExecutableDocument,
    variables: BTreeMap<Name, Value>,
    manner: Manner,
    /// Measured fragments by name and page size of the field they are in; None while being measured.
    fragments: HashMap<(&'a str, u64), Option<Tally>>,
    directives: usize,
}

type Measured = Result<Tally, Refused>;

fn too_complex<T>(text: String) -> Result<T, Refused> {
    Err(Refused::new(ErrorCode::TooComplex, text))
}

/// Measures the operation that would run and answers its cost.
///
/// # Errors
/// What is too much, or a secret in a URL.
pub fn check(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Variables,
    limits: &Limits,
    manner: Manner,
) -> Result<u64, Refused> {
    let mut resolved: BTreeMap<Name, Value> = BTreeMap::new();
    for definition in &operation.variable_definitions {
        let name = &definition.node.name.node;
        let default = definition.node.default_value.as_ref().map(|v| v.node.clone());
        if let Some(value) = variables.get(name).cloned().or(default) {
            resolved.insert(name.clone(), value);
        }
    }
    let mut walk = Walk { document, variables: resolved, manner, fragments: HashMap::new(), directives: 0 };
    walk.count_document_directives()?;
    let roots = walk.roots(&operation.selection_set.node);
    let tally = walk.measure(&operation.selection_set.node, "", 1)?;
    if walk.directives > limits.graphql_directives {
        return too_complex(format!("the document has more than {} directives", limits.graphql_directives));
    }
    if tally.selections > MOST_SELECTIONS {
        return too_complex(format!("the operation has more than {MOST_SELECTIONS} fields"));
    }
    if tally.aliases > limits.graphql_aliases as u64 {
        return too_complex(format!("the operation has more than {} aliases", limits.graphql_aliases));
    }
    let meta = |name: &str| matches!(name, "__schema" | "__type" | "__typename");
    if !manner.introspection && roots.iter().any(|(_, name)| matches!(*name, "__schema" | "__type")) {
        return Err(Refused::new(
            ErrorCode::ValidationFailed,
            "introspection is off; the schema is at /schema.graphql",
        ));
    }
    // Each root field of a subscription would be a stream of its own.
    if operation.ty == OperationType::Subscription
        && (roots.len() != 1 || roots.iter().any(|(_, name)| meta(name)))
    {
        return Err(Refused::new(ErrorCode::ValidationFailed, "a subscription has one field"));
    }
    if operation.ty == OperationType::Query && roots.iter().all(|(_, name)| meta(name)) {
        if tally.depth > INTROSPECTION_DEPTH {
            return too_complex(format!("introspection is deeper than {INTROSPECTION_DEPTH}"));
        }
        return Ok(0);
    }
    if tally.depth > limits.graphql_depth as u64 {
        return too_complex(format!("the operation is deeper than {}", limits.graphql_depth));
    }
    let most = if manner.known { limits.graphql_cost_known } else { limits.graphql_cost_anonymous } as u64;
    if tally.cost > most {
        return too_complex(format!(
            "the operation costs {}, more than {most}; ask for smaller pages",
            tally.cost
        ));
    }
    if roots.iter().filter(|(_, name)| MONEY.contains(name)).count() > 1 {
        return too_complex("one request makes one order or moves money once".into());
    }
    Ok(tally.cost)
}

/// The operation a request means: the named one, or the only one.
pub fn operation<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, Refused> {
    let found = match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some(operation),
        (DocumentOperations::Multiple(map), Some(name)) => map.get(name),
        (DocumentOperations::Multiple(map), None) if map.len() == 1 => map.values().next(),
        _ => None,
    };
    let missing = || match name {
        Some(name) => format!("the document has no operation named `{name}`"),
        None => "the document has several operations: say which by `operationName`".into(),
    };
    found.map(|o| &o.node).ok_or_else(|| Refused::new(ErrorCode::ValidationFailed, missing()))
}

impl<'a> Walk<'a> {
    fn count_document_directives(&mut self) -> Result<(), Refused> {
        let document = self.document;
        for (_, operation) in document.operations.iter() {
            self.count(&operation.node.directives)?;
            for variable in &operation.node.variable_definitions {
                self.count(&variable.node.directives)?;
            }
            self.count_in(&operation.node.selection_set.node)?;
        }
        for fragment in document.fragments.values() {
            self.count(&fragment.node.directives)?;
            self.count_in(&fragment.node.selection_set.node)?;
        }
        Ok(())
    }

    fn count_in(&mut self, set: &SelectionSet) -> Result<(), Refused> {
        for item in &set.items {
            self.count(item.node.directives())?;
            match &item.node {
                Selection::Field(field) => self.count_in(&field.node.selection_set.node)?,
                Selection::InlineFragment(inline) => self.count_in(&inline.node.selection_set.node)?,
                Selection::FragmentSpread(_) => {}
            }
        }
        Ok(())
    }

    fn count(&mut self, directives: &[Positioned<Directive>]) -> Result<(), Refused> {
        self.directives += directives.len();
        if directives.len() > DIRECTIVES_PER_FIELD {
            return too_complex(format!("a field has more than {DIRECTIVES_PER_FIELD} directives"));
        }
        Ok(())
    }

    /// Response key and name of the fields at the top, fragments opened once each.
    fn roots(&self, set: &'a SelectionSet) -> HashSet<(&'a str, &'a str)> {
        let mut roots = HashSet::new();
        let mut seen = HashSet::new();
        let mut open = vec![set];
        while let Some(set) = open.pop() {
            for item in &set.items {
                match &item.node {
                    Selection::Field(field) => {
                        let key = field.node.alias.as_ref().unwrap_or(&field.node.name);
                        roots.insert((key.node.as_str(), field.node.name.node.as_str()));
                    }
                    Selection::InlineFragment(inline) => open.push(&inline.node.selection_set.node),
                    Selection::FragmentSpread(spread) => {
                        let name = &spread.node.fragment_name.node;
                        if let (true, Some(fragment)) = (seen.insert(name), self.document.fragments.get(name))
                        {
                            open.push(&fragment.node.selection_set.node);
                        }
                    }
                }
            }
        }
        roots
    }

    /// `page`: how many rows the surrounding field has in its `edges`, `nodes` or `secrets`.
    fn measure(&mut self, set: &'a SelectionSet, parent: &'a str, page: u64) -> Measured {
        let mut total = Tally::default();
        for item in &set.items {
            total.selections = total.selections.saturating_add(1);
            match &item.node {
                Selection::Field(field) => {
                    let tally = self.field(&field.node, parent, page)?;
                    total.add(tally);
                }
                Selection::InlineFragment(inline) => {
                    let tally = self.measure(&inline.node.selection_set.node, parent, page)?;
                    total.add(tally);
                }
                Selection::FragmentSpread(spread) => {
                    let tally = self.fragment(spread.node.fragment_name.node.as_str(), parent, page)?;
                    total.add(tally);
                }
            }
        }
        Ok(total)
    }

    fn fragment(&mut self, name: &'a str, parent: &'a str, page: u64) -> Measured {
        match self.fragments.get(&(name, page)) {
            Some(Some(tally)) => return Ok(*tally),
            Some(None) => {
                return Err(Refused::new(
                    ErrorCode::ValidationFailed,
                    format!("fragment `{name}` contains itself"),
                ));
            }
            None => {}
        }
        // An unknown fragment is the validator's to name.
        let Some(fragment) = self.document.fragments.get(name) else { return Ok(Tally::default()) };
        self.fragments.insert((name, page), None);
        let tally = self.measure(&fragment.node.selection_set.node, parent, page)?;
        self.fragments.insert((name, page), Some(tally));
        Ok(tally)
    }

    fn field(&mut self, field: &'a Field, parent: &str, page: u64) -> Measured {
        let name = field.name.node.as_str();
        let mut size = if name == "deliveries" { DEFAULT_DELIVERIES } else { DEFAULT_PAGE };
        let mut times = if matches!(name, "edges" | "nodes" | "secrets") { page } else { 1 };
        let mut looked_up = 0;
        if name == "deliveryReveal" {
            size = DEFAULT_REVEAL;
        }
        for (argument, value) in &field.arguments {
            let argument = argument.node.as_str();
            // A variable without a value counts as left out, an argument of its own or a part of one.
            let value = value.node.clone().into_const_with(|name| {
                Ok::<_, Infallible>(self.variables.get(&name).cloned().unwrap_or_default())
            });
            let Ok(value) = value;
            self.look(argument, &value, parent, true)?;
            match (argument, &value) {
                ("first" | "last", Value::Number(n)) => size = n.as_u64().unwrap_or(u64::from(n.is_f64())),
                ("ids", Value::List(ids)) if name == "nodes" => {
                    (times, looked_up) = (ids.len() as u64, LOOK_UP)
                }
                ("id", _) if name == "node" => looked_up = LOOK_UP,
                ("input", Value::Object(input)) if name == "deliveryReveal" => {
                    if let Some(Value::Number(n)) = input.get("first") {
                        size = n.as_u64().unwrap_or_default();
                    }
                }
                _ => {}
            }
        }
        let inner = self.measure(&field.selection_set.node, name, size)?;
        let own = looked_up + u64::from(!field.selection_set.node.items.is_empty());
        Ok(Tally {
            cost: own.saturating_add(inner.cost).saturating_mul(times),
            depth: inner.depth + 1,
            aliases: inner.aliases.saturating_add(u64::from(field.alias.is_some())),
            selections: inner.selections,
        })
    }

    /// Looks through an argument's value for NUL and, when it is in a URL, for secrets.
    fn look(&self, name: &str, value: &Value, field: &str, direct: bool) -> Result<(), Refused> {
        match value {
            Value::String(text) => {
                if text.contains('\0') {
                    return Err(Refused::new(
                        ErrorCode::BadRequest,
                        format!("`{name}` must not contain NUL"),
                    ));
                }
                if self.manner.in_url && secrets::is_secret(name, text, field, direct) {
                    let text = format!("`{name}` must not be in a URL: send the request by POST");
                    return Err(Refused::new(ErrorCode::SecretInUrl, text));
                }
            }
            Value::List(items) => {
                for item in items {
                    self.look(name, item, field, false)?;
                }
            }
            Value::Object(object) => {
                for (name, value) in object {
                    self.look(name.as_str(), value, field, false)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}
