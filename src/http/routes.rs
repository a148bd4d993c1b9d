//! The one table of routes. Each row is both mounted and described, so `/openapi.json` cannot say anything else than
//! what is served. A handler is any poem endpoint; it finds `Data<&Arc<HttpBackend>>` and `Data<&Caller>`, and fails with
//! `rest::problem::Problem`, into which refusals and faults turn by themselves.

use std::sync::Arc;

use poem::endpoint::BoxEndpoint;
use poem::http::Method;
use poem::{Endpoint, EndpointExt, IntoResponse, Response, Route};

use crate::graphql::{GraphqlEndpoint, SocketEndpoint, schema_file};
use crate::http::backend::HttpBackend;
use crate::http::limits::LimitedPath;
use crate::rest::openapi::{self, Document, Operation};
use crate::rest::{
    downloads, events, evidence, health, keys, licences, mails, pay, results, storefront, suppliers, uploads,
    webhooks,
};

/// Every route of the program.
#[rustfmt::skip]
pub fn table() -> Vec<RouteRow> {
    vec![
        get("/healthz", health::healthz, "Whether the process lives")
            .tag("operation")
            .answers(200, "text/plain", "It does."),
        get("/readyz", health::readyz, "Whether the shop can serve: its database answers, is migrated and takes writes")
            .tag("operation")
            .answers(200, "text/plain", "It can."),
        get("/openapi.json", openapi::openapi, "This description")
            .tag("operation")
            .answers(200, "application/json", "OpenAPI 3.1."),
        row(Method::POST, "/graphql", GraphqlEndpoint, "One GraphQL operation")
            .tag("graphql")
            .takes("application/json", "`query`, `operationName`, `variables`, `extensions`.")
            .answers(
                200,
                "application/graphql-response+json",
                "It ran; or `application/json`, as `Accept` asks.",
            )
            .answers(200, "text/event-stream", "A subscription, as `Accept` asks: events `next` and `complete`.")
            .untimed(),
        get(
            "/graphql",
            GraphqlEndpoint,
            "One GraphQL query; a browser gets the explorer when the shop shows it",
        )
        .tag("graphql")
        .parameter("query", "query", "The document.")
        .parameter("query", "operationName", "Which of its operations.")
        .parameter("query", "variables", "A JSON object; never with a secret.")
        .parameter("query", "extensions", "A JSON object: `persistedQuery` names the document by its SHA-256.")
        .parameter("header", "Last-Event-ID", "For a subscription by `Accept: text/event-stream`: the last cursor that came.")
        .answers(304, "", "The client has this answer to a persisted query already.")
        .answers(200, "text/event-stream", "A subscription, as `Accept` asks: events `next` and `complete`.")
        .answers(200, "application/graphql-response+json", "It ran; or `application/json`, as `Accept` asks.")
        .untimed(),
        get("/graphql/ws", SocketEndpoint, "GraphQL over a WebSocket of the subprotocol graphql-transport-ws")
            .tag("graphql")
            .answers(101, "", "The socket is open.")
            .answers(403, "application/problem+json", "`FORBIDDEN`: a page of an origin that is not allowed.")
            .answers(426, "application/problem+json", "Opened without a WebSocket.")
            .answers(429, "application/problem+json", "`RATE_LIMITED`: too many sockets from this address.")
            .untimed(),
        notices(Method::POST),
        notices(Method::GET),
        row(Method::POST, "/keys/import/{id}", keys::import, "Takes keys into an opened batch")
            .tag("keys")
            .parameter("header", "Upload-Offset", "Where in its file the body begins, bytes: for the rest of a file that broke off.")
            .parameter("header", "Upload-Line", "The same as the number of the body's first line, from 1; in place of the offset.")
            .takes("text/plain", "The keys, as the batch says that they are laid out; also `text/csv`, `application/jsonl` and `application/x-ndjson`. UTF-8, or UTF-16 with its mark; lines end with LF, CR or both.")
            .answers(200, "application/json", "What was taken and what was not; `storedBefore` and `skipped` count the lines stored earlier and those of them that this body repeated.")
            .answers(400, "application/problem+json", "`INVALID`: the first row has no field for the key.")
            .answers(409, "application/problem+json", "`IMPORT_GAP` and `IMPORT_OVERLAP`: the rest begins elsewhere than this import goes on; `IMPORT_OTHER_FILE`: not the file whose lines are stored; `IN_PROGRESS`: somebody else goes on with it.")
            .answers(422, "application/problem+json", "`IMPORT_ALREADY_COMMITTED`: the batch has ended.")
            .signed_in()
            .untimed(),
        row(Method::HEAD, "/keys/import/{id}", keys::look, "Where the file of a batch goes on")
            .tag("keys")
            .answers(200, "", "`Upload-Offset` in bytes, and `Upload-Line` from 1.")
            .signed_in()
            .limited(),
        get("/jobs/{id}/result", results::result, "The file that `keysExport` was asked for, made while it is fetched")
            .tag("keys")
            .answers(200, "text/csv", "The keys, or `application/jsonl`, as was asked; `POST /keys/import/{id}` takes both again.")
            .answers(404, "application/problem+json", "`NOT_FOUND`: nobody asked for it, or somebody else did.")
            .answers(410, "application/problem+json", "`LINK_EXPIRED`: ask again.")
            .signed_in()
            .limited()
            .lasting(),
        get("/disputes/{id}/evidence", evidence::file, "The evidence about a dispute as one HTML file; each time is recorded")
            .tag("disputes")
            .answers(200, "text/html", "The order, its buyer, deliveries, downloads, mails and refunds. Secrets are masked.")
            .answers(403, "application/problem+json", "`FORBIDDEN`: it is for support and admins.")
            .answers(404, "application/problem+json", "`NOT_FOUND`: there is no such dispute.")
            .signed_in()
            .limited(),
        row(Method::POST, "/suppliers/{connection}/callback", suppliers::callback, "A supplier's late answer about a purchase")
            .tag("suppliers")
            .parameter("header", "webhook-id", "Any name of the message, without dots.")
            .parameter("header", "webhook-timestamp", "Seconds since the epoch, within five minutes.")
            .parameter("header", "webhook-signature", "`v1,` and the base64 of HMAC-SHA-256 over `id.timestamp.body`, by the connection's secret (Standard Webhooks).")
            .takes("application/json", "The same as the answer to a purchase: the request's id, the state, and what belongs to it.")
            .answers(204, "", "It is applied, or was before.")
            .answers(401, "application/problem+json", "`UNAUTHENTICATED`: the signature is not believed.")
            .answers(404, "application/problem+json", "`NOT_FOUND`: the purchase is not this supplier's."),
        row(Method::POST, "/mail/events", mails::report, "What a mail service reports of a mail: it came back, was complained about, or arrived")
            .tag("mail")
            .parameter("header", "webhook-id", "The report's name, without dots: the same again is taken once.")
            .parameter("header", "webhook-timestamp", "Seconds since the epoch, within five minutes.")
            .parameter("header", "webhook-signature", "`v1,` and the base64 of HMAC-SHA-256 over `id.timestamp.body`, by a secret of `mail.event_secrets` (Standard Webhooks).")
            .takes("application/json", "`type` (`bounce`, `complaint`, `delivered`), `address` or `messageId` or both, `permanent`, `providerId`, `reason`.")
            .answers(204, "", "It is applied, or was before.")
            .answers(400, "application/problem+json", "`INVALID`: signed, but not understood.")
            .answers(401, "application/problem+json", "`UNAUTHENTICATED`: the signature is not believed.")
            .answers(404, "application/problem+json", "`NOT_FOUND`: the shop has no such secret."),
        get("/pay/{token}", pay::hosted_page, "Our own page for any payment")
            .tag("payments")
            .answers(200, "text/html", "What the buyer has to do.")
            .answers(303, "", "On to the gateway.")
            .limited()
            .paged(),
        get("/pay/{token}/code.svg", pay::code, "The code of a payment that is scanned, as a picture")
            .tag("payments")
            .answers(200, "image/svg+xml", "The code.")
            .limited()
            .paged(),
        get("/return/{payment}", pay::back, "Back from a gateway")
            .tag("payments")
            .answers(200, "text/html", "What became of it, for clients that named no address.")
            .answers(303, "", "On to the client, with the order's number and a watch ticket.")
            .limited()
            .paged(),
        get("/schema.graphql", schema_file, "The GraphQL schema in its definition language")
            .tag("graphql")
            .answers(200, "application/graphql", "The schema.")
            .limited(),
        get("/events", events::list, "The sequence of events above a number, without holes: all for administrators, what is theirs for sellers and API clients")
            .tag("events")
            .parameter("query", "after", "The last `seq` already dealt with; 0 is the beginning.")
            .parameter("query", "limit", "At most this many, 1 to 500; 100 when left out.")
            .answers(200, "application/json", "`events`, `next` (the `after` of the next call), `more`.")
            .answers(403, "application/problem+json", "`FORBIDDEN`: neither an administrator nor a seller, or a client without `events:read`.")
            .answers(410, "application/problem+json", "`CURSOR_TOO_OLD`.")
            .signed_in()
            .limited(),
        get("/downloads/{token}", downloads::download, "The bytes of a bought file, in whole or one range")
            .tag("downloads")
            .parameter("header", "Range", "One range of bytes; several are answered with the whole.")
            .parameter("header", "If-Range", "The strong entity tag of the part that is there already.")
            .parameter("header", "If-None-Match", "Entity tags.")
            .parameter("header", "If-Match", "Entity tags.")
            .answers(200, "application/octet-stream", "Everything. The first byte counts one download.")
            .answers(206, "application/octet-stream", "The range asked for.")
            .answers(304, "", "The client has it already.")
            .answers(400, "application/problem+json", "`LINK_MALFORMED`.")
            .answers(
                403,
                "application/problem+json",
                "`LINK_FORGED`, `LINK_REVOKED`, `GRANT_EXHAUSTED`, `REVOKED`, `REFUNDED`, `REPLACED`.",
            )
            .answers(410, "application/problem+json", "`LINK_EXPIRED`, `GRANT_EXPIRED`, `FILE_YANKED`.")
            .answers(412, "application/problem+json", "`PRECONDITION_FAILED`.")
            .answers(416, "application/problem+json", "`RANGE_NOT_SATISFIABLE`.")
            .answers(429, "application/problem+json", "More than 16 connections of one download.")
            .limited()
            .paged()
            .lasting(),
        row(Method::HEAD, "/downloads/{token}", downloads::download, "Size, name and hash; counts nothing")
            .tag("downloads")
            .answers(200, "", "The headers of a GET.")
            .limited(),
        row(Method::POST, "/uploads", uploads::create, "Announces a file to be uploaded (tus 1.0)")
            .tag("uploads")
            .parameter("header", "Upload-Length", "Bytes.")
            .parameter("header", "Upload-Metadata", "`filename`, `filetype` and `seller`, each with its value in base64.")
            .answers(201, "", "`Location` is where the body goes.")
            .answers(413, "application/problem+json", "`BODY_TOO_LARGE`.")
            .signed_in()
            .limited(),
        row(Method::OPTIONS, "/uploads", uploads::options, "What of tus 1.0 is spoken here")
            .tag("uploads")
            .answers(204, "", "`Tus-Version`, `Tus-Extension`, `Tus-Max-Size`."),
        row(Method::HEAD, "/uploads/{id}", uploads::look, "How much of an upload is here: nothing or everything")
            .tag("uploads")
            .answers(200, "", "`Upload-Offset`, `Upload-Length`, `Upload-Expires`.")
            .signed_in()
            .limited(),
        row(Method::PATCH, "/uploads/{id}", uploads::receive, "The whole body of an upload")
            .tag("uploads")
            .parameter("header", "Upload-Offset", "0.")
            .takes("application/offset+octet-stream", "As many bytes as were announced.")
            .answers(204, "", "The upload is complete; publish it by `fileVersionPublish`.")
            .answers(400, "application/problem+json", "`LENGTH_WRONG`: the upload is still open at offset 0.")
            .answers(409, "application/problem+json", "`CONFLICT`: another offset, or its body is here already.")
            .signed_in()
            .limited()
            .lasting(),
        row(Method::DELETE, "/uploads/{id}", uploads::remove, "Gives an upload up")
            .tag("uploads")
            .answers(204, "", "It is gone.")
            .signed_in()
            .limited(),
        get("/claims/{token}", downloads::claim_page, "What the link in a mail leads to; counts nothing")
            .tag("downloads")
            .answers(200, "application/json", "Name, version, size, hash, downloads left; or a page, as `Accept` asks.")
            .answers(403, "application/problem+json", "As for a download; or a page, as `Accept` asks.")
            .answers(410, "application/problem+json", "As for a download; or a page, as `Accept` asks.")
            .limited()
            .paged(),
        row(Method::POST, "/claims/{token}", downloads::claim_redeem, "Starts the download behind a mailed link")
            .tag("downloads")
            .answers(303, "", "`Location` is a download link of ten minutes.")
            .answers(403, "application/problem+json", "As for a download.")
            .answers(410, "application/problem+json", "As for a download.")
            .limited(),
        row(Method::POST, "/licences/activate", licences::activate_device, "Begins to use a licence key on a device, for the seller's own software")
            .tag("licences")
            .takes("application/json", "`productId` and `key`; `device`: a fingerprint that the software makes of the device, 1 to 200 characters, stored as a digest; `name`: what people call it; `metadata`: up to 20 texts, numbers and booleans to keep with it. Other members are refused.")
            .answers(200, "application/json", "The device was active already: the same activation, with the name and metadata that were given.")
            .answers(201, "application/json", "`licence` (`id`, `status`, `productId`, `variantId`, `soldAt`, `expiresAt`, `activationLimit`, `activationsUsed`) and `activation` (`id`, `name`, `metadata`, `activatedAt`, `lastSeenAt`).")
            .answers(403, "application/problem+json", "`DEVICE_LIMIT_REACHED`, `HELD`, `REFUNDED`, `REPLACED`, `REVOKED`, `EXPIRED`, `NOT_SOLD`.")
            .answers(404, "application/problem+json", "`NO_SUCH_KEY`.")
            .answers(429, "application/problem+json", "`RATE_LIMITED`: too many unknown keys from this network, or this key was activated too often.")
            .limited(),
        row(Method::POST, "/licences/validate", licences::validate_key, "Whether a licence key is good, and on a device, for the seller's own software")
            .tag("licences")
            .takes("application/json", "`productId`, `key`, and `device` where it is to be active there. Other members are refused.")
            .answers(200, "application/json", "`valid`, `code` (`VALID`, `NO_SUCH_KEY`, `NOT_SOLD`, `HELD`, `REFUNDED`, `REPLACED`, `REVOKED`, `EXPIRED`, `DEVICE_NOT_ACTIVATED`, `DEVICE_LIMIT_REACHED`), `detail`; `licence` and `activation` as for activating, null where there is none.")
            .answers(429, "application/problem+json", "`RATE_LIMITED`: too many unknown keys from this network.")
            .limited(),
        row(Method::POST, "/licences/deactivate", licences::deactivate_device, "Ends the use of a licence key on a device, for the seller's own software")
            .tag("licences")
            .takes("application/json", "`productId`, `key`, `device`. Other members are refused.")
            .answers(200, "application/json", "`activationId`, `activationLimit`, `activationsUsed`; the same again for a device that was freed before.")
            .answers(403, "application/problem+json", "`NOT_SOLD`.")
            .answers(404, "application/problem+json", "`NO_SUCH_KEY`; `DEVICE_NOT_ACTIVATED` for a device that never was active.")
            .answers(429, "application/problem+json", "`RATE_LIMITED`: too many unknown keys from this network.")
            .limited(),
        get("/licences/public-keys", licences::public_keys, "What signed licence keys are believed by")
            .tag("licences")
            .answers(200, "application/jwk-set+json", "A JSON Web Key Set (RFC 7517) of Ed25519 keys: `kid`, `x`. The first signs new keys.")
            .limited(),
        get("/", storefront::index, "Leads to the example storefront, when the shop serves it")
            .tag("storefront")
            .answers(303, "", "`Location` is /storefront/."),
        get("/storefront/", storefront::page, "The example storefront, when the shop serves it")
            .tag("storefront")
            .answers(200, "text/html", "The page."),
        get("/storefront/{file}", storefront::file, "A part of the example storefront")
            .tag("storefront")
            .answers(200, "text/javascript", "A module, or the page's style."),
    ]
}

/// A gateway's notice; some gateways send it as a query.
fn notices(method: Method) -> RouteRow {
    row(
        method,
        "/webhooks/{account}",
        webhooks::receive_notice,
        "A payment gateway's notice, signed its own way",
    )
    .tag("gateways")
    .takes("*/*", "The gateway's raw bytes.")
    .answers(200, "text/plain", "Handled: the gateway's own word of success.")
    .answers(400, "text/plain", "Not genuine, or not now: the gateway's own word of failure.")
    .answers(503, "application/problem+json", "Too many wait; come again.")
    .untimed()
}

/// One method of one path.
pub struct RouteRow {
    pub operation: Operation,
    /// Ends after `limits.request_seconds`; not for what streams in or out.
    pub timed: bool,
    /// A transfer, bounded by its rate; takes one of the places of connections that last.
    pub lasting: bool,
    /// Counts against `limits.requests_per_minute` of the client's address.
    pub limited: bool,
    /// People open it: a browser gets a page in its language that says why something is refused.
    pub paged: bool,
    pub endpoint: BoxEndpoint<'static, Response>,
}

/// A row whose path is an OpenAPI template (`/downloads/{token}`).
pub fn row<E>(method: Method, path: &'static str, endpoint: E, summary: &'static str) -> RouteRow
where
    E: Endpoint + 'static,
    E::Output: IntoResponse,
{
    let operation = Operation {
        method,
        path,
        summary,
        tag: "shop",
        parameters: Vec::new(),
        body: None,
        answers: Vec::new(),
        signed_in: false,
    };
    RouteRow {
        operation,
        timed: true,
        lasting: false,
        limited: false,
        paged: false,
        endpoint: endpoint.map_to_response().boxed(),
    }
}

fn get<E>(path: &'static str, endpoint: E, summary: &'static str) -> RouteRow
where
    E: Endpoint + 'static,
    E::Output: IntoResponse,
{
    row(Method::GET, path, endpoint, summary)
}

impl RouteRow {
    pub fn tag(mut self, tag: &'static str) -> Self {
        self.operation.tag = tag;
        self
    }

    /// A status, its content type (empty: none) and its meaning.
    pub fn answers(mut self, status: u16, content_type: &'static str, text: &'static str) -> Self {
        self.operation.answers.push((status, content_type, text));
        self
    }

    /// What the body holds. The handler itself limits its size (`Body::into_bytes_limit`).
    pub fn takes(mut self, content_type: &'static str, text: &'static str) -> Self {
        self.operation.body = Some((content_type, text));
        self
    }

    /// A parameter in `query` or `header`.
    pub fn parameter(mut self, place: &'static str, name: &'static str, text: &'static str) -> Self {
        self.operation.parameters.push((place, name, text));
        self
    }

    pub fn signed_in(mut self) -> Self {
        self.operation.signed_in = true;
        self
    }

    /// For streams: no end by the clock.
    pub fn untimed(mut self) -> Self {
        self.timed = false;
        self
    }

    /// For transfers: no end by the clock, and a place among the connections that last.
    pub fn lasting(mut self) -> Self {
        self.lasting = true;
        self.untimed()
    }

    pub fn limited(mut self) -> Self {
        self.limited = true;
        self
    }

    /// For links that people open and pass on.
    pub fn paged(mut self) -> Self {
        self.paged = true;
        self
    }
}

/// The document that `/openapi.json` serves and `dispense openapi` prints.
pub fn openapi() -> Document {
    openapi::document(&table().into_iter().map(|row| row.operation).collect::<Vec<_>>())
}

/// Mounts the table, and what is beside it.
pub fn mount(backend: &Arc<HttpBackend>, more: Vec<RouteRow>) -> impl Endpoint<Output = Response> + 'static {
    let document = openapi();
    let mut paths: Vec<(&'static str, LimitedPath)> = Vec::new();
    for row in table().into_iter().chain(more) {
        let path = row.operation.path;
        let index = paths.iter().position(|(p, _)| *p == path).unwrap_or_else(|| {
            paths.push((path, LimitedPath::new(backend, path)));
            paths.len() - 1
        });
        paths[index].1.add(row);
    }
    let route =
        paths.into_iter().fold(Route::new(), |route, (path, limited)| route.at(mounted(path), limited));
    route.map_to_response().data(document)
}

/// `/downloads/{token}` as the router writes it: `/downloads/:token`.
fn mounted(template: &str) -> String {
    template.replace('{', ":").replace('}', "")
}
