//! Tables, faults and properties of routing; the channels and requests that they share stand here.

mod analysis;
mod faults;
mod properties;
mod rules;
mod scores;
mod strategies;
mod verdicts;

use suanpan_model::{
    Amount, Bank, Banks, Capability, CardType, ChannelId, Currency, DurationMs, PayKind, PlatformId, Tariff,
    TariffBand, TimestampMs,
};

use super::{RouteRequest, Router, RoutingRules, Standing};

const PLATFORM: PlatformId = PlatformId(9_001);
/// 2026-11-22 14:05:36 in Beijing.
const AFTERNOON: TimestampMs = TimestampMs(1_795_327_536_000);
/// A quota or limit that no payment of these tests meets.
const PLENTY: Amount = Amount::from_minor(100_000_000);

fn fen(minor: u64) -> Amount {
    Amount::from_minor(minor)
}

fn bank(code: &str) -> Bank {
    Bank::from_code(code).unwrap()
}

fn ids(numbers: &[u16]) -> Vec<ChannelId> {
    numbers.iter().copied().map(ChannelId).collect()
}

fn band(rate_ppm: u32, fixed: u64) -> TariffBand {
    TariffBand { up_to: None, rate_ppm, fixed: fen(fixed), floor: Amount::ZERO, cap: None }
}

fn tariff(rate_ppm: u32) -> Tariff {
    Tariff { debit: vec![band(rate_ppm, 0)], credit: Vec::new() }
}

/// A channel that takes everything at 0.6 %.
fn channel(id: u16, name: &str) -> Capability {
    Capability {
        id: ChannelId(id),
        name: name.into(),
        title: name.into(),
        enabled: true,
        own_bank: false,
        kinds: vec![PayKind::Gateway, PayKind::QuickPay],
        currencies: vec![Currency::Cny],
        banks: Banks::All,
        card_types: vec![CardType::Debit, CardType::Credit],
        amount_min: fen(1),
        amount_max: PLENTY,
        daily_quota: None,
        hours: None,
        tariff: tariff(6_000),
        query_ladder: Vec::new(),
        call_timeout: DurationMs::from_secs(5),
        calls_max: 16,
        conditions: suanpan_model::Conditions::default(),
    }
}

/// A payment of 100 yuan by an ICBC debit card.
fn payment() -> RouteRequest<'static> {
    RouteRequest {
        now: AFTERNOON,
        platform: PLATFORM,
        kind: PayKind::Gateway,
        currency: Currency::Cny,
        bank: Some(bank("ICBC")),
        card_type: Some(CardType::Debit),
        amount: fen(10_000),
        tried: &[],
        facts: super::OrderFacts::default(),
    }
}

fn router(channels: Vec<Capability>, rules: RoutingRules) -> Router {
    Router::new(channels, rules, Vec::new()).unwrap()
}

/// Quota used and health by channel index; nothing used and healthy beyond the end.
#[derive(Clone, Debug, Default)]
struct Board {
    used: Vec<Amount>,
    sick: Vec<bool>,
}

impl Standing for Board {
    fn quota_used(&self, channel_index: usize, _channel: ChannelId, _day: u32) -> Amount {
        self.used.get(channel_index).copied().unwrap_or_default()
    }

    fn is_healthy(&self, channel_index: usize, _channel: ChannelId, _now: TimestampMs) -> bool {
        !self.sick.get(channel_index).copied().unwrap_or(false)
    }
}
