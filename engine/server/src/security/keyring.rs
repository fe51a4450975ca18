//! The keys and certificates of those who may call.

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use smol_str::SmolStr;
use suanpan_model::PlatformId;
use suanpan_signing::{Algorithm, Secret, VerifyingKey};

use super::fault::SecurityFault;
use super::names::DistinguishedName;
use crate::config::{KeyConfig, KeySource, Principal, SecurityConfig, Validity};

/// A key that verifies requests.
#[derive(Debug)]
pub struct KeyEntry {
    /// Its id.
    pub id: SmolStr,
    /// Whose it is.
    pub owner: Principal,
    /// The key.
    pub verifying: VerifyingKey,
    /// When it counts.
    pub validity: Validity,
}

/// Every key and every certificate.
#[derive(Debug)]
pub struct KeyRing {
    keys: HashMap<SmolStr, Arc<KeyEntry>>,
    certificates: HashMap<DistinguishedName, Principal>,
    both_required: HashSet<PlatformId>,
}

impl KeyRing {
    /// Reads every key.
    pub(super) fn load(config: &SecurityConfig) -> Result<Self, SecurityFault> {
        let mut keys = HashMap::with_capacity(config.keys.len());
        for key in &config.keys {
            keys.insert(key.id.clone(), Arc::new(entry(key)?));
        }
        let bound = |known: &crate::config::CertificateConfig| (known.subject.clone(), known.owner.clone());
        Ok(Self {
            keys,
            certificates: config.certificates.iter().map(bound).collect(),
            both_required: config.both_required.iter().copied().collect(),
        })
    }

    /// The key with this id.
    pub(super) fn key(&self, id: &str) -> Option<&Arc<KeyEntry>> {
        self.keys.get(id)
    }

    /// The secret that is shared with a platform now; of several, the one that counts since latest.
    pub(super) fn shared_with(&self, platform: PlatformId, now_s: u64) -> Option<&Arc<KeyEntry>> {
        let owner = Principal::Platform(platform);
        let shared = self.keys.values().filter(|entry| {
            entry.owner == owner
                && entry.verifying.algorithm() == Algorithm::HmacSha256
                && entry.validity.not_before_s.is_none_or(|from_s| from_s <= now_s)
                && entry.validity.not_after_s.is_none_or(|until_s| now_s <= until_s)
        });
        shared.max_by_key(|entry| (entry.validity.not_before_s, entry.id.clone()))
    }

    /// Whose certificate it is that has this subject.
    pub(super) fn owner_of(&self, subject: &DistinguishedName) -> Option<&Principal> {
        self.certificates.get(subject)
    }

    /// Whether requests of the principal must be signed and come under its certificate.
    pub(super) fn requires_both(&self, principal: &Principal) -> bool {
        matches!(principal, Principal::Platform(platform) if self.both_required.contains(platform))
    }
}

fn entry(config: &KeyConfig) -> Result<KeyEntry, SecurityFault> {
    let key = format!("key {}", config.id);
    let text = match &config.source {
        KeySource::File(path) if config.algorithm == Algorithm::HmacSha256 => read_secret(&key, path)?,
        KeySource::File(path) => read(&key, path)?,
        KeySource::Environment(name) => std::env::var(name)
            .map(Secret::new)
            .map_err(|_| SecurityFault::Environment { key: key.clone(), name: name.clone() })?,
    };
    let verifying =
        VerifyingKey::read(config.algorithm, &text).map_err(|fault| SecurityFault::Key { key, fault })?;
    Ok(KeyEntry { id: config.id.clone(), owner: config.owner.clone(), verifying, validity: config.validity })
}

fn read(key: &str, path: &Path) -> Result<Secret, SecurityFault> {
    let text = std::fs::read_to_string(path);
    text.map(Secret::new).map_err(|source| SecurityFault::File {
        key: key.to_owned(),
        path: path.to_owned(),
        source,
    })
}

/// Reads a file that nobody else may read.
pub(super) fn read_secret(key: &str, path: &Path) -> Result<Secret, SecurityFault> {
    let text = read(key, path)?;
    let fault = |source| SecurityFault::File { key: key.to_owned(), path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(fault)?.mode() & 0o077 != 0 {
        return Err(SecurityFault::Readable { key: key.to_owned(), path: path.to_owned() });
    }
    Ok(text)
}
