//! A mail server that fails: what is said of it, and when it is everybody's trouble.

use std::time::Duration;

use dispense::base::secret::Secret;
use dispense::config::Mail;
use dispense::infra::mailer::{Letter, Mailer};
use dispense::infra::smtp::{MailTrouble, SendAttempt};
use dispense::infra::telemetry;

use crate::harness::{SmtpServer, Trouble, log};

fn letter() -> Letter {
    Letter {
        message_id: "1@shop.example".into(),
        recipient: "buyer@buyer.example".into(),
        subject: "s".into(),
        plain: "p".to_owned().into(),
        html: "<p>p</p>".to_owned().into(),
        language: "en",
        date: "2026-11-20T10:00:00Z".parse().unwrap(),
    }
}

fn mailer(url: String) -> Mailer {
    let config =
        Mail { url: Some(Secret::new(url)), from: "Shop <shop@shop.example>".into(), ..Mail::default() };
    Mailer::new(&config, Duration::from_secs(2), std::path::Path::new("/nowhere")).unwrap()
}

fn figure(line: &str) -> f64 {
    let text = telemetry::figures().render();
    let found = text.lines().find_map(|l| l.strip_prefix(line)?.trim().parse().ok());
    found.unwrap_or_else(|| panic!("no {line} in\n{text}"))
}

/// Rows: D5, X2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_failure_has_its_class_and_several_in_a_row_are_an_error_until_mail_goes_again() {
    log::capture();
    telemetry::figures();
    let server = SmtpServer::start().await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (plain, own) = (format!("smtp://{}?tls=none", server.address), server.address);
    let with_password = format!("smtp://user:canary-password@{own}?tls=none");
    let cases = [
        (MailTrouble::Dns, "smtp://mail.invalid:25?tls=none".to_owned(), None),
        (MailTrouble::Refused, format!("smtp://{gone}?tls=none"), None),
        (MailTrouble::Tls, format!("smtp://{own}"), None),
        (MailTrouble::Tls, format!("smtps://{own}"), None),
        (MailTrouble::Auth, with_password.clone(), Some(Trouble::Say("AUTH", "535 5.7.8 wrong"))),
        (MailTrouble::Auth, with_password.clone(), Some(Trouble::SilentAt("AUTH"))),
        (MailTrouble::Auth, with_password.clone(), Some(Trouble::Say("EHLO", "250 test"))),
        (MailTrouble::Rejected, with_password.clone(), Some(Trouble::Say("AUTH", "454 4.7.0 later"))),
        (MailTrouble::Timeout, plain.clone(), Some(Trouble::NoGreeting)),
        (MailTrouble::Timeout, plain.clone(), Some(Trouble::SilentAt("RCPT"))),
        (MailTrouble::Rejected, plain.clone(), Some(Trouble::Say("greeting", "554 not you"))),
        (MailTrouble::Rejected, plain.clone(), Some(Trouble::Say("MAIL", "550 not this sender"))),
        (MailTrouble::Broken, plain.clone(), Some(Trouble::Cut("MAIL"))),
    ];
    for (class, url, trouble) in cases {
        server.be_well();
        if let Some(trouble) = trouble.clone() {
            server.next(trouble);
        }
        let counter = format!("dispense_mail_failures_total{{reason=\"{}\"}}", class.as_str());
        let before = figure(&counter);
        let attempt = mailer(url.clone()).send(&letter(), letter().date).await;
        let SendAttempt::Failing(found, reason) = attempt else { panic!("{url} {trouble:?}: {attempt:?}") };
        assert_eq!(found, class, "{url} {trouble:?}: {reason}");
        assert!(!reason.contains("canary-password"), "{reason}");
        assert_eq!(figure(&counter), before + 1.0);
        let logged = log::lines();
        let line = logged.lines().rfind(|l| l.contains("could not be handed to its server")).unwrap();
        assert!(line.contains("WARN") && line.contains(class.as_str()), "{line}");
    }
    // What is said of a recipient is no failure of the server.
    let one = mailer(plain);
    for n in 1..=5 {
        assert_eq!(figure("dispense_mail_failing"), 0.0, "{n}");
        server.next(Trouble::Say("MAIL", "451 later"));
        assert!(matches!(one.send(&letter(), letter().date).await, SendAttempt::Failing(..)));
    }
    assert_eq!(figure("dispense_mail_failing"), 1.0);
    let logged = log::lines();
    let line = logged.lines().rfind(|l| l.contains("no mail goes out")).unwrap();
    assert!(line.contains("ERROR") && line.contains("rejected"), "{line}");
    server.next(Trouble::Say("RCPT", "451 greylisted"));
    assert!(matches!(one.send(&letter(), letter().date).await, SendAttempt::Temporary(_)));
    assert_eq!(figure("dispense_mail_failing"), 0.0, "it spoke of the recipient");
}
