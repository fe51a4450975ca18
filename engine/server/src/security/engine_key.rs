//! The engine's own key: it signs answers for whoever shares no secret with the engine.

use smol_str::SmolStr;
use suanpan_signing::SigningKey;

use super::fault::SecurityFault;
use super::keyring::read_secret;
use crate::config::EngineKeyConfig;

/// A private key with its id and its public half.
#[derive(Debug)]
pub struct EngineKey {
    /// Its id.
    pub id: SmolStr,
    /// The key.
    pub key: SigningKey,
    /// Its public half in PEM.
    pub public_pem: String,
}

impl EngineKey {
    /// Reads the key.
    ///
    /// # Errors
    /// A file that cannot be read, that others may read, or that holds no private key.
    pub fn load(config: &EngineKeyConfig) -> Result<Self, SecurityFault> {
        let name = "security.engine_key_file";
        let text = read_secret(name, &config.file)?;
        let fault = |fault| SecurityFault::Key { key: name.to_owned(), fault };
        let key = SigningKey::read_private(&text).map_err(fault)?;
        let public_pem = key.public_pem().map_err(fault)?.unwrap_or_default();
        Ok(Self { id: config.id.clone(), key, public_pem })
    }
}
