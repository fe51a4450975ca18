//! A shop whose callers must prove who they are, and requests that can be spoilt on their way.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use suanpan_client::signing::{
    Algorithm, Secret, SigningKey, VerifyingKey, answer_message, header, request_message,
};
use suanpan_client::{Client, ClientOptions, Credentials};
use suanpan_model::PlatformId;
use suanpan_runtime::Engine;
use suanpan_server::config::{EngineKeyConfig, KeyConfig, KeySource, Principal, SecurityMode, Validity};
use suanpan_server::security::Role;
use suanpan_server::{Config, ServerHandle, bootstrap, run, start_engine};
use tempfile::TempDir;

use crate::common;

/// A key of somebody, as that somebody has it.
pub struct Key {
    pub id: &'static str,
    pub algorithm: Algorithm,
    pub text: Secret,
}

impl Key {
    pub fn signing(&self) -> SigningKey {
        SigningKey::read(self.algorithm, &self.text).unwrap()
    }
}

/// Ids of the keys of a house. The first two are of platform 9001, `another` of 9002.
pub const KEYS: [(&str, Algorithm); 11] = [
    ("mall-1", Algorithm::HmacSha256),
    ("mall-2", Algorithm::Ed25519),
    ("mall-rsa", Algorithm::RsaSha256),
    ("mall-old", Algorithm::HmacSha256),
    ("mall-next", Algorithm::HmacSha256),
    ("another", Algorithm::HmacSha256),
    ("vera", Algorithm::HmacSha256),
    ("oscar", Algorithm::HmacSha256),
    ("ada", Algorithm::Ed25519),
    ("slow-1", Algorithm::HmacSha256),
    ("fast-1", Algorithm::HmacSha256),
];

/// A server over an engine.
pub struct House {
    pub engine: Engine,
    pub dir: TempDir,
    pub url: String,
    server: ServerHandle,
    http: reqwest::Client,
    pub keys: Vec<Key>,
}

/// An answer, with everything that is needed to verify it.
#[derive(Debug)]
pub struct Told {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
}

impl Told {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Whether it is signed with this key, for this nonce.
    pub fn is_signed(&self, key_id: &str, key: &VerifyingKey, nonce: &str) -> bool {
        let timestamp_s = self.header(header::TIMESTAMP).parse().unwrap_or(0);
        let message = answer_message(self.status, timestamp_s, nonce, &self.body);
        self.header(header::KEY_ID) == key_id
            && self.header(header::NONCE) == nonce
            && key.verify(&message, self.header(header::SIGNATURE)).is_ok()
    }
}

/// A signed request that can be changed before it is sent.
#[derive(Clone, Debug)]
pub struct Signed {
    pub method: &'static str,
    pub target: String,
    pub body: Vec<u8>,
    pub headers: Vec<(&'static str, String)>,
}

impl Signed {
    pub fn set(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self
    }

    pub fn nonce(&self) -> &str {
        self.headers.iter().find(|(name, _)| *name == header::NONCE).map_or("", |(_, value)| value)
    }
}

pub fn now_s() -> u64 {
    jiff::Timestamp::now().as_second().try_into().unwrap()
}

/// Signs a request as of `timestamp_s`.
pub fn sign(
    key: &Key,
    method: &'static str,
    target: &str,
    body: &[u8],
    timestamp_s: u64,
    nonce: &str,
) -> Signed {
    let message = request_message(method, target, timestamp_s, nonce, body);
    Signed {
        method,
        target: target.to_owned(),
        body: body.to_vec(),
        headers: vec![
            (header::KEY_ID, key.id.to_owned()),
            (header::TIMESTAMP, timestamp_s.to_string()),
            (header::NONCE, nonce.to_owned()),
            (header::SIGNATURE, key.signing().sign(&message).unwrap()),
        ],
    }
}

fn owner(id: &str) -> Principal {
    let operator = |role| Principal::Operator { name: id.into(), role };
    match id {
        "another" => Principal::Platform(PlatformId(9002)),
        "vera" => operator(Role::Viewer),
        "oscar" => operator(Role::Operator),
        "ada" => operator(Role::Admin),
        "slow-1" => Principal::Channel("slow".into()),
        "fast-1" => Principal::Channel("fast".into()),
        _ => Principal::Platform(PlatformId(9001)),
    }
}

fn write_private(path: &Path, text: &str) {
    drop(std::fs::remove_file(path));
    suanpan_server::secret_file::write_new(path, text).unwrap();
}

/// The configuration of a shop with the keys of everybody, and the keys.
pub fn config(dir: &Path) -> (Config, Vec<Key>) {
    let mut config = common::config(dir);
    config.security.mode = Some(SecurityMode::Signed);
    let engine_key = dir.join("engine.pem");
    if !engine_key.exists() {
        write_private(&engine_key, SigningKey::generate(Algorithm::Ed25519).unwrap().reveal());
    }
    config.security.engine_key = Some(EngineKeyConfig { id: "engine".into(), file: engine_key });
    let mut keys = Vec::new();
    for (id, algorithm) in KEYS {
        let path = dir.join(format!("{id}.key"));
        if !path.exists() {
            write_private(&path, SigningKey::generate(algorithm).unwrap().reveal());
        }
        let text = Secret::new(std::fs::read_to_string(&path).unwrap());
        let file = match SigningKey::read(algorithm, &text).unwrap().public_pem().unwrap() {
            None => path,
            Some(public) => {
                let file = dir.join(format!("{id}.pub.pem"));
                write_private(&file, &public);
                file
            }
        };
        let validity = match id {
            "mall-old" => Validity { not_before_s: None, not_after_s: Some(now_s() - 1) },
            "mall-next" => Validity { not_before_s: Some(now_s() + 3_600), not_after_s: None },
            _ => Validity::default(),
        };
        let source = KeySource::File(file);
        config.security.keys.push(KeyConfig { id: id.into(), owner: owner(id), algorithm, source, validity });
        keys.push(Key { id, algorithm, text });
    }
    (config, keys)
}

impl House {
    pub async fn open() -> Self {
        Self::open_with(TempDir::new().unwrap(), |_| {}).await
    }

    /// Opens, and waits for the first second in which requests can be signed.
    pub async fn open_with(dir: TempDir, change: impl Fn(&mut Config)) -> Self {
        let house = Self::open_at_once(dir, change).await;
        let start_s = now_s();
        while now_s() <= start_s {
            actix_rt::time::sleep(Duration::from_millis(20)).await;
        }
        house
    }

    pub async fn open_at_once(dir: TempDir, change: impl Fn(&mut Config)) -> Self {
        let (mut config, keys) = config(dir.path());
        change(&mut config);
        let engine = start_engine(&config).unwrap();
        bootstrap(&engine, &config).await.unwrap();
        let server = run(&config, engine.clone()).unwrap();
        let url = server.url().replace("127.0.0.1", "localhost");
        Self { engine, dir, url, server, http: reqwest::Client::new(), keys }
    }

    /// Puts other keys in force while requests flow.
    pub fn reload(
        &self,
        change: impl Fn(&mut Config),
    ) -> Result<bool, suanpan_server::security::SecurityFault> {
        let (mut config, _) = config(self.dir.path());
        change(&mut config);
        self.server.reload_keys(&config)
    }

    pub async fn close(self) -> TempDir {
        self.server.stop().await;
        self.engine.shutdown().await.unwrap();
        self.dir
    }

    pub fn address(&self) -> std::net::SocketAddr {
        self.server.addr
    }

    pub fn key(&self, id: &str) -> &Key {
        self.keys.iter().find(|key| key.id == id).unwrap()
    }

    pub fn engine_key(&self) -> VerifyingKey {
        let text = Secret::new(std::fs::read_to_string(self.dir.path().join("engine.pem")).unwrap());
        SigningKey::read_private(&text).unwrap().verifying().unwrap()
    }

    /// A request of now with a nonce of its own.
    pub fn signed(&self, key: &str, method: &'static str, target: &str, body: &Value) -> Signed {
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        let nonce = SigningKey::generate(Algorithm::HmacSha256).unwrap();
        sign(self.key(key), method, target, &body, now_s(), nonce.reveal())
    }

    pub async fn send(&self, signed: &Signed) -> Told {
        self.send_with(&self.http, signed).await
    }

    pub async fn send_with(&self, http: &reqwest::Client, signed: &Signed) -> Told {
        let method: reqwest::Method = signed.method.parse().unwrap();
        let mut request = http.request(method, format!("{}{}", self.url, signed.target));
        for (name, value) in &signed.headers {
            request = request.header(*name, value);
        }
        if !signed.body.is_empty() {
            request = request.header("content-type", "application/json").body(signed.body.clone());
        }
        let response = request.send().await.unwrap();
        Told {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await.unwrap().to_vec(),
        }
    }

    /// Signs, sends, and tells status and code.
    pub async fn ask(&self, key: &str, method: &'static str, target: &str, body: &Value) -> Told {
        self.send(&self.signed(key, method, target, body)).await
    }

    pub fn client(&self, key: &str) -> Client {
        let known = self.key(key);
        let credentials = Credentials { key_id: key.to_owned(), key: known.signing() };
        let options = ClientOptions::new(&self.url).signed_by(credentials);
        Client::new(options.engine_key("engine", self.engine_key())).unwrap()
    }
}
