//! The configuration as it is written: texts and numbers that nobody has checked.

use serde::Deserialize;
use suanpan_model::policy::{FeeBearer, LatePayment, RefundedFee, Shortfall};

use super::notifications::RawNotifications;
use super::raw_security::{RawChannelKeys, RawKey, RawOperator, RawSecurity};
use super::traces::RawTraces;
use crate::wire::RulesIn;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawConfig {
    pub(super) server: RawServer,
    pub(super) security: RawSecurity,
    pub(super) engine: RawEngine,
    pub(super) data: RawData,
    pub(super) channels: RawChannels,
    pub(super) log: RawLog,
    pub(super) notifications: RawNotifications,
    pub(super) traces: RawTraces,
    pub(super) operator: Vec<RawOperator>,
    pub(super) channel_keys: Vec<RawChannelKeys>,
    pub(super) platform: Vec<RawPlatform>,
    pub(super) campaign: Vec<RawCampaign>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawServer {
    pub(super) listen: String,
    pub(super) body_limit_kib: usize,
    pub(super) batch_body_limit_mib: usize,
    pub(super) orders_per_batch_max: usize,
    pub(super) workers: usize,
    pub(super) stop_patience_s: u64,
    pub(super) header_timeout_s: u64,
    pub(super) body_timeout_s: u64,
    pub(super) connections_max: usize,
}

impl Default for RawServer {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            body_limit_kib: 256,
            batch_body_limit_mib: 16,
            orders_per_batch_max: 5_000,
            workers: 0,
            stop_patience_s: 30,
            header_timeout_s: 5,
            body_timeout_s: 30,
            connections_max: 10_000,
        }
    }
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawEngine {
    pub(super) shards: usize,
    pub(super) in_flight_max: usize,
    pub(super) live_orders_max: usize,
    pub(super) checkpoint_every_mib: u64,
}

impl Default for RawEngine {
    fn default() -> Self {
        Self { shards: 2, in_flight_max: 65_536, live_orders_max: 4_000_000, checkpoint_every_mib: 256 }
    }
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawData {
    pub(super) dir: String,
}

impl Default for RawData {
    fn default() -> Self {
        Self { dir: "suanpan-data".to_owned() }
    }
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawChannels {
    pub(super) file: String,
    pub(super) simulator_seed: u64,
}

impl Default for RawChannels {
    fn default() -> Self {
        Self { file: String::new(), simulator_seed: 1 }
    }
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLog {
    pub(super) level: String,
    pub(super) format: String,
}

impl Default for RawLog {
    fn default() -> Self {
        Self {
            level: "info,actix_server=warn,fjall=warn,lsm_tree=warn".to_owned(),
            format: "text".to_owned(),
        }
    }
}

/// Settings of a platform that are left out have the defaults of the domain.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPlatform {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) split_cap: Option<String>,
    pub(super) split_receivers_max: Option<usize>,
    pub(super) auto_release_days: Option<u64>,
    pub(super) auto_release_virtual_days: Option<u64>,
    pub(super) order_ttl_minutes: Option<u64>,
    pub(super) attempts_max: Option<u8>,
    pub(super) requests_per_second: Option<u32>,
    pub(super) requests_burst: Option<u32>,
    pub(super) body_limit_kib: Option<usize>,
    pub(super) batch_body_limit_mib: Option<usize>,
    #[serde(default)]
    pub(super) fee_bearer: FeeBearer,
    #[serde(default)]
    pub(super) late_payment: LatePayment,
    #[serde(default)]
    pub(super) refunded_fee: RefundedFee,
    #[serde(default)]
    pub(super) shortfall: Shortfall,
    pub(super) notify_url: Option<String>,
    #[serde(default = "yes")]
    pub(super) announces: bool,
    pub(super) coupon_fund: Option<String>,
    #[serde(default)]
    pub(super) key: Vec<RawKey>,
    #[serde(default)]
    pub(super) certificates: Vec<String>,
    #[serde(default)]
    pub(super) signature_and_certificate: bool,
    #[serde(default)]
    pub(super) routing: RulesIn,
    #[serde(default)]
    pub(super) account: Vec<RawAccount>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAccount {
    pub(super) kind: String,
    pub(super) reference: String,
    #[serde(default = "cny")]
    pub(super) currency: String,
}

/// A campaign; what is left out has the defaults of the API.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCampaign {
    pub(super) id: u32,
    pub(super) platform: u32,
    pub(super) currency: Option<String>,
    pub(super) face: Option<String>,
    pub(super) percent: Option<String>,
    pub(super) cap: Option<String>,
    pub(super) minimum_spend: Option<String>,
    pub(super) valid_from: String,
    pub(super) valid_until: String,
    pub(super) funders: Option<Vec<RawFunder>>,
    pub(super) merchants: Option<Vec<String>>,
    pub(super) stock: Option<u32>,
    pub(super) per_customer: Option<u32>,
    pub(super) stackable: Option<bool>,
    pub(super) rank: Option<u16>,
    pub(super) claimable: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFunder {
    pub(super) account: RawPayer,
    pub(super) percent: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "\"platform\" or a table with kind and reference")]
pub(super) enum RawPayer {
    Named(String),
    Account { kind: String, reference: String },
}

const fn yes() -> bool {
    true
}

fn cny() -> String {
    "CNY".to_owned()
}
