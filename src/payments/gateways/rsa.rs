//! RSASSA-PKCS1-v1_5 with SHA-256, the one algorithm of Alipay, WeChat Pay, PayPal and Epay V2. Whatever a message
//! says about its algorithm is only ever compared with this: there is no way to ask for another.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;
use zeroize::Zeroizing;

use crate::base::secret::Secret;

/// Somebody's public key of 2048 to 8192 bits.
#[derive(Clone)]
pub(super) struct PublicKey(Vec<u8>);

impl PublicKey {
    /// A public key or a certificate in PEM, or the bare base64 of a key's DER, as Alipay's and Epay's consoles show it.
    pub fn parse(text: &str) -> Option<Self> {
        let (label, der) = der(text)?;
        match label.as_deref() {
            None | Some("PUBLIC KEY" | "RSA PUBLIC KEY") => Some(Self(der.to_vec())).filter(Self::usable),
            Some("CERTIFICATE") => Self::of_certificate(&der),
            Some(_) => None,
        }
    }

    /// The key inside a certificate in DER; nothing is said about who issued it.
    pub fn of_certificate(der: &[u8]) -> Option<Self> {
        let der = CertificateDer::from(der);
        let certificate = EndEntityCert::try_from(&der).ok()?;
        Some(Self(certificate.subject_public_key_info().to_vec())).filter(Self::usable)
    }

    fn usable(&self) -> bool {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.0).parse().is_ok()
    }

    /// Whether it is the public half of a private key.
    pub fn is_of(&self, private: &PrivateKey) -> bool {
        let message = b"a pair of keys";
        private.sign(message).is_some_and(|signature| self.verifies(message, &signature))
    }

    /// Whether the holder of the private key signed this; the signature is base64.
    pub fn verifies(&self, message: &[u8], signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.0).verify(message, &signature).is_ok()
    }
}

/// Our private key: PKCS#8 or PKCS#1, in PEM or as bare base64.
pub(super) struct PrivateKey(RsaKeyPair);

impl PrivateKey {
    pub fn parse(text: &Secret) -> Option<Self> {
        let (_, der) = der(text.expose())?;
        RsaKeyPair::from_pkcs8(&der).or_else(|_| RsaKeyPair::from_der(&der)).ok().map(Self)
    }

    /// The signature in base64.
    pub fn sign(&self, message: &[u8]) -> Option<String> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
        Some(STANDARD.encode(signature))
    }
}

/// The label of a PEM block, if it is one, and the bytes.
fn der(text: &str) -> Option<(Option<String>, Zeroizing<Vec<u8>>)> {
    let text = text.trim();
    if text.starts_with("-----BEGIN ") {
        let block = pem::parse(text).ok()?;
        return Some((Some(block.tag().to_owned()), Zeroizing::new(block.into_contents())));
    }
    let bare: Zeroizing<String> = Zeroizing::new(text.split_ascii_whitespace().collect());
    Some((None, Zeroizing::new(STANDARD.decode(bare.as_bytes()).ok()?)))
}
