//! Strategies on what was learned, conditions of channels, special prices, and back-tests, to the cent.

use std::cell::Cell;
use std::collections::HashMap;

use suanpan_model::{
    Amount, Bank, CandidateVerdict as Verdict, Capability, CardType, ChannelId, Commitment, Conditions,
    DurationMs, Holder, Maintenance, RateLimit, RouteRule, SpecialTariff, Success, Tariff, TimestampMs,
};

use super::{AFTERNOON, band, bank, channel, fen, ids, payment, router, tariff};
use crate::routing::backtest::{BackTest, Outcome, Recorded, Step};
use crate::routing::{AllOpen, OrderFacts, RouteRequest, RoutingRules, Scoring, Standing, Strategy, explain};

/// Success in per cent, latency and the month's volume by channel index.
#[derive(Default)]
struct Known {
    success: HashMap<usize, u32>,
    latency: HashMap<usize, u32>,
    month: HashMap<usize, u64>,
    no_token: Option<usize>,
    /// Refuses to give room on this channel once.
    contended: Cell<Option<usize>>,
}

impl Standing for Known {
    fn quota_used(&self, _index: usize, _channel: ChannelId, _day: u32) -> Amount {
        Amount::ZERO
    }

    fn is_healthy(&self, _index: usize, _channel: ChannelId, _now: TimestampMs) -> bool {
        true
    }

    fn month_used(&self, index: usize, _channel: ChannelId, _month: u32) -> Amount {
        fen(self.month.get(&index).copied().unwrap_or(0))
    }

    fn has_token(&self, index: usize, _channel: ChannelId, _now: TimestampMs) -> bool {
        self.no_token != Some(index)
    }

    fn success(&self, index: usize, _: ChannelId, _: Option<Bank>, _: Option<CardType>) -> Option<Success> {
        self.success.get(&index).map(|percent| Success::from_ppm(percent * 10_000))
    }

    fn latency_ms(&self, index: usize, _channel: ChannelId) -> Option<u32> {
        self.latency.get(&index).copied()
    }

    fn claim(&self, index: usize, _channel: ChannelId, _amount: Amount, _now: TimestampMs) -> bool {
        self.contended.take_if_is(index)
    }
}

trait TakeIf {
    fn take_if_is(&self, index: usize) -> bool;
}

impl TakeIf for Cell<Option<usize>> {
    /// Whether room is given: not to the contended channel, once.
    fn take_if_is(&self, index: usize) -> bool {
        let refused = self.get() == Some(index);
        if refused {
            self.set(None);
        }
        !refused
    }
}

/// Three channels at 0.2, 0.4 and 0.9 %.
fn three() -> Vec<Capability> {
    [2_000, 4_000, 9_000]
        .into_iter()
        .zip(1_u16..)
        .map(|(rate, n)| Capability { tariff: tariff(rate), ..channel(n, &format!("c{n}")) })
        .collect()
}

fn by(strategy: Strategy, scoring: Scoring) -> RoutingRules {
    RoutingRules { order: vec![strategy], scoring, ..RoutingRules::default() }
}

/// Nothing is drawn, so that tables say what is known alone.
const NO_DRAWS: Scoring =
    Scoring { explore_ppm: 0, eliminate_ppm: 200_000, given_up_ppm: 50_000, margin_ppm: 10_000 };

#[test]
fn by_success_and_by_value() {
    let known =
        |success: &[(usize, u32)]| Known { success: success.iter().copied().collect(), ..Known::default() };
    let (s, v) = (Strategy::Success, Strategy::Value);
    let cheapest = (1, RouteRule::LowestCost);
    let table = [
        // No data is not 100 %: the next strategy decides.
        (s, known(&[]), cheapest),
        (v, known(&[]), cheapest),
        (s, known(&[(1, 30)]), (2, RouteRule::SuccessRate)),
        (s, known(&[(0, 90), (1, 95), (2, 94)]), (2, RouteRule::SuccessRate)),
        // Below the floor nobody is chosen by success.
        (s, known(&[(1, 19)]), cheapest),
        (s, known(&[(1, 20)]), (2, RouteRule::SuccessRate)),
        // Equal success: the faster, then the cheaper.
        (
            s,
            Known { latency: [(2, 50), (1, 80)].into(), ..known(&[(1, 90), (2, 90)]) },
            (3, RouteRule::SuccessRate),
        ),
        (s, known(&[(1, 90), (2, 90)]), (2, RouteRule::SuccessRate)),
        // Margin 1 %: 0.8 × 90, 0.6 × 95, 0.1 × 99 per cent of the amount; the first gives up too much success.
        (v, known(&[(0, 90), (1, 95), (2, 99)]), (2, RouteRule::ExpectedValue)),
        (v, known(&[(0, 94), (1, 95), (2, 99)]), (1, RouteRule::ExpectedValue)),
        (v, known(&[(0, 93), (1, 92), (2, 99)]), (3, RouteRule::ExpectedValue)),
    ];
    for (row, (strategy, known, expected)) in table.into_iter().enumerate() {
        let route = router(three(), by(strategy, NO_DRAWS)).decide(&payment(), &known).unwrap();
        assert_eq!((route.channel.0, route.rule), expected, "row {row}");
    }
}

#[test]
fn what_was_looked_at_is_recorded_and_told() {
    let known = Known { success: [(0, 90), (1, 95), (2, 10)].into(), ..Known::default() };
    let router = router(three(), by(Strategy::Success, NO_DRAWS));
    let route = router.decide(&payment(), &known).unwrap();
    let verdicts: Vec<_> = route.because.iter().map(|one| one.verdict).collect();
    assert_eq!(verdicts, [Verdict::Ranked, Verdict::Chosen, Verdict::SuccessTooLow]);
    expect_test::expect![[r#"
        c1 could take the payment, fee 0.20 CNY, succeeds 90.00 % at the least, but another channel came before it
        c2 takes the payment: chosen by the highest success rate, fee 0.40 CNY, succeeds 95.00 % at the least
        c3 could take the payment, fee 0.90 CNY, succeeds 10.00 % at the least, but that is too rarely"#]]
    .assert_eq(&explain(&router, &route, suanpan_model::Currency::Cny).join("\n"));
}

#[test]
fn one_order_in_twenty_explores_and_always_the_same_ones() {
    let known = Known { success: [(0, 10), (1, 95)].into(), ..Known::default() };
    let router = router(three(), by(Strategy::Success, Scoring::default()));
    let mut explored = HashMap::new();
    for key in 0..20_000_u128 {
        let facts = OrderFacts { key, ..OrderFacts::default() };
        let request = RouteRequest { facts, ..payment() };
        let route = router.decide(&request, &known).unwrap();
        assert_eq!(router.decide(&request, &known).unwrap(), route);
        if route.trace.explored {
            *explored.entry(route.channel.0).or_insert(0) += 1;
            // A second attempt is no time to experiment.
            let again = RouteRequest { tried: &[ChannelId(9)], ..request };
            assert!(!router.decide(&again, &known).unwrap().trace.explored);
        } else {
            assert_eq!(route.channel, ChannelId(2));
        }
    }
    let all: i32 = explored.values().sum();
    assert!((850..1_150).contains(&all) && explored.values().all(|times| *times > 250), "{explored:?}");
}

#[test]
fn conditions_of_channels() {
    let with = |conditions: Conditions| {
        let mut channels = three();
        channels[0].conditions = conditions;
        channels
    };
    let window = |from: u64, until: u64| Maintenance {
        from: TimestampMs(AFTERNOON.0 + from),
        until: TimestampMs(AFTERNOON.0 + until),
    };
    let earlier = Maintenance { from: TimestampMs(0), until: AFTERNOON };
    let used = |minor| Known { month: [(0, minor)].into(), ..Known::default() };
    let plain = Conditions::default;
    let company = OrderFacts { holder: Some(Holder::Company), ..OrderFacts::default() };
    let of_company = RouteRequest { facts: company, ..payment() };
    let agreed =
        |minimum, maximum: u64| Some(Commitment { minimum: fen(minimum), maximum: Some(fen(maximum)) });
    // Conditions of the cheapest channel, payment of 10 000 fen, standing, what becomes of the channel.
    let table = [
        (plain(), payment(), Known::default(), Verdict::Chosen),
        (
            Conditions { holders: vec![Holder::Person], ..plain() },
            of_company,
            Known::default(),
            Verdict::Holder,
        ),
        (
            Conditions { holders: vec![Holder::Company], ..plain() },
            of_company,
            Known::default(),
            Verdict::Chosen,
        ),
        (
            Conditions { holders: vec![Holder::Person], ..plain() },
            payment(),
            Known::default(),
            Verdict::Chosen,
        ),
        (
            Conditions { maintenance: vec![earlier, window(0, 1)], ..plain() },
            payment(),
            Known::default(),
            Verdict::Maintenance,
        ),
        (
            Conditions { maintenance: vec![earlier, window(1, 2)], ..plain() },
            payment(),
            Known::default(),
            Verdict::Chosen,
        ),
        (
            Conditions { monthly_quota: Some(fen(30_000)), ..plain() },
            payment(),
            used(20_000),
            Verdict::Chosen,
        ),
        (
            Conditions { monthly_quota: Some(fen(30_000)), ..plain() },
            payment(),
            used(20_001),
            Verdict::MonthlyQuota,
        ),
        (Conditions { commitment: agreed(0, 30_000), ..plain() }, payment(), used(20_000), Verdict::Chosen),
        (
            Conditions { commitment: agreed(0, 30_000), ..plain() },
            payment(),
            used(20_001),
            Verdict::CommitmentReached,
        ),
        (
            Conditions { rate_limit: Some(RateLimit { per_second: 1, burst: 1 }), ..plain() },
            payment(),
            Known { no_token: Some(0), ..Known::default() },
            Verdict::RateLimited,
        ),
        (plain(), payment(), Known { no_token: Some(0), ..Known::default() }, Verdict::Chosen),
    ];
    for (row, (conditions, request, known, expected)) in table.into_iter().enumerate() {
        let router = router(with(conditions), by(Strategy::Cost, NO_DRAWS));
        let route = router.decide(&request, &known).unwrap();
        assert_eq!(route.because[0].verdict, expected, "row {row}");
        assert_eq!(route.channel.0, if expected == Verdict::Chosen { 1 } else { 2 }, "row {row}");
    }
}

#[test]
fn the_last_room_taken_by_another_payment_sends_this_one_on() {
    let router = router(three(), by(Strategy::Cost, NO_DRAWS));
    let known = Known { contended: Cell::new(Some(0)), ..Known::default() };
    let route = router.take(&payment(), &known).unwrap();
    assert_eq!((route.channel.0, route.because[0].verdict), (2, Verdict::Contended));
    assert_eq!(router.take(&payment(), &known).unwrap().channel.0, 1);
}

#[test]
fn prices_follow_bank_volume_and_own_cost() {
    let special = |code: Option<&str>, volume, rate| SpecialTariff {
        bank: code.map(bank),
        volume_from: fen(volume),
        tariff: Tariff { debit: vec![band(rate, 0)], credit: Vec::new() },
    };
    let mut channels = three();
    channels[2].conditions.special_tariffs = vec![
        special(None, 1_000_000, 3_000),
        special(Some("ICBC"), 0, 5_000),
        special(Some("ICBC"), 2_000_000, 1_000),
    ];
    // The own bank's fee is low, and so is not what its clearing costs: 0.50 yuan a payment.
    channels[0].conditions.own_cost = Some(band(0, 50));
    let router = router(channels, by(Strategy::Cost, NO_DRAWS));
    let table = [
        // Bank, volume of the month, fee of the third channel for 100 yuan, cheapest
        ("ICBC", 0, 50, 2),
        ("ICBC", 2_000_000, 10, 3),
        ("ICBC", 1_999_999, 50, 2),
        ("CMB", 0, 90, 2),
        ("CMB", 1_000_000, 30, 3),
        ("CMB", 999_999, 90, 2),
    ];
    for (code, volume, fee, cheapest) in table {
        let known = Known { month: [(2, volume)].into(), ..Known::default() };
        let request = RouteRequest { bank: Some(bank(code)), ..payment() };
        let route = router.decide(&request, &known).unwrap();
        assert_eq!((route.because[2].fee, route.channel.0), (fen(fee), cheapest), "{code} {volume}");
        // The fee that is booked is the channel's, without what else it costs.
        assert_eq!(route.because[0].fee, fen(20));
    }
}

#[test]
fn volume_that_was_promised_comes_first_while_it_is_behind() {
    let mut channels = three();
    let promised = |minimum| Some(Commitment { minimum: fen(minimum), maximum: None });
    channels[1].conditions.commitment = promised(3_000_000);
    channels[2].conditions.commitment = promised(300_000);
    let router = router(channels, by(Strategy::Commitment, NO_DRAWS));
    // 22 November 14:05: 71.9 % of the month have passed.
    let table = [
        (0, 0, 2, RouteRule::Commitment),
        (2_157_000, 300_000, 2, RouteRule::Commitment),
        (2_160_000, 300_000, 1, RouteRule::LowestCost),
        (2_000_000, 100_000, 3, RouteRule::Commitment), // further behind in proportion
        (2_160_000, 210_000, 3, RouteRule::Commitment),
    ];
    for (second, third, expected, rule) in table {
        let known = Known { month: [(1, second), (2, third)].into(), ..Known::default() };
        let route = router.decide(&payment(), &known).unwrap();
        assert_eq!((route.channel.0, route.rule), (expected, rule), "{second} {third}");
    }
}

fn recorded(n: u64, channel: u16, outcome: Outcome) -> Recorded {
    let request = payment();
    Recorded {
        at: AFTERNOON + DurationMs(n * 1_000),
        platform: request.platform,
        order_no: format!("A-{n}").into(),
        key: u128::from(n),
        kind: request.kind,
        currency: request.currency,
        bank: request.bank,
        card_type: request.card_type,
        amount: request.amount,
        payer: "U1".into(),
        sub_orders: Vec::new(),
        attributes: suanpan_model::OrderAttributes::default(),
        metadata: Vec::new(),
        channel: ChannelId(channel),
        fee: fen(90),
        outcome,
    }
}

#[test]
fn a_back_test_counts_cost_volume_and_changes() {
    // Draft: by cost, with room for two orders a day on the cheapest channel.
    let mut channels = three();
    channels[0].daily_quota = Some(fen(20_000));
    let draft = router(channels, by(Strategy::Cost, NO_DRAWS));
    let mut test = BackTest::new(&draft);
    let steps: Vec<Step> = (0..4).map(|n| test.step(&recorded(n, 3, Outcome::Paid))).collect();
    let moved = |channel, fee| Step::Changed {
        channel: ChannelId(channel),
        fee: fen(fee),
        rule: RouteRule::LowestCost,
        rule_no: 0,
    };
    assert_eq!(steps, [moved(1, 20), moved(1, 20), moved(2, 40), moved(2, 40)]);
    assert_eq!(test.step(&recorded(4, 2, Outcome::Unpaid)), Step::Same);
    let mut odd = recorded(5, 9, Outcome::Paid);
    odd.amount = fen(1_000_000_000);
    assert_eq!(test.step(&odd), Step::Lost);
    let sums = test.summary();
    assert_eq!((sums.orders, sums.changed, sums.lost, sums.unknown_channel), (6, 4, 1, 1));
    assert_eq!((sums.fees, sums.draft_fees), (540, 20 + 20 + 40 + 40 + 40));
    let of = |index: usize| sums.channels[index].1;
    assert_eq!((of(0).orders, of(0).draft_orders, of(0).draft_volume), (0, 2, 20_000));
    assert_eq!((of(2).orders, of(2).paid, of(2).fees, of(2).draft_orders), (4, 4, 360, 0));
}

#[test]
fn a_back_test_of_the_rules_in_force_changes_nothing_and_learns_from_what_happened() {
    let rules = RoutingRules { priority: ids(&[2, 1]), ..by(Strategy::Priority, NO_DRAWS) };
    let same = router(three(), rules);
    let mut test = BackTest::new(&same);
    for n in 0..50 {
        let request = RouteRequest { now: AFTERNOON + DurationMs(n * 1_000), ..payment() };
        let channel = same.decide(&request, &AllOpen).unwrap().channel.0;
        assert_eq!(test.step(&recorded(n, channel, Outcome::Paid)), Step::Same);
    }
    // Channel 2 goes down: a draft that looks at success leaves it, as the engine would.
    let draft = router(three(), by(Strategy::Success, NO_DRAWS));
    let mut test = BackTest::new(&draft);
    for n in 0..40 {
        test.step(&recorded(n, 3, Outcome::Paid));
    }
    for n in 40..60 {
        test.step(&recorded(n, 2, Outcome::ChannelFault));
    }
    let Step::Changed { channel, rule, .. } = test.step(&recorded(60, 2, Outcome::ChannelFault)) else {
        panic!("the draft stays on a dead channel")
    };
    assert_eq!((channel, rule), (ChannelId(3), RouteRule::SuccessRate));
}
