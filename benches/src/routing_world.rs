//! The world in which routing is measured: 16 channels, 50 rules, payments in an order that no branch predictor learns.

use smol_str::{SmolStr, format_smolstr};
use suanpan_core::routing::{
    AmountBand, Condition, Designation, Key, OrderFacts, Output, RouteRequest, Router, RoutingRules, Rule,
    Standing, Strategy, Test, Value, Weight,
};
use suanpan_model::{
    Amount, Bank, Banks, Capability, CardType, ChannelId, Currency, DurationMs, PayKind, PlatformId,
    ServiceHours, Tariff, TariffBand, TimestampMs,
};

/// How many channels there are.
pub const CHANNELS: u16 = 16;
const BANDS: usize = 20;
const DESIGNATIONS: usize = 29;
/// How many payments are decided in turn.
pub const REQUESTS: usize = 256;
const BANKS: [&str; 16] = [
    "ICBC", "ABC", "BOC", "CCB", "BCOM", "CMB", "CITIC", "CEB", "HXB", "CMBC", "GDB", "PAB", "CIB", "SPDB",
    "PSBC", "BOB",
];

/// What the runtime keeps: one number and one flag for each channel.
#[derive(Clone, Copy, Debug)]
pub struct Board {
    /// Quota used of the day.
    pub used: [Amount; CHANNELS as usize],
    /// Whether the circuit is closed.
    pub healthy: [bool; CHANNELS as usize],
}

impl Board {
    /// Some of every quota used, every channel healthy.
    #[must_use]
    pub const fn open() -> Self {
        Self { used: [Amount::from_minor(1_234_567); CHANNELS as usize], healthy: [true; CHANNELS as usize] }
    }

    /// As [`Board::open`], with channel 3 out of order.
    #[must_use]
    pub const fn ailing() -> Self {
        let mut board = Self::open();
        board.healthy[3] = false;
        board
    }
}

impl Standing for Board {
    fn quota_used(&self, channel_index: usize, _channel: ChannelId, _day: u32) -> Amount {
        self.used[channel_index]
    }

    fn is_healthy(&self, channel_index: usize, _channel: ChannelId, _now: TimestampMs) -> bool {
        self.healthy[channel_index]
    }
}

/// One of sixteen banks.
#[must_use]
pub fn bank(index: usize) -> Bank {
    Bank::from_code(BANKS[index % BANKS.len()]).expect("a code of the table is well formed")
}

/// An amount.
#[must_use]
pub const fn fen(minor: u64) -> Amount {
    Amount::from_minor(minor)
}

/// Channel `n`; those whose number is not a multiple of four are narrower than the others in some way, unless
/// `wide`, where all differ in price alone.
#[must_use]
pub fn channel(n: u16, wide: bool) -> Capability {
    let narrow = !wide && !n.is_multiple_of(4);
    let price = |up_to: Option<u64>, rate_ppm: u32| TariffBand {
        up_to: up_to.map(fen),
        rate_ppm: rate_ppm + u32::from(n * 37 % 16) * 50,
        fixed: Amount::ZERO,
        floor: fen(8),
        cap: Some(fen(2_000_000)),
    };
    Capability {
        id: ChannelId(100 + n),
        name: format!("channel_{n}").into(),
        title: format!("Channel {n}").into(),
        enabled: wide || n != 15,
        own_bank: n == 0,
        kinds: if narrow && n.is_multiple_of(3) {
            vec![PayKind::QuickPay]
        } else {
            vec![PayKind::Gateway, PayKind::QuickPay]
        },
        currencies: vec![Currency::Cny],
        banks: if narrow && n % 2 == 1 {
            Banks::Only((0..8).map(|step| bank(usize::from(n) + step)).collect())
        } else {
            Banks::All
        },
        card_types: if narrow && n.is_multiple_of(5) {
            vec![CardType::Debit]
        } else {
            vec![CardType::Debit, CardType::Credit]
        },
        amount_min: fen(1),
        amount_max: fen(if narrow { 500_000 + u64::from(n) * 10_000 } else { 500_000_000 }),
        daily_quota: n.is_multiple_of(2).then_some(fen(100_000_000_000)),
        hours: narrow.then_some(ServiceHours { from_minute: 30 + n, until_minute: 1_400 - n }),
        tariff: Tariff {
            debit: vec![price(Some(100_000), 2_500), price(Some(1_000_000), 2_000), price(None, 1_500)],
            credit: vec![price(None, 5_500)],
        },
        query_ladder: Vec::new(),
        call_timeout: DurationMs::from_secs(5),
        calls_max: 100,
        conditions: suanpan_model::Conditions::default(),
    }
}

/// 20 amount bands, 29 designations and a priority list: 50 rules.
#[must_use]
pub fn rules(order: &[Strategy]) -> RoutingRules {
    let id = |n: usize| ChannelId(100 + u16::try_from(n % usize::from(CHANNELS)).unwrap_or(0));
    let cut = |n: usize| fen(u64::try_from(n).unwrap_or(0) * 50_000);
    let band = |n: usize| AmountBand {
        from: cut(n),
        until: (n + 1 < BANDS).then_some(cut(n + 1)),
        channels: (0..3).map(|step| id(n * 5 + step)).collect(),
    };
    let designation = |n: usize| Designation {
        // A quarter of the banks has no designation, so that the strategy also passes.
        bank: Some(bank(n % 12)),
        card_type: [Some(CardType::Debit), Some(CardType::Credit), None][n / 12],
        channels: (0..2).map(|step| id(n * 7 + step)).collect(),
    };
    RoutingRules {
        version: 1,
        order: order.to_vec(),
        amount_bands: (0..BANDS).map(band).collect(),
        designations: (0..DESIGNATIONS).map(designation).collect(),
        priority: (0..usize::from(CHANNELS)).rev().map(id).collect(),
        ..RoutingRules::default()
    }
}

/// The channels with bands, designations and a priority list, asked in this order.
#[must_use]
pub fn router(wide: bool, order: &[Strategy]) -> Router {
    let mut channels: Vec<Capability> = (0..CHANNELS).map(|n| channel(n, wide)).collect();
    if wide {
        // So that every bank is known although nobody is limited to some: one bank list names them all.
        channels[0].banks = Banks::Only((0..BANKS.len()).map(bank).collect());
    }
    Router::new(channels, rules(order), Vec::new()).expect("the rules of the bench are sound")
}

/// Payments that differ in bank, card, kind and amount, in an order that no branch predictor learns.
#[must_use]
pub fn requests(tried: &[ChannelId]) -> Vec<RouteRequest<'_>> {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    (0..REQUESTS)
        .map(|_| RouteRequest {
            now: TimestampMs(1_795_327_536_000 + draw(86_400_000)),
            platform: PlatformId(9_001),
            kind: if draw(2) == 0 { PayKind::Gateway } else { PayKind::QuickPay },
            currency: Currency::Cny,
            bank: Some(bank(usize::try_from(draw(16)).unwrap_or(0))),
            card_type: Some(if draw(3) == 0 { CardType::Credit } else { CardType::Debit }),
            amount: fen(1 + draw(1_200_000)),
            tried,
            facts: OrderFacts::default(),
        })
        .collect()
}

/// `count` rules as data: amount, bank, card, hour, category and metadata; every fifth splits volume.
#[must_use]
pub fn rule_list(count: usize) -> Vec<Rule> {
    let id = |n: usize| ChannelId(100 + u16::try_from(n % usize::from(CHANNELS)).unwrap_or(0) / 4 * 4);
    let condition = |key: Key, test: Test| Condition { key, test };
    let minor = |n: usize| u64::try_from(n).unwrap_or(0) * 977;
    let rule = |n: usize| {
        let amount = condition(Key::Amount, Test::Within { from: minor(n), until: Some(minor(n + 3)) });
        let second = match n % 4 {
            0 => condition(Key::Bank, Test::In(vec![Value::Bank(bank(n)), Value::Bank(bank(n + 3))])),
            1 => condition(Key::CardType, Test::In(vec![Value::Number(u64::from(n % 8 > 3))])),
            2 => {
                condition(Key::Hour, Test::Within { from: (n % 20) as u64, until: Some((n % 20) as u64 + 4) })
            }
            _ => condition(Key::Category, Test::In(vec![Value::Text(format!("c{}", n % 40).into())])),
        };
        let third = condition(
            Key::Metadata("tier".into()),
            Test::NotIn(vec![Value::Text(format!("t{}", n % 7).into())]),
        );
        let output = if n.is_multiple_of(5) {
            let share = |step: usize| Weight {
                channel: id(n + step * 4),
                weight: 1 + u32::try_from(n % 9).unwrap_or_default(),
            };
            Output::Split(vec![share(0), share(1), share(2)])
        } else {
            Output::Priority(vec![id(n), id(n + 4), id(n + 8)])
        };
        Rule {
            name: format!("rule {n}").into(),
            when: vec![
                vec![amount, second],
                vec![third, condition(Key::Weekday, Test::In(vec![Value::Number(n as u64 % 7)]))],
            ],
            output: Some(output),
            ..Rule::default()
        }
    };
    (0..count).map(rule).collect()
}

/// The rules of [`rule_list`], then the lowest cost.
#[must_use]
pub fn by_rules(count: usize) -> RoutingRules {
    RoutingRules { order: vec![Strategy::Rules, Strategy::Cost], rules: rule_list(count), ..rules(&[]) }
}

/// What payments carry for rules as data to look at.
#[derive(Clone, Debug)]
pub struct Notes {
    metadata: Vec<[(SmolStr, SmolStr); 1]>,
    categories: Vec<SmolStr>,
}

impl Notes {
    /// A note and a category for each payment.
    #[must_use]
    pub fn new() -> Self {
        Self {
            metadata: (0..REQUESTS).map(|n| [("tier".into(), format_smolstr!("t{}", n % 9))]).collect(),
            categories: (0..REQUESTS).map(|n| format_smolstr!("c{}", n % 50)).collect(),
        }
    }

    /// The payments of [`requests`] with notes, a third of them without metadata: that they lack it is reported.
    #[must_use]
    pub fn requests(&self) -> Vec<RouteRequest<'_>> {
        let noted = |(n, request): (usize, RouteRequest<'static>)| {
            let facts = OrderFacts {
                key: n as u128 * 0x9e37_79b9_7f4a_7c15,
                category: &self.categories[n],
                metadata: if n % 3 == 0 { &[] } else { &self.metadata[n] },
                ..OrderFacts::default()
            };
            RouteRequest { facts, amount: fen(request.amount.minor() % 60_000 + 1), ..request }
        };
        requests(&[]).into_iter().enumerate().map(noted).collect()
    }
}

impl Default for Notes {
    fn default() -> Self {
        Self::new()
    }
}
