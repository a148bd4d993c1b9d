use serde::Deserialize;

use crate::base::network::Network;
use crate::config::load::Faults;

/// `[outbound]`: where calls may lead whose address was typed somewhere. Gateways' own hosts are not meant.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outbound {
    /// Networks that are not public and may be called all the same (`10.1.0.0/16`).
    pub private_networks: Vec<String>,
    /// Whether plain `http` may be called.
    pub plain_http: bool,
    pub ports: Vec<u16>,
}

impl Default for Outbound {
    fn default() -> Self {
        Self { private_networks: Vec::new(), plain_http: false, ports: vec![443] }
    }
}

impl Outbound {
    /// Those that can be read.
    pub fn networks(&self) -> Vec<Network> {
        self.private_networks.iter().filter_map(|text| Network::parse(text)).collect()
    }

    pub(super) fn check(&self, faults: &mut Faults) {
        for network in self.private_networks.iter().filter(|n| Network::parse(n).is_none()) {
            faults.add("outbound.private_networks", format!("`{network}` is no network such as 10.0.0.0/8"));
        }
        if self.ports.is_empty() {
            faults.add("outbound.ports", "needs at least one");
        }
    }
}
