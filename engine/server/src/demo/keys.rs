//! The keys of the demo: the mall and its operator sign with secrets that the demo makes in its directory.

use std::path::{Path, PathBuf};

use suanpan_client::signing::{Algorithm, Secret, SigningKey};
use suanpan_client::{Client, ClientOptions, Credentials, RepeatPolicy};

use super::DemoFault;
use super::cast::PLATFORM;
use super::mall::REQUESTS_MAX;
use crate::config::{Config, KeyConfig, KeySource, Principal, SecurityMode, Validity};
use crate::secret_file;
use crate::security::Role;

/// Ids of the keys, and names of their files.
const MALL: &str = "demo-mall";
const OPERATOR: &str = "demo-operator";

/// How often a request is repeated that the engine was too busy for, and after which pauses.
const REPEATS: RepeatPolicy = RepeatPolicy {
    attempts_max: 200,
    pause: std::time::Duration::from_millis(50),
    pause_max: std::time::Duration::from_secs(1),
};

/// Makes the keys unless they are there, and names them in the configuration. The server stays in development, so that
/// its visitor can use `curl` beside the mall.
///
/// # Errors
/// Trouble with the disk.
pub fn make(config: &mut Config, dir: &Path) -> Result<(), DemoFault> {
    config.security.mode = Some(SecurityMode::Development);
    let operator = Principal::Operator { name: OPERATOR.into(), role: Role::Operator };
    for (id, owner) in [(MALL, Principal::Platform(PLATFORM)), (OPERATOR, operator)] {
        let path = file(dir, id);
        if !path.exists() {
            let secret = SigningKey::generate(Algorithm::HmacSha256)?;
            secret_file::write_new(&path, secret.reveal())
                .map_err(|source| DemoFault::Directory { path: path.clone(), source })?;
        }
        config.security.keys.push(KeyConfig {
            id: id.into(),
            owner,
            algorithm: Algorithm::HmacSha256,
            source: KeySource::File(path),
            validity: Validity::default(),
        });
    }
    Ok(())
}

/// The clients of the mall and of its operator.
///
/// # Errors
/// Trouble with the disk.
pub fn clients(dir: &Path, url: &str) -> Result<(Client, Client), DemoFault> {
    let client = |id: &str| {
        let path = file(dir, id);
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|source| DemoFault::Directory { path, source })?;
        let key = SigningKey::read(Algorithm::HmacSha256, &Secret::new(text))?;
        let options = ClientOptions::new(url)
            .signed_by(Credentials { key_id: id.to_owned(), key })
            .timeout(std::time::Duration::from_secs(60))
            .connections_max(REQUESTS_MAX)
            .repeats(REPEATS);
        Ok::<_, DemoFault>(Client::new(options)?)
    };
    Ok((client(MALL)?, client(OPERATOR)?))
}

fn file(dir: &Path, id: &str) -> PathBuf {
    dir.join(format!("{id}.secret"))
}
