//! What the static analysis of rules refuses, and what it lists; each row is a rule set with one thing wrong.

use suanpan_model::{Banks, Capability, CardType, ChannelId};

use super::{bank, channel, fen, ids};
use crate::routing::{
    Condition, Key, Output, Place, Router, RoutingRules, Rule, RuleFault, RuleFinding, RuleSetFault,
    RuleWarning, Scoring, Strategy, Test, Value, Weight,
};

/// 1 and 2 take everything, 3 only ICBC debit cards up to 500 yuan, 4 is switched off.
fn channels() -> Vec<Capability> {
    let narrow = Capability {
        banks: Banks::Only(vec![bank("ICBC")]),
        card_types: vec![CardType::Debit],
        amount_max: fen(50_000),
        ..channel(3, "narrow")
    };
    vec![channel(1, "one"), channel(2, "two"), narrow, Capability { enabled: false, ..channel(4, "off") }]
}

fn within(key: Key, from: u64, until: Option<u64>) -> Condition {
    Condition { key, test: Test::Within { from, until } }
}

fn amount(from: u64, until: Option<u64>) -> Vec<Condition> {
    vec![within(Key::Amount, from, until)]
}

fn of_bank(code: &str) -> Condition {
    Condition { key: Key::Bank, test: Test::In(vec![Value::Bank(bank(code))]) }
}

fn rule(name: &str, when: Vec<Vec<Condition>>, output: Output) -> Rule {
    Rule { name: name.into(), when, output: Some(output), rules: Vec::new() }
}

fn to(channel: u16) -> Output {
    Output::Channel(ChannelId(channel))
}

fn set(rules: Vec<Rule>) -> RoutingRules {
    RoutingRules { order: vec![Strategy::Rules], rules, ..RoutingRules::default() }
}

#[test]
fn rules_that_cannot_work_are_refused() {
    use RuleSetFault as F;
    let cost = || Output::Strategy(Strategy::Cost);
    let split = |weights: &[(u16, u32)]| {
        let weight =
            |(channel, weight): &(u16, u32)| Weight { channel: ChannelId(*channel), weight: *weight };
        Output::Split(weights.iter().map(weight).collect())
    };
    let one = |when: Vec<Vec<Condition>>| set(vec![rule("r", when, to(1))]);
    let test = |key: Key, test: Test| one(vec![vec![Condition { key, test }]]);
    let text = |text: &str| Value::Text(text.into());
    let tier = || Key::Metadata("tier".into());
    let place = Place::Rule(1);
    let table = [
        (one(vec![]), None),
        (set(vec![rule("r", vec![], to(9))]), Some(F::UnknownChannel { place, channel: ChannelId(9) })),
        (set(vec![rule("r", vec![], Output::Priority(ids(&[])))]), Some(F::NoChannels(place))),
        (set(vec![Rule { name: "r".into(), ..Rule::default() }]), Some(F::RuleSaysNothing(1))),
        (set(vec![rule("", vec![], to(1))]), Some(F::RuleNameTaken(1))),
        (
            set(vec![rule("r", amount_only(1, 5), to(1)), rule("r", amount_only(5, 9), to(2))]),
            Some(F::RuleNameTaken(2)),
        ),
        (set(vec![rule("r", vec![], Output::Strategy(Strategy::Rules))]), Some(F::RuleAsksRules(1))),
        (one(vec![amount(5, Some(5))]), Some(F::RuleNeverHolds(1))),
        // Contradictions between conditions, over intervals and sets.
        (one(vec![[amount(1, Some(5)), amount(5, None)].concat()]), Some(F::RuleNeverHolds(1))),
        (
            one(vec![vec![of_bank("ICBC"), Condition { key: Key::Bank, test: Test::Absent }]]),
            Some(F::RuleNeverHolds(1)),
        ),
        (test(Key::Category, Test::In(vec![])), Some(F::RuleNeverHolds(1))),
        (test(Key::Bank, Test::Within { from: 1, until: None }), Some(F::RuleTestUnfit(1))),
        (test(Key::Hour, Test::In(vec![Value::Number(24)])), Some(F::RuleTestUnfit(1))),
        (test(Key::Amount, Test::In(vec![text("5")])), Some(F::RuleTestUnfit(1))),
        (
            test(Key::Bank, Test::In(vec![Value::Bank(bank("CMB"))])),
            Some(F::RuleUnknownBank { rule: 1, bank: bank("CMB") }),
        ),
        (
            set(vec![
                rule("n", vec![vec![within(tier(), 1, Some(5))]], to(1)),
                rule("t", vec![vec![Condition { key: tier(), test: Test::In(vec![text("gold")]) }]], to(2)),
            ]),
            Some(F::RuleTextNotNumber(2)),
        ),
        (set(vec![rule("r", vec![], split(&[(1, 0), (2, 0)]))]), Some(F::WeightsOutOfRange(place))),
        (set(vec![rule("r", vec![], split(&[(1, 1_000_000), (2, 1)]))]), Some(F::WeightsOutOfRange(place))),
        // Nobody who is named can take it: the only weight above zero is on a channel with a lower limit.
        (
            set(vec![rule("r", vec![amount(50_001, None)], split(&[(3, 9), (1, 0)]))]),
            Some(F::ReachesNoChannel(place)),
        ),
        (set(vec![rule("r", vec![amount(50_000, None)], split(&[(3, 9), (1, 0)]))]), None),
        // Never reached: together the two before it hold for all its amounts, and always decide.
        (
            set(vec![
                rule("small", vec![amount(0, Some(100))], cost()),
                rule("large", vec![amount(100, None)], cost()),
                rule("late", vec![amount(50, Some(150))], to(1)),
            ]),
            Some(F::RuleUnreachable { rule: 3, by: 2 }),
        ),
        (
            set(vec![
                rule("small", vec![amount(0, Some(100))], cost()),
                rule("large", vec![amount(101, None)], cost()),
                rule("late", vec![amount(50, Some(150))], to(1)),
            ]),
            None,
        ),
        (
            RoutingRules { scoring: Scoring { margin_ppm: 1_000_001, ..Scoring::default() }, ..one(vec![]) },
            Some(F::ScoringOverWhole),
        ),
        (
            RoutingRules { weights: vec![Weight { channel: ChannelId(1), weight: 0 }], ..one(vec![]) },
            Some(F::WeightsOutOfRange(Place::Weights)),
        ),
    ];
    for (row, (rules, expected)) in table.into_iter().enumerate() {
        let found = Router::new(channels(), rules, Vec::new());
        let found: Vec<_> = found.map_or_else(|faults| faults.0, |_| Vec::new());
        let of_set = |fault: RuleFault| match fault {
            RuleFault::Rules { fault, .. } => fault,
            other => panic!("row {row}: {other}"),
        };
        assert_eq!(
            found.into_iter().map(of_set).collect::<Vec<_>>(),
            expected.into_iter().collect::<Vec<_>>(),
            "row {row}"
        );
    }
}

fn amount_only(from: u64, until: u64) -> Vec<Vec<Condition>> {
    vec![amount(from, Some(until))]
}

#[test]
fn what_can_hardly_be_meant_is_listed() {
    use RuleFinding as W;
    let all = |output| rule("rest", vec![], output);
    let table = [
        (set(vec![all(to(1))]), vec![]),
        (
            set(vec![all(to(1)), rule("r", amount_only(1, 5), to(2))]),
            vec![W::RuleShadowed { rule: 2, by: 1 }],
        ),
        // An exception before the rule is what rules are for.
        (set(vec![rule("r", amount_only(1, 5), to(2)), all(to(1))]), vec![]),
        (
            set(vec![rule("a", amount_only(1, 5), to(2)), rule("b", amount_only(4, 9), to(1)), all(to(2))]),
            vec![W::RulesOverlap { first: 1, second: 2 }],
        ),
        (
            set(vec![rule("a", amount_only(1, 5), to(2)), rule("b", amount_only(5, 9), to(1)), all(to(2))]),
            vec![],
        ),
        (
            set(vec![
                rule("a", amount_only(1, 5), to(2)),
                rule("b", vec![vec![of_bank("ICBC")]], to(2)),
                all(to(1)),
            ]),
            vec![],
        ),
        (
            set(vec![rule("a", amount_only(1, 5), to(2)), rule("b", vec![amount(9, None)], to(1))]),
            vec![W::RulesGap("orders with amount 0 up to 1 or 5 up to 9".into())],
        ),
        (
            set(vec![rule("icbc", vec![vec![of_bank("ICBC")]], to(1))]),
            vec![W::RulesGap("orders with bank any other or none".into())],
        ),
        (
            set(vec![rule("r", vec![amount(50_001, None)], Output::Priority(ids(&[3, 1]))), all(to(1))]),
            vec![W::RuleNeverFits { rule: 1, channel: ChannelId(3) }],
        ),
        (
            set(vec![all(Output::Priority(ids(&[4, 1])))]),
            vec![W::SwitchedOff { place: Place::Rule(1), channel: ChannelId(4) }],
        ),
        (
            RoutingRules { order: vec![Strategy::Cost], ..set(vec![all(to(1))]) },
            vec![W::NeverAsked(Strategy::Rules)],
        ),
        (set(vec![]), vec![W::NothingConfigured(Strategy::Rules)]),
    ];
    for (row, (rules, expected)) in table.into_iter().enumerate() {
        let router = Router::new(channels(), rules, Vec::new()).unwrap();
        let found: Vec<RuleFinding> = router
            .warnings()
            .iter()
            .filter_map(|warning| match warning {
                RuleWarning::Rules { finding, .. } => Some(finding.clone()),
                RuleWarning::NoTariff(_) | RuleWarning::TariffEnds { .. } => None,
            })
            .collect();
        assert_eq!(found, expected, "row {row}");
    }
}
