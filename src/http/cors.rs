//! Which web pages may call the API from a browser (Fetch standard, CORS protocol). Tokens travel in a header and
//! never in a cookie, so no answer allows credentials.

use poem::Response;
use poem::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use url::Url;

const METHODS: &str = "GET, HEAD, POST, PATCH, DELETE";
const REQUEST_HEADERS: &str = "authorization, dispense-order-token, content-type, accept, accept-language, x-request-id, if-none-match, \
    if-range, range, last-event-id, tus-resumable, upload-length, upload-offset, upload-metadata, upload-checksum";
const ANSWER_HEADERS: &str = "x-request-id, retry-after, etag, location, content-range, accept-ranges, \
    content-disposition, tus-resumable, upload-offset, upload-length";
/// Seconds a browser may keep the answer to its question; browsers cut it to two hours themselves.
const KEEP: &str = "7200";

/// The origins that may call.
#[derive(Clone, Debug, Default)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Of the configured origins those that a browser can send: apps' own schemes are in the same list for the
    /// way back from a gateway.
    pub fn new(allowed: &[String]) -> Self {
        Self(
            allowed
                .iter()
                .filter(|o| o.starts_with("http://") || o.starts_with("https://"))
                .map(|o| o.trim_end_matches('/').to_owned())
                .collect(),
        )
    }

    /// The request's origin, when it may call.
    fn allowed<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        let text = origin.to_str().ok()?;
        self.0.iter().any(|o| o == text).then_some(origin)
    }

    /// Whether this request may open a WebSocket. A browser lets every page open one anywhere and only says whose page
    /// it is: the same origins may that may call, and the pages of this server itself.
    pub fn may_open(&self, headers: &HeaderMap, own: &str) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        if !headers.contains_key(header::UPGRADE) || self.allowed(headers).is_some() {
            return true;
        }
        let own = Url::parse(own).map(|url| url.origin().ascii_serialization());
        own.is_ok_and(|own| origin.as_bytes() == own.as_bytes())
    }

    /// The answer to a browser's question before the request itself; `None` when this is no such question.
    pub fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response> {
        let asks = method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !asks {
            return None;
        }
        let mut response = Response::builder().status(StatusCode::NO_CONTENT).finish();
        if self.allowed(headers).is_some() {
            let mut set = |name: HeaderName, value| {
                response.headers_mut().insert(name, HeaderValue::from_static(value))
            };
            set(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            set(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
            set(header::ACCESS_CONTROL_MAX_AGE, KEEP);
        }
        Some(response)
    }

    /// Marks an answer as readable by the page that asked, when it may.
    pub fn mark(&self, request: &HeaderMap, response: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        response.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = self.allowed(request) {
            response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            response.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(ANSWER_HEADERS));
        }
    }
}
