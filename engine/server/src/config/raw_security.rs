//! Keys and certificates as they are written.

use serde::Deserialize;

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSecurity {
    pub(super) mode: String,
    pub(super) allow_plain_http: bool,
    pub(super) engine_key_id: String,
    pub(super) engine_key_file: String,
    pub(super) nonces_max: usize,
    pub(super) tls: RawTls,
}

impl Default for RawSecurity {
    fn default() -> Self {
        Self {
            mode: String::new(),
            allow_plain_http: false,
            engine_key_id: "engine".to_owned(),
            engine_key_file: String::new(),
            nonces_max: 4_000_000,
            tls: RawTls::default(),
        }
    }
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTls {
    pub(super) certificate_file: String,
    pub(super) key_file: String,
    pub(super) client_ca_file: String,
}

/// A key; exactly one of the three places is named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKey {
    pub(super) id: String,
    pub(super) algorithm: String,
    pub(super) secret_file: Option<String>,
    pub(super) secret_env: Option<String>,
    pub(super) public_key_file: Option<String>,
    pub(super) not_before: Option<String>,
    pub(super) not_after: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOperator {
    pub(super) name: String,
    pub(super) role: String,
    #[serde(default)]
    pub(super) key: Vec<RawKey>,
    #[serde(default)]
    pub(super) certificates: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawChannelKeys {
    pub(super) channel: String,
    #[serde(default)]
    pub(super) key: Vec<RawKey>,
}
