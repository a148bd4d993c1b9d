//! PayPal's signing certificates: fetched by their address, believed only when their chain leads to a public root on
//! the day of the notice and the leaf is PayPal's own, kept by their address.
//!
//! That the chain must be good and the name end in `.paypal.com` is in the source of the official SDK; the names
//! `messageverificationcerts.paypal.com` and `messageverificationcerts.sandbox.paypal.com` are those of the certificates
//! PayPal hands out.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use crate::infra::outbound::{Method, Outbound, Request};
use crate::payments::gateways::gateway::{Call, Evidence, NoticeRefusal};
use crate::payments::gateways::rsa::PublicKey;

/// The entry of [`Evidence`] with the root that a test account trusts instead of the public ones.
pub(super) const TRUST_ROOT: &str = "trust_root";

const LARGEST: usize = 64 * 1024;
const MOST_IN_CHAIN: usize = 10;
/// Certificates kept, and for how long, seconds.
const MOST_KEPT: usize = 16;
const KEPT_FOR: i64 = 24 * 60 * 60;
/// Fetches of unknown addresses in one minute: forged notices must not make us send PayPal a request for each.
const MOST_FETCHES: u32 = 20;

/// Certificates by address, and how often was fetched in the running minute.
#[derive(Default)]
pub(super) struct Cache(Mutex<KeptCertificate>);

#[derive(Default)]
struct KeptCertificate {
    /// PEM and when it was fetched.
    by_address: HashMap<String, (String, i64)>,
    minute: i64,
    fetches: u32,
}

impl Cache {
    fn kept(&self) -> std::sync::MutexGuard<'_, KeptCertificate> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn find(&self, address: &str, now: i64) -> Option<String> {
        let kept = self.kept();
        let (pem, at) = kept.by_address.get(address)?;
        ((now - at).abs() < KEPT_FOR).then(|| pem.clone())
    }

    fn may_fetch(&self, now: i64) -> bool {
        let mut kept = self.kept();
        if kept.minute != now / 60 {
            (kept.minute, kept.fetches) = (now / 60, 0);
        }
        kept.fetches += 1;
        kept.fetches <= MOST_FETCHES
    }

    fn keep(&self, address: &str, pem: &str, now: i64) {
        let mut kept = self.kept();
        if kept.by_address.len() >= MOST_KEPT {
            let oldest = kept.by_address.iter().min_by_key(|(_, (_, at))| *at).map(|(a, _)| a.clone());
            oldest.and_then(|address| kept.by_address.remove(&address));
        }
        kept.by_address.insert(address.to_owned(), (pem.to_owned(), now));
    }
}

/// The certificate at an address that [`super::address::allowed`] has passed, from memory or from there. Only one
/// whose chain is good as of `notice_now` is kept.
pub(super) async fn fetch(
    cache: &Cache,
    outbound: &Outbound,
    call: &Call<'_>,
    address: &str,
    notice_now: i64,
) -> Result<Evidence, NoticeRefusal> {
    let mut evidence = Evidence::default();
    if let Some(root) = call.keys.setting("trust_root").filter(|_| call.keys.sandbox) {
        evidence.certificates.insert(TRUST_ROOT.to_owned(), root.to_owned());
    }
    if let Some(pem) = cache.find(address, call.now_unix) {
        evidence.certificates.insert(address.to_owned(), pem);
        return Ok(evidence);
    }
    let unavailable = || NoticeRefusal::signature("certificate_unavailable");
    if !cache.may_fetch(call.now_unix) {
        return Err(unavailable());
    }
    let request = Request {
        method: Method::Get,
        url: address.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        timeout: call.timeout,
        largest_answer: LARGEST,
    };
    let answer = outbound.call(request).await.map_err(|_| unavailable())?;
    let pem = String::from_utf8(answer.body).map_err(|_| unavailable())?;
    if answer.status != 200 {
        return Err(unavailable());
    }
    evidence.certificates.insert(address.to_owned(), pem.clone());
    key(&evidence, address, notice_now)?;
    cache.keep(address, &pem, call.now_unix);
    Ok(evidence)
}

/// The key of the certificate at this address, when its chain is good as of this time.
pub(super) fn key(evidence: &Evidence, address: &str, now: i64) -> Result<PublicKey, NoticeRefusal> {
    let pem = evidence.certificates.get(address).ok_or(NoticeRefusal::signature("certificate_missing"))?;
    let root = evidence.certificates.get(TRUST_ROOT);
    chain(pem, root.map(String::as_str), now).map_err(NoticeRefusal::signature)
}

fn chain(text: &str, root: Option<&str>, now: i64) -> Result<PublicKey, &'static str> {
    let ders = certificates(text).ok_or("certificate_malformed")?;
    let (leaf, rest) = ders.split_first().ok_or("certificate_malformed")?;
    let leaf_cert = EndEntityCert::try_from(leaf).map_err(|_| "certificate_malformed")?;
    let own = root.map(|pem| anchor(pem).ok_or("trust_root_malformed")).transpose()?;
    let anchors: &[TrustAnchor<'_>] = match &own {
        Some(anchor) => std::slice::from_ref(anchor),
        None => webpki_roots::TLS_SERVER_ROOTS,
    };
    let seconds = u64::try_from(now).map_err(|_| "certificate_not_in_date")?;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    leaf_cert
        .verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            anchors,
            rest,
            time,
            KeyUsage::server_auth(),
            None,
            None,
        )
        .map_err(|error| match error {
            webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. } => {
                "certificate_not_in_date"
            }
            _ => "certificate_not_trusted",
        })?;
    let paypals = |name: &str| name.starts_with("messageverificationcerts.") && name.ends_with(".paypal.com");
    if !leaf_cert.valid_dns_names().any(paypals) {
        return Err("certificate_of_somebody_else");
    }
    PublicKey::of_certificate(leaf).ok_or("certificate_malformed")
}

fn certificates(text: &str) -> Option<Vec<CertificateDer<'static>>> {
    let blocks = pem::parse_many(text).ok()?;
    if blocks.len() > MOST_IN_CHAIN || blocks.iter().any(|block| block.tag() != "CERTIFICATE") {
        return None;
    }
    Some(blocks.into_iter().map(|block| CertificateDer::from(block.into_contents())).collect())
}

fn anchor(text: &str) -> Option<TrustAnchor<'static>> {
    let ders = certificates(text)?;
    let anchor = webpki::anchor_from_trusted_cert(ders.first()?).ok()?;
    Some(anchor.to_owned())
}

/// Whether this text is a root that could be trusted.
pub(super) fn is_root(text: &str) -> bool {
    anchor(text).is_some()
}
