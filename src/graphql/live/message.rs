//! The messages of `graphql-transport-ws` (the protocol of npm's `graphql-ws`, version 5 and later), and the codes it
//! closes with.

use serde_json::{Map, Value, json};

use crate::graphql::request::strict;

/// The subprotocol's name.
pub const PROTOCOL: &str = "graphql-transport-ws";

/// Letters of an operation's id.
const LONGEST_ID: usize = 100;

/// What a client says.
#[derive(Debug)]
pub enum ClientMessage {
    Init(Map<String, Value>),
    Subscribe { id: String, payload: Map<String, Value> },
    Complete { id: String },
    Ping(Option<Value>),
    Pong,
}

/// Why a socket is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    pub code: u16,
    pub reason: String,
}

impl Close {
    fn of(code: u16, reason: impl Into<String>) -> Self {
        let mut reason: String = reason.into();
        // A close frame has room for no more.
        while reason.len() > 120 {
            reason.pop();
        }
        Self { code, reason }
    }

    /// Come again, and go on from your cursor.
    pub fn again() -> Self {
        Self::of(1012, "Come again")
    }

    pub fn too_large() -> Self {
        Self::of(1009, "Message too large")
    }

    pub fn bad(reason: impl Into<String>) -> Self {
        Self::of(4400, reason)
    }

    pub fn unauthorized() -> Self {
        Self::of(4401, "Unauthorized")
    }

    pub fn forbidden(reason: impl Into<String>) -> Self {
        Self::of(4403, reason)
    }

    pub fn no_protocol() -> Self {
        Self::of(4406, "Subprotocol not acceptable")
    }

    pub fn init_timeout() -> Self {
        Self::of(4408, "Connection initialisation timeout")
    }

    pub fn duplicate(id: &str) -> Self {
        Self::of(4409, format!("Subscriber for {id} already exists"))
    }

    pub fn second_init() -> Self {
        Self::of(4429, "Too many initialisation requests")
    }

    pub fn flood() -> Self {
        Self::of(4429, "Too many messages")
    }
}

/// Reads a message.
///
/// # Errors
/// What is wrong with it, ready to show.
pub fn read(text: &str) -> Result<ClientMessage, String> {
    let Value::Object(mut object) = strict(text.as_bytes())? else {
        return Err("a message is one JSON object".into());
    };
    let payload = object.remove("payload").filter(|payload| !payload.is_null());
    let kind = match object.get("type") {
        Some(Value::String(kind)) => kind.clone(),
        _ => return Err("the message has no `type`".into()),
    };
    let id = || match object.get("id") {
        Some(Value::String(id)) if !id.is_empty() && id.len() <= LONGEST_ID => Ok(id.clone()),
        _ => Err(format!("`id` must be a string of 1 to {LONGEST_ID} bytes")),
    };
    let whole = |payload: Option<Value>| match payload {
        Some(Value::Object(payload)) => Ok(Some(payload)),
        None => Ok(None),
        Some(_) => Err("`payload` must be an object".to_owned()),
    };
    match kind.as_str() {
        "connection_init" => Ok(ClientMessage::Init(whole(payload)?.unwrap_or_default())),
        "subscribe" => {
            let payload = whole(payload)?.ok_or("`payload` is missing")?;
            Ok(ClientMessage::Subscribe { id: id()?, payload })
        }
        "complete" => Ok(ClientMessage::Complete { id: id()? }),
        "ping" => Ok(ClientMessage::Ping(payload)),
        "pong" => Ok(ClientMessage::Pong),
        _ => Err("the message's `type` is unknown".into()),
    }
}

pub fn ack() -> String {
    json!({ "type": "connection_ack" }).to_string()
}

pub fn ping() -> String {
    json!({ "type": "ping" }).to_string()
}

/// The answer to a ping, with its payload.
pub fn pong(payload: Option<Value>) -> String {
    match payload {
        Some(payload) => json!({ "type": "pong", "payload": payload }).to_string(),
        None => json!({ "type": "pong" }).to_string(),
    }
}

/// A result, written already.
pub fn next(id: &str, result: &str) -> String {
    format!("{{\"id\":{},\"type\":\"next\",\"payload\":{result}}}", json!(id))
}

/// Errors, written already, that end the operation.
pub fn error(id: &str, errors: &str) -> String {
    format!("{{\"id\":{},\"type\":\"error\",\"payload\":{errors}}}", json!(id))
}

pub fn complete(id: &str) -> String {
    json!({ "id": id, "type": "complete" }).to_string()
}
