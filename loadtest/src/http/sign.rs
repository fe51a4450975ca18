//! Keys of a mall and of its server's operator, and the headers that sign a request. The scheme is that of
//! `suanpan-signing`. Answers' signatures are not verified here: a mall would, a load generator that shares the server's
//! processors would measure itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::Serialize;
use suanpan_signing::{Algorithm, Secret, SigningKey, header, request_message};

use super::pool::Call;
use crate::machine;

/// How requests are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Signing {
    /// Not at all: a server in development mode.
    None,
    /// HMAC-SHA256.
    Hmac,
    /// Ed25519.
    Ed25519,
    /// RSA with SHA-256.
    Rsa,
}

/// What proves who submits orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Nothing: a server in development mode.
    None,
    /// A signature by HMAC-SHA256.
    Hmac,
    /// A signature by Ed25519.
    Ed25519,
    /// A signature by RSA with SHA-256.
    Rsa,
    /// A client certificate, over TLS; requests are not signed.
    Certificate,
}

impl Proof {
    /// How everything else is signed that is asked of the server: accounts, books.
    #[must_use]
    pub const fn signing(self) -> Signing {
        match self {
            Self::None => Signing::None,
            Self::Hmac | Self::Certificate => Signing::Hmac,
            Self::Ed25519 => Signing::Ed25519,
            Self::Rsa => Signing::Rsa,
        }
    }

    /// Whether signatures cost the generator so much that they are made before the clock runs.
    #[must_use]
    pub const fn is_signed_before(self) -> bool {
        matches!(self, Self::Ed25519 | Self::Rsa)
    }

    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Hmac => "hmac",
            Self::Ed25519 => "ed25519",
            Self::Rsa => "rsa",
            Self::Certificate => "certificate",
        }
    }
}

impl Signing {
    const fn algorithm(self) -> Option<Algorithm> {
        match self {
            Self::None => None,
            Self::Hmac => Some(Algorithm::HmacSha256),
            Self::Ed25519 => Some(Algorithm::Ed25519),
            Self::Rsa => Some(Algorithm::RsaSha256),
        }
    }
}

/// Who signs: the name is that of its key and of its files.
const PARTIES: [&str; 2] = ["load-mall", "load-operator"];
/// The engine's own key, which signs answers to whoever shares no secret with it.
const ENGINE_KEY: &str = "load-engine.pem";
/// Written beside the keys: how they sign.
const ALGORITHM_FILE: &str = "load-keys.algorithm";

/// Whether a path is the operator's to ask, not the mall's.
#[must_use]
pub fn is_operators(path: &str) -> bool {
    path.ends_with("/top-ups") || !path.starts_with("/v1/platforms/")
}

/// The keys of both.
pub struct Signer {
    keys: Vec<SigningKey>,
    /// Nonces are this run's number and a count.
    run: u64,
    count: AtomicU64,
}

impl Signer {
    /// Reads the keys in `dir` that [`make_keys`] wrote; nothing when requests are not to be signed.
    ///
    /// # Errors
    /// When a key cannot be read.
    pub fn read(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(ALGORITHM_FILE);
        let name = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let Some(algorithm) = Algorithm::ALL.into_iter().find(|known| known.name() == name.trim()) else {
            return Ok(None);
        };
        let read = |party: &str| {
            let path = dir.join(party).with_extension("key");
            let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            SigningKey::read(algorithm, &Secret::new(text)).with_context(|| path.display().to_string())
        };
        let keys = PARTIES.into_iter().map(read).collect::<Result<_>>()?;
        Ok(Some(Self { keys, run: machine::now().0, count: AtomicU64::new(0) }))
    }

    /// The headers that sign a call. What only operators may do is signed by the operator.
    ///
    /// # Errors
    /// When the cryptographic library refuses.
    pub fn headers(&self, call: &Call) -> Result<[(&'static str, String); 4]> {
        self.sign(call.method.as_str(), &call.path, &call.body)
    }

    /// The headers that sign a request.
    ///
    /// # Errors
    /// As [`Signer::headers`].
    pub fn sign(&self, method: &str, path: &str, body: &[u8]) -> Result<[(&'static str, String); 4]> {
        let party = usize::from(is_operators(path));
        let timestamp_s = machine::now().0 / 1_000;
        let nonce = format!("{:x}-{:x}", self.run, self.count.fetch_add(1, Ordering::Relaxed));
        let message = request_message(method, path, timestamp_s, &nonce, body);
        let signature = self.keys[party].sign(&message)?;
        Ok([
            (header::KEY_ID, PARTIES[party].to_owned()),
            (header::TIMESTAMP, timestamp_s.to_string()),
            (header::NONCE, nonce),
            (header::SIGNATURE, signature),
        ])
    }
}

/// What a server's configuration says of the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyLines {
    /// Of the mall's and of the operator's: `key = [...]`.
    pub parties: [String; 2],
    /// File of the engine's own key.
    pub engine: PathBuf,
}

/// Writes new keys into `dir`; the answer is what a server's configuration says of them.
///
/// # Errors
/// When they cannot be made or written.
pub fn make_keys(dir: &Path, signing: Signing) -> Result<Option<KeyLines>> {
    let name = signing.algorithm().map_or("none", Algorithm::name);
    fs::write(dir.join(ALGORITHM_FILE), name)?;
    let Some(algorithm) = signing.algorithm() else { return Ok(None) };
    let make = |party: &str| -> Result<String> {
        let (private, public) =
            (dir.join(party).with_extension("key"), dir.join(party).with_extension("pub.pem"));
        let secret = SigningKey::generate(algorithm)?;
        write_secret(&private, secret.reveal())?;
        let (field, path) = match SigningKey::read(algorithm, &secret)?.public_pem()? {
            None => ("secret_file", &private),
            Some(pem) => {
                fs::write(&public, pem)?;
                ("public_key_file", &public)
            }
        };
        Ok(format!(
            "key = [{{ id = \"{party}\", algorithm = \"{name}\", {field} = \"{}\" }}]",
            path.display()
        ))
    };
    let own = if signing == Signing::Rsa { Algorithm::RsaSha256 } else { Algorithm::Ed25519 };
    let engine = dir.join(ENGINE_KEY);
    write_secret(&engine, SigningKey::generate(own)?.reveal())?;
    Ok(Some(KeyLines { parties: [make(PARTIES[0])?, make(PARTIES[1])?], engine }))
}

/// Writes a file that only its owner may read.
fn write_secret(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = fs::OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use hyper::Method;
    use hyper::body::Bytes;
    use suanpan_signing::VerifyingKey;

    use super::*;

    #[test]
    fn what_is_signed_can_be_verified_by_the_public_half() {
        let dir = tempfile::tempdir().unwrap();
        for signing in [Signing::Hmac, Signing::Ed25519] {
            let lines = make_keys(dir.path(), signing).unwrap().unwrap().parties;
            let signer = Signer::read(dir.path()).unwrap().unwrap();
            for (path, party) in [("/v1/platforms/7/orders?wait_ms=1", 0), ("/v1/books", 1)] {
                let body = Bytes::from_static(b"{}");
                let call = Call { method: Method::POST, path: path.to_owned(), body };
                let headers = signer.headers(&call).unwrap();
                let [(_, id), (_, timestamp), (_, nonce), (_, signature)] = &headers;
                assert!(lines[party].contains(id.as_str()), "{id} in {}", lines[party]);
                let file = if signing == Signing::Hmac { "key" } else { "pub.pem" };
                let public =
                    fs::read_to_string(dir.path().join(PARTIES[party]).with_extension(file)).unwrap();
                let key = VerifyingKey::read(signing.algorithm().unwrap(), &Secret::new(public)).unwrap();
                let message = request_message("POST", path, timestamp.parse().unwrap(), nonce, b"{}");
                key.verify(&message, signature).unwrap();
            }
        }
        assert!(make_keys(dir.path(), Signing::None).unwrap().is_none());
        assert!(Signer::read(dir.path()).unwrap().is_none());
    }
}
