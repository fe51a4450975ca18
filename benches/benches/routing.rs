//! One routing decision, explanation included: 16 channels, 50 rules, each decision made for another payment.
#![allow(missing_docs, reason = "criterion's macros generate public items")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use suanpan_core::routing::backtest::{BackTest, Outcome, Recorded};
use suanpan_core::routing::{
    AmountBand, Condition, Designation, Key, OrderFacts, Output, RouteRequest, Router, RoutingRules, Rule,
    Standing, Strategy, Test, Value, Weight, explain,
};
use suanpan_model::{
    Amount, Bank, Banks, Capability, CardType, ChannelId, Currency, DurationMs, PayKind, PlatformId,
    ServiceHours, Tariff, TariffBand, TimestampMs,
};

const CHANNELS: u16 = 16;
const BANDS: usize = 20;
const DESIGNATIONS: usize = 29;
const REQUESTS: usize = 256;
const BANKS: [&str; 16] = [
    "ICBC", "ABC", "BOC", "CCB", "BCOM", "CMB", "CITIC", "CEB", "HXB", "CMBC", "GDB", "PAB", "CIB", "SPDB",
    "PSBC", "BOB",
];

/// What the runtime keeps: one number and one flag for each channel.
struct Board {
    used: [Amount; CHANNELS as usize],
    healthy: [bool; CHANNELS as usize],
}

impl Standing for Board {
    fn quota_used(&self, channel_index: usize, _channel: ChannelId, _day: u32) -> Amount {
        self.used[channel_index]
    }

    fn is_healthy(&self, channel_index: usize, _channel: ChannelId, _now: TimestampMs) -> bool {
        self.healthy[channel_index]
    }
}

fn bank(index: usize) -> Bank {
    Bank::from_code(BANKS[index % BANKS.len()]).expect("a code of the table is well formed")
}

fn fen(minor: u64) -> Amount {
    Amount::from_minor(minor)
}

/// Channel `n`; those whose number is not a multiple of four are narrower than the others in some way, unless
/// `wide`, where all differ in price alone.
fn channel(n: u16, wide: bool) -> Capability {
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
fn rules(order: &[Strategy]) -> RoutingRules {
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

fn router(wide: bool, order: &[Strategy]) -> Router {
    let mut channels: Vec<Capability> = (0..CHANNELS).map(|n| channel(n, wide)).collect();
    if wide {
        // So that every bank is known although nobody is limited to some: one bank list names them all.
        channels[0].banks = Banks::Only((0..BANKS.len()).map(bank).collect());
    }
    Router::new(channels, rules(order), Vec::new()).expect("the rules of the bench are sound")
}

/// Payments that differ in bank, card, kind and amount, in an order that no branch predictor learns.
fn requests(tried: &[ChannelId]) -> Vec<RouteRequest<'_>> {
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

/// Name, whether every channel is wide, order of strategies, standing, channels tried before.
type Case<'a> = (&'a str, bool, &'a [Strategy], &'a Board, &'a [ChannelId]);

fn decisions(criterion: &mut Criterion) {
    let mut board = Board { used: [fen(1_234_567); CHANNELS as usize], healthy: [true; CHANNELS as usize] };
    board.healthy[3] = false;
    let open = Board { healthy: [true; CHANNELS as usize], ..board };
    let tried = [ChannelId(100), ChannelId(104)];
    let mixed = [Strategy::Designated, Strategy::Amount, Strategy::Priority, Strategy::Cost];
    let table: [Case<'_>; 4] = [
        ("mixed", false, &mixed, &board, &[]),
        ("mixed, second attempt", false, &mixed, &board, &tried),
        ("by cost", false, &[Strategy::Cost], &board, &[]),
        ("by cost, all 16 capable", true, &[Strategy::Cost], &open, &[]),
    ];
    let mut group = criterion.benchmark_group("routing, 16 channels, 50 rules");
    for (name, wide, order, standing, tried) in table {
        let router = router(wide, order);
        let requests = requests(tried);
        let capable = |request| {
            let route = router.decide(request, standing).expect("every payment of the bench finds a channel");
            route.because.iter().filter(|candidate| candidate.verdict.is_capable()).count()
        };
        let capable: usize = requests.iter().map(capable).sum();
        assert!(!wide || capable == REQUESTS * usize::from(CHANNELS), "the wide channels take everything");
        println!("{name}: {} of {CHANNELS} channels capable on average", capable / REQUESTS);
        let mut next = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                next = (next + 1) % REQUESTS;
                black_box(&router.decide(black_box(&requests[next]), standing));
            });
        });
    }
    group.finish();

    let router = router(false, &mixed);
    let route = requests(&[]).iter().find_map(|request| router.decide(request, &board).ok());
    let route = route.expect("some payment of the bench finds a channel");
    criterion.bench_function("routing, explanation as 16 sentences", |bencher| {
        bencher.iter(|| explain(&router, black_box(&route), Currency::Cny));
    });
}

/// `count` rules as data: amount, bank, card, hour, category and metadata; every fifth splits volume.
fn rule_list(count: usize) -> Vec<Rule> {
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

fn by_rules(count: usize) -> RoutingRules {
    RoutingRules { order: vec![Strategy::Rules, Strategy::Cost], rules: rule_list(count), ..rules(&[]) }
}

/// Rules as data: the same payments, the rules of a list instead of bands and designations.
fn rule_decisions(criterion: &mut Criterion) {
    let board = Board { used: [fen(1_234_567); CHANNELS as usize], healthy: [true; CHANNELS as usize] };
    let channels: Vec<Capability> = (0..CHANNELS).map(|n| channel(n, false)).collect();
    let mut group = criterion.benchmark_group("rules as data, 16 channels");
    for count in [50, 1_000] {
        let router = Router::new(channels.clone(), by_rules(count), Vec::new()).expect("the rules are sound");
        let notes: Vec<[(smol_str::SmolStr, smol_str::SmolStr); 1]> =
            (0..REQUESTS).map(|n| [("tier".into(), format!("t{}", n % 9).into())]).collect();
        let categories: Vec<String> = (0..REQUESTS).map(|n| format!("c{}", n % 50)).collect();
        let requests: Vec<RouteRequest<'_>> = requests(&[])
            .into_iter()
            .enumerate()
            .map(|(n, request)| {
                let facts = OrderFacts {
                    key: n as u128 * 0x9e37_79b9_7f4a_7c15,
                    category: &categories[n],
                    // A third of the orders lacks the note: it is reported.
                    metadata: if n % 3 == 0 { &[] } else { &notes[n] },
                    ..OrderFacts::default()
                };
                RouteRequest { facts, amount: fen(request.amount.minor() % 60_000 + 1), ..request }
            })
            .collect();
        let routes = requests.iter().filter_map(|request| router.decide(request, &board).ok());
        let by_rule = routes.filter(|route| route.trace.rule_no > 0).count();
        println!("{count} rules: {by_rule} of {REQUESTS} payments are decided by one");
        let mut next = 0;
        group.bench_function(format!("{count} rules"), |bencher| {
            bencher.iter(|| {
                next = (next + 1) % REQUESTS;
                black_box(&router.decide(black_box(&requests[next]), &board).is_ok());
            });
        });
    }
    group.finish();

    let channels: Vec<Capability> = (0..CHANNELS).map(|n| channel(n, false)).collect();
    let mut group = criterion.benchmark_group("rules as data");
    group.sample_size(10);
    group.bench_function("check, review and compile 1000 rules", |bencher| {
        bencher.iter(|| Router::new(channels.clone(), by_rules(1_000), Vec::new()).is_ok());
    });
    let router = Router::new(channels, by_rules(50), Vec::new()).expect("the rules are sound");
    let orders: Vec<Recorded> = requests(&[])
        .into_iter()
        .enumerate()
        .map(|(n, request)| Recorded {
            at: request.now,
            platform: request.platform,
            order_no: format!("A-{n}").into(),
            key: n as u128 * 0x9e37_79b9_7f4a_7c15,
            kind: request.kind,
            currency: request.currency,
            bank: request.bank,
            card_type: request.card_type,
            amount: request.amount,
            payer: "payer".into(),
            sub_orders: Vec::new(),
            attributes: suanpan_model::OrderAttributes::default(),
            metadata: vec![("tier".into(), format!("t{}", n % 9).into())],
            channel: ChannelId(100 + u16::try_from(n % 16).unwrap_or(0)),
            fee: fen(60),
            outcome: if n % 20 == 0 { Outcome::ChannelFault } else { Outcome::Paid },
        })
        .collect();
    group.bench_function("back-test of 1000000 recorded orders, 50 rules", |bencher| {
        bencher.iter(|| {
            let mut test = BackTest::new(&router);
            for n in 0..1_000_000 {
                black_box(test.step(&orders[n % REQUESTS]));
            }
            test.summary().changed
        });
    });
    group.finish();
}

criterion_group!(benches, decisions, rule_decisions);
criterion_main!(benches);
