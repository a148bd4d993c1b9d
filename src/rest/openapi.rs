//! The description of the REST side. It is made from the same rows that mount the handlers, so the two cannot say
//! different things.

use poem::http::{Method, header};
use poem::web::Data;
use poem::{Response, handler};
use serde_json::{Map, Value, json};

/// What one route takes and answers.
#[derive(Clone, Debug)]
pub struct Operation {
    pub method: Method,
    /// As OpenAPI writes it: `/downloads/{token}`.
    pub path: &'static str,
    pub summary: &'static str,
    pub tag: &'static str,
    /// Query and header parameters: where, name, what it is. Those of the path come from the template.
    pub parameters: Vec<(&'static str, &'static str, &'static str)>,
    /// Content type of the request's body, and what it holds.
    pub body: Option<(&'static str, &'static str)>,
    /// Status, content type (empty: no body), what it means. The problem answer is added to all.
    pub answers: Vec<(u16, &'static str, &'static str)>,
    /// Asks for `Authorization: Bearer …`.
    pub signed_in: bool,
}

/// The finished document, kept with the routes it describes.
#[derive(Clone)]
pub struct Document(pub String);

/// The OpenAPI 3.1 document of these operations.
pub fn document(operations: &[Operation]) -> Document {
    let mut paths = Map::new();
    for operation in operations {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method.as_str().to_ascii_lowercase()] = describe(operation);
    }
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Dispense",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The REST side of the shop: what is not GraphQL. Errors are problem+json with a stable code.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "at+jwt" } },
            "schemas": { "Problem": problem_schema() },
        },
    });
    Document(format!("{document:#}\n"))
}

fn describe(operation: &Operation) -> Value {
    let mut parameters: Vec<Value> = path_parameters(operation.path)
        .map(|name| json!({ "in": "path", "name": name, "required": true, "schema": { "type": "string" } }))
        .collect();
    parameters.extend(operation.parameters.iter().map(|(place, name, text)| {
        json!({ "in": place, "name": name, "description": text, "schema": { "type": "string" } })
    }));
    let mut answers = Map::new();
    for (status, content_type, text) in &operation.answers {
        let mut answer = json!({ "description": text });
        if !content_type.is_empty() {
            answer["content"] = json!({ *content_type: {} });
        }
        answers.insert(status.to_string(), answer);
    }
    answers.insert(
        "default".into(),
        json!({
            "description": "What went wrong.",
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        }),
    );
    let mut described = json!({
        "summary": operation.summary,
        "tags": [operation.tag],
        "operationId": operation_id(operation),
        "responses": answers,
    });
    if !parameters.is_empty() {
        described["parameters"] = json!(parameters);
    }
    if let Some((content_type, text)) = operation.body {
        described["requestBody"] =
            json!({ "description": text, "required": true, "content": { content_type: {} } });
    }
    if operation.signed_in {
        described["security"] = json!([{ "bearer": [] }]);
    }
    described
}

/// `get_downloads_token`.
fn operation_id(operation: &Operation) -> String {
    let words = operation.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
    std::iter::once(operation.method.as_str().to_ascii_lowercase().as_str())
        .chain(words)
        .collect::<Vec<_>>()
        .join("_")
}

/// The names in braces.
pub fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457 with a stable code.",
        "required": ["type", "title", "status", "code", "detail", "requestId"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "code": { "type": "string", "description": "Stable; switch on this, never on the text." },
            "detail": { "type": "string", "description": "Ready to show." },
            "requestId": { "type": "string", "description": "Give it to the shop's staff when you ask for help." },
            "field": { "type": "array", "items": { "type": "string" } },
            "retryAfterSeconds": { "type": "integer" },
        },
    })
}

#[handler]
pub fn openapi(document: Data<&Document>) -> Response {
    Response::builder()
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .header(header::CACHE_CONTROL, "public, max-age=300")
        .body(document.0.0.clone())
}
