//! Who may call, and how that is proved, as the configuration says it. Files are read at the start, not here.

use std::path::PathBuf;

use smol_str::SmolStr;
use suanpan_model::PlatformId;
use suanpan_signing::Algorithm;

use crate::security::{DistinguishedName, Role};

/// How callers are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityMode {
    /// Every request is signed, or comes under a client certificate.
    Signed,
    /// Whoever reaches the loopback address may do everything.
    Development,
}

/// Settings of keys, certificates and the audit trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityConfig {
    /// How callers are told apart; nothing when the configuration does not say.
    pub mode: Option<SecurityMode>,
    /// Whether other machines may reach the server without TLS, because it ends at a proxy in front.
    pub allow_plain_http: bool,
    /// The engine's own key.
    pub engine_key: Option<EngineKeyConfig>,
    /// Most nonces that are remembered at once.
    pub nonces_max: usize,
    /// TLS.
    pub tls: Option<TlsConfig>,
    /// Keys of platforms, operators and channels.
    pub keys: Vec<KeyConfig>,
    /// Subjects of client certificates.
    pub certificates: Vec<CertificateConfig>,
    /// Platforms whose requests must be signed and come under their certificate.
    pub both_required: Vec<PlatformId>,
}

/// The key with which the engine signs for whoever shares no secret with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineKeyConfig {
    /// Its id.
    pub id: SmolStr,
    /// A private key in PEM.
    pub file: PathBuf,
}

/// Files of TLS, all in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// The server's certificate and those above it.
    pub certificate_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
    /// Who signs client certificates; nothing when there are none.
    pub client_ca_file: Option<PathBuf>,
}

/// Whose a key is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Principal {
    /// A mall.
    Platform(PlatformId),
    /// Somebody who runs the engine.
    Operator {
        /// Who.
        name: SmolStr,
        /// What they may do.
        role: Role,
    },
    /// A channel that notifies, by its name.
    Channel(SmolStr),
}

/// A key that verifies requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyConfig {
    /// Its id, which no other key has.
    pub id: SmolStr,
    /// Whose it is.
    pub owner: Principal,
    /// How it signs.
    pub algorithm: Algorithm,
    /// Where it is.
    pub source: KeySource,
    /// When it counts.
    pub validity: Validity,
}

/// Where a key is. Never in the configuration itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// In a file.
    File(PathBuf),
    /// In a variable of the environment.
    Environment(String),
}

/// When a key counts, in Unix seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    /// From this second on.
    pub not_before_s: Option<u64>,
    /// Up to this second, inclusively.
    pub not_after_s: Option<u64>,
}

/// A client certificate by its subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateConfig {
    /// The subject.
    pub subject: DistinguishedName,
    /// Whose it is.
    pub owner: Principal,
}

impl SecurityConfig {
    /// The mode in force: the one that is named, or signed when anybody could sign.
    #[must_use]
    pub fn effective_mode(&self) -> Option<SecurityMode> {
        let somebody = !self.keys.is_empty() || !self.certificates.is_empty();
        self.mode.or_else(|| somebody.then_some(SecurityMode::Signed))
    }
}
