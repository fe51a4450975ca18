//! Channels as the API tells them: what they can do, what was agreed, what was learned.

use schemars::JsonSchema;
use serde::Serialize;
use suanpan_core::routing::learning::Learning;
use suanpan_model::{Amount, Banks, Capability, Currency, ServiceHours, TariffBand, TimestampMs};

use super::schema;
use crate::text::time_text;

/// A channel. Amounts are in its first currency: a descriptor has one set of limits for all of them.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Channel")]
pub struct ChannelOut {
    id: String,
    name: String,
    title: String,
    enabled: bool,
    own_bank: bool,
    #[schemars(with = "Vec<schema::PayKindName>")]
    kinds: Vec<&'static str>,
    #[schemars(with = "Vec<schema::CurrencyCode>")]
    currencies: Vec<&'static str>,
    banks: BanksOut,
    #[schemars(with = "Vec<schema::CardTypeName>")]
    card_types: Vec<&'static str>,
    #[schemars(with = "schema::AmountText")]
    amount_min: String,
    #[schemars(with = "schema::AmountText")]
    amount_max: String,
    #[schemars(with = "Option<schema::AmountText>")]
    daily_quota: Option<String>,
    /// Hours of service in Beijing, such as 06:00-23:30; null for always.
    hours: Option<String>,
    tariff: TariffOut,
    conditions: ConditionsOut,
    standing: StandingOut,
}

/// Banks that a channel reaches: `all`, or their codes.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum BanksOut {
    All(#[schemars(extend("const" = "all"))] &'static str),
    Only(#[schemars(with = "Vec<schema::BankCode>")] Vec<String>),
}

/// What a channel costs, by kind of card, in bands of amounts.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Tariff")]
struct TariffOut {
    debit: Vec<BandOut>,
    credit: Vec<BandOut>,
}

/// Price of payments up to an amount: fixed and rate, not below the floor, not above the cap.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TariffBand")]
struct BandOut {
    #[schemars(with = "Option<schema::AmountText>")]
    up_to: Option<String>,
    #[schemars(with = "schema::FinePercent")]
    rate_percent: String,
    #[schemars(with = "schema::AmountText")]
    fixed: String,
    #[schemars(with = "schema::AmountText")]
    floor: String,
    #[schemars(with = "Option<schema::AmountText>")]
    cap: Option<String>,
}

/// What was agreed beyond the capability.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ChannelConditions")]
struct ConditionsOut {
    #[schemars(with = "Vec<schema::HolderName>")]
    holders: Vec<&'static str>,
    #[schemars(with = "Option<schema::AmountText>")]
    monthly_quota: Option<String>,
    commitment: Option<CommitmentOut>,
    maintenance: Vec<MaintenanceOut>,
    rate_limit: Option<RateLimitOut>,
    special_tariffs: usize,
    own_cost: Option<BandOut>,
}

/// Volume that was promised to a channel in a month.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Commitment")]
struct CommitmentOut {
    #[schemars(with = "schema::AmountText")]
    minimum: String,
    #[schemars(with = "Option<schema::AmountText>")]
    maximum: Option<String>,
}

/// A time in which a channel does not work.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Maintenance")]
struct MaintenanceOut {
    #[schemars(with = "schema::ToldInstant")]
    from: String,
    #[schemars(with = "schema::ToldInstant")]
    until: String,
}

/// How many calls a channel takes.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ChannelRateLimit")]
struct RateLimitOut {
    per_second: u64,
    burst: u64,
}

/// What was learned about a channel, from the log.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ChannelStanding")]
pub struct StandingOut {
    /// Whether payments pass: closed, open or half_open.
    #[schemars(extend("enum" = ["closed", "open", "half_open"]))]
    circuit: &'static str,
    healthy: bool,
    /// How often the circuit opened.
    opened: u64,
    /// Channel's own faults among the last answers.
    faults: u64,
    answers: u64,
    /// Moving average of the time to the first answer.
    latency_ms: Option<u64>,
    #[schemars(with = "schema::AmountText")]
    taken_today: String,
    #[schemars(with = "schema::AmountText")]
    taken_this_month: String,
    success: Vec<SuccessOut>,
}

/// How often payments succeed, by bank and kind of card; null for all of them.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ChannelSuccess")]
struct SuccessOut {
    #[schemars(with = "Option<schema::BankCode>")]
    bank: Option<String>,
    #[schemars(with = "Option<schema::CardTypeName>")]
    card_type: Option<&'static str>,
    results: u64,
    good: u64,
    /// The lower end of the interval that has the true rate with 95 % confidence; null without results.
    #[schemars(with = "Option<schema::FinePercent>")]
    success_percent_at_least: Option<String>,
}

/// A channel's name, and how it is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ChannelHealth")]
pub struct ChannelHealthOut {
    name: String,
    enabled: bool,
    standing: StandingOut,
}

impl ChannelHealthOut {
    /// How a channel is at `now`.
    #[must_use]
    pub fn new(capability: &Capability, learning: &Learning, now: TimestampMs) -> Self {
        Self {
            name: capability.name.to_string(),
            enabled: capability.enabled,
            standing: StandingOut::new(capability, learning, now),
        }
    }
}

impl ChannelOut {
    /// A channel with what was learned about it until `now`.
    #[must_use]
    pub fn new(capability: &Capability, learning: &Learning, now: TimestampMs) -> Self {
        let currency = capability.currencies.first().copied().unwrap_or_default();
        let bands = |bands: &[TariffBand]| bands.iter().map(|one| BandOut::new(one, currency)).collect();
        Self {
            id: capability.id.to_string(),
            name: capability.name.to_string(),
            title: capability.title.to_string(),
            enabled: capability.enabled,
            own_bank: capability.own_bank,
            kinds: capability.kinds.iter().map(|kind| kind.name()).collect(),
            currencies: capability.currencies.iter().map(|one| one.code()).collect(),
            banks: match &capability.banks {
                Banks::All => BanksOut::All("all"),
                Banks::Only(banks) => {
                    BanksOut::Only(banks.iter().map(|bank| bank.code().to_string()).collect())
                }
            },
            card_types: capability.card_types.iter().map(|card| card.name()).collect(),
            amount_min: capability.amount_min.to_text(currency),
            amount_max: capability.amount_max.to_text(currency),
            daily_quota: capability.daily_quota.map(|quota| quota.to_text(currency)),
            hours: capability.hours.map(hours),
            tariff: TariffOut {
                debit: bands(&capability.tariff.debit),
                credit: bands(&capability.tariff.credit),
            },
            conditions: ConditionsOut::new(capability, currency),
            standing: StandingOut::new(capability, learning, now),
        }
    }
}

impl ConditionsOut {
    fn new(capability: &Capability, currency: Currency) -> Self {
        let known = &capability.conditions;
        let text = |amount: Amount| amount.to_text(currency);
        Self {
            holders: known.holders.iter().map(|holder| holder.name()).collect(),
            monthly_quota: known.monthly_quota.map(text),
            commitment: known.commitment.map(|agreed| CommitmentOut {
                minimum: text(agreed.minimum),
                maximum: agreed.maximum.map(text),
            }),
            maintenance: known
                .maintenance
                .iter()
                .map(|one| MaintenanceOut { from: time_text(one.from), until: time_text(one.until) })
                .collect(),
            rate_limit: known
                .rate_limit
                .map(|limit| RateLimitOut { per_second: limit.per_second.into(), burst: limit.burst.into() }),
            special_tariffs: known.special_tariffs.len(),
            own_cost: known.own_cost.map(|cost| BandOut::new(&cost, currency)),
        }
    }
}

impl StandingOut {
    fn new(capability: &Capability, learning: &Learning, now: TimestampMs) -> Self {
        let currency = capability.currencies.first().copied().unwrap_or_default();
        let known = learning.channel(capability.id).cloned().unwrap_or_default();
        let (faults, answers) = known.health.faults();
        let windows = learning.windows().filter(|(channel, ..)| *channel == capability.id);
        let success = windows.map(|(_, bank, card, window)| SuccessOut {
            bank: bank.map(|bank| bank.code().to_string()),
            card_type: card.map(|card| card.name()),
            results: window.results().into(),
            good: window.good().into(),
            success_percent_at_least: window.success().map(|success| fine_percent(success.ppm())),
        });
        Self {
            circuit: known.health.circuit.name(),
            healthy: known.health.lets_through(&capability.conditions.health, now),
            opened: known.health.opened.into(),
            faults: faults.into(),
            answers: answers.into(),
            latency_ms: known.health.latency_ms().map(Into::into),
            taken_today: known.volume.on_day(now.beijing_day()).to_text(currency),
            taken_this_month: known.volume.in_month(now.beijing_month().0).to_text(currency),
            success: success.collect(),
        }
    }
}

impl BandOut {
    fn new(band: &TariffBand, currency: Currency) -> Self {
        Self {
            up_to: band.up_to.map(|amount| amount.to_text(currency)),
            rate_percent: fine_percent(band.rate_ppm),
            fixed: band.fixed.to_text(currency),
            floor: band.floor.to_text(currency),
            cap: band.cap.map(|amount| amount.to_text(currency)),
        }
    }
}

/// Parts per million as a percentage with four decimals.
pub(super) fn fine_percent(ppm: u32) -> String {
    format!("{}.{:04}", ppm / 10_000, ppm % 10_000)
}

fn hours(hours: ServiceHours) -> String {
    let text = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    format!("{}-{}", text(hours.from_minute), text(hours.until_minute))
}
