//! The four parts of a GraphQL request, read from a JSON body or a query string. Stricter than JSON itself: a name
//! that occurs twice and text with NUL are refused, because the parts of the program would not agree on what they mean.

use std::fmt;

use async_graphql::Variables;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// What a client asks, before anything is known about it.
#[derive(Debug, Default)]
pub struct Parts {
    /// Empty when the client only sent the hash of a query.
    pub query: String,
    pub operation_name: Option<String>,
    pub variables: Variables,
    /// The SHA-256 by which the client named its query (automatic persisted queries); not of 32 bytes when it named
    /// none that can be.
    pub hash: Option<Vec<u8>>,
    /// The client wants the cost of the request in the answer.
    pub wants_cost: bool,
}

/// JSON without double names and without NUL in any text.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

fn text<E: de::Error>(text: &str) -> Result<String, E> {
    if text.contains('\0') {
        return Err(E::custom("text must not contain NUL"));
    }
    Ok(text.to_owned())
}

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        serde_json::Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        text(value).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let name = text(&name)?;
            let Strict(value) = map.next_value()?;
            if object.insert(name, value).is_some() {
                return Err(de::Error::custom("a name occurs twice in one object"));
            }
        }
        Ok(Value::Object(object))
    }
}

/// Reads JSON without double names and without NUL.
///
/// # Errors
/// What is wrong with it, ready to show.
pub fn strict(bytes: &[u8]) -> Result<Value, String> {
    // The recursion limit of the parser (128) bounds the nesting.
    serde_json::from_slice::<Strict>(bytes).map(|s| s.0).map_err(|e| format!("the JSON cannot be read: {e}"))
}

impl Parts {
    /// From the body of a POST.
    ///
    /// # Errors
    /// What is wrong with it, ready to show.
    pub fn from_json(body: &[u8]) -> Result<Self, String> {
        let Value::Object(object) = strict(body)? else {
            return Err("the body must be one JSON object; batches are not answered".into());
        };
        Self::from_object(object)
    }

    /// From the object that a body holds, or a message of a socket.
    ///
    /// # Errors
    /// What is wrong with it, ready to show.
    pub fn from_object(mut object: Map<String, Value>) -> Result<Self, String> {
        let query = match object.remove("query") {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text,
            Some(_) => return Err("`query` must be a string".into()),
        };
        let operation_name = match object.remove("operationName") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(_) => return Err("`operationName` must be a string".into()),
        };
        let variables = object.remove("variables");
        let extensions = object.remove("extensions");
        Self::assemble(query, operation_name, variables, extensions)
    }

    /// From the query string of a GET. Parameters that mean nothing here are passed over; known ones may occur once.
    ///
    /// # Errors
    /// What is wrong with it, ready to show.
    pub fn from_query_string(text: &str) -> Result<Self, String> {
        let mut seen: [Option<String>; 5] = Default::default();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            let place = match name.as_ref() {
                "query" => 0,
                "operationName" => 1,
                "variables" => 2,
                "extensions" => 3,
                "locale" => 4,
                _ => continue,
            };
            if seen[place].replace(value.into_owned()).is_some() {
                return Err(format!("`{name}` occurs twice"));
            }
        }
        let [query, operation_name, variables, extensions, _] = seen;
        let json = |part: Option<String>| match part {
            Some(text) if !text.is_empty() => strict(text.as_bytes()).map(Some),
            _ => Ok(None),
        };
        let operation_name = operation_name.filter(|name| !name.is_empty());
        Self::assemble(query.unwrap_or_default(), operation_name, json(variables)?, json(extensions)?)
    }

    fn assemble(
        query: String,
        operation_name: Option<String>,
        variables: Option<Value>,
        extensions: Option<Value>,
    ) -> Result<Self, String> {
        if query.contains('\0') {
            return Err("`query` must not contain NUL".into());
        }
        let variables = match variables {
            None | Some(Value::Null) => Variables::default(),
            Some(value @ Value::Object(_)) => Variables::from_json(value),
            Some(_) => return Err("`variables` must be an object".into()),
        };
        let extensions = match extensions {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(object)) => object,
            Some(_) => return Err("`extensions` must be an object".into()),
        };
        let hash = persisted(extensions.get("persistedQuery"))?;
        let wants_cost = extensions.get("cost") == Some(&Value::Bool(true));
        if query.trim().is_empty() && hash.is_none() {
            return Err("`query` is missing".into());
        }
        Ok(Self { query, operation_name, variables, hash, wants_cost })
    }
}

/// The hash of a `persistedQuery`, as Apollo's protocol of automatic persisted queries writes it, in its version 1.
fn persisted(extension: Option<&Value>) -> Result<Option<Vec<u8>>, String> {
    let object = match extension {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(object)) => object,
        Some(_) => return Err("`persistedQuery` must be an object".into()),
    };
    if object.get("version").is_some_and(|version| version != 1) {
        return Err("`persistedQuery` is known in version 1 alone".into());
    }
    match object.get("sha256Hash") {
        Some(Value::String(text)) => Ok(Some(hex::decode(text).unwrap_or_default())),
        _ => Err("`persistedQuery` has no `sha256Hash`".into()),
    }
}
