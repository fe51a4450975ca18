//! One routing decision, explanation included: 16 channels, 50 rules, each decision made for another payment.
#![allow(missing_docs, reason = "criterion's macros generate public items")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use suanpan_benches::routing_world::{
    Board, CHANNELS, Notes, REQUESTS, by_rules, channel, fen, requests, router,
};
use suanpan_core::routing::backtest::{BackTest, Outcome, Recorded};
use suanpan_core::routing::{Router, Strategy, explain};
use suanpan_model::{Capability, ChannelId, Currency};

/// Name, whether every channel is wide, order of strategies, standing, channels tried before.
type Case<'a> = (&'a str, bool, &'a [Strategy], &'a Board, &'a [ChannelId]);

fn decisions(criterion: &mut Criterion) {
    let (board, open) = (Board::ailing(), Board::open());
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

/// Rules as data: the same payments, the rules of a list instead of bands and designations.
fn rule_decisions(criterion: &mut Criterion) {
    let board = Board::open();
    let channels: Vec<Capability> = (0..CHANNELS).map(|n| channel(n, false)).collect();
    let mut group = criterion.benchmark_group("rules as data, 16 channels");
    for count in [50, 1_000] {
        let router = Router::new(channels.clone(), by_rules(count), Vec::new()).expect("the rules are sound");
        let notes = Notes::new();
        let requests = notes.requests();
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
