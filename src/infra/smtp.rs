//! The conversation with a mail server (RFC 5321), over lettre's connection. The conversation is led here, command by
//! command, because what a failure means depends on when it came: before the final dot nothing was sent, after it
//! nobody knows (RFC 1047).

use std::sync::Mutex;
use std::time::{Duration, Instant};

use lettre::Address;
use lettre::address::Envelope;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use tokio::time::{timeout, timeout_at};
use url::Url;

use crate::base::outcome::Fault;
use crate::base::secret::Secret;
use crate::base::text::masked_email;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);
/// Idle connections kept, and for how long.
const KEEP: usize = 4;
const IDLE: Duration = Duration::from_secs(30);

/// What became of one attempt. Reasons have addresses masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendAttempt {
    /// The server took it, and what it said; none where mails are files.
    Sent(Option<String>),
    /// Worth trying again: no connection, a 4yz answer, or trouble that has nothing to do with the recipient.
    Temporary(String),
    /// The server will never take this message for this recipient (5yz to RCPT, DATA or the text).
    Permanent(String),
    /// The server knows no such mailbox (RFC 3463, 5.1.1 and 5.1.10, in answer to RCPT).
    NoMailbox(String),
    /// The text was on its way and no answer came: it may have arrived.
    Unknown(String),
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
        let deadline = tokio::time::Instant::now() + self.whole;
        let mut conn = match timeout(CONNECT.min(self.whole), self.connection()).await {
            Ok(Ok(conn)) => conn,
            Ok(Err(reason)) => return SendAttempt::Temporary(reason),
            Err(_) => return SendAttempt::Temporary("no greeting in time".into()),
        };
        match timeout_at(deadline, announce(&mut conn, envelope)).await {
            Ok(Ok(())) => {}
            Ok(Err(attempt)) => {
                part(conn).await;
                return attempt;
            }
            Err(_) => return SendAttempt::Temporary("the server was too slow".into()),
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
    async fn connection(&self) -> Result<AsyncSmtpConnection, String> {
        while let Some(mut conn) = self.take() {
            if conn.test_connected().await {
                return Ok(conn);
            }
        }
        self.connect().await.map_err(|e| reason(&e))
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let hello = ClientId::default();
        let at_once = self.parameters.clone().filter(|_| self.tls == Tls::Implicit);
        let address = (self.host.as_str(), self.port);
        let mut conn =
            AsyncSmtpConnection::connect_tokio1(address, Some(CONNECT), &hello, at_once, None).await?;
        if self.tls == Tls::Demanded
            && let Some(parameters) = &self.parameters
        {
            // lettre refuses when the server does not offer it, so that nobody on the way can take the offer out.
            conn.starttls(parameters.clone(), &hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            conn.auth(&[Mechanism::Plain, Mechanism::Login], credentials).await?;
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
    let shop = |e: Error| SendAttempt::Temporary(reason(&e));
    let recipient = |e: Error| match e.is_permanent() {
        true => SendAttempt::Permanent(reason(&e)),
        false => SendAttempt::Temporary(reason(&e)),
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
