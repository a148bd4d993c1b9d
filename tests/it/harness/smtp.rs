//! A small mail server on loopback that does what a test orders, over a line protocol of its own.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// Where the server does something else than what is usual, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Answers this line at this stage (`greeting`, `EHLO`, `AUTH`, `MAIL`, `RCPT`, `DATA`, `.`).
    Say(&'static str, &'static str),
    /// Takes the message and closes without an answer.
    CutAfterDot,
    /// Takes the message and never answers.
    SilentAfterDot,
    /// Takes the message and answers when the test says `go_on`.
    WaitAfterDot,
    /// Closes at this stage.
    Cut(&'static str),
    /// Never greets.
    NoGreeting,
    /// Never answers this command.
    SilentAt(&'static str),
}

/// A message the server took.
#[derive(Clone, Debug)]
pub struct Taken {
    pub from: String,
    pub to: Vec<String>,
    pub text: String,
}

impl Taken {
    /// The value of a header on one line.
    pub fn header(&self, name: &str) -> Option<String> {
        let start = format!("{}:", name.to_lowercase());
        let head = self.text.split("\r\n\r\n").next()?;
        head.lines()
            .find(|l| l.to_lowercase().starts_with(&start))
            .map(|l| l[start.len()..].trim().to_owned())
    }

    /// The plain text, decoded.
    pub fn body(&self) -> String {
        self.part("text/plain")
    }

    /// The page, decoded.
    pub fn html(&self) -> String {
        self.part("text/html")
    }

    /// The part of this media type (RFC 2046, 5.1.4), decoded.
    fn part(&self, media_type: &str) -> String {
        let boundary = self.text.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let part = self.text.split(&format!("--{boundary}")).find_map(|part| {
            let (head, body) = part.trim_start_matches("\r\n").split_once("\r\n\r\n")?;
            let head = head.to_lowercase();
            head.contains(&format!("content-type: {media_type}"))
                .then(|| (head, body.trim_end_matches("\r\n")))
        });
        let (head, body) = part.unwrap_or_else(|| panic!("no part of {media_type}:\n{}", self.text));
        let encoding = head.lines().find_map(|l| l.strip_prefix("content-transfer-encoding:")).map(str::trim);
        match encoding {
            Some("base64") => {
                use base64::Engine;
                let joined: String = body.split_whitespace().collect();
                String::from_utf8(base64::engine::general_purpose::STANDARD.decode(joined).unwrap()).unwrap()
            }
            Some("quoted-printable") => quoted_printable(body),
            _ => body.to_owned(),
        }
        .replace("\r\n", "\n")
    }
}

fn quoted_printable(text: &str) -> String {
    let text = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'=' && tail.len() >= 2 {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&tail[..2]).unwrap(), 16).unwrap());
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[derive(Default)]
struct Inner {
    troubles: VecDeque<Trouble>,
    taken: Vec<Taken>,
    connections: usize,
}

/// The server; ends with the test.
#[derive(Clone)]
pub struct SmtpServer {
    pub address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
    gate: Arc<Semaphore>,
    /// Ends conversations that wait for their next command.
    over: watch::Sender<()>,
}

impl SmtpServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            inner: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
            over: watch::Sender::new(()),
        };
        let own = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let own = own.clone();
                tokio::spawn(async move { own.talk(stream).await });
            }
        });
        server
    }

    /// One conversation each gets the next trouble; without any left all goes well.
    pub fn next(&self, trouble: Trouble) {
        self.inner.lock().unwrap().troubles.push_back(trouble);
    }

    /// Troubles that nobody has got yet.
    pub fn waiting(&self) -> usize {
        self.inner.lock().unwrap().troubles.len()
    }

    /// Closes connections that are kept for another message, so that the next one begins a conversation.
    pub fn hang_up(&self) {
        self.over.send_replace(());
    }

    /// All goes well from now on.
    pub fn be_well(&self) {
        self.inner.lock().unwrap().troubles.clear();
    }

    /// Lets what waits go on, now and later.
    pub fn go_on(&self) {
        self.gate.add_permits(1);
    }

    /// Messages the server has, whatever it answered.
    pub fn taken(&self) -> Vec<Taken> {
        self.inner.lock().unwrap().taken.clone()
    }

    pub fn connections(&self) -> usize {
        self.inner.lock().unwrap().connections
    }

    async fn talk(&self, stream: TcpStream) -> Option<()> {
        let trouble = {
            let mut inner = self.inner.lock().unwrap();
            inner.connections += 1;
            inner.troubles.pop_front()
        };
        let mut over = self.over.subscribe();
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let say = |stage: &str, usual: &'static str| -> Option<&'static str> {
            match &trouble {
                Some(Trouble::Say(at, line)) if *at == stage => Some(line),
                Some(Trouble::Cut(at)) if *at == stage => None,
                _ => Some(usual),
            }
        };
        if trouble == Some(Trouble::NoGreeting) {
            std::future::pending::<()>().await;
        }
        write.write_all(format!("{}\r\n", say("greeting", "220 test ready")?).as_bytes()).await.ok()?;
        let (mut from, mut to) = (String::new(), Vec::new());
        loop {
            let line = tokio::select! {
                line = lines.next_line() => line.ok()??,
                _ = over.changed() => return None,
            };
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
            if matches!(trouble, Some(Trouble::SilentAt(at)) if at == verb) {
                std::future::pending::<()>().await;
            }
            let answer = match verb.as_str() {
                "EHLO" => {
                    say("EHLO", "250-test\r\n250-8BITMIME\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE 1000000")?
                }
                "MAIL" => {
                    (from, to) = (address(&line), Vec::new());
                    say("MAIL", "250 ok")?
                }
                "RCPT" => {
                    to.push(address(&line));
                    say("RCPT", "250 ok")?
                }
                "DATA" => {
                    let answer = say("DATA", "354 go on")?;
                    if answer.starts_with('3') {
                        write.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
                        let mut text = String::new();
                        // Whoever goes away before the last dot has sent nothing.
                        loop {
                            let line = lines.next_line().await.ok()??;
                            if line == "." {
                                break;
                            }
                            text.push_str(line.strip_prefix('.').unwrap_or(&line));
                            text.push_str("\r\n");
                        }
                        let taken = Taken { from: from.clone(), to: to.clone(), text };
                        self.inner.lock().unwrap().taken.push(taken);
                        match trouble {
                            Some(Trouble::CutAfterDot) => return None,
                            Some(Trouble::SilentAfterDot) => std::future::pending::<()>().await,
                            Some(Trouble::WaitAfterDot) => drop(self.gate.acquire().await),
                            _ => {}
                        }
                        say(".", "250 taken")?
                    } else {
                        answer
                    }
                }
                "AUTH" => say("AUTH", "235 ok")?,
                "QUIT" => "221 bye",
                "RSET" | "NOOP" => "250 ok",
                _ => "502 what",
            };
            write.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
            if verb == "QUIT" {
                return Some(());
            }
        }
    }
}

fn address(line: &str) -> String {
    line.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}
