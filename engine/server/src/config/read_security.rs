//! Checks of keys and certificates.

use std::path::PathBuf;

use smol_str::SmolStr;
use suanpan_model::PlatformId;
use suanpan_signing::Algorithm;

use super::ConfigFault;
use super::raw::RawPlatform;
use super::raw_security::{RawChannelKeys, RawKey, RawOperator, RawSecurity, RawTls};
use super::security::{
    CertificateConfig, EngineKeyConfig, KeyConfig, KeySource, Principal, SecurityConfig, SecurityMode,
    TlsConfig, Validity,
};
use crate::security::{DistinguishedName, Role, is_key_id};
use crate::text::parse_time;

type Checked<T> = Result<T, ConfigFault>;

/// Fewest nonces that make sense, and as many as fit into memory.
const NONCES: std::ops::RangeInclusive<usize> = 1_000..=1_000_000_000;

const KEY_ID: &str = "1 to 64 letters, digits, dots, underscores and hyphens";

/// Collects keys and certificates of all who may call; an id, and a subject, belongs to one only.
pub(super) struct Reader {
    config: SecurityConfig,
}

impl Reader {
    pub(super) fn new(raw: RawSecurity) -> Checked<Self> {
        let mode = match raw.mode.as_str() {
            "" => None,
            "signed" => Some(SecurityMode::Signed),
            "development" => Some(SecurityMode::Development),
            other => return Err(ConfigFault::value("security.mode", "signed or development", other)),
        };
        if !NONCES.contains(&raw.nonces_max) {
            let expected = format!("a number from {} to {}", NONCES.start(), NONCES.end());
            return Err(ConfigFault::value("security.nonces_max", expected, raw.nonces_max));
        }
        if !is_key_id(&raw.engine_key_id) {
            return Err(ConfigFault::value("security.engine_key_id", KEY_ID, raw.engine_key_id));
        }
        let id = SmolStr::from(raw.engine_key_id);
        let engine_key = path(raw.engine_key_file).map(|file| EngineKeyConfig { id, file });
        Ok(Self {
            config: SecurityConfig {
                mode,
                allow_plain_http: raw.allow_plain_http,
                engine_key,
                nonces_max: raw.nonces_max,
                tls: tls(raw.tls)?,
                keys: Vec::new(),
                certificates: Vec::new(),
                both_required: Vec::new(),
            },
        })
    }

    pub(super) fn platform(&mut self, key: &str, raw: &mut RawPlatform) -> Checked<()> {
        let owner = Principal::Platform(PlatformId(raw.id));
        let (keys, subjects) = (std::mem::take(&mut raw.key), std::mem::take(&mut raw.certificates));
        if raw.signature_and_certificate {
            if keys.is_empty() || subjects.is_empty() {
                let expected = "false, or a key and a certificate of the platform";
                return Err(ConfigFault::value(format!("{key}.signature_and_certificate"), expected, true));
            }
            self.config.both_required.push(PlatformId(raw.id));
        }
        self.keys(key, keys, &owner)?;
        self.certificates(key, &subjects, &owner)
    }

    pub(super) fn operator(&mut self, key: &str, raw: RawOperator) -> Checked<()> {
        if !is_key_id(&raw.name) {
            return Err(ConfigFault::value(format!("{key}.name"), KEY_ID, raw.name));
        }
        let role = Role::from_name(&raw.role).ok_or_else(|| {
            ConfigFault::value(format!("{key}.role"), "viewer, operator or admin", &raw.role)
        })?;
        let owner = Principal::Operator { name: raw.name.into(), role };
        self.keys(key, raw.key, &owner)?;
        self.certificates(key, &raw.certificates, &owner)
    }

    pub(super) fn channel(&mut self, key: &str, raw: RawChannelKeys) -> Checked<()> {
        self.keys(key, raw.key, &Principal::Channel(raw.channel.into()))
    }

    pub(super) fn finish(self) -> Checked<SecurityConfig> {
        let config = self.config;
        let asymmetric = config.keys.iter().any(|key| key.algorithm != Algorithm::HmacSha256);
        if config.engine_key.is_none() && (asymmetric || !config.certificates.is_empty()) {
            let expected = "the engine's private key (suanpan keys new ed25519): somebody shares no secret with \
                            it, and answers are signed";
            return Err(ConfigFault::value("security.engine_key_file", expected, ""));
        }
        let takes_certificates = config.tls.as_ref().is_some_and(|tls| tls.client_ca_file.is_some());
        if !config.certificates.is_empty() && !takes_certificates {
            let expected = "who signs the client certificates that are named";
            return Err(ConfigFault::value("security.tls.client_ca_file", expected, ""));
        }
        Ok(config)
    }

    fn keys(&mut self, key: &str, raw: Vec<RawKey>, owner: &Principal) -> Checked<()> {
        for (place, raw) in raw.into_iter().enumerate() {
            let key = format!("{key}.key[{place}]");
            let id = &raw.id;
            let is_engines = self.config.engine_key.as_ref().is_some_and(|engine| engine.id == *id);
            if is_engines || self.config.keys.iter().any(|known| known.id == *id) {
                let expected = "an id that no other key has, the engine's neither";
                return Err(ConfigFault::value(format!("{key}.id"), expected, id));
            }
            self.config.keys.push(self::key(&key, raw, owner.clone())?);
        }
        Ok(())
    }

    fn certificates(&mut self, key: &str, subjects: &[String], owner: &Principal) -> Checked<()> {
        for (place, text) in subjects.iter().enumerate() {
            let key = format!("{key}.certificates[{place}]");
            let subject: DistinguishedName = text.parse().map_err(|_| {
                let expected = "a subject such as \"CN=mall.example,O=Mall Ltd,C=CN\" (RFC 4514)";
                ConfigFault::value(&key, expected, text)
            })?;
            if self.config.certificates.iter().any(|known| known.subject == subject) {
                return Err(ConfigFault::value(key, "a subject that is named only once", text));
            }
            self.config.certificates.push(CertificateConfig { subject, owner: owner.clone() });
        }
        Ok(())
    }
}

fn key(key: &str, raw: RawKey, owner: Principal) -> Checked<KeyConfig> {
    let at = |name: &str| format!("{key}.{name}");
    if !is_key_id(&raw.id) {
        return Err(ConfigFault::value(at("id"), KEY_ID, raw.id));
    }
    let algorithm: Algorithm = raw
        .algorithm
        .parse()
        .map_err(|fault| ConfigFault::value(at("algorithm"), words(fault), &raw.algorithm))?;
    let is_secret = algorithm == Algorithm::HmacSha256;
    let source = match (raw.secret_file, raw.secret_env, raw.public_key_file) {
        (Some(file), None, None) if is_secret => KeySource::File(file.into()),
        (None, Some(name), None) if is_secret => KeySource::Environment(name),
        (None, None, Some(file)) if !is_secret => KeySource::File(file.into()),
        _ => {
            let expected = if is_secret {
                "where the secret is: secret_file or secret_env"
            } else {
                "where the public key is: public_key_file"
            };
            return Err(ConfigFault::Refused { key: key.to_owned(), expected: expected.to_owned() });
        }
    };
    let validity = Validity {
        not_before_s: instant(&at("not_before"), raw.not_before.as_deref())?,
        not_after_s: instant(&at("not_after"), raw.not_after.as_deref())?,
    };
    if let (Some(from), Some(until)) = (validity.not_before_s, validity.not_after_s)
        && from > until
    {
        let found = raw.not_after.unwrap_or_default();
        return Err(ConfigFault::value(at("not_after"), "a time after not_before", found));
    }
    Ok(KeyConfig { id: raw.id.into(), owner, algorithm, source, validity })
}

/// What a fault expects, without the word itself.
fn words(fault: suanpan_signing::KeyFault) -> String {
    fault.to_string().trim_start_matches("expected ").to_owned()
}

fn instant(key: &str, text: Option<&str>) -> Checked<Option<u64>> {
    let read = |text| {
        let expected = "a time of RFC 3339 such as 2026-01-01T00:00:00Z";
        parse_time(text).map(|at| at.0 / 1_000).ok_or_else(|| ConfigFault::value(key, expected, text))
    };
    text.map(read).transpose()
}

fn tls(raw: RawTls) -> Checked<Option<TlsConfig>> {
    let client_ca_file = path(raw.client_ca_file);
    match (path(raw.certificate_file), path(raw.key_file)) {
        (Some(certificate_file), Some(key_file)) => {
            Ok(Some(TlsConfig { certificate_file, key_file, client_ca_file }))
        }
        (None, None) if client_ca_file.is_none() => Ok(None),
        (None, _) => Err(ConfigFault::value("security.tls.certificate_file", "the server's certificate", "")),
        (Some(_), None) => Err(ConfigFault::value("security.tls.key_file", "the certificate's key", "")),
    }
}

fn path(text: String) -> Option<PathBuf> {
    Some(text).filter(|text| !text.is_empty()).map(PathBuf::from)
}
