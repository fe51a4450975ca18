//! What holds for any channels, rules, payments and standings, and a naive twin as the oracle.

use std::collections::HashMap;

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use suanpan_model::CandidateVerdict as Verdict;
use suanpan_model::{
    Amount, Bank, Banks, Capability, CardType, ChannelId, Currency, PayKind, RouteRule, ServiceHours, Tariff,
    TariffBand, TimestampMs,
};

use super::{AFTERNOON, Board, PLATFORM, bank, channel, fen, payment as payment_of_tests};
use crate::routing::{
    AmountBand, Designation, RouteRequest, Router, RoutingRules, Standing, Strategy as Way, explain,
    explain_none,
};

const CODES: [&str; 4] = ["ICBC", "ABC", "BOC", "CCB"];
const CARDS: [CardType; 2] = [CardType::Debit, CardType::Credit];
const LARGEST: u64 = 1_000;

/// Channels, rules, a payment and a standing, small enough that every filter and rule comes up often.
#[derive(Clone, Debug)]
struct World {
    channels: Vec<Capability>,
    rules: RoutingRules,
    request: RouteRequest<'static>,
    tried: Vec<ChannelId>,
    board: Board,
}

impl World {
    fn router(&self) -> Router {
        Router::new(self.channels.clone(), self.rules.clone(), Vec::new()).unwrap()
    }

    fn request(&self) -> RouteRequest<'_> {
        RouteRequest { tried: &self.tried, ..self.request }
    }
}

fn any_bank() -> impl Strategy<Value = Bank> + Clone {
    select(&CODES[..]).prop_map(bank)
}

fn any_tariff() -> impl Strategy<Value = Tariff> {
    let price = (0..20_000_u32, 0..5_u64, 0..5_u64, option::of(3..30_u64));
    let bands = (btree_set(1..LARGEST, 0..3), vec(price, 3)).prop_map(|(limits, prices)| {
        let limits = limits.into_iter().map(|limit| Some(fen(limit))).chain([None]);
        let priced = limits.zip(prices).map(|(up_to, (rate_ppm, fixed, floor, cap))| TariffBand {
            up_to,
            rate_ppm,
            fixed: fen(fixed),
            floor: fen(floor),
            cap: cap.map(fen),
        });
        priced.collect::<Vec<_>>()
    });
    (bands.clone(), option::of(bands))
        .prop_map(|(debit, credit)| Tariff { debit, credit: credit.unwrap_or_default() })
}

/// All of `options` or, less often, some.
fn mostly<T: Clone + std::fmt::Debug + 'static>(options: Vec<T>) -> impl Strategy<Value = Vec<T>> {
    let all = options.clone();
    prop_oneof![4 => Just(all), 1 => subsequence(options, 1..=1)]
}

fn any_channel() -> impl Strategy<Value = Capability> {
    let offer = (
        proptest::bool::weighted(0.95),
        mostly(vec![PayKind::Gateway, PayKind::QuickPay]),
        mostly(vec![Currency::Cny, Currency::Jpy]),
        option::weighted(0.3, subsequence(CODES.to_vec(), 1..=4)),
        mostly(CARDS.to_vec()),
    );
    let limits = (0..LARGEST / 3, LARGEST / 2..LARGEST, option::of(LARGEST..4 * LARGEST));
    let hours = option::weighted(0.3, (0..1_440_u16, 0..=1_440_u16));
    (offer, limits, hours, any_tariff()).prop_map(|(offer, limits, hours, tariff)| {
        let (enabled, kinds, currencies, banks, card_types) = offer;
        let (least, most, quota) = limits;
        Capability {
            enabled,
            kinds,
            currencies,
            banks: banks.map_or(Banks::All, |codes| Banks::Only(codes.into_iter().map(bank).collect())),
            card_types,
            amount_min: fen(least),
            amount_max: fen(most),
            daily_quota: quota.map(fen),
            hours: hours.map(|(from_minute, until_minute)| ServiceHours { from_minute, until_minute }),
            tariff,
            ..channel(0, "")
        }
    })
}

fn any_rules(channels: usize) -> impl Strategy<Value = RoutingRules> {
    let numbers: Vec<u16> = (1..).take(channels).collect();
    let list = move || {
        let some = subsequence(numbers.clone(), 1..=numbers.len()).prop_shuffle();
        some.prop_map(|numbers| numbers.into_iter().map(ChannelId).collect::<Vec<_>>())
    };
    // Cuts into consecutive bands, of which some are left out, in any order.
    let bands =
        (btree_set(0..LARGEST, 0..5), vec((any::<bool>(), list()), 5))
            .prop_map(|(cuts, lists)| {
                let cuts: Vec<u64> = cuts.into_iter().collect();
                let cut = cuts.iter().enumerate().zip(lists);
                let kept = cut.filter(|(_, (keep, _))| *keep).map(|((index, from), (_, channels))| {
                    AmountBand { from: fen(*from), until: cuts.get(index + 1).copied().map(fen), channels }
                });
                kept.collect::<Vec<_>>()
            })
            .prop_shuffle();
    let mut keys = Vec::new();
    for code in CODES.into_iter().map(Some).chain([None]) {
        for card in CARDS.into_iter().map(Some).chain([None]) {
            keys.push((code.map(bank), card));
        }
    }
    keys.retain(|key| *key != (None, None));
    let designations = (subsequence(keys, 0..6).prop_shuffle(), vec(list(), 6)).prop_map(|(keys, lists)| {
        let paired = keys.into_iter().zip(lists);
        paired
            .map(|((bank, card_type), channels)| Designation { bank, card_type, channels })
            .collect::<Vec<_>>()
    });
    let order = subsequence(Way::ALL[..4].to_vec(), 0..=4).prop_shuffle();
    (0..9_u32, order, bands, designations, option::of(list())).prop_map(
        |(version, order, amount_bands, designations, priority)| RoutingRules {
            version,
            order,
            amount_bands,
            designations,
            priority: priority.unwrap_or_default(),
            ..RoutingRules::default()
        },
    )
}

fn any_world() -> impl Strategy<Value = World> {
    let payment = (
        0..86_400_000_u64,
        prop_oneof![30 => select(vec![PayKind::Gateway, PayKind::QuickPay]), 1 => Just(PayKind::Balance)],
        select(vec![Currency::Cny, Currency::Jpy]),
        option::of(any_bank()),
        option::of(select(&CARDS[..])),
        0..LARGEST,
    );
    vec(any_channel(), 1..12).prop_flat_map(move |mut channels| {
        for (channel, number) in channels.iter_mut().zip(1..) {
            channel.id = ChannelId(number);
            channel.name = format!("c{number}").into();
        }
        // A designation may only name banks that somebody lists.
        channels[0].banks = Banks::Only(CODES.map(bank).to_vec());
        let count = channels.len();
        let tried = vec((0..40_u16).prop_map(ChannelId), 0..4);
        let board = (vec((0..3 * LARGEST).prop_map(fen), count), vec(proptest::bool::weighted(0.15), count));
        (Just(channels), any_rules(count), payment.clone(), tried, board).prop_map(
            |(channels, rules, payment, tried, (used, sick))| {
                let (later, kind, currency, bank, card_type, amount) = payment;
                let now = TimestampMs(AFTERNOON.0 + later);
                let (platform, amount) = (PLATFORM, fen(amount));
                let request = RouteRequest {
                    now,
                    platform,
                    kind,
                    currency,
                    bank,
                    card_type,
                    amount,
                    ..payment_of_tests()
                };
                World { channels, rules, request, tried, board: Board { used, sick } }
            },
        )
    })
}

/// The filter as the text of the domain has it, one channel at a time.
fn naive_obstacle(world: &World, index: usize) -> Option<Verdict> {
    let (channel, request) = (&world.channels[index], world.request());
    let mut banks = channel.banks.clone();
    if let Banks::Only(only) = &mut banks {
        only.sort();
    }
    let used = world.board.quota_used(index, channel.id, request.now.beijing_day());
    let minute = request.now.beijing_minute();
    let filters = [
        (channel.enabled, Verdict::Disabled),
        (!request.tried.contains(&channel.id), Verdict::AlreadyTried),
        (channel.kinds.contains(&request.kind), Verdict::Kind),
        (channel.currencies.contains(&request.currency), Verdict::Currency),
        (banks.reach(request.bank), Verdict::Bank),
        (request.card_type.is_none_or(|card| channel.card_types.contains(&card)), Verdict::CardType),
        (request.amount >= channel.amount_min, Verdict::BelowMinimum),
        (request.amount <= channel.amount_max, Verdict::AboveMaximum),
        (channel.hours.is_none_or(|hours| hours.contain(minute)), Verdict::Hours),
        (channel.daily_quota.is_none_or(|quota| used.plus(request.amount) <= quota), Verdict::Quota),
        (world.board.is_healthy(index, channel.id, request.now), Verdict::Unhealthy),
    ];
    filters.into_iter().find_map(|(passes, verdict)| (!passes).then_some(verdict))
}

fn naive_fee(world: &World, channel: ChannelId) -> Amount {
    let channel = world.channels.iter().find(|found| found.id == channel).unwrap();
    channel.tariff.fee(world.request.amount, world.request.card_type)
}

/// The choice as the text of the domain has it, by searching through everything.
fn naive_choice(world: &World) -> Option<(ChannelId, RouteRule)> {
    let (rules, request) = (&world.rules, world.request());
    let capable: Vec<ChannelId> = (0..world.channels.len())
        .filter(|index| naive_obstacle(world, *index).is_none())
        .map(|index| world.channels[index].id)
        .collect();
    let first = |list: &[ChannelId]| list.iter().copied().find(|channel| capable.contains(channel));
    let cheapest = capable.iter().copied().min_by_key(|channel| naive_fee(world, *channel))?;
    for way in &rules.order {
        let found = match way {
            Way::Amount => {
                let holds = |band: &&AmountBand| {
                    band.from <= request.amount && band.until.is_none_or(|until| request.amount < until)
                };
                rules.amount_bands.iter().filter(holds).find_map(|band| first(&band.channels))
            }
            Way::Cost => Some(cheapest),
            Way::Designated => {
                let matches = |designation: &&Designation| {
                    (designation.bank.is_none() || designation.bank == request.bank)
                        && (designation.card_type.is_none() || designation.card_type == request.card_type)
                };
                let mut matching: Vec<_> = rules.designations.iter().filter(matches).collect();
                matching.sort_by_key(|found| (found.bank.is_none(), found.card_type.is_none()));
                matching.into_iter().find_map(|found| first(&found.channels))
            }
            Way::Priority => first(&rules.priority),
            Way::Rules | Way::Weights | Way::Success | Way::Value | Way::Commitment => None,
        };
        if let Some(channel) = found {
            let rule = match way {
                Way::Amount => RouteRule::AmountBand,
                Way::Designated => RouteRule::Designated,
                Way::Priority => RouteRule::Priority,
                Way::Cost | Way::Rules | Way::Weights | Way::Success | Way::Value | Way::Commitment => {
                    RouteRule::LowestCost
                }
            };
            return Some((channel, rule));
        }
    }
    Some((cheapest, RouteRule::LowestCost))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn the_fast_router_agrees_with_the_naive_one(world in any_world()) {
        let found = world.router().decide(&world.request(), &world.board);
        let expected = naive_choice(&world);
        prop_assert_eq!(found.as_ref().ok().map(|route| (route.channel, route.rule)), expected);
        let (because, version) = match &found {
            Ok(route) => (&route.because, route.rules_version),
            Err(none) => (&none.because, none.rules_version),
        };
        prop_assert_eq!(version, world.rules.version);
        prop_assert_eq!(because.len(), world.channels.len());
        for (index, candidate) in because.iter().enumerate() {
            prop_assert_eq!(candidate.channel, world.channels[index].id);
            let expected = match naive_obstacle(&world, index) {
                Some(obstacle) => (obstacle, Amount::ZERO),
                None if found.as_ref().is_ok_and(|route| route.channel == candidate.channel) => {
                    (Verdict::Chosen, naive_fee(&world, candidate.channel))
                }
                None => (Verdict::Ranked, naive_fee(&world, candidate.channel)),
            };
            prop_assert_eq!((candidate.verdict, candidate.fee), expected);
        }
    }

    #[test]
    fn the_same_question_has_the_same_answer(world in any_world()) {
        let router = world.router();
        let first = router.decide(&world.request(), &world.board);
        prop_assert_eq!(&first, &router.decide(&world.request(), &world.board));
        prop_assert_eq!(&first, &world.router().decide(&world.request(), &world.board));
    }

    #[test]
    fn a_chosen_channel_can_take_the_payment(world in any_world()) {
        let router = world.router();
        let request = world.request();
        if let Ok(route) = router.decide(&request, &world.board) {
            let channel = router.capability(route.channel).unwrap();
            let index = world.channels.iter().position(|found| found.id == route.channel).unwrap();
            prop_assert!(channel.enabled && !request.tried.contains(&channel.id));
            prop_assert!(channel.amount_min <= request.amount && request.amount <= channel.amount_max);
            prop_assert!(channel.banks.reach(request.bank));
            prop_assert!(channel.hours.is_none_or(|hours| hours.contain(request.now.beijing_minute())));
            let total = world.board.used[index].plus(request.amount);
            prop_assert!(channel.daily_quota.is_none_or(|quota| total <= quota));
            prop_assert!(!world.board.sick[index]);
        }
    }

    #[test]
    fn by_cost_nothing_capable_is_cheaper(world in any_world()) {
        let world = World { rules: RoutingRules { order: vec![Way::Cost], ..world.rules }, ..world };
        if let Ok(route) = world.router().decide(&world.request(), &world.board) {
            prop_assert_eq!(route.rule, RouteRule::LowestCost);
            let capable = route.because.iter().filter(|candidate| candidate.verdict.is_capable());
            let first = capable.min_by_key(|candidate| naive_fee(&world, candidate.channel)).unwrap();
            prop_assert_eq!((route.channel, route.fee), (first.channel, first.fee));
        }
    }

    #[test]
    fn the_explanation_agrees_with_the_decision(world in any_world()) {
        let router = world.router();
        match router.decide(&world.request(), &world.board) {
            Ok(route) => {
                let chosen: Vec<_> =
                    route.because.iter().filter(|found| found.verdict == Verdict::Chosen).collect();
                prop_assert_eq!(chosen.len(), 1);
                prop_assert_eq!((chosen[0].channel, chosen[0].fee), (route.channel, route.fee));
                let lines = explain(&router, &route, world.request.currency);
                prop_assert_eq!(lines.len(), route.because.len());
                let taking = lines.iter().filter(|line| line.contains("takes the payment")).count();
                prop_assert_eq!(taking, 1);
            }
            Err(none) => {
                prop_assert!(none.because.iter().all(|found| !found.verdict.is_capable()));
                prop_assert_eq!(explain_none(&router, &none).len(), none.because.len());
            }
        }
    }
}

/// The canary: worlds in which some verdict or rule never came up would prove nothing about it.
#[test]
fn the_worlds_meet_every_verdict_and_every_rule() {
    let mut runner = TestRunner::deterministic();
    let (mut verdicts, mut rules, mut refused) = (HashMap::new(), HashMap::new(), 0);
    for _ in 0..2_000 {
        let world = any_world().new_tree(&mut runner).unwrap().current();
        let because = match world.router().decide(&world.request(), &world.board) {
            Ok(route) => {
                *rules.entry(route.rule).or_insert(0) += 1;
                route.because
            }
            Err(none) => {
                refused += 1;
                none.because
            }
        };
        for candidate in because {
            *verdicts.entry(candidate.verdict).or_insert(0) += 1;
        }
    }
    assert_eq!((verdicts.len(), rules.len()), (13, 4));
    assert!(verdicts.values().chain(rules.values()).all(|times| *times >= 50), "{verdicts:?} {rules:?}");
    assert!((100..1_500).contains(&refused), "{refused}");
}
