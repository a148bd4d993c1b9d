//! The conversation with a mail server (RFC 5321), over lettre's connection. The conversation is led here, command by
//! command, because what a failure means depends on when it came: before the final dot nothing was sent, after it
//! nobody knows (RFC 1047).

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use lettre::Address;
use lettre::address::Envelope;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use tokio::net::lookup_host;
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use crate::base::outcome::Fault;
use crate::base::secret::Secret;
use crate::base::text::masked_email;

/// How long connecting may take, TLS and greeting included.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the answer to user and password may take: servers slow guessing down.
const AUTH: Duration = Duration::from_secs(15);
/// Idle connections kept, and for how long.
const KEEP: usize = 4;
const IDLE: Duration = Duration::from_secs(30);

/// What became of one attempt. Reasons have addresses masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendAttempt {
    /// The server took it, and what it said; none where mails are files.
    Sent(Option<String>),
    /// Worth trying again: a 4yz answer about this message or its recipient.
    Temporary(String),
    /// Worth trying again, and no mail would have gone: the server is not there, or does not take this shop's mail.
    Failing(MailTrouble, String),
    /// The server will never take this message for this recipient (5yz to RCPT, DATA or the text).
    Permanent(String),
    /// The server knows no such mailbox (RFC 3463, 5.1.1 and 5.1.10, in answer to RCPT).
    NoMailbox(String),
    /// The text was on its way and no answer came: it may have arrived.
    Unknown(String),
}

/// What is the matter with a mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTrouble {
    /// Its name is not found.
    Dns,
    /// Nobody listens there, or no way leads there.
    Refused,
    /// It offers no TLS, or its certificate is not believed.
    Tls,
    /// It does not take user and password, or offers no way to give them.
    Auth,
    /// It does not answer in time.
    Timeout,
    /// It answers that it takes nothing from this shop: at its greeting, to EHLO or MAIL.
    Rejected,
    /// It closed in the middle, or said what nobody understands.
    Broken,
    /// Nothing is wrong with a server: the mail could not be signed or written here.
    Local,
}

impl MailTrouble {
    /// The word for it in logs and figures.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::Timeout => "timeout",
            Self::Rejected => "rejected",
            Self::Broken => "broken",
            Self::Local => "local",
        }
    }

    /// What an error of the connection means, outside of AUTH.
    fn of(error: &Error) -> Self {
        // What lettre itself refuses at this point is a server without STARTTLS.
        if error.is_tls() || error.is_client() {
            return Self::Tls;
        }
        if error.is_timeout() {
            return Self::Timeout;
        }
        if error.is_permanent() || error.is_transient() {
            return Self::Rejected;
        }
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            match inner.downcast_ref::<io::Error>().map(io::Error::kind) {
                Some(
                    ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable,
                ) => return Self::Refused,
                Some(ErrorKind::TimedOut) => return Self::Timeout,
                // rustls' own errors come in this kind.
                Some(ErrorKind::InvalidData) => return Self::Tls,
                _ => source = inner.source(),
            }
        }
        Self::Broken
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    /// From the first byte (port 465).
    Implicit,
    /// By STARTTLS, and nothing is sent without it.
    Demanded,
    None,
}

/// One mail server.
pub struct Server {
    host: String,
    port: u16,
    tls: Tls,
    parameters: Option<TlsParameters>,
    credentials: Option<Credentials>,
    whole: Duration,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl Server {
    /// `smtps://user:password@host:port` or `smtp://…` (STARTTLS demanded); `smtp://…?tls=none` does without.
    /// `whole` bounds one message from the first byte to the last answer.
    pub fn new(url: &Secret, whole: Duration) -> Result<Self, Fault> {
        let wrong = |what: &str| Fault::bug(format!("mail.url: {what}"));
        let url = Url::parse(url.expose()).map_err(|e| wrong(&e.to_string()))?;
        let host = url.host_str().filter(|h| !h.is_empty()).ok_or_else(|| wrong("names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let options: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let tls = match (url.scheme(), options.as_slice()) {
            ("smtps", []) => Tls::Implicit,
            ("smtp", []) => Tls::Demanded,
            ("smtp", [(name, value)]) if name == "tls" && value == "none" => Tls::None,
            ("smtp" | "smtps", _) => return Err(wrong("the only option is `tls=none`, with smtp://")),
            _ => return Err(wrong("begins with smtps:// or smtp://")),
        };
        let parameters = match tls {
            Tls::None => None,
            _ => Some(TlsParameters::new_rustls(host.clone()).map_err(|e| wrong(&e.to_string()))?),
        };
        let decoded = |text: &str| {
            let pairs = format!("x={}", text.replace('+', "%2B"));
            url::form_urlencoded::parse(pairs.as_bytes())
                .next()
                .map(|(_, v)| v.into_owned())
                .unwrap_or_default()
        };
        let credentials = match (url.username(), url.password()) {
            ("", _) => None,
            (user, password) => Some(Credentials::new(decoded(user), decoded(password.unwrap_or_default()))),
        };
        let port = url.port().unwrap_or(if tls == Tls::Implicit { 465 } else { 587 });
        Ok(Self { host, port, tls, parameters, credentials, whole, idle: Mutex::default() })
    }

    /// Sends one message to one recipient.
    pub async fn send(&self, envelope: &Envelope, message: &[u8]) -> SendAttempt {
        let deadline = Instant::now() + self.whole;
        let mut conn = match self.connection(deadline).await {
            Ok(conn) => conn,
            Err((trouble, reason)) => return SendAttempt::Failing(trouble, reason),
        };
        match timeout_at(deadline, announce(&mut conn, envelope)).await {
            Ok(Ok(())) => {}
            Ok(Err(attempt)) => {
                part(conn).await;
                return attempt;
            }
            Err(_) => {
                return SendAttempt::Failing(MailTrouble::Timeout, "the server was too slow".into());
            }
        }
        match timeout_at(deadline, conn.message(message)).await {
            Ok(Ok(taken)) => {
                self.keep(conn);
                let said = format!("{} {}", taken.code(), taken.message().collect::<Vec<_>>().join(" "));
                SendAttempt::Sent(Some(shown(&said)))
            }
            Ok(Err(e)) if e.is_permanent() => {
                part(conn).await;
                SendAttempt::Permanent(reason(&e))
            }
            Ok(Err(e)) if e.is_transient() => {
                part(conn).await;
                SendAttempt::Temporary(reason(&e))
            }
            Ok(Err(e)) => SendAttempt::Unknown(reason(&e)),
            Err(_) => SendAttempt::Unknown("no answer to the message in time".into()),
        }
    }

    /// A kept connection that still answers, or a new one.
    async fn connection(&self, deadline: Instant) -> Result<AsyncSmtpConnection, (MailTrouble, String)> {
        let late = |what: &str| (MailTrouble::Timeout, format!("{what} in time"));
        let soon = |long: Duration| deadline.min(Instant::now() + long);
        while let Some(mut conn) = self.take() {
            if timeout_at(soon(CONNECT), conn.test_connected()).await.unwrap_or(false) {
                return Ok(conn);
            }
        }
        let found = timeout_at(soon(CONNECT), lookup_host((self.host.as_str(), self.port))).await;
        let addresses: Vec<SocketAddr> = match found {
            Ok(Ok(found)) => found.collect(),
            Ok(Err(e)) => return Err((MailTrouble::Dns, shown(&e.to_string()))),
            Err(_) => return Err((MailTrouble::Dns, "no address in time".into())),
        };
        let mut conn = match timeout_at(soon(CONNECT), self.connect(&addresses)).await {
            Ok(connected) => connected.map_err(|e| (MailTrouble::of(&e), reason(&e)))?,
            Err(_) => return Err(late("no greeting")),
        };
        let Some(credentials) = &self.credentials else { return Ok(conn) };
        match timeout_at(soon(AUTH), conn.auth(&[Mechanism::Plain, Mechanism::Login], credentials)).await {
            Ok(Ok(_)) => Ok(conn),
            // 421 and the like say nothing about the password (RFC 4954, section 6: 454).
            Ok(Err(e)) if e.is_transient() => Err((MailTrouble::Rejected, format!("AUTH: {}", reason(&e)))),
            Ok(Err(e)) if e.is_permanent() || e.is_client() => {
                Err((MailTrouble::Auth, format!("AUTH: {}", reason(&e))))
            }
            Ok(Err(e)) => Err((MailTrouble::of(&e), format!("AUTH: {}", reason(&e)))),
            Err(_) => Err((MailTrouble::Auth, "no answer to AUTH in time".into())),
        }
    }

    async fn connect(&self, addresses: &[SocketAddr]) -> Result<AsyncSmtpConnection, Error> {
        let hello = ClientId::default();
        let at_once = self.parameters.clone().filter(|_| self.tls == Tls::Implicit);
        let mut conn =
            AsyncSmtpConnection::connect_tokio1(addresses, Some(CONNECT), &hello, at_once, None).await?;
        if self.tls == Tls::Demanded
            && let Some(parameters) = &self.parameters
        {
            // lettre refuses when the server does not offer it, so that nobody on the way can take the offer out.
            conn.starttls(parameters.clone(), &hello).await?;
        }
        Ok(conn)
    }

    fn take(&self) -> Option<AsyncSmtpConnection> {
        let mut idle = self.idle.lock().ok()?;
        idle.retain(|(_, since)| since.elapsed() < IDLE);
        idle.pop().map(|(conn, _)| conn)
    }

    fn keep(&self, conn: AsyncSmtpConnection) {
        if let Ok(mut idle) = self.idle.lock()
            && idle.len() < KEEP
        {
            idle.push((conn, Instant::now()));
        }
    }
}

/// MAIL, RCPT, DATA: up to the moment the server wants the text.
async fn announce(conn: &mut AsyncSmtpConnection, envelope: &Envelope) -> Result<(), SendAttempt> {
    // A refusal of us as a sender is trouble with the shop's settings, not with this recipient.
    let shop = |e: Error| SendAttempt::Failing(MailTrouble::of(&e), reason(&e));
    let recipient = |e: Error| match e {
        e if e.is_permanent() => SendAttempt::Permanent(reason(&e)),
        e if e.is_transient() => SendAttempt::Temporary(reason(&e)),
        e => SendAttempt::Failing(MailTrouble::of(&e), reason(&e)),
    };
    let mut parameters = Vec::new();
    let wide = envelope.to().iter().chain(envelope.from()).any(|a| !AsRef::<str>::as_ref(a).is_ascii());
    if wide {
        if !conn.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Err(SendAttempt::Permanent("the server does not take addresses beyond ASCII".into()));
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    let sender: Option<Address> = envelope.from().cloned();
    conn.command(Mail::new(sender, parameters)).await.map_err(shop)?;
    for to in envelope.to() {
        let answer = conn.command(Rcpt::new(to.clone(), Vec::new())).await;
        answer.map_err(|e| {
            if names_no_mailbox(&e) { SendAttempt::NoMailbox(reason(&e)) } else { recipient(e) }
        })?;
    }
    conn.command(Data).await.map_err(recipient)?;
    Ok(())
}

/// Whether a refusal says that there is no such mailbox: the code that begins its text does.
fn names_no_mailbox(error: &Error) -> bool {
    let text = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let code = text.split_whitespace().next().unwrap_or_default();
    error.is_permanent() && ["5.1.1", "5.1.10"].contains(&code)
}

/// Says goodbye, without waiting for long.
async fn part(mut conn: AsyncSmtpConnection) {
    let _ = timeout(Duration::from_secs(2), conn.quit()).await;
}

/// The server's reply or the trouble with it, short, with addresses masked.
fn reason(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    shown(&text)
}

/// What a server said, as it may be stored and shown.
fn shown(text: &str) -> String {
    mask_addresses(text).chars().filter(|c| !c.is_control()).take(300).collect()
}

/// Masks every address in a text.
pub fn mask_addresses(text: &str) -> String {
    let is_edge = |c: char| c.is_whitespace() || "<>()\"',;:".contains(c);
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    let flush = |word: &mut String, out: &mut String| {
        if word.contains('@') {
            out.push_str(&masked_email(word))
        } else {
            out.push_str(word)
        }
        word.clear();
    };
    for c in text.chars() {
        if is_edge(c) {
            flush(&mut word, &mut out);
            out.push(c);
        } else {
            word.push(c);
        }
    }
    flush(&mut word, &mut out);
    out
}
