//! A configuration for tests: fixed secrets of its own, generous limits.

use std::path::Path;

use dispense::config::{Bytes32, Config, Connections, Limits, RingKey, Secrets, Server};

fn ring_key(id: &str, fill: u8) -> RingKey {
    let bytes: Vec<u8> = (0..32_u8).map(|i| i.wrapping_mul(7).wrapping_add(fill)).collect();
    RingKey { id: id.into(), bytes: Bytes32::new(bytes.try_into().unwrap()) }
}

/// Everything on defaults, with `data` as the data folder.
pub fn test_config(data: &Path) -> Config {
    Config {
        data: data.to_owned(),
        server: Server { listen: "127.0.0.1:0".parse().unwrap(), ..Server::default() },
        connections: Connections {
            per_address: 10_000,
            requests_per_client: 10_000,
            ..Connections::default()
        },
        database: Default::default(),
        storage: Default::default(),
        mail: Default::default(),
        secrets: Secrets {
            vault: vec![ring_key("k1", 11)],
            fingerprint: ring_key("f1", 22),
            links: vec![ring_key("l1", 33)],
            tokens: vec![ring_key("t1", 44)],
            access: ring_key("a1", 55),
            licences: vec![ring_key("s1", 66)],
        },
        shop: Default::default(),
        limits: Limits {
            requests_per_minute: 1_000_000,
            sign_ins_per_minute: 1_000_000,
            forged_notices_per_minute: 1_000_000,
            mails_per_hour: 1_000_000,
            ..Limits::default()
        },
        live: Default::default(),
        worker: Default::default(),
        retention: Default::default(),
        people: Default::default(),
        captcha: Default::default(),
        outbound: Default::default(),
        log: Default::default(),
        accounts: Vec::new(),
    }
}
