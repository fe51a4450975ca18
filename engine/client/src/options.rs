//! How a client reaches the engine, and as whom.

use std::fmt;
use std::time::Duration;

use suanpan_signing::{Secret, SigningKey, VerifyingKey};

use crate::repeat::RepeatPolicy;

/// A key that signs requests.
#[derive(Debug)]
pub struct Credentials {
    /// Under which id the engine knows it.
    pub key_id: String,
    /// The key.
    pub key: SigningKey,
}

/// How a client reaches the engine, and as whom.
pub struct ClientOptions {
    pub(crate) url: String,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) engine_key: Option<(String, VerifyingKey)>,
    pub(crate) authority_pem: Option<String>,
    pub(crate) identity_pem: Option<Secret>,
    pub(crate) timeout: Duration,
    pub(crate) connections_max: usize,
    pub(crate) repeats: RepeatPolicy,
}

impl ClientOptions {
    /// A client of the engine at `url` (scheme, host and port) that signs nothing: the engine takes that in development
    /// only, or under a client certificate.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            credentials: None,
            engine_key: None,
            authority_pem: None,
            identity_pem: None,
            timeout: Duration::from_secs(30),
            connections_max: 32,
            repeats: RepeatPolicy::default(),
        }
    }

    /// Signs with this key.
    #[must_use]
    pub fn signed_by(self, credentials: Credentials) -> Self {
        Self { credentials: Some(credentials), ..self }
    }

    /// The engine's own key, which signs answers unless the client's key is a shared secret.
    #[must_use]
    pub fn engine_key(self, key_id: impl Into<String>, key: VerifyingKey) -> Self {
        Self { engine_key: Some((key_id.into(), key)), ..self }
    }

    /// Who must have issued the server's certificate, in PEM; nobody else is believed then.
    #[must_use]
    pub fn authority_pem(self, pem: impl Into<String>) -> Self {
        Self { authority_pem: Some(pem.into()), ..self }
    }

    /// The client certificate and its private key, both in one PEM.
    #[must_use]
    pub fn identity_pem(self, pem: Secret) -> Self {
        Self { identity_pem: Some(pem), ..self }
    }

    /// How long one request may take.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Connections that are kept open at once.
    #[must_use]
    pub const fn connections_max(mut self, most: usize) -> Self {
        self.connections_max = most;
        self
    }

    /// When and how often requests are repeated.
    #[must_use]
    pub const fn repeats(mut self, policy: RepeatPolicy) -> Self {
        self.repeats = policy;
        self
    }
}

impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signed_by = self.credentials.as_ref().map(|credentials| &credentials.key_id);
        let has_certificate = self.identity_pem.is_some();
        f.debug_struct("ClientOptions")
            .field("url", &self.url)
            .field("signed_by", &signed_by)
            .field("has_certificate", &has_certificate)
            .finish_non_exhaustive()
    }
}
