//! Mails leave here: to a server, or as `.eml` files into the data folder, which is the one place outside the vault
//! where a key may be in clear. Files are for the owner of the process alone and go after some days.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use lettre::Message;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::base::clock;
use crate::base::email::Email;
use crate::base::outcome::Fault;
use crate::config::Mail;
use crate::infra::dkim::Signer;
use crate::infra::mail_health::MailHealth;
use crate::infra::smtp::{MailTrouble, SendAttempt, Server};
use crate::infra::webhook_signature;

/// What is wrong with the keys of `[mail]`, each with its name.
pub fn faults(config: &Mail) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    if let Err(text) = Signer::of(config) {
        faults.push(("mail.dkim_key".into(), text.into()));
    }
    if config.event_secrets.iter().any(|secret| webhook_signature::key_bytes(secret).is_none()) {
        let text = "takes secrets of 24 to 64 bytes: whsec_ and their base64";
        faults.push(("mail.event_secrets".into(), text.into()));
    }
    faults
}

/// A mail ready to go.
pub struct Letter {
    /// Without angle brackets; the same on every attempt.
    pub message_id: String,
    pub recipient: String,
    pub subject: String,
    /// The same mail in two forms, of which a mail program shows the one it can.
    pub plain: Zeroizing<String>,
    pub html: Zeroizing<String>,
    /// `en`, `zh`.
    pub language: &'static str,
    /// When the message was written, not when this attempt is made: a repeat is the same message.
    pub date: DateTime<Utc>,
}

enum Carrier {
    Server(Server),
    Folder(PathBuf),
}

/// The way out for mails.
pub struct Mailer {
    from: Mailbox,
    way: Carrier,
    signer: Option<Signer>,
    health: MailHealth,
}

impl Mailer {
    /// As `[mail]` says; without an url, files in `folder`. `whole` bounds one attempt.
    pub fn new(config: &Mail, whole: Duration, folder: &Path) -> Result<Self, Fault> {
        let wrong = |e: &dyn std::fmt::Display| Fault::bug(format!("mail.from is no sender: {e}"));
        let from: Mailbox = config.from.parse().map_err(|e| wrong(&e))?;
        let own = Email::parse(from.email.as_ref()).map_err(|e| wrong(&e.message))?;
        let own = own.for_smtp().parse().map_err(|e| wrong(&e))?;
        let from = Mailbox::new(from.name, own);
        let way = match config.url.as_ref().filter(|u| !u.is_empty()) {
            Some(url) => Carrier::Server(Server::new(url, whole)?),
            None => Carrier::Folder(folder.to_owned()),
        };
        let signer = Signer::of(config).map_err(|e| Fault::bug(format!("mail.dkim_key {e}")))?;
        Ok(Self { from, way, signer, health: MailHealth::default() })
    }

    /// The domain of the sender, as Message-IDs have it.
    pub fn domain(&self) -> &str {
        self.from.email.domain()
    }

    /// Makes one attempt. `now` names the file when mails are files.
    pub async fn send(&self, letter: &Letter, now: DateTime<Utc>) -> SendAttempt {
        let attempt = self.attempt(letter, now).await;
        self.health.note(&attempt);
        attempt
    }

    async fn attempt(&self, letter: &Letter, now: DateTime<Utc>) -> SendAttempt {
        let local = |reason: String| SendAttempt::Failing(MailTrouble::Local, reason);
        let message = match self.compose(letter) {
            Ok(message) => message,
            Err(reason) => return SendAttempt::Permanent(reason),
        };
        let mut bytes = Zeroizing::new(message.formatted());
        if let Some(signer) = &self.signer {
            match signer.header(&bytes, letter.date) {
                Some(header) => bytes.splice(0..0, header.into_bytes()).for_each(drop),
                None => return local("the mail could not be signed".into()),
            }
        }
        match &self.way {
            Carrier::Server(server) => server.send(message.envelope(), &bytes).await,
            Carrier::Folder(folder) => {
                let (folder, name) = (folder.clone(), file_name(&letter.message_id, now));
                let written = tokio::task::spawn_blocking(move || write_file(&folder, &name, &bytes)).await;
                match written {
                    Ok(Ok(())) => SendAttempt::Sent(None),
                    Ok(Err(e)) => local(format!("the mail's file could not be written: {e}")),
                    Err(e) => local(format!("the mail's file was not written: {e}")),
                }
            }
        }
    }

    fn compose(&self, letter: &Letter) -> Result<Message, String> {
        let no_address = || "the recipient is no mail address".to_owned();
        let to = Email::parse(&letter.recipient).map_err(|_| no_address())?;
        let to = to.for_smtp().parse().map_err(|_| no_address())?;
        // A repeat is the same to the last byte, the boundary too.
        let boundary = hex::encode(&Sha256::digest(letter.message_id.as_bytes())[..16]);
        let both = MultiPart::alternative()
            .boundary(boundary)
            .singlepart(SinglePart::plain(letter.plain.to_string()))
            .singlepart(SinglePart::html(letter.html.to_string()));
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(one_line(&letter.subject))
            .message_id(Some(format!("<{}>", letter.message_id)))
            .date(letter.date.into())
            .header(ContentLanguage(letter.language.to_owned()))
            .header(AutoSubmitted)
            .multipart(both)
            .map_err(|e| e.to_string())
    }

    /// Removes files of mails older than `age`. Returns how many. Nothing to do when a server sends them.
    pub async fn remove_old(&self, age: TimeDelta, now: DateTime<Utc>) -> Result<usize, Fault> {
        let Carrier::Folder(folder) = &self.way else { return Ok(0) };
        let folder = folder.clone();
        let removed = tokio::task::spawn_blocking(move || remove_files(&folder, now - age)).await;
        match removed {
            Ok(Ok(count)) => Ok(count),
            Ok(Err(e)) => Err(Fault::Upstream(format!("old mails could not be removed: {e}"))),
            Err(e) => Err(Fault::bug(e.to_string())),
        }
    }
}

/// A header is one line: what would end it becomes a space.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

const STAMP: &str = "%Y%m%dT%H%M%S%.3fZ";

fn file_name(message_id: &str, now: DateTime<Utc>) -> String {
    let id: String = message_id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let unlike: [u8; 4] = clock::random();
    format!("{}-{id}-{}.eml", now.format(STAMP), hex::encode(unlike))
}

fn write_file(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // The folder may be older than this rule.
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o700))?;
    let unfinished = folder.join(format!(".{name}.part"));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, folder.join(name))?;
    File::open(folder)?.sync_all()
}

fn remove_files(folder: &Path, before: DateTime<Utc>) -> std::io::Result<usize> {
    let entries = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        other => other?,
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // Files of others are not ours to remove; one that was never finished has the same stamp behind its dot.
        let stamp = name.trim_start_matches('.').split('-').next().unwrap_or_default().to_owned();
        let written = NaiveDateTime::parse_from_str(&stamp, STAMP).map(|t| t.and_utc());
        if written.is_ok_and(|t| t < before) {
            std::fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// RFC 3834: no holiday notes in answer, please.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".into())
    }
}

/// RFC 3282.
#[derive(Clone)]
struct ContentLanguage(String);

impl Header for ContentLanguage {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Content-Language")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}
