//! RSA keys of the simulated gateways and of the shop that speaks to them: 2048 bits, PKCS#1 v1.5 with SHA-256.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair as Signer,
    PKCS_RSA_SHA256, SanType, SerialNumber,
};
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::base::clock::random;
use crate::base::outcome::Fault;

/// A key pair with both halves at hand.
pub(super) struct Pair {
    private: RsaKeyPair,
    public: Vec<u8>,
}

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::Bug(format!("a key of the simulator: {error}"))
}

/// A new private key: PKCS#8 in PEM.
pub(super) fn make() -> Result<String, Fault> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(fault)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(fault)?;
    Ok(pem::encode(&pem::Pem::new("PRIVATE KEY", der.as_ref())))
}

fn der(pem: &str) -> Result<Vec<u8>, Fault> {
    pem::parse(pem).map(pem::Pem::into_contents).map_err(fault)
}

impl Pair {
    pub fn open(pem: &str) -> Result<Self, Fault> {
        let private = RsaKeyPair::from_pkcs8(&der(pem)?).map_err(fault)?;
        let public: PublicKeyX509Der<'_> = private.public_key().as_der().map_err(fault)?;
        let public = public.as_ref().to_vec();
        Ok(Self { private, public })
    }

    pub fn public_pem(&self) -> String {
        pem::encode(&pem::Pem::new("PUBLIC KEY", self.public.clone()))
    }

    /// As Epay's console shows it: base64 without lines.
    pub fn public_base64(&self) -> String {
        STANDARD.encode(&self.public)
    }

    /// Base64.
    pub fn sign(&self, text: &[u8]) -> String {
        let mut signature = vec![0; self.private.public_modulus_len()];
        match self.private.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature) {
            Ok(()) => STANDARD.encode(signature),
            Err(_) => String::new(),
        }
    }

    /// The same; of another text when it shall be wrong.
    pub fn sign_or_forge(&self, text: &[u8], forged: bool) -> String {
        match forged {
            true => self.sign(b"somebody else's words"),
            false => self.sign(text),
        }
    }

    /// Whether the holder of this pair signed the text.
    pub fn fits(&self, text: &[u8], signature: &str) -> bool {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public);
        STANDARD.decode(signature).is_ok_and(|signature| key.verify(text, &signature).is_ok())
    }
}

fn signer(pem: &str) -> Result<Signer, Fault> {
    let der = PrivatePkcs8KeyDer::from(der(pem)?);
    Signer::from_pkcs8_der_and_sign_algo(&der, &PKCS_RSA_SHA256).map_err(fault)
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject.push(DnType::OrganizationName, "Dispense Sandbox");
    params.distinguished_name = subject;
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2049, 12, 31);
    params
}

/// A serial number of 40 digits in upper case. The first byte is neither zero nor above 0x7f, so that the number is
/// positive and never shorter.
pub(super) fn serial() -> String {
    let mut serial = random::<20>();
    serial[0] = 0x10 | (serial[0] & 0x6f);
    hex::encode_upper(serial)
}

/// A certificate that signed itself, in PEM.
pub(super) fn certificate(private: &str, name: &str, serial: &str) -> Result<String, Fault> {
    let mut params = named(name);
    params.serial_number = Some(SerialNumber::from_slice(&hex::decode(serial).map_err(fault)?));
    Ok(params.self_signed(&signer(private)?).map_err(fault)?.pem())
}

/// A root and a certificate that it issued for a host, both in PEM.
pub(super) fn chain(
    root_key: &str,
    leaf_key: &str,
    root: &str,
    host: &str,
) -> Result<(String, String), Fault> {
    let mut authority = named(root);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_signer = signer(root_key)?;
    let root = authority.self_signed(&root_signer).map_err(fault)?.pem();
    let mut leaf = named(host);
    leaf.subject_alt_names = vec![SanType::DnsName(host.try_into().map_err(fault)?)];
    let issuer = Issuer::new(authority, root_signer);
    let leaf = leaf.signed_by(&signer(leaf_key)?, &issuer).map_err(fault)?.pem();
    Ok((root, leaf))
}
