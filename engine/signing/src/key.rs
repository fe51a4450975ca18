//! Keys that sign.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;

use crate::message::Message;
use crate::public::VerifyingKey;
use crate::secret::Secret;

/// Shortest secret in bytes: as long as what HMAC-SHA256 makes of it.
const SECRET_BYTES_MIN: usize = 32;

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// A secret that both sides hold (RFC 2104).
    HmacSha256,
    /// RFC 8032.
    Ed25519,
    /// PKCS#1 v1.5 (RFC 8017), 2048 to 8192 bits.
    RsaSha256,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 3] = [Self::HmacSha256, Self::Ed25519, Self::RsaSha256];

    /// Its name in configurations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::Ed25519 => "ed25519",
            Self::RsaSha256 => "rsa-sha256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = KeyFault;

    fn from_str(name: &str) -> Result<Self, KeyFault> {
        Self::ALL.into_iter().find(|known| known.name() == name).ok_or(KeyFault::Algorithm)
    }
}

/// Why a key cannot be used. Never says what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Not the name of an algorithm.
    #[error("expected hmac-sha256, ed25519 or rsa-sha256")]
    Algorithm,
    /// A secret that can be guessed.
    #[error("expected a secret of at least {SECRET_BYTES_MIN} characters")]
    ShortSecret,
    /// Not a private key of this algorithm.
    #[error("expected a private key for {0} in PKCS#8 PEM (BEGIN PRIVATE KEY)")]
    Private(Algorithm),
    /// Not a public key of this algorithm.
    #[error("expected a public key for {0} in PEM (BEGIN PUBLIC KEY)")]
    Public(Algorithm),
    /// The cryptographic library refuses to work.
    #[error("the key cannot be used by the cryptographic library")]
    Library,
}

/// A key that signs.
pub enum SigningKey {
    /// A shared secret.
    HmacSha256(hmac::Key),
    /// A private key.
    Ed25519(Box<Ed25519KeyPair>),
    /// A private key.
    RsaSha256(Box<RsaKeyPair>),
}

impl SigningKey {
    /// Reads a key: the secret itself (spaces and line breaks around it do not count), or a private key in PEM.
    ///
    /// # Errors
    /// A short secret; PEM that does not hold a private key of the algorithm.
    pub fn read(algorithm: Algorithm, text: &Secret) -> Result<Self, KeyFault> {
        let wrong = KeyFault::Private(algorithm);
        let pem = || PrivatePkcs8KeyDer::from_pem_slice(text.reveal().as_bytes()).map_err(|_| wrong);
        match algorithm {
            Algorithm::HmacSha256 => Ok(Self::HmacSha256(hmac_key(text)?)),
            Algorithm::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8(pem()?.secret_pkcs8_der());
                Ok(Self::Ed25519(Box::new(pair.map_err(|_| wrong)?)))
            }
            Algorithm::RsaSha256 => {
                let pair = RsaKeyPair::from_pkcs8(pem()?.secret_pkcs8_der());
                Ok(Self::RsaSha256(Box::new(pair.map_err(|_| wrong)?)))
            }
        }
    }

    /// Reads a private key whose algorithm the PEM tells.
    ///
    /// # Errors
    /// PEM that holds neither an Ed25519 nor an RSA key.
    pub fn read_private(text: &Secret) -> Result<Self, KeyFault> {
        Self::read(Algorithm::Ed25519, text).or_else(|_| Self::read(Algorithm::RsaSha256, text))
    }

    /// A new key as the text that [`SigningKey::read`] takes.
    ///
    /// # Errors
    /// When the cryptographic library has no randomness.
    pub fn generate(algorithm: Algorithm) -> Result<Secret, KeyFault> {
        let der = match algorithm {
            Algorithm::HmacSha256 => {
                let mut bytes = zeroize::Zeroizing::new([0; SECRET_BYTES_MIN]);
                rand::fill(&mut *bytes).map_err(|_| KeyFault::Library)?;
                return Ok(Secret::new(BASE64_URL_SAFE_NO_PAD.encode(*bytes)));
            }
            Algorithm::Ed25519 => {
                let pair = Ed25519KeyPair::generate().map_err(|_| KeyFault::Library)?;
                AsDer::<Pkcs8V1Der<'_>>::as_der(&pair)
            }
            Algorithm::RsaSha256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa3072).map_err(|_| KeyFault::Library)?;
                AsDer::<Pkcs8V1Der<'_>>::as_der(&pair)
            }
        };
        let der = der.map_err(|_| KeyFault::Library)?;
        Ok(Secret::new(pem("PRIVATE KEY", der.as_ref())))
    }

    /// How it signs.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::HmacSha256(_) => Algorithm::HmacSha256,
            Self::Ed25519(_) => Algorithm::Ed25519,
            Self::RsaSha256(_) => Algorithm::RsaSha256,
        }
    }

    /// Signs; the signature in base64.
    ///
    /// # Errors
    /// When the cryptographic library refuses.
    pub fn sign(&self, message: &Message<'_>) -> Result<String, KeyFault> {
        match self {
            Self::HmacSha256(key) => Ok(BASE64_STANDARD.encode(hmac_tag(key, message))),
            Self::Ed25519(pair) => Ok(BASE64_STANDARD.encode(pair.sign(&message.to_bytes()))),
            Self::RsaSha256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let random = rand::SystemRandom::new();
                pair.sign(&RSA_PKCS1_SHA256, &random, &message.to_bytes(), &mut signature)
                    .map_err(|_| KeyFault::Library)?;
                Ok(BASE64_STANDARD.encode(signature))
            }
        }
    }

    /// The public half in PEM; none of a secret.
    ///
    /// # Errors
    /// When the cryptographic library refuses.
    pub fn public_pem(&self) -> Result<Option<String>, KeyFault> {
        let der: PublicKeyX509Der<'_> = match self {
            Self::HmacSha256(_) => return Ok(None),
            Self::Ed25519(pair) => pair.public_key().as_der(),
            Self::RsaSha256(pair) => pair.public_key().as_der(),
        }
        .map_err(|_| KeyFault::Library)?;
        Ok(Some(pem("PUBLIC KEY", der.as_ref())))
    }

    /// What verifies what this key signs.
    ///
    /// # Errors
    /// When the cryptographic library refuses.
    pub fn verifying(&self) -> Result<VerifyingKey, KeyFault> {
        match self {
            Self::HmacSha256(key) => Ok(VerifyingKey::of_hmac(key.clone())),
            Self::Ed25519(_) | Self::RsaSha256(_) => {
                let pem = self.public_pem()?.unwrap_or_default();
                VerifyingKey::read(self.algorithm(), &Secret::new(pem))
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, redacted)", self.algorithm())
    }
}

pub(crate) fn hmac_key(text: &Secret) -> Result<hmac::Key, KeyFault> {
    let secret = text.reveal().trim();
    if secret.len() < SECRET_BYTES_MIN {
        return Err(KeyFault::ShortSecret);
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
}

pub(crate) fn hmac_tag(key: &hmac::Key, message: &Message<'_>) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    for part in message.parts() {
        context.update(part);
    }
    context.sign()
}

/// Bytes in the armour of RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = more;
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}
