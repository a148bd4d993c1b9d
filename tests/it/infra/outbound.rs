//! Where a guarded call may lead, against servers on loopback. Nothing here leaves the machine.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dispense::base::network::Network;
use dispense::infra::outbound::{
    CallError, HttpAnswer, Lookup, Method, Outbound, Request, Rules, SystemLookup, is_public,
};
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Gives these addresses, one list after the other, the last one again and again.
struct Names {
    answers: Vec<std::io::Result<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

impl Names {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let list = |texts: &&[&str]| Ok(texts.iter().map(|t| t.parse().unwrap()).collect());
        Arc::new(Self { answers: answers.iter().map(list).collect(), asked: AtomicUsize::new(0) })
    }
}

impl Lookup for Names {
    fn lookup(&self, _: &str) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst).min(self.answers.len() - 1);
        let answer = match &self.answers[turn] {
            Ok(addresses) => Ok(addresses.clone()),
            Err(e) => Err(std::io::Error::from(e.kind())),
        };
        Box::pin(async move { answer })
    }
}

/// A server that says the same to everybody, piece by piece, and counts who came.
async fn server(ip: &str, pieces: Vec<Vec<u8>>, gap: Duration) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((ip, 0)).await.unwrap();
    let (port, visits) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = visits.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let pieces = pieces.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                for piece in pieces {
                    if stream.write_all(&piece).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(gap).await;
                }
            });
        }
    });
    (port, visits)
}

fn said(body: &str) -> Vec<Vec<u8>> {
    vec![
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
            .into_bytes(),
    ]
}

fn outbound(port: u16, private: &[&str], lookup: Arc<dyn Lookup>) -> Outbound {
    let private = private.iter().map(|text| Network::parse(text).unwrap()).collect();
    Outbound::with_rules(Rules { private, plain: true, ports: vec![port] }, lookup).unwrap()
}

async fn call(outbound: &Outbound, url: &str) -> Result<HttpAnswer, CallError> {
    let request = Request {
        method: Method::Get,
        url: url.into(),
        headers: Vec::new(),
        body: Vec::new(),
        timeout: Duration::from_millis(700),
        largest_answer: 10_000,
    };
    outbound.call_guarded(request).await
}

fn not_sent(outcome: Result<HttpAnswer, CallError>) -> String {
    match outcome {
        Err(CallError::NotSent(reason)) => reason,
        Err(CallError::Unknown(reason)) => panic!("it may have been sent: {reason}"),
        Ok(answer) => panic!("it was answered with {}", answer.status),
    }
}

/// Rows: X3.
#[tokio::test]
async fn no_spelling_of_this_machine_leads_to_it() {
    let (port, visits) = server("127.0.0.1", said("inside"), Duration::ZERO).await;
    let names = Names::new(&[&["127.0.0.1"]]);
    let guarded = outbound(port, &[], names);
    let hosts = [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7F.0x0.0x0.0x1",
        "0x7f.1",
        "0177.0.0.1",
        "0177.1",
        "017700000001",
        "00000177.0.0.1",
        "127.000.000.001",
        "127.0.0.1.",
        "①②⑦.⓪.⓪.①",
        "１２７.０.０.１",
        "127。0。0。1",
        "127%2e0%2e0%2e1",
        "%31%32%37.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:7f00:0001]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[::ffff:0:127.0.0.1]",
        "[fe80::1]",
        "[fd00::1]",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "anything.example",
        "user@127.0.0.1",
        "user:pw@127.0.0.1",
        "example.com@127.0.0.1",
        "@127.0.0.1",
        "127.0.0.1%00.example.com",
        "[::1%25lo]",
        "[127.0.0.1]",
        "127.0.0.1\\@example.com",
        "127.0.0.1\t",
    ];
    for host in hosts {
        not_sent(call(&guarded, &format!("http://{host}:{port}/")).await);
    }
    assert!(hosts.len() >= 30);
    assert_eq!(visits.load(Ordering::SeqCst), 0, "nobody came");
    // By the machine's own resolver too.
    let own = outbound(port, &[], Arc::new(SystemLookup));
    not_sent(call(&own, &format!("http://localhost:{port}/")).await);
    assert_eq!(visits.load(Ordering::SeqCst), 0);
}

/// Rows: X3.
#[tokio::test]
async fn a_name_is_resolved_once_all_of_it_is_judged_and_the_call_goes_to_what_was_judged() {
    // 127.0.0.2 stands for a public address here: the shop's settings allow it, and not 127.0.0.1.
    let (port, good) = server("127.0.0.2", said("outside"), Duration::ZERO).await;
    let inside = TcpListener::bind(("127.0.0.1", port)).await;
    let rebinding = Names::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let guarded = outbound(port, &["127.0.0.2/32"], rebinding.clone());
    let url = format!("http://shop.example:{port}/");
    assert_eq!(call(&guarded, &url).await.unwrap().body, b"outside");
    assert_eq!(rebinding.asked.load(Ordering::SeqCst), 1, "asked once");
    // The next call asks again, and what it is reported is judged again.
    not_sent(call(&guarded, &url).await);
    assert_eq!(good.load(Ordering::SeqCst), 1);
    drop(inside);

    for mixed in [&["127.0.0.2", "127.0.0.1"], &["127.0.0.1", "127.0.0.2"], &["127.0.0.2", "::1"]] {
        let reason = not_sent(call(&outbound(port, &["127.0.0.2/32"], Names::new(&[mixed])), &url).await);
        assert!(reason.contains("no public address"), "{reason}");
    }
    not_sent(call(&outbound(port, &["127.0.0.2/32"], Names::new(&[&[]])), &url).await);
    let broken = Arc::new(Names {
        answers: vec![Err(std::io::Error::from(std::io::ErrorKind::TimedOut))],
        asked: AtomicUsize::new(0),
    });
    not_sent(call(&outbound(port, &["127.0.0.2/32"], broken), &url).await);
    assert_eq!(good.load(Ordering::SeqCst), 1, "a resolver that fails opens nothing");
}

/// Rows: X3.
#[tokio::test]
async fn a_redirect_is_not_followed_and_an_answer_has_its_time_and_size() {
    let (inside, visits) = server("127.0.0.1", said("metadata"), Duration::ZERO).await;
    let redirect = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:{inside}/latest/meta-data\r\ncontent-length: 0\r\n\r\n"
    );
    let (port, _) = server("127.0.0.2", vec![redirect.into_bytes()], Duration::ZERO).await;
    let reported = || Names::new(&[&["127.0.0.2"]]);
    let answer = call(&outbound(port, &["127.0.0.0/8"], reported()), &format!("http://a.example:{port}/"))
        .await
        .unwrap();
    assert_eq!(answer.status, 307);
    assert_eq!(visits.load(Ordering::SeqCst), 0);

    // Drips a byte at a time, each in time by itself.
    let mut drip = vec![b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n".to_vec()];
    drip.extend((0..1000).map(|_| b"x".to_vec()));
    let (port, _) = server("127.0.0.2", drip, Duration::from_millis(100)).await;
    let began = Instant::now();
    let slow = call(&outbound(port, &["127.0.0.2"], reported()), &format!("http://a.example:{port}/")).await;
    assert!(matches!(slow, Err(CallError::Unknown(_))));
    assert!(began.elapsed() < Duration::from_secs(5));

    let (port, _) = server("127.0.0.2", Vec::new(), Duration::from_secs(60)).await;
    let silent =
        call(&outbound(port, &["127.0.0.2"], reported()), &format!("http://a.example:{port}/")).await;
    assert!(silent.is_err());

    let mut huge = vec![b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()];
    huge.extend((0..2_000).map(|_| [b"2000\r\n".to_vec(), vec![b'x'; 0x2000], b"\r\n".to_vec()].concat()));
    let (port, _) = server("127.0.0.2", huge, Duration::ZERO).await;
    let big = call(&outbound(port, &["127.0.0.2"], reported()), &format!("http://a.example:{port}/")).await;
    assert!(matches!(big, Err(CallError::Unknown(reason)) if reason.contains("longer than")));

    // What is packed stays packed: a small body cannot grow here.
    let packed =
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00".to_vec();
    let (port, _) = server("127.0.0.2", vec![packed], Duration::ZERO).await;
    let answer = call(&outbound(port, &["127.0.0.2"], reported()), &format!("http://a.example:{port}/"))
        .await
        .unwrap();
    assert_eq!(answer.body.len(), 4);
}

/// Rows: X3.
#[test]
fn only_https_to_a_port_that_is_named_and_without_a_user_is_called() {
    let rules = Rules { private: Vec::new(), plain: false, ports: vec![443] };
    for good in [
        "https://captcha.example/verify",
        "https://captcha.example:443/",
        "https://93.184.215.14/",
        "https://[2606:2800::1]/",
    ] {
        assert!(rules.judge(good).is_ok(), "{good}");
    }
    for bad in [
        "http://captcha.example/",
        "https://captcha.example:8443/",
        "ftp://captcha.example/",
        "file:///etc/passwd",
        "gopher://captcha.example/",
        "https://user@captcha.example/",
        "https://:pw@captcha.example/",
        "https://@captcha.example/",
        "https:///",
        "captcha.example",
        "",
        "https://",
        "https://exa mple/",
        "javascript:alert(1)",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00:ec2::254]/",
        "https://100.64.0.1/",
        "https://0xa9fea9fe/",
    ] {
        assert!(rules.judge(bad).is_err(), "{bad}");
    }
}

/// Rows: X3.
#[test]
fn reserved_addresses_are_not_public() {
    for text in [
        "0.1.2.3",
        "10.255.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:8.8.8.8",
        "::8.8.8.8",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:10::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:808:808::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ] {
        assert!(!is_public(text.parse().unwrap()), "{text}");
    }
    for text in [
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "172.32.0.1",
        "198.20.0.1",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00:1450::1",
        "2400:cb00::1",
    ] {
        assert!(is_public(text.parse().unwrap()), "{text}");
    }
}
