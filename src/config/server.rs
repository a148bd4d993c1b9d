use std::net::SocketAddr;

use serde::Deserialize;

/// `[server]`: where it listens and how the world reaches it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Address and port to listen on; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The address the world uses, without a slash at the end: stands in links, mails and notify URLs.
    /// Empty: made from the address it listens on.
    pub public_url: String,
    /// Web pages that may call the API from a browser (scheme, host and port), and the schemes and origins a
    /// buyer may be sent back to after paying.
    pub allowed_origins: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed, as networks (`10.0.0.0/8`).
    pub trusted_proxies: Vec<String>,
    /// Shows the GraphiQL page to browsers on /graphql.
    pub graphiql: bool,
    /// Answers introspection queries.
    pub introspection: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: String::new(),
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            graphiql: false,
            introspection: true,
        }
    }
}
