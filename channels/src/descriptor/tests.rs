//! What a descriptor file says, and what is refused.

use suanpan_model::{Amount, CardType, Currency, PayKind, TimestampMs};

use super::*;

const GOOD: &str = r#"
[[channel]]
id = 1
name = "one"
title = "One"
kinds = ["gateway"]
currencies = ["CNY"]
banks = ["ICBC", "ABC"]
card_types = ["debit"]
amount_min = "0.01"
amount_max = "100.00"
call_timeout_ms = 5000
calls_max = 10
[[channel.tariff.debit]]
up_to = "50.00"
rate = "0.38%"
[[channel.tariff.debit]]
rate = "0.0035"
cap = "1.00"
floor = "0.10"
fixed = "0.02"
[channel.simulator]
create_ms = { p50 = 10, p99 = 20 }
declines = "1%"
never_pays = "0.02"
"#;

fn fault(toml: &str) -> String {
    load_descriptors(toml).unwrap_err().to_string()
}

#[test]
fn a_descriptor_reads() {
    let one = load_descriptors(GOOD).unwrap().remove(0);
    let bank = |code| suanpan_model::Bank::from_code(code);
    let banks = one.capability.banks;
    assert!(
        banks.reach(bank("ICBC"))
            && banks.reach(bank("ABC"))
            && !banks.reach(bank("CMB"))
            && !banks.reach(None)
    );
    let [low, high] = &one.capability.tariff.debit[..] else { panic!("two bands") };
    assert_eq!((low.rate_ppm, low.up_to), (3_800, Some(Amount::from_minor(5_000))));
    assert_eq!((high.rate_ppm, high.fixed.minor(), high.floor.minor()), (3_500, 2, 10));
    assert_eq!(high.cap, Some(Amount::from_minor(100)));
    assert!(one.capability.enabled && !one.capability.own_bank && one.capability.hours.is_none());
    assert_eq!(one.capability.query_ladder.len(), suanpan_model::capability::QUERY_LADDER_SECS.len());
    assert_eq!((one.behaviour.declines.ppm(), one.behaviour.never_pays.ppm()), (10_000, 20_000));
    assert_eq!((one.behaviour.create.p50_ms, one.behaviour.create.p99_ms), (10, 20));
    assert!(one.behaviour.keep_lines);
}

#[test]
fn each_bad_value_is_named() {
    // What stands in the good file, what stands there instead, what is said.
    let table = [
        ("id = 1", "id = 0", "channel one: id: expected a number from 1 to 65535, found `0`"),
        (
            "\"one\"",
            "\"One\"",
            "channel One: name: expected 1 to 32 lower case letters, digits or `_`, found `One`",
        ),
        ("\"One\"", "\" \"", "channel one: title: expected what people call the channel, found ` `"),
        (
            "[\"gateway\"]",
            "[\"balance\"]",
            "channel one: kinds: expected gateway or quick_pay, found `balance`",
        ),
        ("[\"gateway\"]", "[]", "channel one: kinds: expected gateway or quick_pay, found `[]`"),
        ("[\"CNY\"]", "[\"CNY\", \"CNY\"]", "channel one: currencies: expected each value once, found `CNY`"),
        (
            "[\"CNY\"]",
            "[\"XAU\"]",
            "channel one: currencies: expected codes of ISO 4217 that the engine knows, found `XAU`",
        ),
        (
            "[\"CNY\"]",
            "[\"CNY\", \"JPY\"]",
            "channel one: currencies: expected currencies with the same number of decimals, found `JPY`",
        ),
        (
            "[\"ICBC\", \"ABC\"]",
            "\"some\"",
            "channel one: banks: expected \"all\" or a list of bank codes of two to eight capital letters or digits, \
             found `string`",
        ),
        (
            "\"ABC\"",
            "\"abc\"",
            "channel one: banks: expected \"all\" or a list of bank codes of two to eight capital letters or digits, \
             found `abc`",
        ),
        (
            "[\"debit\"]",
            "[\"prepaid\"]",
            "channel one: card_types: expected debit or credit, found `prepaid`",
        ),
        (
            "\"0.01\"",
            "\"0.001\"",
            "channel one: amount_min: expected an amount in CNY (more decimals than the currency has), found `0.001`",
        ),
        ("\"0.01\"", "\"0.00\"", "channel one: amount_min: expected more than nothing, found `0.00`"),
        (
            "\"100.00\"",
            "\"0.00\"",
            "channel one: amount_max: expected not less than amount_min, found `0.00`",
        ),
        (
            "calls_max = 10",
            "calls_max = 10\ndaily_quota = \"much\"",
            "channel one: daily_quota: expected an amount in CNY (expected a decimal number such as 12.34, without \
             sign, spaces or exponent), found `much`",
        ),
        ("calls_max = 10", "calls_max = 0", "channel one: calls_max: expected 1 to 1000000, found `0`"),
        ("= 5000\n", "= 0\n", "channel one: call_timeout_ms: expected 1 to 600000, found `0`"),
        (
            "calls_max = 10",
            "calls_max = 10\nquery_ladder_s = [5, 2]",
            "channel one: query_ladder_s: expected waits of 1 s to 86400 s, none shorter than the one before, found \
             `[5, 2]`",
        ),
        (
            "up_to = \"50.00\"",
            "",
            "channel one: tariff.debit[0].up_to: expected an amount in every band but the last, found `none`",
        ),
        (
            "up_to = \"50.00\"",
            "up_to = \"0.00\"",
            "channel one: tariff.debit[0].up_to: expected more than in the band before, found `0.00`",
        ),
        (
            "rate = \"0.0035\"",
            "up_to = \"9.00\"",
            "channel one: tariff.debit[1].up_to: expected none in the last band, found `9.00`",
        ),
        (
            "cap = \"1.00\"",
            "cap = \"0.09\"",
            "channel one: tariff.debit[1].cap: expected not less than the floor, found `0.09`",
        ),
        (
            "\"0.38%\"",
            "\"0.00001%\"",
            "channel one: tariff.debit[0].rate: expected a share from 0% to 100% in whole parts per million, such as \
             0.38% or 0.0038, found `0.00001%`",
        ),
        (
            "declines = \"1%\"",
            "declines = \"-1%\"",
            "channel one: simulator.declines: expected a share from 0% to 100% in whole parts per million, such as \
             0.38% or 0.0038, found `-1%`",
        ),
        (
            "declines = \"1%\"",
            "declines = \"99%\"",
            "channel one: simulator: expected never_pays and declines to sum to at most 100%, found `more than 100%`",
        ),
        (
            "p99 = 20",
            "p99 = 9",
            "channel one: simulator.create_ms: expected p50 and p99 in milliseconds, p99 not below p50, both 0 or \
             neither, found `p50 = 10, p99 = 9`",
        ),
    ];
    for (good, bad, expected) in table {
        assert_eq!(GOOD.matches(good).count(), 1, "{good} stands once in the good file");
        assert_eq!(fault(&GOOD.replace(good, bad)), expected);
    }
    for bad in ["1.5", "101%", "1e-3", "", "%", "1_0%", "+1%", ".", "0,5%"] {
        let message = fault(&GOOD.replace("\"1%\"", &format!("{bad:?}")));
        assert!(message.starts_with("channel one: simulator.declines: expected a share"), "{bad}: {message}");
    }
}

#[test]
fn hours_are_two_times_of_the_day() {
    let with = |hours: &str| GOOD.replace("calls_max = 10", &format!("calls_max = 10\nhours = {hours:?}"));
    let open = load_descriptors(&with("22:00-24:00")).unwrap()[0].capability.hours.unwrap();
    assert_eq!((open.from_minute, open.until_minute), (1_320, 1_440));
    for bad in
        ["", "8-9", "08:00", "08:00-08:00", "24:00-01:00", "08:60-09:00", "08:00-24:01", "8:00-09:00", "-"]
    {
        let message = fault(&with(bad));
        assert!(message.starts_with("channel one: hours: expected two different times"), "{bad}: {message}");
    }
}

#[test]
fn unknown_missing_and_mistyped_keys_are_named() {
    let table = [
        ("calls_max", "calls_maximum", "unknown field `calls_maximum`"),
        ("up_to = ", "upto = ", "unknown field `upto`"),
        ("never_pays", "neverpays", "unknown field `neverpays`"),
        ("p99 = 20", "p99 = 20, p100 = 3", "unknown field `p100`"),
        ("title = \"One\"", "", "missing field `title`"),
        ("amount_min = \"0.01\"", "amount_min = 0.01", "expected a string in `amount_min`"),
        ("id = 1", "id = 70000", "expected u16 in `id`"),
    ];
    for (good, bad, expected) in table {
        let message = fault(&GOOD.replace(good, bad));
        assert!(message.starts_with("channel one: ") && message.contains(expected), "{bad}: {message}");
    }
}

#[test]
fn the_file_holds_channels_and_nothing_else() {
    let expected = "channel descriptors: expected `[[channel]]` tables and nothing else, found ";
    assert_eq!(fault(""), format!("{expected}no channel"));
    assert_eq!(fault("channel = 3"), format!("{expected}a `channel` that is no list of tables"));
    assert_eq!(fault(&format!("speed = 1\n{GOOD}")), format!("{expected}`speed`"));
    assert!(fault("[[channel").starts_with("channel descriptors: TOML parse error at line 1"));
    let twice = format!("{GOOD}{}", GOOD.replace("\"one\"", "\"two\""));
    assert_eq!(fault(&twice), "channel two: id: expected one that no earlier channel has, found `1`");
    let twice = format!("{GOOD}{}", GOOD.replace("id = 1", "id = 2"));
    assert_eq!(fault(&twice), "channel one: name: expected one that no earlier channel has, found `one`");
}

#[test]
fn the_builtin_channels_differ_where_routing_looks() {
    let all: Vec<_> =
        load_descriptors(crate::BUILTIN_CHANNELS).unwrap().into_iter().map(|one| one.capability).collect();
    assert!(all.len() >= 8);
    let only = |kind: PayKind| all.iter().filter(|one| one.kinds == [kind]).count();
    assert_eq!(all.iter().filter(|one| one.own_bank).count(), 1);
    assert!(only(PayKind::Gateway) >= 1 && only(PayKind::QuickPay) >= 1);
    assert!(all.iter().any(|one| one.hours.is_some()) && all.iter().any(|one| one.daily_quota.is_some()));
    assert!(all.iter().any(|one| one.currencies.contains(&Currency::Usd)));
    let night = TimestampMs(1_795_363_200_000); // midnight in Beijing
    assert!(all.iter().any(|one| one.hours.is_some_and(|hours| !hours.contain(night.beijing_minute()))));
    assert!(all.iter().filter(|one| one.card_types == [CardType::Debit]).count() >= 1);
}

/// Fees of the builtin channels in fen, as a person works them out from the file.
#[test]
fn fees_of_the_builtin_channels() {
    let all = load_descriptors(crate::BUILTIN_CHANNELS).unwrap();
    let table = [
        // channel, amount, debit, credit
        ("own_bank", 10_000, 2, 20),
        ("icbc", 1_000, 5, 4),
        ("icbc", 100_000, 200, 420),
        ("icbc", 100_001, 180, 420),
        ("icbc", 100_000_000, 1_000, 420_000),
        ("cmb", 10_000, 25, 25),
        ("cmb", 1_000, 10, 10),
        ("cmb", 20_000_000, 1_300, 1_300),
        ("cpcn", 10_000, 45, 65),
        ("cpcn", 10_000_000, 2_000, 55_010),
        ("lianlian", 1_000, 8, 8),
        ("lianlian", 10_000, 30, 48),
        ("unionpay", 10_000, 40, 60),
        ("wechat", 83, 0, 0),
        ("wechat", 10_000, 60, 60),
        ("alipay", 500_000, 2_750, 3_250),
        ("alipay", 500_001, 2_250, 3_250),
        ("overseas", 100, 33, 33), // 2.5 cents go up to 3
    ];
    for (name, amount, debit, credit) in table {
        let one = all.iter().find(|one| one.capability.name == name).unwrap();
        for (card, expected) in [(CardType::Debit, debit), (CardType::Credit, credit)] {
            let fee = one.capability.tariff.fee(Amount::from_minor(amount), Some(card));
            assert_eq!(fee.minor(), expected, "{name} {amount} {card:?}");
        }
    }
}
