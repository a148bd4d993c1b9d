use std::net::IpAddr;

use dispense::base::country::Country;
use dispense::http::address::{Network, client, country};
use poem::http::HeaderMap;

fn seen(peer: &str, forwarded: &[&str], trusted: &[&str]) -> IpAddr {
    let mut headers = HeaderMap::new();
    for line in forwarded {
        headers.append("x-forwarded-for", line.parse().unwrap());
    }
    headers.insert("x-real-ip", "203.0.113.99".parse().unwrap());
    headers.insert("forwarded", "for=203.0.113.98".parse().unwrap());
    let trusted: Vec<Network> = trusted.iter().map(|t| Network::parse(t).unwrap()).collect();
    client(peer.parse().unwrap(), &headers, &trusted)
}

/// Rows: X1.
#[test]
fn a_forwarded_address_counts_only_from_a_trusted_proxy_and_only_as_far_as_proxies_wrote_it() {
    let cases: [(&str, &[&str], &[&str], &str); 12] = [
        ("192.0.2.1", &["198.51.100.7"], &[], "192.0.2.1"),
        ("192.0.2.1", &["198.51.100.7"], &["10.0.0.0/8"], "192.0.2.1"),
        ("10.1.2.3", &["198.51.100.7"], &["10.0.0.0/8"], "198.51.100.7"),
        // What the client wrote itself is to the left.
        ("10.1.2.3", &["1.1.1.1, 198.51.100.7"], &["10.0.0.0/8"], "198.51.100.7"),
        ("10.1.2.3", &["1.1.1.1", "198.51.100.7"], &["10.0.0.0/8"], "198.51.100.7"),
        ("10.1.2.3", &["1.1.1.1, 198.51.100.7, 10.9.9.9"], &["10.0.0.0/8"], "198.51.100.7"),
        ("10.1.2.3", &["nonsense"], &["10.0.0.0/8"], "10.1.2.3"),
        ("10.1.2.3", &["198.51.100.7, nonsense, 10.9.9.9"], &["10.0.0.0/8"], "10.9.9.9"),
        ("10.1.2.3", &[], &["10.0.0.0/8"], "10.1.2.3"),
        ("10.1.2.3", &["198.51.100.7:4711"], &["10.0.0.0/8"], "198.51.100.7"),
        ("::ffff:10.1.2.3", &["2001:db8::7"], &["10.0.0.0/8"], "2001:db8::7"),
        ("fd00::1", &["[2001:db8::7]:443"], &["fd00::/8"], "2001:db8::7"),
    ];
    for (peer, forwarded, trusted, expected) in cases {
        let expected: IpAddr = expected.parse().unwrap();
        assert_eq!(seen(peer, forwarded, trusted), expected, "{peer} {forwarded:?} {trusted:?}");
    }
    for bad in ["10.0.0.0/33", "10.0.0/8", "::/129", "example.com", ""] {
        assert_eq!(Network::parse(bad), None, "{bad}");
    }
    assert!(Network::parse("0.0.0.0/0").unwrap().contains([203, 0, 113, 5].into()));
}

/// Rows: X1.
#[test]
fn a_country_counts_only_from_a_trusted_proxy() {
    let trusted = [Network::parse("10.0.0.0/8").unwrap()];
    let name = "cf-ipcountry".parse().unwrap();
    let seen = |peer: &str, lines: &[&str]| {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("cf-ipcountry", line.parse().unwrap());
        }
        country(peer.parse().unwrap(), &headers, &trusted, Some(&name))
    };
    assert_eq!(seen("10.1.2.3", &["fr"]), Country::parse("FR"));
    assert_eq!(seen("::ffff:10.1.2.3", &["FR"]), Country::parse("FR"));
    assert_eq!(seen("10.1.2.3", &["DE", "FR"]), Country::parse("FR"), "the proxy's own is the last");
    for (peer, lines) in [("192.0.2.1", vec!["FR"]), ("10.1.2.3", vec![]), ("10.1.2.3", vec!["FR", "XX"])] {
        assert_eq!(seen(peer, &lines), None, "{peer} {lines:?}");
    }
}

/// Rows: X1.
#[test]
fn codes_of_two_characters_are_countries() {
    for (text, code) in [("de", "DE"), (" CN ", "CN"), ("T1", "T1")] {
        assert_eq!(Country::parse(text).unwrap().as_str(), code);
    }
    for text in ["", "X", "XX", "xx", "DEU", "1T", "D ", "é", "中"] {
        assert_eq!(Country::parse(text), None, "{text}");
    }
}
