//! Random lives: first channels and malls do anything, the truth included; then the world heals and every order
//! must end.

use std::collections::HashMap;

use proptest::prelude::*;
use suanpan_model::channel::{NotSentWhy, UnknownWhy};
use suanpan_model::policy::{FeeBearer, LatePayment};
use suanpan_model::{
    ChannelOp, ChannelReport, ChannelRequest, DurationMs, FailureKind, OrderCommand, OrderId, OrderStatus,
    OrderTerms, Outcome, PayKind, PayerAction, ReportSource, SplitRule, TimestampMs,
};

use super::build::*;
use super::world::World;

#[derive(Clone, Debug)]
enum Step {
    Order {
        kind: u8,
        amounts: Vec<u64>,
        with_coupon: bool,
        escrow: bool,
        splits: u8,
        who: u8,
    },
    /// Anything that a channel can say about any attempt.
    Hear {
        order: usize,
        attempt: u8,
        source: u8,
        outcome: u8,
    },
    HearOfRefund {
        order: usize,
        refund: u8,
        outcome: u8,
    },
    Release {
        order: usize,
        sub_order: Option<u8>,
        amount: Option<u64>,
    },
    Refund {
        order: usize,
        number: u8,
        amount: Option<u64>,
    },
    Command {
        order: usize,
        command: u8,
    },
    /// The channel's true answer to a call, late as it may be; the call may also get lost.
    Answer {
        call: usize,
        dice: u8,
    },
    Sleep {
        secs: u64,
    },
    Wake,
}

fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![Just(1_u64), Just(7), Just(997), 1_u64..20_000, 4_990_u64..5_010]
}

fn step() -> impl Strategy<Value = Step> {
    let order = 0_usize..6;
    let some_amount = prop::option::weighted(0.7, prop_oneof![1_u64..20, 1_u64..10_000, Just(0)]);
    prop_oneof![
        3 => (0_u8..3, prop::collection::vec(amount(), 1..4), any::<bool>(), prop::bool::weighted(0.8), 0_u8..5, any::<u8>())
            .prop_map(|(kind, amounts, with_coupon, escrow, splits, who)| Step::Order { kind, amounts, with_coupon, escrow, splits, who }),
        6 => (order.clone(), 1_u8..4, 0_u8..4, 0_u8..16)
            .prop_map(|(order, attempt, source, outcome)| Step::Hear { order, attempt, source, outcome }),
        3 => (order.clone(), 1_u8..4, 0_u8..16).prop_map(|(order, refund, outcome)| Step::HearOfRefund { order, refund, outcome }),
        3 => (order.clone(), prop::option::of(0_u8..3), some_amount.clone())
            .prop_map(|(order, sub_order, amount)| Step::Release { order, sub_order, amount }),
        3 => (order.clone(), 0_u8..5, some_amount).prop_map(|(order, number, amount)| Step::Refund { order, number, amount }),
        3 => (order, 0_u8..6).prop_map(|(order, command)| Step::Command { order, command }),
        6 => (0_usize..8, any::<u8>()).prop_map(|(call, dice)| Step::Answer { call, dice }),
        2 => prop_oneof![1_u64..10, 1_u64..4_000, 1_u64..1_000_000].prop_map(|secs| Step::Sleep { secs }),
        3 => Just(Step::Wake),
    ]
}

/// What a channel did with a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    Open,
    Paid,
    Failed(FailureKind),
    Closed,
}

/// The channels' own books.
#[derive(Default)]
struct Channels {
    payments: HashMap<(OrderId, u8), Truth>,
    refunds: HashMap<(OrderId, u8), bool>,
}

impl Channels {
    fn answer(&mut self, call: &ChannelRequest, now: TimestampMs, dice: u8) -> Outcome {
        let key = (call.order, call.attempt.0);
        if let Some(truth) = self.payments.get_mut(&key).filter(|truth| **truth == Truth::Open)
            && call.terms.expires_at <= now
        {
            *truth = Truth::Closed;
        }
        match &call.op {
            ChannelOp::Pay => {
                let fate = match dice % 6 {
                    0 | 1 => Truth::Paid,
                    2 => Truth::Failed(FailureKind::Payer),
                    3 => Truth::Failed(FailureKind::Limit),
                    _ => Truth::Open,
                };
                self.payments.entry(key).or_insert(fate);
                self.tells(call, if dice.is_multiple_of(2) { redirect() } else { Some(PayerAction::SmsCode) })
            }
            ChannelOp::Confirm { .. } => {
                if let Some(truth) = self.payments.get_mut(&key).filter(|truth| **truth == Truth::Open) {
                    *truth = Truth::Paid;
                }
                self.tells(call, None)
            }
            ChannelOp::Query => self.tells(call, None),
            ChannelOp::Close => match self.payments.get_mut(&key) {
                Some(Truth::Paid) => Outcome::Unknown(UnknownWhy::ChannelSaysUnknown),
                Some(Truth::Failed(_)) => refused(FailureKind::Request),
                Some(truth @ (Truth::Open | Truth::Closed)) => {
                    *truth = Truth::Closed;
                    Outcome::Closed
                }
                None => Outcome::NotFound,
            },
            ChannelOp::Refund { refund } => {
                let done = *self.refunds.entry((call.order, *refund)).or_insert(!dice.is_multiple_of(5));
                if done { back(call) } else { refused(FailureKind::Payer) }
            }
            ChannelOp::QueryRefund { refund } => match self.refunds.get(&(call.order, *refund)) {
                Some(true) => back(call),
                Some(false) => refused(FailureKind::Payer),
                None => Outcome::NotFound,
            },
        }
    }

    fn tells(&self, call: &ChannelRequest, action: Option<PayerAction>) -> Outcome {
        match self.payments.get(&(call.order, call.attempt.0)) {
            None => Outcome::NotFound,
            Some(Truth::Open) if action.is_some() => accepted(action),
            Some(Truth::Open) => Outcome::Processing,
            Some(Truth::Paid) => back(call),
            Some(Truth::Failed(kind)) => refused(*kind),
            Some(Truth::Closed) => Outcome::Closed,
        }
    }
}

fn back(call: &ChannelRequest) -> Outcome {
    Outcome::Succeeded { channel_no: "C-1".into(), amount: call.amount, fee: None }
}

fn source(call: &ChannelRequest) -> ReportSource {
    match call.op {
        ChannelOp::Pay | ChannelOp::Confirm { .. } => ReportSource::PayAnswer,
        ChannelOp::Query => ReportSource::QueryAnswer,
        ChannelOp::Close => ReportSource::CloseAnswer,
        ChannelOp::Refund { refund } | ChannelOp::QueryRefund { refund } => ReportSource::Refund { refund },
    }
}

fn answered(world: &mut World, channels: &mut Channels, index: usize, dice: u8) {
    let call = world.calls.remove(index);
    let outcome = channels.answer(&call, world.now, dice);
    let (channel, order, attempt) = (call.channel, call.order, call.attempt);
    let report = ChannelReport { channel, order, attempt, source: source(&call), outcome };
    world.does(call.order, &OrderCommand::Report(report));
}

fn said(number: u8, payable: suanpan_model::Amount) -> Outcome {
    let succeeded =
        |amount, channel_no: &str, fee| Outcome::Succeeded { channel_no: channel_no.into(), amount, fee };
    match number {
        0..=3 => succeeded(payable, "C-1", None),
        4 => succeeded(payable, "C-2", Some(fen(3))),
        5 => succeeded(payable.plus(fen(1)), "C-1", None),
        6 => refused(FailureKind::Payer),
        7 | 8 => refused(FailureKind::Limit),
        9 => Outcome::Processing,
        10 => Outcome::Unknown(UnknownWhy::Timeout),
        11 => Outcome::NotFound,
        12 => Outcome::Closed,
        13 => Outcome::NotSent(NotSentWhy::QueueFull),
        14 => accepted(Some(PayerAction::SmsCode)),
        _ => accepted(redirect()),
    }
}

fn terms_of(
    world: &World,
    kind: u8,
    amounts: &[u64],
    with_coupon: bool,
    escrow: bool,
    splits: u8,
    who: u8,
) -> OrderTerms {
    let total: u64 = amounts.iter().sum();
    let rules: Vec<SplitRule> = match splits {
        0 => vec![],
        1 => vec![bps(house(), 600)],
        2 => vec![bps(house(), 777), fixed(agent(1), total / 10)],
        3 => vec![bps(agent(1), 999), bps(agent(2), 999), bps(agent(3), 999)],
        _ => vec![fixed(agent(2), total / 7), bps(house(), 1)],
    };
    OrderTerms {
        order_no: format!("A-{}", world.orders.len()).into(),
        kind: [PayKind::Gateway, PayKind::QuickPay, PayKind::Balance][usize::from(kind)],
        agreement_no: "AG".into(),
        payer_account: Some(buyer(u64::from(who % 3) + 1)),
        amount: fen(total),
        sub_orders: amounts
            .iter()
            .enumerate()
            .map(|(index, amount)| sold(index as u64 + 1, *amount))
            .collect(),
        splits: rules.into_iter().collect(),
        coupon: if with_coupon { coupon(1_000) } else { None },
        expires_at: world.now + TTL,
        escrow,
        ..terms()
    }
}

fn take(world: &mut World, channels: &mut Channels, step: &Step) {
    let ids: Vec<OrderId> = world.orders.keys().copied().collect();
    let chosen = |order: usize| ids.get(order % ids.len().max(1)).copied();
    match step {
        Step::Order { kind, amounts, with_coupon, escrow, splits, who } => {
            let terms = terms_of(world, *kind, amounts, *with_coupon, *escrow, *splits, *who);
            world.orders(terms, *who);
        }
        Step::Hear { order, attempt, source, outcome } => {
            let Some(id) = chosen(*order) else { return };
            use ReportSource::{CloseAnswer, PayAnswer, PayNotice, QueryAnswer};
            let source = [PayAnswer, PayNotice, QueryAnswer, CloseAnswer][usize::from(*source)];
            let order = &world.orders[&id];
            let command = report(order, *attempt, source, said(*outcome, order.terms.payable()));
            world.does(id, &command);
        }
        Step::HearOfRefund { order, refund, outcome } => {
            let Some(id) = chosen(*order) else { return };
            let Some(known) = world.orders[&id].refund(*refund) else { return };
            let source = ReportSource::Refund { refund: *refund };
            let command = report(&world.orders[&id], known.attempt.0, source, said(*outcome, known.to_payer));
            world.does(id, &command);
        }
        Step::Release { order, sub_order, amount } => {
            let Some(id) = chosen(*order) else { return };
            world.does(id, &OrderCommand::Release { sub_order: *sub_order, amount: amount.map(fen) });
        }
        Step::Refund { order, number, amount } => {
            let Some(id) = chosen(*order) else { return };
            let refund_no = format!("R-{number}").into();
            world.does(id, &OrderCommand::Refund { refund_no, amount: amount.map(fen) });
        }
        Step::Command { order, command } => {
            let Some(id) = chosen(*order) else { return };
            let command = match command {
                0 => OrderCommand::Close,
                1 => OrderCommand::ConfirmSms { sms_code: "1".into() },
                2 => OrderCommand::OpenDispute,
                3 => OrderCommand::ResolveDispute,
                4 => OrderCommand::Recover,
                _ => OrderCommand::Wake,
            };
            world.does(id, &command);
        }
        Step::Answer { call, dice } => {
            if !world.calls.is_empty() {
                answered(world, channels, call % world.calls.len(), *dice);
            }
        }
        Step::Sleep { secs } => world.sleeps(DurationMs::from_secs(*secs)),
        Step::Wake => world.wakes(),
    }
}

/// No lies, no losses: every order ends, and only what a channel has never heard of is still asked about.
fn heals(world: &mut World, channels: &mut Channels) {
    let ids: Vec<OrderId> = world.orders.keys().copied().collect();
    for id in ids {
        world.does(id, &OrderCommand::ResolveDispute);
    }
    world.calls.clear();
    for _ in 0..200 * (world.orders.len() + 1) {
        let due = world
            .orders
            .values()
            .filter(|order| !is_over(order, channels))
            .map(|order| order.next_due())
            .min();
        let Some(due) = due else { return };
        assert!(due < TimestampMs::NEVER, "an order that is not over waits for nobody");
        world.now = world.now.max(due);
        world.wakes();
        for round in 0.. {
            assert!(round < 1_000, "calls and answers chase each other");
            if world.calls.is_empty() {
                break;
            }
            answered(world, channels, 0, 0);
        }
        world.check();
    }
    let stuck: Vec<_> =
        world.orders.values().filter(|order| !is_over(order, channels)).map(standing).collect();
    panic!("never ends: {stuck:?}");
}

fn is_over(order: &suanpan_model::Order, channels: &Channels) -> bool {
    let unheard =
        |attempt: &suanpan_model::order::Attempt| !channels.payments.contains_key(&(order.id, attempt.no.0));
    order.status.is_final()
        && order.alive().is_none_or(unheard)
        && order.refunds.iter().all(|refund| !refund.state.is_alive())
}

fn shop(fee_bearer: FeeBearer, late_payment: LatePayment) -> Shop {
    let mut shop = Shop::default();
    shop.policy.fee_bearer = fee_bearer;
    shop.policy.late_payment = late_payment;
    shop
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_books_hold_and_every_order_ends(
        steps in prop::collection::vec(step(), 1..60),
        platform_bears in any::<bool>(),
        parks in any::<bool>(),
    ) {
        let bearer = if platform_bears { FeeBearer::Platform } else { FeeBearer::Merchant };
        let late = if parks { LatePayment::Park } else { LatePayment::Refund };
        let mut world = World::new(shop(bearer, late));
        let mut channels = Channels::default();
        for step in &steps {
            take(&mut world, &mut channels, step);
            world.check();
        }
        heals(&mut world, &mut channels);
        world.check();
        world.check_replay();
    }
}

/// The random lives are worth their time only if they come by every status and every kind of event.
#[test]
fn lives_come_by_everything() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    use suanpan_model::event::EventKind;
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..300 {
        let steps = prop::collection::vec(step(), 60).new_tree(&mut runner).unwrap().current();
        let mut world = World::new(Shop::default());
        let mut channels = Channels::default();
        for step in &steps {
            take(&mut world, &mut channels, step);
        }
        for order in world.orders.values() {
            seen.extend(order.steps.iter().map(|step| (step.kind, step.status)));
        }
    }
    for kind in EventKind::ALL {
        assert!(seen.iter().any(|(seen, _)| *seen == kind), "{} never happened", kind.name());
    }
    for status in OrderStatus::ALL {
        assert!(seen.iter().any(|(_, seen)| *seen == status), "{status} was never reached");
    }
}
