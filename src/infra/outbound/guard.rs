//! Where a call may lead whose address came from outside or from a setting: the guard against requests that are forged
//! on the server's side (SSRF). The address is judged as a browser reads it, its name is resolved once, every address
//! it has is judged, and the connection goes to those and to no other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::base::network::Network;

/// Gives the addresses of a name.
pub trait Lookup: Send + Sync {
    fn lookup(&self, name: &str) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>>;
}

/// The machine's own resolver.
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, name: &str) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|a| a.ip()).collect()) })
    }
}

/// What a guarded call may do.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Networks that are not public and may be called all the same.
    pub private: Vec<Network>,
    /// Whether plain `http` is allowed beside `https`.
    pub plain: bool,
    pub ports: Vec<u16>,
}

impl Rules {
    /// The address, when it may be called. The text of a refusal says what is wrong with it and is for operators.
    pub fn judge(&self, address: &str) -> Result<Url, String> {
        let url = Url::parse(address).map_err(|e| format!("this is no address: {e}"))?;
        match url.scheme() {
            "https" => {}
            "http" if self.plain => {}
            other => return Err(format!("the scheme `{other}` is not called")),
        }
        if !url.username().is_empty() || url.password().is_some() || authority(address).contains('@') {
            return Err("an address that is called names no user".into());
        }
        let port = url.port_or_known_default().unwrap_or(0);
        if !self.ports.contains(&port) {
            return Err(format!("port {port} is not called"));
        }
        match url.host() {
            Some(Host::Ipv4(ip)) => self.judge_ip(ip.into())?,
            Some(Host::Ipv6(ip)) => self.judge_ip(ip.into())?,
            // Judged when it is resolved.
            Some(Host::Domain(name)) if !name.is_empty() => {}
            Some(Host::Domain(_)) | None => return Err("the address names no host".into()),
        }
        Ok(url)
    }

    fn judge_ip(&self, ip: IpAddr) -> Result<(), String> {
        let allowed = is_public(ip) || self.private.iter().any(|network| network.contains(ip));
        if allowed { Ok(()) } else { Err(format!("{ip} is no public address")) }
    }
}

/// What is between the scheme and the path.
fn authority(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split(['/', '?', '#', '\\']).next().unwrap_or_default()
}

/// Whether anybody on the internet can be reached there. Everything that is reserved, private, local or a way to embed
/// another address (mapped, 6to4, NAT64, Teredo) is not.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => !RESERVED_V4.iter().any(|(net, bits)| inside_v4(v4, *net, *bits)),
        IpAddr::V6(v6) => {
            inside_v6(v6, GLOBAL_V6, 3) && !RESERVED_V6.iter().any(|(net, bits)| inside_v6(v6, *net, *bits))
        }
    }
}

/// IANA's registry of special-purpose addresses, and multicast.
const RESERVED_V4: [(Ipv4Addr, u32); 17] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The only part of IPv6 that is given out: 2000::/3.
const GLOBAL_V6: Ipv6Addr = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);

/// What within it leads elsewhere: protocols (Teredo, ORCHID, benchmarks), documentation, 6to4.
const RESERVED_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

fn inside_v4(ip: Ipv4Addr, net: Ipv4Addr, bits: u32) -> bool {
    u32::from(ip) >> (32 - bits) == u32::from(net) >> (32 - bits)
}

fn inside_v6(ip: Ipv6Addr, net: Ipv6Addr, bits: u32) -> bool {
    u128::from(ip) >> (128 - bits) == u128::from(net) >> (128 - bits)
}

/// The resolver of guarded calls. One address that may not be called makes the whole name one: which of several is
/// taken is not for whoever owns the name to say.
pub(super) struct Guarded {
    pub rules: Rules,
    pub lookup: Arc<dyn Lookup>,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (rules, found) = (self.rules.clone(), self.lookup.lookup(name.as_str()));
        Box::pin(async move {
            let refused = |text: String| -> Box<dyn std::error::Error + Send + Sync> { text.into() };
            let found = found.await?;
            if found.is_empty() {
                return Err(refused("the name has no address".into()));
            }
            for ip in &found {
                rules.judge_ip(*ip).map_err(|text| refused(format!("not called: {text}")))?;
            }
            let addresses: Vec<SocketAddr> = found.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
