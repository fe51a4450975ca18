//! Which channel, by which rule, at which fee.

use expect_test::expect;
use suanpan_model::{
    Amount, Banks, Capability, CardType, ChannelId, Currency, PayKind, RouteRule, Tariff, TariffBand,
};

use super::{PLATFORM, band, bank, channel, fen, ids, payment, router, tariff};
use crate::routing::{
    AllOpen, AmountBand, Designation, RouteRequest, Router, RoutingRules, Strategy, explain, explain_none,
};

/// 1 at 0.6 %, 2 at 0.38 % with a floor of 50 fen, 3 at 1 yuan a payment and more for credit, 4 the own bank: free,
/// ICBC debit cards up to 500 yuan.
fn channels() -> Vec<Capability> {
    let floored = TariffBand { floor: fen(50), ..band(3_800, 0) };
    vec![
        channel(1, "cpcn"),
        Capability { tariff: Tariff { debit: vec![floored], credit: vec![] }, ..channel(2, "lianlian") },
        Capability {
            tariff: Tariff { debit: vec![band(0, 100)], credit: vec![band(5_000, 100)] },
            ..channel(3, "unionpay")
        },
        Capability {
            own_bank: true,
            banks: Banks::Only(vec![bank("ICBC"), bank("ABC")]),
            card_types: vec![CardType::Debit],
            amount_max: fen(50_000),
            tariff: tariff(0),
            ..channel(4, "own_bank")
        },
    ]
}

fn rules(order: &[Strategy]) -> RoutingRules {
    let amounts = |from, until: Option<u64>, channels: &[u16]| AmountBand {
        from: fen(from),
        until: until.map(fen),
        channels: ids(channels),
    };
    let designated = |code: Option<&str>, card_type, channels: &[u16]| Designation {
        bank: code.map(bank),
        card_type,
        channels: ids(channels),
    };
    RoutingRules {
        version: 7,
        order: order.to_vec(),
        // Out of order on purpose; nothing covers 200 to 1000 yuan.
        amount_bands: vec![
            amounts(100_000, None, &[1, 2]),
            amounts(0, Some(5_000), &[4, 3]),
            amounts(5_000, Some(20_000), &[2]),
        ],
        designations: vec![
            designated(None, Some(CardType::Credit), &[2]),
            designated(Some("ICBC"), None, &[4, 1]),
            designated(Some("ICBC"), Some(CardType::Credit), &[4, 3]),
        ],
        priority: ids(&[4, 3, 1]),
        ..RoutingRules::default()
    }
}

/// Order of strategies, bank, card type, amount and channels tried; then channel, rule and fee in fen.
type Row =
    (&'static [Strategy], Option<&'static str>, Option<CardType>, u64, &'static [u16], (u16, RouteRule, u64));

#[test]
fn each_strategy_chooses_by_its_rule() {
    use RouteRule as By;
    use Strategy::{Amount as ByAmount, Cost, Designated, Priority};
    let (icbc, abc, cmb) = (Some("ICBC"), Some("ABC"), Some("CMB"));
    let (debit, credit) = (Some(CardType::Debit), Some(CardType::Credit));
    #[rustfmt::skip]
    let table: &[Row] = &[
        // The band of the amount; its ends; the second of its list; no band, or no capable channel in it.
        (&[ByAmount],             icbc, debit,   4_999, &[],     (4, By::AmountBand, 0)),
        (&[ByAmount],             cmb,  debit,   4_999, &[],     (3, By::AmountBand, 100)),
        (&[ByAmount],             icbc, debit,   5_000, &[],     (2, By::AmountBand, 50)),
        (&[ByAmount],             icbc, debit,  19_999, &[],     (2, By::AmountBand, 76)),
        (&[ByAmount],             icbc, debit,  20_000, &[],     (4, By::LowestCost, 0)),
        (&[ByAmount],             icbc, debit,  99_999, &[],     (3, By::LowestCost, 100)),
        (&[ByAmount],             icbc, debit, 100_000, &[],     (1, By::AmountBand, 600)),
        (&[ByAmount],             icbc, debit, 100_000, &[1],    (2, By::AmountBand, 380)),
        (&[ByAmount, Priority],   icbc, debit,  20_000, &[],     (4, By::Priority, 0)),
        (&[ByAmount, Priority],   cmb,  debit,   5_000, &[2],    (3, By::Priority, 100)),
        // The lowest fee at this amount with this card; of equals the first declared.
        (&[Cost],                 icbc, debit,  10_000, &[],     (4, By::LowestCost, 0)),
        (&[Cost],                 cmb,  debit,  10_000, &[],     (2, By::LowestCost, 50)),
        (&[Cost],                 cmb,  debit,   8_000, &[],     (1, By::LowestCost, 48)),
        (&[Cost],                 cmb,  debit, 100_000, &[],     (3, By::LowestCost, 100)),
        (&[Cost],                 cmb,  credit,100_000, &[],     (2, By::LowestCost, 380)),
        (&[Cost],                 cmb,  debit,   8_333, &[],     (1, By::LowestCost, 50)),
        // Bank and card type before the bank, the bank before the card type; then the next strategy.
        (&[Designated],           icbc, credit, 10_000, &[],     (3, By::Designated, 150)),
        (&[Designated],           icbc, credit, 10_000, &[3],    (1, By::Designated, 60)),
        (&[Designated],           icbc, credit, 10_000, &[1, 3], (2, By::Designated, 50)),
        (&[Designated],           icbc, debit,  10_000, &[],     (4, By::Designated, 0)),
        (&[Designated],           icbc, None,   10_000, &[4],    (1, By::Designated, 60)),
        (&[Designated],           cmb,  credit, 10_000, &[],     (2, By::Designated, 50)),
        (&[Designated],           None, credit, 10_000, &[],     (2, By::Designated, 50)),
        (&[Designated],           abc,  debit,  10_000, &[],     (4, By::LowestCost, 0)),
        (&[Designated, ByAmount], abc,  debit,  10_000, &[],     (2, By::AmountBand, 50)),
        // The first capable one of the list.
        (&[Priority],             icbc, debit,  10_000, &[],     (4, By::Priority, 0)),
        (&[Priority],             cmb,  debit,  10_000, &[],     (3, By::Priority, 100)),
        (&[Priority],             cmb,  debit,  10_000, &[3],    (1, By::Priority, 60)),
        (&[Priority],             cmb,  debit,  10_000, &[1, 3], (2, By::LowestCost, 50)),
        // The platform's order counts, not ours.
        (&[Priority, Designated], icbc, credit, 10_000, &[],     (3, By::Priority, 150)),
        (&[Cost, Designated],     icbc, credit, 10_000, &[],     (2, By::LowestCost, 50)),
        // Without strategies the cheapest.
        (&[],                     cmb,  debit,  10_000, &[],     (2, By::LowestCost, 50)),
    ];
    for (row, (order, code, card_type, amount, tried, (to, rule, fee))) in table.iter().enumerate() {
        let router = router(channels(), rules(order));
        let (tried, bank) = (ids(tried), code.map(bank));
        let request =
            RouteRequest { bank, card_type: *card_type, amount: fen(*amount), tried: &tried, ..payment() };
        let route = router.decide(&request, &AllOpen).unwrap();
        let found = (route.channel, route.rule, route.fee, route.rules_version);
        assert_eq!(found, (ChannelId(*to), *rule, fen(*fee), 7), "row {row}");
    }
}

#[test]
fn a_platform_may_have_its_own_rules() {
    let own = RoutingRules { version: 8, ..rules(&[Strategy::Priority]) };
    let router = Router::new(channels(), rules(&[Strategy::Cost]), vec![(PLATFORM, own.clone())]).unwrap();
    let by_own = RouteRequest { bank: Some(bank("CMB")), ..payment() };
    let by_default = RouteRequest { platform: suanpan_model::PlatformId(1), ..by_own };
    let version_and_channel = |request| {
        let route = router.decide(request, &AllOpen).unwrap();
        (route.rules_version, route.channel.0)
    };
    assert_eq!(version_and_channel(&by_own), (8, 3));
    assert_eq!(version_and_channel(&by_default), (7, 2));
    assert_eq!(router.rules(PLATFORM), &own);
    assert_eq!(router.rules(by_default.platform).version, 7);
}

#[test]
fn lookups() {
    let router = router(channels(), rules(&[]));
    assert_eq!(router.channel_by_name("unionpay"), Some(ChannelId(3)));
    assert_eq!(router.channel_by_name("paypal"), None);
    assert_eq!(router.capability(ChannelId(4)).map(|found| found.name.as_str()), Some("own_bank"));
    assert_eq!(router.capability(ChannelId(5)), None);
    // Listed out of order, and still found by the model's binary search.
    assert!(router.capabilities()[3].banks.reach(Some(bank("ICBC"))));
    assert!(router.knows_bank(bank("ABC")));
    assert!(!router.knows_bank(bank("CMB")), "three channels reach every bank, none lists this one");
    for strategy in Strategy::ALL {
        assert_eq!(Strategy::from_name(strategy.name()), Some(strategy));
    }
    assert_eq!(Strategy::from_name("luck"), None);
}

#[test]
fn a_decision_is_explained_in_sentences() {
    let router = router(channels(), rules(&[Strategy::Designated]));
    let request = RouteRequest { card_type: Some(CardType::Credit), tried: &[ChannelId(2)], ..payment() };
    let route = router.decide(&request, &AllOpen).unwrap();
    expect![[r#"
        cpcn could take the payment, fee 0.60 CNY, but another channel came before it
        lianlian was tried before for this order
        unionpay takes the payment: chosen by the designation for bank and card type, fee 1.50 CNY
        own_bank does not take the card type"#]]
    .assert_eq(&explain(&router, &route, Currency::Cny).join("\n"));

    let yen = explain(&router, &route, Currency::Jpy);
    assert!(yen[0].contains("fee 60 JPY"), "{}", yen[0]);

    let fewer = super::router(channels().split_off(2), RoutingRules::default());
    assert_eq!(explain(&fewer, &route, Currency::Cny)[1], "channel 2 was tried before for this order");
}

#[test]
fn a_refusal_is_explained_in_sentences() {
    let router = router(channels(), rules(&[]));
    let request = RouteRequest { amount: Amount::MAX, bank: Some(bank("CMB")), ..payment() };
    let none = router.decide(&request, &AllOpen).unwrap_err();
    assert_eq!(none.to_string(), "no channel can take this payment under routing rules version 7");
    expect![[r#"
        cpcn does not take so large an amount
        lianlian does not take so large an amount
        unionpay does not take so large an amount
        own_bank does not reach the bank"#]]
    .assert_eq(&explain_none(&router, &none).join("\n"));

    let balance = RouteRequest { kind: PayKind::Balance, ..payment() };
    let none = router.decide(&balance, &AllOpen).unwrap_err();
    assert!(explain_none(&router, &none).iter().all(|line| line.ends_with("this kind of payment")));
}
