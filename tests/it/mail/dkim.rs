//! Signed mails (RFC 6376), judged by a verifier of the tests' own that shares nothing with the signer.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dispense::base::secret::Secret;
use dispense::config::Config;
use regex::Regex;

use crate::harness::{Said, SmtpServer, TestApp, Trouble, rsa, shop};

/// Whether a signature fits a text.
type Believes<'a> = &'a dyn Fn(&[u8], &[u8]) -> bool;

/// What a receiver finds: the tags of the signature, and whether body and signature fit.
struct Judged {
    tags: Vec<(String, String)>,
    body: bool,
    signature: bool,
}

impl Judged {
    fn tag(&self, name: &str) -> &str {
        &self.tags.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("no {name}")).1
    }
}

fn judge(message: &str, believes: impl Fn(&[u8], &[u8]) -> bool) -> Judged {
    let (head, body) = message.split_once("\r\n\r\n").unwrap();
    let fold = Regex::new(r"\r\n[ \t]").unwrap();
    let spaces = Regex::new(r"[ \t]+").unwrap();
    let relaxed = |field: &str| {
        let (name, value) = field.split_once(':').unwrap();
        let value = spaces.replace_all(&fold.replace_all(value, " "), " ").trim().to_owned();
        (name.trim().to_lowercase(), value)
    };
    let unfolded = fold.replace_all(head, "\u{0} ").into_owned();
    let fields: Vec<(String, String)> =
        unfolded.split("\r\n").map(|field| relaxed(&field.replace('\u{0}', "\r\n"))).collect();
    let own = &fields.iter().find(|(name, _)| name == "dkim-signature").unwrap().1;
    let tags: Vec<(String, String)> = own
        .split(';')
        .map(|tag| tag.split_once('=').unwrap())
        .map(|(name, value)| (name.trim().to_owned(), value.replace(' ', "")))
        .collect();
    let tag = |name: &str| tags.iter().find(|(n, _)| n == name).unwrap().1.clone();
    let lines: Vec<String> =
        body.split("\r\n").map(|line| spaces.replace_all(line, " ").trim_end().to_owned()).collect();
    let canonical = format!("{}\r\n", lines.join("\r\n").trim_end_matches("\r\n"));
    let mut left = fields.clone();
    let mut signed = String::new();
    for name in tag("h").split(':') {
        if let Some(at) = left.iter().rposition(|(n, _)| n == name) {
            let (name, value) = left.remove(at);
            signed.push_str(&format!("{name}:{value}\r\n"));
        }
    }
    let unsigned = Regex::new(r"b=[^;]*$").unwrap().replace(own, "b=");
    signed.push_str(&format!("dkim-signature:{unsigned}"));
    let signature = STANDARD.decode(tag("b")).unwrap();
    Judged {
        body: STANDARD.encode(digest(&SHA256, canonical.as_bytes())) == tag("bh"),
        signature: believes(signed.as_bytes(), &signature),
        tags,
    }
}

fn signing(config: &mut Config, server: &SmtpServer, key: Secret) {
    shop::with_generic(config);
    config.mail.url = Some(Secret::new(format!("smtp://{}?tls=none", server.address)));
    config.mail.dkim_domain = Some("shop.example".into());
    config.mail.dkim_selector = Some("s1".into());
    config.mail.dkim_key = Some(key);
}

/// A delivered order's mail, sent twice because its first answer was lost.
async fn mails(key: Secret) -> Vec<String> {
    let server = SmtpServer::start().await;
    let t = TestApp::start_with(|config| signing(config, &server, key)).await;
    let variant = t.selling_keys(1, 990).await;
    let placed = t.order(variant, 1).await;
    t.db.sql("update order_line set title = E'Spiel  f\u{fc}r  Zwei \\t \u{5bc6}\u{94a5}'").await;
    t.notify(&Said::paid(&placed, "T1")).await;
    server.next(Trouble::CutAfterDot);
    t.drain_all().await;
    t.finish().await;
    server.taken().into_iter().map(|mail| mail.text).collect()
}

/// Rows: D3, X1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_believes_the_signature_and_no_change_of_the_mail() {
    let pair = rsa::Pair::new();
    let by_rsa = |text: &[u8], signature: &[u8]| pair.signed(text, &STANDARD.encode(signature));
    let seed = Ed25519KeyPair::generate().unwrap();
    let der: Pkcs8V1Der<'_> = seed.as_der().unwrap();
    let pem = Secret::new(pem::encode(&pem::Pem::new("PRIVATE KEY", der.as_ref())));
    let public = UnparsedPublicKey::new(&ED25519, seed.public_key().as_ref().to_vec());
    let by_ed25519 =
        |text: &[u8], signature: &[u8]| public.verify(digest(&SHA256, text).as_ref(), signature).is_ok();
    let cases: [(&str, Vec<String>, Believes<'_>); 2] = [
        ("rsa-sha256", mails(pair.private()).await, &by_rsa),
        ("ed25519-sha256", mails(pem).await, &by_ed25519),
    ];
    for (algorithm, mails, believes) in cases {
        assert_eq!(mails.len(), 2);
        assert_eq!(mails[0], mails[1], "a repeat is the same mail, its signature too");
        let mail = &mails[0];
        let judged = judge(mail, believes);
        assert!(judged.body && judged.signature, "{algorithm}:\n{mail}");
        assert_eq!(
            [judged.tag("v"), judged.tag("a"), judged.tag("c"), judged.tag("d"), judged.tag("s")],
            ["1", algorithm, "relaxed/relaxed", "shop.example", "s1"]
        );
        assert!(mail.lines().all(|line| line.len() <= 998));
        // What a relay may do.
        let refolded = mail.replacen("Subject: ", "Subject:\r\n\t", 1) + "\r\n\r\n";
        assert!(judge(&refolded, believes).body && judge(&refolded, believes).signature);
        // What nobody may.
        for (from, to) in
            [("Subject: ", "Subject: x"), ("From: ", "From: Mallory <m@evil.example>\r\nFrom: ")]
        {
            assert!(!judge(&mail.replacen(from, to, 1), believes).signature, "{from}");
        }
        assert!(!judge(&mail.replacen("Key: ", "Key: x", 1), believes).body);
    }
}

/// Without a key no mail is signed, and a key that is none is a fault of the start.
#[test]
fn a_key_is_read_in_the_forms_that_tools_write() {
    let config = |pem: &str| dispense::config::Mail {
        dkim_domain: Some("a.example".into()),
        dkim_selector: Some("s".into()),
        dkim_key: Some(Secret::new(pem)),
        ..Default::default()
    };
    let fault = |pem: &str| dispense::infra::mailer::faults(&config(pem));
    assert!(fault(rsa::Pair::new().private().expose()).is_empty());
    for wrong in ["", "secret", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"] {
        let reported = fault(wrong);
        assert_eq!(reported[0].0, "mail.dkim_key");
        assert!(!reported[0].1.contains("secret"), "{reported:?}");
    }
    let unsigned = dispense::config::Mail { dkim_key: None, ..config("") };
    assert!(dispense::infra::mailer::faults(&unsigned).is_empty());
}
