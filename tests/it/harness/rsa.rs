//! RSA keys and certificates of the tests' own: what gateways sign with, and what our requests are checked with. Nothing of
//! the program's own signing code is used.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dispense::base::secret::Secret;

pub struct Pair(RsaKeyPair);

impl Pair {
    #[allow(clippy::new_without_default)] // Every one is another key.
    pub fn new() -> Self {
        Self(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    fn private_der(&self) -> Vec<u8> {
        let der: Pkcs8V1Der<'_> = self.0.as_der().unwrap();
        der.as_ref().to_vec()
    }

    fn public_der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().unwrap();
        der.as_ref().to_vec()
    }

    pub fn private(&self) -> Secret {
        Secret::new(pem::encode(&pem::Pem::new("PRIVATE KEY", self.private_der())))
    }

    pub fn public(&self) -> String {
        pem::encode(&pem::Pem::new("PUBLIC KEY", self.public_der()))
    }

    /// As consoles show it: base64 without lines.
    pub fn public_bare(&self) -> String {
        STANDARD.encode(self.public_der())
    }

    pub fn sign(&self, message: &[u8]) -> String {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
        STANDARD.encode(signature)
    }

    pub fn signed(&self, message: &[u8], signature: &str) -> bool {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.public_der());
        key.verify(message, &STANDARD.decode(signature).unwrap()).is_ok()
    }

    /// A certificate for this key, signed by itself, in PEM. `serial` is its number in hexadecimal digits.
    pub fn certificate(&self, serial: &str) -> String {
        let algorithm = sequence(&[&[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0b], &[0x05, 0]]);
        let common_name = sequence(&[&[0x06, 3, 0x55, 4, 3], &element(0x0c, b"Tenpay.com sign")]);
        let name = sequence(&[&element(0x31, &common_name)]);
        let times = sequence(&[&element(0x17, b"260101000000Z"), &element(0x17, b"480101000000Z")]);
        let mut number = hex::decode(serial).unwrap();
        if number[0] & 0x80 != 0 {
            number.insert(0, 0);
        }
        let version = element(0xa0, &[0x02, 1, 2]);
        let number = element(0x02, &number);
        let body = sequence(&[&version, &number, &algorithm, &name, &times, &name, &self.public_der()]);
        let mut signature = vec![0];
        signature.extend(STANDARD.decode(self.sign(&body)).unwrap());
        let whole = sequence(&[&body, &algorithm, &element(0x03, &signature)]);
        pem::encode(&pem::Pem::new("CERTIFICATE", whole))
    }
}

/// One element of DER.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = vec![tag];
    match length {
        0..0x80 => bytes.push(length as u8),
        0x80..0x100 => bytes.extend([0x81, length as u8]),
        _ => bytes.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    bytes.extend(content);
    bytes
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(0x30, &parts.concat())
}
