//! Keys that verify.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;

use crate::key::{Algorithm, KeyFault, hmac_key, hmac_tag};
use crate::message::Message;
use crate::secret::Secret;

/// Why a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// Not base64.
    #[error("the signature is not base64")]
    Form,
    /// Made by another key, or over another message.
    #[error("the signature does not fit the message")]
    Mismatch,
}

/// A key that verifies: the shared secret, or the public half.
#[derive(Clone)]
pub struct VerifyingKey(Kind);

#[derive(Clone)]
enum Kind {
    Hmac(hmac::Key),
    Public(Algorithm, ParsedPublicKey),
}

impl VerifyingKey {
    /// Reads a key: the secret itself (spaces and line breaks around it do not count), or a public key in PEM.
    ///
    /// # Errors
    /// A short secret; PEM that does not hold a public key of the algorithm.
    pub fn read(algorithm: Algorithm, text: &Secret) -> Result<Self, KeyFault> {
        let verification: &'static dyn VerificationAlgorithm = match algorithm {
            Algorithm::HmacSha256 => return Ok(Self::of_hmac(hmac_key(text)?)),
            Algorithm::Ed25519 => &ED25519,
            Algorithm::RsaSha256 => &RSA_PKCS1_2048_8192_SHA256,
        };
        let wrong = |_| KeyFault::Public(algorithm);
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text.reveal().as_bytes());
        let der = der.map_err(|_| KeyFault::Public(algorithm))?;
        Ok(Self(Kind::Public(algorithm, ParsedPublicKey::new(verification, &*der).map_err(wrong)?)))
    }

    pub(crate) const fn of_hmac(key: hmac::Key) -> Self {
        Self(Kind::Hmac(key))
    }

    /// How it verifies.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match &self.0 {
            Kind::Hmac(_) => Algorithm::HmacSha256,
            Kind::Public(algorithm, _) => *algorithm,
        }
    }

    /// Whether this key's other half signed the message. A secret's signature is compared in constant time.
    ///
    /// # Errors
    /// Not base64; another key or another message.
    pub fn verify(&self, message: &Message<'_>, signature_base64: &str) -> Result<(), SignatureFault> {
        let signature = BASE64_STANDARD.decode(signature_base64).map_err(|_| SignatureFault::Form)?;
        let verified = match &self.0 {
            Kind::Hmac(key) => verify_slices_are_equal(hmac_tag(key, message).as_ref(), &signature),
            Kind::Public(_, key) => key.verify_sig(&message.to_bytes(), &signature),
        };
        verified.map_err(|_| SignatureFault::Mismatch)
    }

    /// Signs an answer with the same secret; nothing when there is only a public half.
    #[must_use]
    pub fn sign_with_secret(&self, message: &Message<'_>) -> Option<String> {
        match &self.0 {
            Kind::Hmac(key) => Some(BASE64_STANDARD.encode(hmac_tag(key, message))),
            Kind::Public(..) => None,
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({}, redacted)", self.algorithm())
    }
}
