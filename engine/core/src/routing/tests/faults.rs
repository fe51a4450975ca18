//! What `Router::new` refuses, and what it lists.

use suanpan_model::{
    Amount, Banks, Capability, CardType, ChannelId, PayKind, PlatformId, ServiceHours, Tariff, TariffBand,
};

use super::{PLATFORM, band, bank, channel, fen, ids, tariff};
use crate::routing::{
    AllOpen, AmountBand, CHANNELS_MAX, ChannelFault, Designation, Place, RouteRequest, Router, RoutingRules,
    RuleFault, RuleFinding, RuleSet, RuleSetFault, RuleWarning, Strategy,
};

/// 1 takes everything, 2 only ICBC and ABC debit cards up to 500 yuan.
fn channels() -> Vec<Capability> {
    vec![
        channel(1, "wide"),
        Capability {
            banks: Banks::Only(vec![bank("ICBC"), bank("ABC")]),
            card_types: vec![CardType::Debit],
            amount_min: fen(100),
            amount_max: fen(50_000),
            ..channel(2, "narrow")
        },
    ]
}

fn amounts(from: u64, until: Option<u64>, channels: &[u16]) -> AmountBand {
    AmountBand { from: fen(from), until: until.map(fen), channels: ids(channels) }
}

fn designated(code: Option<&str>, card_type: Option<CardType>, channels: &[u16]) -> Designation {
    Designation { bank: code.map(bank), card_type, channels: ids(channels) }
}

fn by_bands(amount_bands: Vec<AmountBand>) -> RoutingRules {
    RoutingRules { order: vec![Strategy::Amount], amount_bands, ..RoutingRules::default() }
}

fn by_designations(designations: Vec<Designation>) -> RoutingRules {
    RoutingRules { order: vec![Strategy::Designated], designations, ..RoutingRules::default() }
}

#[test]
fn faults_of_channels_are_refused() {
    let up_to = |limit: Option<u64>| TariffBand { up_to: limit.map(fen), ..band(1, 0) };
    let debit = |limits: &[Option<u64>]| Tariff {
        debit: limits.iter().copied().map(up_to).collect(),
        credit: Vec::new(),
    };
    let credit = |limits: &[Option<u64>]| Tariff { credit: debit(limits).debit, ..tariff(1) };
    let one = || channel(1, "one");
    let at = |from_minute, until_minute| Some(ServiceHours { from_minute, until_minute });
    let wrong = |fault| RuleFault::Channel { channel: ChannelId(1), fault };
    let not_ascending = |card, band| wrong(ChannelFault::TariffNotAscending { card, band });
    let many = || (0..=CHANNELS_MAX).map(|n| channel(u16::try_from(n).unwrap(), &format!("c{n}"))).collect();
    #[rustfmt::skip]
    let table: Vec<(Vec<Capability>, Vec<RuleFault>)> = vec![
        (vec![], vec![]),
        (vec![one()], vec![]),
        (many(), vec![RuleFault::TooManyChannels(65)]),
        (many().split_off(1), vec![]),
        (vec![one(), channel(1, "two")], vec![RuleFault::RepeatedId(ChannelId(1))]),
        (vec![one(), channel(2, "one")], vec![RuleFault::RepeatedName("one".into())]),
        (vec![one(), one()], vec![RuleFault::RepeatedId(ChannelId(1)), RuleFault::RepeatedName("one".into())]),
        (vec![Capability { kinds: vec![PayKind::Balance], ..one() }], vec![wrong(ChannelFault::OffersBalance)]),
        (vec![Capability { amount_min: fen(2), amount_max: fen(1), ..one() }], vec![wrong(ChannelFault::LimitsInverted)]),
        (vec![Capability { hours: at(1_440, 0), ..one() }], vec![wrong(ChannelFault::HoursOutOfDay)]),
        (vec![Capability { hours: at(0, 1_441), ..one() }], vec![wrong(ChannelFault::HoursOutOfDay)]),
        (vec![Capability { hours: at(1_439, 1_440), ..one() }], vec![]),
        (vec![Capability { tariff: debit(&[Some(5), Some(9), None]), ..one() }], vec![]),
        (vec![Capability { tariff: debit(&[Some(5), Some(5)]), ..one() }], vec![not_ascending(CardType::Debit, 1)]),
        (vec![Capability { tariff: debit(&[Some(5), Some(9), Some(7)]), ..one() }], vec![not_ascending(CardType::Debit, 2)]),
        (vec![Capability { tariff: debit(&[None, None]), ..one() }], vec![not_ascending(CardType::Debit, 1)]),
        (vec![Capability { tariff: credit(&[None, Some(9)]), ..one() }], vec![not_ascending(CardType::Credit, 1)]),
    ];
    for (row, (channels, expected)) in table.into_iter().enumerate() {
        let found = Router::new(channels, RoutingRules::default(), Vec::new());
        assert_eq!(found.map_or_else(|faults| faults.0, |_| Vec::new()), expected, "row {row}");
    }
}

#[test]
fn faults_of_rules_are_refused() {
    use RuleSetFault as F;
    let (debit, credit) = (Some(CardType::Debit), Some(CardType::Credit));
    let order = |order: &[Strategy]| RoutingRules { order: order.to_vec(), ..RoutingRules::default() };
    let listed = |channels: &[u16]| RoutingRules { priority: ids(channels), ..RoutingRules::default() };
    let unknown = |place| F::UnknownChannel { place, channel: ChannelId(3) };
    #[rustfmt::skip]
    let table: Vec<(RoutingRules, Vec<RuleSetFault>)> = vec![
        (order(&Strategy::ALL), vec![]),
        (order(&[Strategy::Cost, Strategy::Amount, Strategy::Cost]), vec![F::RepeatedStrategy(Strategy::Cost)]),
        (listed(&[2, 1]), vec![]),
        (listed(&[1, 3]), vec![unknown(Place::Priority)]),
        (listed(&[1, 2, 1]), vec![F::RepeatedChannel { place: Place::Priority, channel: ChannelId(1) }]),
        (by_bands(vec![amounts(5, None, &[1]), amounts(0, Some(5), &[2])]), vec![]),
        (by_bands(vec![amounts(0, None, &[1, 3])]), vec![unknown(Place::AmountBand(0))]),
        (by_bands(vec![amounts(0, None, &[])]), vec![F::NoChannels(Place::AmountBand(0))]),
        (by_bands(vec![amounts(5, Some(5), &[1])]), vec![F::BandEmpty(0)]),
        (by_bands(vec![amounts(0, Some(5), &[1]), amounts(9, Some(8), &[1])]), vec![F::BandInverted(1)]),
        (by_bands(vec![amounts(5, Some(9), &[1]), amounts(0, Some(6), &[1])]), vec![F::BandsOverlap(0, 1)]),
        (by_bands(vec![amounts(0, None, &[1]), amounts(7, Some(8), &[1])]), vec![F::BandsOverlap(0, 1)]),
        (by_bands(vec![amounts(3, Some(4), &[1]), amounts(3, Some(4), &[2])]), vec![F::BandsOverlap(0, 1)]),
        // The wide band overlaps both others, not only its neighbour.
        (by_bands(vec![amounts(0, Some(9), &[1]), amounts(2, Some(3), &[1]), amounts(5, Some(6), &[1])]),
            vec![F::BandsOverlap(0, 1), F::BandsOverlap(0, 2)]),
        (by_designations(vec![designated(Some("ICBC"), None, &[2]), designated(None, debit, &[2]), designated(Some("ICBC"), debit, &[2])]), vec![]),
        (by_designations(vec![designated(None, None, &[1])]), vec![F::DesignationOfAll(0)]),
        (by_designations(vec![designated(Some("ICBC"), None, &[])]), vec![F::NoChannels(Place::Designation(0))]),
        (by_designations(vec![designated(Some("ICBC"), None, &[3])]), vec![unknown(Place::Designation(0))]),
        (by_designations(vec![designated(Some("ICBD"), None, &[1])]), vec![F::UnknownBank { designation: 0, bank: bank("ICBD") }]),
        (by_designations(vec![designated(None, credit, &[1]), designated(Some("ABC"), credit, &[1]), designated(None, credit, &[2])]),
            vec![F::RepeatedDesignation(0, 2)]),
    ];
    for (row, (rules, expected)) in table.into_iter().enumerate() {
        for set in [RuleSet::Default, RuleSet::Platform(PLATFORM)] {
            let found = match set {
                RuleSet::Default => Router::new(channels(), rules.clone(), Vec::new()),
                RuleSet::Platform(id) => {
                    Router::new(channels(), RoutingRules::default(), vec![(id, rules.clone())])
                }
            };
            let expected: Vec<_> =
                expected.iter().map(|fault| RuleFault::Rules { set, fault: *fault }).collect();
            assert_eq!(found.map_or_else(|faults| faults.0, |_| Vec::new()), expected, "row {row}");
        }
    }
}

#[test]
fn a_platform_has_one_rule_set() {
    let twice = vec![(PLATFORM, RoutingRules::default()), (PLATFORM, RoutingRules::default())];
    let faults = Router::new(channels(), RoutingRules::default(), twice).unwrap_err();
    assert_eq!(faults.0, [RuleFault::RepeatedPlatform(PLATFORM)]);
}

#[test]
fn faults_are_told_together_and_in_words() {
    let rules = RoutingRules {
        priority: ids(&[7]),
        ..by_bands(vec![amounts(0, Some(9), &[1]), amounts(8, None, &[1])])
    };
    let channels =
        vec![channel(1, "a"), Capability { amount_min: fen(9), amount_max: fen(8), ..channel(2, "a") }];
    let faults = Router::new(channels, RoutingRules::default(), vec![(PlatformId(3), rules)]).unwrap_err();
    expect_test::expect![[r#"
        channel name `a` is used twice
        channel 2: the smallest amount is above the largest
        rules of platform 3: the priority list names channel 7, which is not configured
        rules of platform 3: amount bands 1 and 2 overlap"#]]
    .assert_eq(&faults.to_string().replace("; ", "\n"));
}

#[test]
fn what_is_only_suspicious_is_listed() {
    use RuleFinding as W;
    let gap = |from, until: Option<u64>| W::BandGap { from: fen(from), until: until.map(fen) };
    let never = |place| W::NeverFits { place, channel: ChannelId(2) };
    #[rustfmt::skip]
    let table: Vec<(RoutingRules, Vec<RuleFinding>)> = vec![
        (RoutingRules::default(), vec![]),
        (by_bands(vec![amounts(0, None, &[1])]), vec![]),
        (by_bands(vec![amounts(1, Some(7), &[1]), amounts(7, None, &[1])]), vec![]),
        (by_bands(vec![amounts(9, None, &[1]), amounts(2, Some(7), &[1])]), vec![gap(1, Some(2)), gap(7, Some(9))]),
        (by_bands(vec![amounts(0, Some(500), &[1])]), vec![gap(500, None)]),
        (by_bands(vec![amounts(0, Some(Amount::MAX.minor() + 1), &[1])]), vec![]),
        (by_bands(vec![]), vec![W::NothingConfigured(Strategy::Amount)]),
        (RoutingRules { order: vec![], ..by_bands(vec![amounts(0, None, &[1])]) }, vec![W::NeverAsked(Strategy::Amount)]),
        (RoutingRules { priority: ids(&[1]), ..RoutingRules::default() }, vec![W::NeverAsked(Strategy::Priority)]),
        (by_bands(vec![amounts(0, Some(100), &[1, 2]), amounts(100, Some(50_000), &[2]), amounts(50_000, None, &[2])]),
            vec![never(Place::AmountBand(0))]),
        (by_bands(vec![amounts(0, Some(50_001), &[2]), amounts(50_001, None, &[2])]), vec![never(Place::AmountBand(1))]),
        (by_designations(vec![designated(Some("ABC"), Some(CardType::Credit), &[1, 2])]), vec![never(Place::Designation(0))]),
        (by_designations(vec![designated(Some("ABC"), None, &[1, 2])]), vec![]),
    ];
    for (row, (rules, expected)) in table.into_iter().enumerate() {
        let router = Router::new(channels(), RoutingRules::default(), vec![(PLATFORM, rules)]).unwrap();
        let set = RuleSet::Platform(PLATFORM);
        let expected: Vec<_> =
            expected.into_iter().map(|finding| RuleWarning::Rules { set, finding }).collect();
        assert_eq!(router.warnings(), expected, "row {row}");
    }
}

#[test]
fn a_tariff_that_is_missing_or_ends_is_listed() {
    let free = Capability { tariff: Tariff { debit: vec![], credit: vec![] }, ..channel(1, "free") };
    let ending = TariffBand { up_to: Some(fen(99)), ..band(1, 0) };
    let ends = Capability { tariff: Tariff { credit: vec![ending], ..tariff(1) }, ..channel(2, "ends") };
    let router = Router::new(vec![free, ends], RoutingRules::default(), Vec::new()).unwrap();
    let lines: Vec<String> = router.warnings().iter().map(ToString::to_string).collect();
    expect_test::expect![[r#"
        channel 1 has no tariff: it counts as free
        channel 2: the credit tariff ends below the channel's largest amount"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn the_most_channels_and_none_at_all() {
    let all: Vec<Capability> = (1..=64)
        .map(|n| Capability { tariff: tariff(100 - u32::from(n)), ..channel(n, &format!("c{n}")) })
        .collect();
    let request = RouteRequest { amount: fen(1_000_000), ..super::payment() };
    let router = Router::new(all, RoutingRules::default(), Vec::new()).unwrap();
    let route = router.decide(&request, &AllOpen).unwrap();
    assert_eq!((route.channel, route.fee, route.because.len()), (ChannelId(64), fen(36), 64));

    let router = Router::new(Vec::new(), RoutingRules::default(), Vec::new()).unwrap();
    assert!(router.decide(&request, &AllOpen).unwrap_err().because.is_empty());
}
