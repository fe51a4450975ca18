//! Rules as data: every kind of condition and output, nesting, missing keys, and a naive twin over random rule sets.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use smol_str::SmolStr;
use suanpan_model::{
    AccountId, AccountType, Capability, CardType, ChannelId, Holder, PayKind, RouteRule, SubOrder,
    TimestampMs,
};

use super::{AFTERNOON, Board, bank, channel, fen, ids, payment, router, tariff};
use crate::routing::{
    AllOpen, Condition, Key, OrderFacts, Output, RouteRequest, Router, RoutingRules, Rule, Strategy as Way,
    Test, Value, Weight, WeightedList, explain_trace,
};

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn merchant(number: u64) -> AccountId {
    AccountId::opened(AccountType::Settlement, number, 0)
}

fn condition(key: Key, test: Test) -> Condition {
    Condition { key, test }
}

fn rule(name: &str, when: Vec<Vec<Condition>>, output: Output) -> Rule {
    Rule { name: name.into(), when, output: Some(output), rules: Vec::new() }
}

fn to(channel: u16) -> Output {
    Output::Channel(ChannelId(channel))
}

fn by_rules(rules: Vec<Rule>) -> RoutingRules {
    RoutingRules { version: 3, order: vec![Way::Rules], rules, ..RoutingRules::default() }
}

/// Four channels that take everything; the first is the cheapest.
fn channels() -> Vec<Capability> {
    let mut all: Vec<Capability> = (1..=4)
        .map(|n| Capability { tariff: tariff(1_000 * u32::from(n)), ..channel(n, &format!("c{n}")) })
        .collect();
    // So that banks are known although nobody is limited to some.
    all[3].banks = suanpan_model::Banks::Only(vec![bank("ICBC"), bank("CMB")]);
    all
}

/// The channel and the number of the rule that decide a payment when one condition sends it to channel 2.
fn decides(condition: &Condition, request: &RouteRequest<'_>) -> bool {
    let rules = by_rules(vec![rule("only", vec![vec![condition.clone()]], to(2))]);
    let route = router(channels(), rules).decide(request, &AllOpen).unwrap();
    assert_eq!(route.trace.rule_no == 1, route.channel == ChannelId(2));
    assert!(!route.because.spilled(), "a decision over 16 channels needs no memory of its own");
    route.channel == ChannelId(2)
}

#[test]
fn every_key_and_test() {
    let sold = |number| SubOrder { merchant: merchant(number), amount: fen(1) };
    let (one, two) = ([sold(1)], [sold(1), sold(2)]);
    let notes: [(SmolStr, SmolStr); 2] = [("level".into(), "7".into()), ("tier".into(), "gold".into())];
    let known = [("age".into(), "42".into())];
    let facts = OrderFacts {
        key: 1,
        payer: "U1",
        sub_orders: &one,
        category: "food",
        holder: Some(Holder::Company),
        payer_attributes: &known,
        metadata: &notes,
    };
    // 100 yuan from an ICBC debit card, Sunday 14:05 in Beijing.
    let request = RouteRequest { facts, ..payment() };
    let cart = RouteRequest { facts: OrderFacts { sub_orders: &two, ..facts }, ..request };
    let bare = RouteRequest { bank: None, card_type: None, facts: OrderFacts::default(), ..request };
    let number = Value::Number;
    let within = |from, until| Test::Within { from, until };
    let of = |number, name: &str| Value::Account(merchant(number), name.into());
    let note = |name: &str| Key::Metadata(name.into());
    let age = || Key::PayerAttribute("age".into());
    // Key, test, and whether the order, a cart of two merchants, and an order that says nothing pass.
    let table = [
        (Key::Amount, within(10_000, None), [true, true, true]),
        (Key::Amount, within(10_001, None), [false, false, false]),
        (Key::Amount, within(1, Some(10_000)), [false, false, false]),
        (Key::Amount, within(1, Some(10_001)), [true, true, true]),
        (Key::Amount, Test::In(vec![number(10_000)]), [true, true, true]),
        (Key::Amount, Test::NotIn(vec![number(10_000)]), [false, false, false]),
        (Key::Currency, Test::In(vec![number(0)]), [true, true, true]),
        (Key::Currency, Test::NotIn(vec![number(1)]), [true, true, true]),
        (Key::Kind, Test::In(vec![number(PayKind::Gateway as u64)]), [true, true, true]),
        (Key::Kind, Test::NotIn(vec![number(PayKind::Gateway as u64)]), [false, false, false]),
        (Key::Bank, Test::In(vec![Value::Bank(bank("ICBC"))]), [true, true, false]),
        (Key::Bank, Test::NotIn(vec![Value::Bank(bank("CMB"))]), [true, true, false]),
        (Key::Bank, Test::NotIn(vec![Value::Bank(bank("ICBC"))]), [false, false, false]),
        (Key::Bank, Test::Absent, [false, false, true]),
        (Key::CardType, Test::In(vec![number(CardType::Debit as u64)]), [true, true, false]),
        (Key::CardType, Test::Present, [true, true, false]),
        (Key::Holder, Test::In(vec![number(Holder::Company as u64)]), [true, true, false]),
        (Key::Holder, Test::In(vec![number(Holder::Person as u64)]), [false, false, false]),
        (Key::Merchant, Test::In(vec![of(1, "M1")]), [true, true, false]),
        (Key::Merchant, Test::In(vec![of(2, "M2")]), [false, true, false]),
        (Key::Merchant, Test::NotIn(vec![of(2, "M2")]), [true, false, false]),
        (Key::Merchant, Test::NotIn(vec![of(3, "M3")]), [true, true, false]),
        (Key::Category, Test::In(vec![text("food"), text("tea")]), [true, true, false]),
        (Key::Category, Test::NotIn(vec![text("food")]), [false, false, false]),
        (Key::Hour, within(14, Some(15)), [true, true, true]),
        (Key::Hour, within(15, None), [false, false, false]),
        (Key::Hour, Test::In(vec![number(3), number(14)]), [true, true, true]),
        (Key::Weekday, Test::In(vec![number(6)]), [true, true, true]),
        (Key::Weekday, within(0, Some(6)), [false, false, false]),
        (Key::Payer, Test::In(vec![text("U1")]), [true, true, false]),
        (age(), within(18, Some(60)), [true, true, false]),
        (age(), within(43, None), [false, false, false]),
        (note("tier"), Test::In(vec![text("gold")]), [true, true, false]),
        (note("tier"), Test::NotIn(vec![text("silver")]), [true, true, false]),
        (note("tier"), Test::Absent, [false, false, true]),
        (note("level"), within(7, Some(8)), [true, true, false]),
        (note("other"), Test::Present, [false, false, false]),
    ];
    for (key, test, expected) in table {
        let asked = condition(key, test);
        let found = [&request, &cart, &bare].map(|request| decides(&asked, request));
        assert_eq!(found, expected, "{asked:?}");
    }
}

#[test]
fn a_key_reads_back_from_its_name() {
    let names = ["amount", "bank", "payer", "payer.age", "metadata.tier", "hour"];
    for name in names {
        assert_eq!(Key::from_name(name).map(|key| key.name().to_string()).as_deref(), Some(name));
    }
    for name in ["", "payer.", "metadata.", "luck", "Amount"] {
        assert_eq!(Key::from_name(name), None, "{name:?}");
    }
}

#[test]
fn statements_are_or_conditions_are_and_and_rules_nest() {
    let amount = |from, until| condition(Key::Amount, Test::Within { from, until });
    let from = |code: &str| condition(Key::Bank, Test::In(vec![Value::Bank(bank(code))]));
    let nested = Rule {
        name: "icbc".into(),
        when: vec![vec![from("ICBC")]],
        rules: vec![rule("large", vec![vec![amount(5_000, None)]], to(3))],
        output: Some(to(2)),
    };
    let either = rule(
        "either",
        vec![vec![amount(1, Some(100)), from("CMB")], vec![amount(1_000_000, None), from("CMB")]],
        to(4),
    );
    let router = router(channels(), by_rules(vec![nested, either]));
    let table = [
        // bank, amount, channel, number of the rule
        (Some("ICBC"), 5_000, 3, 2),
        (Some("ICBC"), 4_999, 2, 1),
        (Some("CMB"), 99, 4, 3),
        (Some("CMB"), 1_000_000, 4, 3),
        (Some("CMB"), 100, 1, 0), // no rule: the cheapest
        (None, 99, 1, 0),
    ];
    for (code, minor, expected, no) in table {
        let request = RouteRequest { bank: code.map(bank), amount: fen(minor), ..payment() };
        let route = router.decide(&request, &AllOpen).unwrap();
        assert_eq!((route.channel, route.trace.rule_no), (ChannelId(expected), no), "{code:?} {minor}");
    }
}

#[test]
fn every_output() {
    let weight = |channel, weight| Weight { channel: ChannelId(channel), weight };
    let lists = |first: &[u16], second: &[u16]| {
        let one = |channels: &[u16], weight| WeightedList { channels: ids(channels), weight };
        Output::SplitLists(vec![one(first, 1), one(second, 0)])
    };
    let sick = Board { sick: vec![false, false, true, false], ..Board::default() };
    let table = [
        // output, channel while 3 is healthy, and while it is sick
        (to(3), (3, RouteRule::Channel), (1, RouteRule::LowestCost)),
        (Output::Priority(ids(&[3, 2])), (3, RouteRule::List), (2, RouteRule::List)),
        (
            Output::Split(vec![weight(3, 9), weight(2, 0)]),
            (3, RouteRule::Weights),
            (1, RouteRule::LowestCost),
        ),
        (Output::Split(vec![weight(3, 9), weight(4, 1)]), (3, RouteRule::Weights), (4, RouteRule::Weights)),
        (lists(&[3, 2], &[4]), (3, RouteRule::ListSplit), (2, RouteRule::ListSplit)),
        (Output::Strategy(Way::Cost), (1, RouteRule::LowestCost), (1, RouteRule::LowestCost)),
        (Output::Strategy(Way::Priority), (4, RouteRule::Priority), (4, RouteRule::Priority)),
    ];
    for (output, healthy, when_sick) in table {
        let rules =
            RoutingRules { priority: ids(&[4]), ..by_rules(vec![rule("one", vec![], output.clone())]) };
        let router = router(channels(), rules);
        for (board, (expected, by)) in [(&Board::default(), healthy), (&sick, when_sick)] {
            // A draw of 9 of 10 would go to channel 4: an order that draws less.
            let key = (0..).find(|key| {
                let request =
                    RouteRequest { facts: OrderFacts { key: *key, ..OrderFacts::default() }, ..payment() };
                router.decide(&request, &AllOpen).unwrap().trace.drawn.is_none_or(|(drawn, _)| drawn < 9)
            });
            let facts = OrderFacts { key: key.unwrap(), ..OrderFacts::default() };
            let route = router.decide(&RouteRequest { facts, ..payment() }, board).unwrap();
            assert_eq!((route.channel, route.rule), (ChannelId(expected), by), "{output:?}");
        }
    }
}

#[test]
fn a_split_follows_the_order_and_stays_with_it() {
    let weights = vec![
        Weight { channel: ChannelId(1), weight: 70 },
        Weight { channel: ChannelId(2), weight: 20 },
        Weight { channel: ChannelId(3), weight: 10 },
    ];
    let rules = RoutingRules { order: vec![Way::Weights], weights, seed: 5, ..RoutingRules::default() };
    let router = router(channels(), rules);
    let of = |key: u128, tried: &'static [ChannelId], now: TimestampMs| {
        let facts = OrderFacts { key, ..OrderFacts::default() };
        router.decide(&RouteRequest { facts, tried, now, ..payment() }, &AllOpen).unwrap()
    };
    let mut counts = [0_u32; 4];
    for key in 0..10_000_u128 {
        let route = of(key, &[], AFTERNOON);
        counts[usize::from(route.channel.0)] += 1;
        // Rolled again, as others do, it would go elsewhere after the first failure although its own channel is free.
        for (tried, later) in
            [(&[][..], 0), (&[ChannelId(4)], 5_000), (&[ChannelId(4), ChannelId(9)], 90_000)]
        {
            assert_eq!(of(key, tried, TimestampMs(AFTERNOON.0 + later)).channel, route.channel);
        }
        // Whoever does not have to leave stays.
        let without_three = of(key, &[ChannelId(3)], AFTERNOON);
        assert_eq!(without_three.channel == route.channel, route.channel != ChannelId(3));
    }
    assert!((6_800..7_200).contains(&counts[1]) && (1_850..2_150).contains(&counts[2]), "{counts:?}");
}

#[test]
fn a_missing_key_is_reported_and_never_silent() {
    let tier = Key::Metadata("tier".into());
    let gold = rule("gold", vec![vec![condition(tier.clone(), Test::In(vec![text("gold")]))]], to(2));
    let not_gold = rule("rest", vec![vec![condition(tier, Test::NotIn(vec![text("gold")]))]], to(3));
    let dear = Condition { key: Key::Amount, test: Test::Within { from: 1_000_000, until: None } };
    let category = condition(Key::Category, Test::Present);
    // The category is wanted by a rule that the amount refuses anyway: nothing is missed.
    let other = rule("dear food", vec![vec![dear, category]], to(4));
    let router = router(channels(), by_rules(vec![other, gold, not_gold]));
    let told = |request: &RouteRequest<'_>| {
        let route = router.decide(request, &AllOpen).unwrap();
        let known = (router.rules(request.platform), router.keys(request.platform));
        (route.channel.0, explain_trace(&route, Some(known)))
    };
    let missing = "the order has no metadata.tier, which a rule asks for".to_owned();
    assert_eq!(told(&payment()), (1, vec![missing]));
    let notes = [("tier".into(), "iron".into())];
    let facts = OrderFacts { metadata: &notes, ..OrderFacts::default() };
    assert_eq!(told(&RouteRequest { facts, ..payment() }), (3, vec!["rule 3 (rest) decided".to_owned()]));
}

/// A rule set small enough that every condition comes up often.
fn any_condition() -> impl Strategy<Value = Condition> {
    let number = |key: Key, most: u64| {
        (0..most, proptest::option::of(1..most)).prop_map(move |(from, more)| {
            condition(key.clone(), Test::Within { from, until: more.map(|more| from + more) })
        })
    };
    let codes = vec(select(vec!["ICBC", "CMB"]), 1..3)
        .prop_map(|codes| codes.into_iter().map(|code| Value::Bank(bank(code))).collect::<Vec<_>>());
    let words = vec(select(vec!["a", "b", "c"]), 1..3)
        .prop_map(|words| words.into_iter().map(text).collect::<Vec<_>>());
    let test = |values: BoxedStrategy<Vec<Value>>| {
        (values, 0..4_u8).prop_map(|(values, kind)| match kind {
            0 | 1 => Test::In(values),
            2 => Test::NotIn(values),
            _ => Test::Absent,
        })
    };
    prop_oneof![
        number(Key::Amount, 1_000),
        number(Key::Hour, 23),
        number(Key::Metadata("n".into()), 9),
        test(codes.boxed()).prop_map(|test| condition(Key::Bank, test)),
        test(words.boxed()).prop_map(|test| condition(Key::Metadata("w".into()), test)),
    ]
}

fn any_rules() -> impl Strategy<Value = Vec<Rule>> {
    let when = || vec(vec(any_condition(), 0..3), 0..3);
    let output = || proptest::option::weighted(0.8, (1..=4_u16).prop_map(to));
    let inner = || vec((when(), output()), 0..3);
    vec((when(), output(), inner()), 1..6).prop_map(|all| {
        let mut number = 0;
        let mut name = move || {
            number += 1;
            SmolStr::from(format!("r{number}"))
        };
        let mut made = Vec::new();
        for (when, output, inner) in all {
            let outer = name();
            let mut rules: Vec<Rule> = Vec::new();
            for (when, output) in inner {
                rules.push(Rule { name: name(), when, output: output.or(Some(to(1))), rules: Vec::new() });
            }
            let output = if rules.is_empty() { output.or(Some(to(2))) } else { output };
            made.push(Rule { name: outer, when, rules, output });
        }
        made
    })
}

/// The text of the rules, read as it stands.
fn naive(rules: &[Rule], request: &RouteRequest<'_>, capable: &[ChannelId]) -> Option<ChannelId> {
    let passes = |one: &Condition| {
        let note = |name: &str| {
            request.facts.metadata.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
        };
        let value: Option<Value> = match &one.key {
            Key::Amount => Some(Value::Number(request.amount.minor())),
            Key::Hour => Some(Value::Number(u64::from(request.now.beijing_minute() / 60))),
            Key::Bank => request.bank.map(Value::Bank),
            Key::Metadata(name) if name == "n" => {
                note("n").and_then(|value| value.parse().ok()).map(Value::Number)
            }
            Key::Metadata(name) => note(name).map(Value::Text),
            other => panic!("{other} does not come up"),
        };
        match (&one.test, value) {
            (Test::Absent, value) => value.is_none(),
            (Test::Present, value) => value.is_some(),
            (_, None) => false,
            (Test::Within { from, until }, Some(Value::Number(number))) => {
                *from <= number && until.is_none_or(|until| number < until)
            }
            (Test::Within { .. }, Some(_)) => false,
            (Test::In(values), Some(value)) => values.contains(&value),
            (Test::NotIn(values), Some(value)) => !values.contains(&value),
        }
    };
    rules.iter().find_map(|rule| {
        let holds = rule.when.is_empty() || rule.when.iter().any(|statement| statement.iter().all(passes));
        if !holds {
            return None;
        }
        naive(&rule.rules, request, capable).or_else(|| match &rule.output {
            Some(Output::Channel(channel)) => Some(*channel).filter(|channel| capable.contains(channel)),
            _ => None,
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_500) })]

    #[test]
    fn compiled_rules_decide_as_they_read(
        rules in any_rules(),
        amount in 1_u64..1_000,
        later in 0_u64..86_400_000,
        code in proptest::option::of(select(vec!["ICBC", "CMB", "ABC"])),
        word in proptest::option::of(select(vec!["a", "b", "z"])),
        number in proptest::option::of(0_u8..9),
        sick in vec(proptest::bool::weighted(0.2), 4),
    ) {
        let mut notes: Vec<(SmolStr, SmolStr)> = Vec::new();
        notes.extend(number.map(|number| ("n".into(), number.to_string().into())));
        notes.extend(word.map(|word| ("w".into(), word.into())));
        let request = RouteRequest {
            now: TimestampMs(AFTERNOON.0 + later),
            amount: fen(amount),
            bank: code.map(bank),
            facts: OrderFacts { metadata: &notes, ..OrderFacts::default() },
            ..payment()
        };
        // Rules that contradict themselves are refused; that is another test.
        let Ok(router) = Router::new(channels(), by_rules(rules.clone()), Vec::new()) else { return Ok(()) };
        let board = Board { sick, ..Board::default() };
        let Ok(route) = router.decide(&request, &board) else { return Ok(()) };
        let capable: Vec<ChannelId> = route
            .because
            .iter()
            .filter(|candidate| candidate.verdict.is_capable())
            .map(|candidate| candidate.channel)
            .collect();
        let expected = naive(&rules, &request, &capable);
        prop_assert_eq!(expected.unwrap_or(capable[0]), route.channel);
        prop_assert_eq!(expected.is_some(), route.trace.rule_no > 0);
        // Only what the order lacks is reported as missing.
        for (place, key) in router.keys(request.platform).iter().enumerate() {
            if route.trace.missing >> place & 1 == 1 {
                let lacks = match key {
                    Key::Bank => request.bank.is_none(),
                    Key::Metadata(name) => !notes.iter().any(|(noted, _)| noted == name),
                    _ => false,
                };
                prop_assert!(lacks, "{key}");
            }
        }
    }
}
