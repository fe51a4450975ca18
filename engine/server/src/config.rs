//! Configuration: one TOML file in which every value is checked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use smol_str::SmolStr;
use suanpan_model::{AccountType, Amount, Currency, PlatformPolicy};

use crate::body_limits::BodyLimits;
use crate::budget::RequestRate;
use crate::traces::TraceConfig;
use reqwest::Url;

use crate::notify::NotifierOptions;
use crate::wire::{NamedCampaign, RulesIn};

mod notifications;
mod raw;
mod raw_security;
mod read;
mod read_security;
mod security;
mod traces;

pub use security::{
    CertificateConfig, EngineKeyConfig, KeyConfig, KeySource, Principal, SecurityConfig, SecurityMode,
    TlsConfig, Validity,
};

#[cfg(test)]
mod tests;

/// The commented configuration that comes with the program: what `suanpan config` prints, and what is in force
/// without a file.
pub const BUILTIN: &str = include_str!("../suanpan.toml");

/// What the program works with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The HTTP server.
    pub server: ServerConfig,
    /// Who may call, and how that is proved.
    pub security: SecurityConfig,
    /// The engine.
    pub engine: EngineConfig,
    /// Directory of journal, store and the books of simulated channels.
    pub data_dir: PathBuf,
    /// The channels.
    pub channels: ChannelsConfig,
    /// Logs.
    pub log: LogConfig,
    /// How malls are told what happens to their orders.
    pub notifications: NotifierOptions,
    /// Where traces go; nowhere when absent.
    pub traces: Option<TraceConfig>,
    /// Malls.
    pub platforms: Vec<PlatformConfig>,
    /// Coupon campaigns that are recorded at the start.
    pub campaigns: Vec<NamedCampaign>,
}

/// Settings of the HTTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Largest bodies of all platforms.
    pub body_limits: BodyLimits,
    /// Most orders in one batch.
    pub orders_per_batch_max: usize,
    /// Threads; 0 for one per processor.
    pub workers: usize,
    /// How long requests under way may take when the server stops.
    pub stop_patience_s: u64,
    /// How long the head of a request may take.
    pub header_timeout_s: u64,
    /// How long the body of a request may take.
    pub body_timeout_s: u64,
    /// Connections at once, in each thread; more wait until one ends.
    pub connections_max: usize,
}

/// Settings of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// Order shards and balance shards each.
    pub shards: usize,
    /// Requests under way at once.
    pub in_flight_max: usize,
    /// Orders in memory.
    pub live_orders_max: usize,
    /// Bytes of log after which a checkpoint is taken.
    pub checkpoint_every_bytes: u64,
}

/// Where the channels are described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelsConfig {
    /// File of descriptors; the builtin simulated channels when absent.
    pub file: Option<PathBuf>,
    /// Seed of simulated channels.
    pub simulator_seed: u64,
}

/// Logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// Level or directives.
    pub level: String,
    /// Form of a line.
    pub format: LogFormat,
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// A mall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformConfig {
    /// What it agreed to.
    pub policy: PlatformPolicy,
    /// What people call it.
    pub name: String,
    /// How many requests it may send; as many as the engine takes when absent.
    pub requests: Option<RequestRate>,
    /// Largest bodies to it, at most the server's.
    pub body_limits: BodyLimits,
    /// Where it is told what happens to its orders.
    pub notify_url: Option<Url>,
    /// What is put on its coupon fund once.
    pub coupon_fund: Option<Amount>,
    /// Its routing rules.
    pub routing: RulesIn,
    /// Accounts that are opened at the start.
    pub accounts: Vec<AccountConfig>,
}

/// An account that is opened at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountConfig {
    /// Its type.
    pub kind: AccountType,
    /// The platform's name for it.
    pub reference: SmolStr,
    /// Its currency.
    pub currency: Currency,
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFault {
    /// The file cannot be read.
    #[error("configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong type; the message shows line and key.
    #[error("configuration: {0}")]
    Shape(String),
    /// A value that is not allowed.
    #[error("configuration: {key}: expected {expected}, found {found}")]
    Value {
        /// The key, as a path.
        key: String,
        /// What was expected.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A value that the API would refuse too.
    #[error("configuration: {key}: expected {expected}")]
    Refused {
        /// The key, as a path.
        key: String,
        /// What was expected.
        expected: String,
    },
}

impl ConfigFault {
    /// A value that is not allowed.
    #[expect(clippy::needless_pass_by_value, reason = "texts and numbers alike, as the callers have them")]
    pub(crate) fn value(key: impl Into<String>, expected: impl Into<String>, found: impl ToString) -> Self {
        Self::Value { key: key.into(), expected: expected.into(), found: format!("`{}`", found.to_string()) }
    }
}

impl Config {
    /// The configuration that comes with the program.
    ///
    /// # Errors
    /// Never, as a test shows; the type is that of [`Config::parse`].
    pub fn builtin() -> Result<Self, ConfigFault> {
        Self::parse(BUILTIN)
    }

    /// Reads a configuration.
    ///
    /// # Errors
    /// Not TOML, unknown or mistyped keys; then the first value that is not allowed.
    pub fn parse(text: &str) -> Result<Self, ConfigFault> {
        let raw: raw::RawConfig =
            toml::from_str(text).map_err(|error| ConfigFault::Shape(error.to_string().trim().to_owned()))?;
        read::config(raw)
    }

    /// Reads a configuration file; the builtin one when there is no path.
    ///
    /// # Errors
    /// The file cannot be read; then as [`Config::parse`].
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigFault> {
        let Some(path) = path else { return Self::builtin() };
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigFault::Read { path: path.to_owned(), source })?;
        Self::parse(&text)
    }
}
