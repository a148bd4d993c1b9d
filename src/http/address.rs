//! Who the client is when proxies are between.

use std::net::IpAddr;

use poem::http::{HeaderMap, HeaderName};

use crate::base::country::Country;

pub use crate::base::network::Network;

/// The client's address: the peer's, unless the peer is a trusted proxy. Then `X-Forwarded-For` is read from the
/// right, which is where each proxy writes whom it saw, up to the first that is not trusted. What is further
/// left was written by the client itself and means nothing.
pub fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer.to_canonical();
    if !is_trusted(client) {
        return client;
    }
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .collect();
    for hop in forwarded.into_iter().rev() {
        let Some(address) = parse_hop(hop.trim()) else { break };
        client = address.to_canonical();
        if !is_trusted(client) {
            break;
        }
    }
    client
}

/// The client's country, where the peer is a trusted proxy that writes it into this header.
pub fn country(
    peer: IpAddr,
    headers: &HeaderMap,
    trusted: &[Network],
    header: Option<&HeaderName>,
) -> Option<Country> {
    let peer = peer.to_canonical();
    trusted.iter().find(|network| network.contains(peer))?;
    // A client may have sent one too: the proxy's own is the last.
    let value = headers.get_all(header?).iter().next_back()?;
    value.to_str().ok().and_then(Country::parse)
}

/// An address, with or without a port.
fn parse_hop(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address);
    }
    text.parse::<std::net::SocketAddr>().ok().map(|a| a.ip())
}
