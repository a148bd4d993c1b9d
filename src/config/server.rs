use std::net::SocketAddr;

use serde::Deserialize;
use url::Url;

use crate::base::network::Network;
use crate::config::load::Faults;

/// `[server]`: where it listens and how the world reaches it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Address and port to listen on; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where figures and the details of readiness are served. None: nowhere.
    pub admin_listen: Option<SocketAddr>,
    /// The address the world uses, without a slash at the end: it is part of links, mails and notify URLs.
    /// Empty: made from the address it listens on.
    pub public_url: String,
    /// Web pages that may call the API from a browser (scheme, host and port), and the schemes and origins a
    /// buyer may be sent back to after paying.
    pub allowed_origins: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed, as networks (`10.0.0.0/8`).
    pub trusted_proxies: Vec<String>,
    /// The header in which a trusted proxy names the client's country. Empty: countries are not known.
    pub country_header: String,
    /// Shows the GraphiQL page to browsers on /graphql.
    pub graphiql: bool,
    /// Serves the example storefront on /.
    pub storefront: bool,
    /// Answers introspection queries.
    pub introspection: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin_listen: None,
            public_url: String::new(),
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            country_header: String::new(),
            graphiql: false,
            storefront: false,
            introspection: true,
        }
    }
}

impl Server {
    /// The trusted proxies.
    pub fn proxies(&self) -> Vec<Network> {
        self.trusted_proxies.iter().filter_map(|text| Network::parse(text)).collect()
    }

    pub(super) fn check(&self, faults: &mut Faults) {
        let web = |text: &str| {
            Url::parse(text).is_ok_and(|u| ["http", "https"].contains(&u.scheme()) && u.has_host())
        };
        if !self.public_url.is_empty() && (!web(&self.public_url) || self.public_url.ends_with('/')) {
            faults.add(
                "server.public_url",
                "takes an address such as https://api.shop.example, no slash at the end",
            );
        }
        if self.admin_listen.is_some_and(|admin| admin == self.listen && admin.port() != 0) {
            faults.add("server.admin_listen", "is the address of server.listen");
        }
        for origin in self.allowed_origins.iter().filter(|o| !is_origin(o)) {
            let text =
                format!("`{origin}` is neither an origin (https://shop.example) nor a scheme (myapp://)");
            faults.add("server.allowed_origins", text);
        }
        for network in self.trusted_proxies.iter().filter(|n| Network::parse(n).is_none()) {
            faults.add("server.trusted_proxies", format!("`{network}` is no network such as 10.0.0.0/8"));
        }
        if !self.country_header.is_empty() {
            let key = "server.country_header";
            // RFC 9110, section 5.1: a token.
            let in_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
            if !self.country_header.bytes().all(in_token) {
                faults.add(key, format!("`{}` is no name of a header", self.country_header));
            }
            if self.trusted_proxies.is_empty() {
                faults.add(key, "is read from proxies of server.trusted_proxies alone, and there are none");
            }
        }
    }
}

/// Schemes that are no app's: what they open is the browser's own, a file of the device, or whatever the rest of the
/// address says.
const NEVER: [&str; 24] = [
    "about",
    "blob",
    "cid",
    "content",
    "data",
    "file",
    "filesystem",
    "ftp",
    "ftps",
    "http",
    "https",
    "intent",
    "jar",
    "javascript",
    "mailto",
    "mid",
    "sms",
    "tel",
    "urn",
    "vbscript",
    "view-source",
    "wais",
    "ws",
    "wss",
];

/// Whether this can be the scheme of an app, in letters of either case.
pub fn is_app_scheme(scheme: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(plain)
        && !NEVER.iter().any(|never| scheme.eq_ignore_ascii_case(never))
}

/// Scheme, host and port without a path; or an app's own scheme alone.
fn is_origin(text: &str) -> bool {
    if let Some(scheme) = text.strip_suffix("://") {
        return is_app_scheme(scheme);
    }
    Url::parse(text)
        .is_ok_and(|u| ["http", "https"].contains(&u.scheme()) && u.origin().ascii_serialization() == text)
}
