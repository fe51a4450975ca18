//! A channel's table as it stands in the file: types are checked here, values in `read`.

use serde::Deserialize;
use toml::Value;

use super::conditions::RawConditions;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawChannel {
    pub id: u16,
    pub name: String,
    pub title: String,
    #[serde(default = "yes")]
    pub enabled: bool,
    #[serde(default)]
    pub own_bank: bool,
    pub kinds: Vec<String>,
    pub currencies: Vec<String>,
    /// `"all"` or a list of codes.
    pub banks: Value,
    pub card_types: Vec<String>,
    pub amount_min: String,
    pub amount_max: String,
    pub daily_quota: Option<String>,
    pub hours: Option<String>,
    pub query_ladder_s: Option<Vec<u64>>,
    pub call_timeout_ms: u64,
    pub calls_max: u64,
    pub tariff: RawTariff,
    #[serde(default)]
    pub conditions: RawConditions,
    #[serde(default)]
    pub simulator: RawSimulator,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawTariff {
    pub debit: Vec<RawBand>,
    #[serde(default)]
    pub credit: Vec<RawBand>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawBand {
    pub up_to: Option<String>,
    pub rate: Option<String>,
    pub fixed: Option<String>,
    pub floor: Option<String>,
    pub cap: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawSimulator {
    pub create_ms: RawLatency,
    pub pay_ms: RawLatency,
    pub query_ms: RawLatency,
    pub refund_ms: RawLatency,
    pub notice_ms: RawLatency,
    pub think_ms: RawLatency,
    pub never_pays: Option<String>,
    pub declines: Option<String>,
    pub sms: Option<String>,
    pub processing: Option<String>,
    pub quick_pay_notice: bool,
    pub failed: RawFailures,
    pub refused: Option<String>,
    pub timeout_not_done: Option<String>,
    pub timeout_done: Option<String>,
    pub notice_lost: Option<String>,
    pub notice_duplicate: Option<String>,
    pub notice_before_answer: Option<String>,
    pub notice_delayed: Option<String>,
    pub lie_amount: Option<String>,
    pub contradiction: Option<String>,
    pub paid_after_close: Option<String>,
    pub query_unknown: Option<String>,
    pub refund_failure: Option<String>,
    pub refund_unknown: Option<String>,
    pub refund_abnormal: Option<String>,
    pub refund_bounced: Option<String>,
    pub keep_lines: Option<bool>,
    pub outage: Option<super::conditions::RawMaintenance>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawLatency {
    pub p50: u32,
    pub p99: u32,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawFailures {
    pub payer: Option<String>,
    pub declined: Option<String>,
    pub risk: Option<String>,
    pub limit: Option<String>,
    pub channel: Option<String>,
    pub request: Option<String>,
}

const fn yes() -> bool {
    true
}
