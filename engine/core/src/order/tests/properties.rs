//! Random lives: first channels and malls do anything, the truth included; then the world heals and every order
//! must end.

use std::collections::HashMap;

use proptest::prelude::*;
use suanpan_model::channel::{NotSentWhy, UnknownWhy};
use suanpan_model::policy::{Agreement, FeeBearer, LatePayment, RefundedFee, Shortfall};
use suanpan_model::refund::FinishWay;
use suanpan_model::{
    AttemptNo, Campaign, ChannelOp, ChannelReport, ChannelRequest, DurationMs, EntryCode, FailureKind,
    OrderCommand, OrderId, OrderStatus, OrderTerms, Outcome, PayKind, PayerAction, ReportSource, Share,
    SplitRule, Tier, TimestampMs,
};

use super::build::*;
use super::twin::receivers;
use super::world::World;

#[derive(Clone, Debug)]
enum Step {
    Order {
        kind: u8,
        amounts: Vec<u64>,
        coupons: u8,
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
    /// A milestone with payees of its own.
    Milestone {
        order: usize,
        amount: u64,
        agent: u8,
    },
    Refund {
        order: usize,
        number: u8,
        sub_order: Option<u8>,
        amount: Option<u64>,
    },
    /// A dispute ends by giving something back.
    Resolve {
        order: usize,
        number: u8,
        amount: Option<u64>,
    },
    /// A receiver spends what it has.
    Spend {
        receiver: usize,
        amount: u64,
    },
    /// An operator ends a refund, or decides about a parked payment.
    Operate {
        order: usize,
        number: u8,
        way: u8,
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
        3 => (0_u8..3, prop::collection::vec(amount(), 1..4), 0_u8..4, prop::bool::weighted(0.8), 0_u8..7, any::<u8>())
            .prop_map(|(kind, amounts, coupons, escrow, splits, who)| Step::Order { kind, amounts, coupons, escrow, splits, who }),
        6 => (order.clone(), 1_u8..4, 0_u8..4, 0_u8..16)
            .prop_map(|(order, attempt, source, outcome)| Step::Hear { order, attempt, source, outcome }),
        3 => (order.clone(), 1_u8..4, 0_u8..18).prop_map(|(order, refund, outcome)| Step::HearOfRefund { order, refund, outcome }),
        3 => (order.clone(), prop::option::of(0_u8..3), some_amount.clone())
            .prop_map(|(order, sub_order, amount)| Step::Release { order, sub_order, amount }),
        3 => (order.clone(), 0_u8..5, prop::option::weighted(0.3, 0_u8..3), some_amount.clone())
            .prop_map(|(order, number, sub_order, amount)| Step::Refund { order, number, sub_order, amount }),
        1 => (order.clone(), 1_u64..3_000, 1_u8..4).prop_map(|(order, amount, agent)| Step::Milestone { order, amount, agent }),
        1 => (order.clone(), 5_u8..8, some_amount).prop_map(|(order, number, amount)| Step::Resolve { order, number, amount }),
        2 => (0_usize..6, 1_u64..12_000).prop_map(|(receiver, amount)| Step::Spend { receiver, amount }),
        2 => (order.clone(), 1_u8..4, 0_u8..5).prop_map(|(order, number, way)| Step::Operate { order, number, way }),
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
        16 => Outcome::Abnormal { code: "E2".into() },
        17 => Outcome::Bounced { amount: payable, code: "E3".into() },
        _ => accepted(redirect()),
    }
}

fn terms_of(
    world: &World,
    kind: u8,
    amounts: &[u64],
    coupons: u8,
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
        4 => vec![fixed(agent(2), total / 7), bps(house(), 1)],
        // Levels: an agent, its sub-agent, and the rest of that one's part to a third.
        5 => {
            let within = |rule, place| SplitRule { within: Some(place), ..rule };
            vec![
                bps(agent(1), 2_999),
                within(bps(agent(2), 3_333), 0),
                within(SplitRule::new(agent(3), Share::Remainder), 1),
            ]
        }
        _ => {
            let tiers = [(0, 100), (500, 777), (10_000, 2_000)];
            let tiers = tiers.map(|(from, bps)| Tier { from: fen(from), bps });
            vec![SplitRule::new(agent(1), Share::Tiered(Box::new(tiers))), bps(house(), 999)]
        }
    };
    let (usual, stamp) = (campaign(), stamp());
    let campaigns: &[&Campaign] = match coupons {
        0 => &[],
        1 => &[&usual],
        _ => &[&stamp],
    };
    let terms = OrderTerms {
        payer: ["alice", "bob", "carol"][usize::from(who % 3)].into(),
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
        expires_at: world.now + TTL,
        escrow,
        ..terms()
    };
    with_coupons(campaigns, terms)
}

fn take(world: &mut World, channels: &mut Channels, step: &Step) {
    let ids: Vec<OrderId> = world.orders.keys().copied().collect();
    let chosen = |order: usize| ids.get(order % ids.len().max(1)).copied();
    match step {
        Step::Order { kind, amounts, coupons, escrow, splits, who } => {
            let terms = terms_of(world, *kind, amounts, *coupons, *escrow, *splits, *who);
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
            let number = world.orders[&id].releases.len();
            world.does(id, &release(&format!("L-{number}"), *sub_order, *amount));
        }
        Step::Milestone { order, amount, agent: number } => {
            let Some(id) = chosen(*order) else { return };
            let release_no = format!("L-{}", world.orders[&id].releases.len()).into();
            let payees = vec![bps(agent(u64::from(*number)), 2_500), fixed(house(), amount / 20)];
            let amount = Some(fen(*amount));
            world.does(id, &OrderCommand::Release { release_no, sub_order: None, amount, payees });
        }
        Step::Refund { order, number, sub_order, amount } => {
            let Some(id) = chosen(*order) else { return };
            world.does(id, &refund(&format!("R-{number}"), *sub_order, *amount));
        }
        Step::Resolve { order, number, amount } => {
            let Some(id) = chosen(*order) else { return };
            let refund = Some(wanted(&format!("R-{number}"), None, *amount));
            world.does(id, &OrderCommand::ResolveDispute { refund });
        }
        Step::Spend { receiver, amount } => world.spends(receivers()[*receiver], *amount),
        Step::Operate { order, number, way } => {
            let Some(id) = chosen(*order) else { return };
            let finish = |way| OrderCommand::FinishRefund { refund: *number, way, note: "".into() };
            let attempt = AttemptNo(*number);
            let command = match way {
                0 => finish(FinishWay::Outside),
                1 => finish(FinishWay::Resend),
                2 => finish(FinishWay::GiveUp),
                3 => OrderCommand::ReturnParked { attempt },
                _ => OrderCommand::Reopen { attempt },
            };
            world.does(id, &command);
        }
        Step::Command { order, command } => {
            let Some(id) = chosen(*order) else { return };
            let command = match command {
                0 => OrderCommand::Close,
                1 => OrderCommand::ConfirmSms { sms_code: "1".into() },
                2 => OrderCommand::OpenDispute,
                3 => OrderCommand::ResolveDispute { refund: None },
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

/// No lies, no losses, operators do their work: every order ends, and only what a channel has never heard of is still asked about.
fn heals(world: &mut World, channels: &mut Channels) {
    let ids: Vec<OrderId> = world.orders.keys().copied().collect();
    for id in ids {
        world.does(id, &OrderCommand::ResolveDispute { refund: None });
        let parked: Vec<AttemptNo> = world.orders[&id].parked().map(|attempt| attempt.no).collect();
        for attempt in parked {
            world.does(id, &OrderCommand::ReturnParked { attempt });
        }
        let stuck = world.orders[&id].refunds.iter().filter(|refund| refund.state.needs_operator());
        for refund in stuck.map(|refund| refund.no).collect::<Vec<_>>() {
            let way = FinishWay::Outside;
            world.does(id, &OrderCommand::FinishRefund { refund, way, note: "".into() });
        }
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

fn agreement() -> impl Strategy<Value = Agreement> {
    let bearer = prop_oneof![3 => Just(FeeBearer::Merchant), 1 => Just(FeeBearer::Platform)];
    let late = prop_oneof![Just(LatePayment::Refund), Just(LatePayment::Park), Just(LatePayment::Reopen)];
    let fee = prop_oneof![Just(RefundedFee::Keep), Just(RefundedFee::Return)];
    let short = prop_oneof![Just(Shortfall::Debt), Just(Shortfall::Advance), Just(Shortfall::Refuse)];
    (bearer, late, fee, short).prop_map(|(fee_bearer, late_payment, refunded_fee, shortfall)| Agreement {
        fee_bearer,
        late_payment,
        refunded_fee,
        shortfall,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_books_hold_and_every_order_ends(
        steps in prop::collection::vec(step(), 1..60),
        agreement in agreement(),
    ) {
        let mut shop = Shop::default();
        shop.policy.agreement = agreement;
        let mut world = World::new(shop);
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

/// One step of an order that is paid and will be undone.
#[derive(Clone, Debug)]
enum Change {
    Release { sub_order: Option<u8>, amount: Option<u64> },
    Milestone { amount: u64, agent: u8 },
    Refund { sub_order: Option<u8>, amount: u64 },
    Dispute { amount: Option<u64> },
}

fn change() -> impl Strategy<Value = Change> {
    let part = || prop_oneof![1_u64..20, 1_u64..9_000];
    let place = || prop::option::weighted(0.4, 0_u8..3);
    prop_oneof![
        (place(), prop::option::weighted(0.8, part()))
            .prop_map(|(sub_order, amount)| Change::Release { sub_order, amount }),
        (part(), 1_u8..4).prop_map(|(amount, agent)| Change::Milestone { amount, agent }),
        (place(), part()).prop_map(|(sub_order, amount)| Change::Refund { sub_order, amount }),
        prop::option::weighted(0.6, part()).prop_map(|amount| Change::Dispute { amount }),
    ]
}

fn changes(world: &mut World, id: OrderId, change: &Change, number: usize) {
    let no = |kind: &str| format!("{kind}-{number}");
    match change {
        Change::Release { sub_order, amount } => {
            world.does(id, &release(&no("L"), *sub_order, *amount));
        }
        Change::Milestone { amount, agent: receiver } => {
            let payees = vec![bps(agent(u64::from(*receiver)), 1_777), fixed(house(), amount / 10)];
            let (release_no, amount) = (no("L").into(), Some(fen(*amount)));
            world.does(id, &OrderCommand::Release { release_no, sub_order: None, amount, payees });
        }
        Change::Refund { sub_order, amount } => {
            world.does(id, &refund(&no("R"), *sub_order, Some(*amount)));
        }
        Change::Dispute { amount } => {
            world.does(id, &OrderCommand::OpenDispute);
            let refund = amount.map(|amount| wanted(&no("R"), None, Some(amount)));
            world.does(id, &OrderCommand::ResolveDispute { refund });
            world.does(id, &OrderCommand::ResolveDispute { refund: None });
        }
    }
}

/// Every channel does what it is asked for, at once.
fn settles_calls(world: &mut World) {
    while let Some(call) = world.calls.pop() {
        let (channel, order, attempt, outcome) = (call.channel, call.order, call.attempt, back(&call));
        let report = ChannelReport { channel, order, attempt, source: source(&call), outcome };
        world.does(call.order, &OrderCommand::Report(report));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever was released, in whatever parts and to whomever: once everything is refunded, every account stands where
    /// it stood, and only the channel's fee is gone.
    #[test]
    fn full_unwinding_leaves_every_account_where_it_was(
        kind in 0_u8..3,
        amounts in prop::collection::vec(amount(), 1..4),
        coupons in 0_u8..3,
        splits in 0_u8..7,
        escrow in prop::bool::weighted(0.8),
        changes_before in prop::collection::vec(change(), 0..12),
    ) {
        let mut shop = Shop::default();
        shop.policy.agreement.refunded_fee = RefundedFee::Return;
        let mut world = World::new(shop);
        let before = world.balances();
        let terms = terms_of(&world, kind, &amounts, coupons, escrow, splits, 1);
        world.orders(terms, 1);
        let Some(id) = world.orders.keys().next().copied() else { return Ok(()) };
        settles_calls(&mut world);
        for (number, change) in changes_before.iter().enumerate() {
            changes(&mut world, id, change, number);
            settles_calls(&mut world);
            world.check();
        }
        world.does(id, &refund("R-all", None, None));
        settles_calls(&mut world);
        world.check();
        prop_assert_eq!(world.orders[&id].status, OrderStatus::Refunded);
        let mut after = world.balances();
        let fee = after.remove("fee expense 1").unwrap_or(0);
        *after.entry("clearing 1".to_owned()).or_insert(0) += fee;
        prop_assert_eq!(after, before);
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
    let mut booked = std::collections::HashSet::new();
    for agreement in 0..300 {
        let steps = prop::collection::vec(step(), 60).new_tree(&mut runner).unwrap().current();
        let mut shop = Shop::default();
        shop.policy.agreement = Agreement {
            late_payment: [LatePayment::Refund, LatePayment::Park, LatePayment::Reopen][agreement % 3],
            shortfall: [Shortfall::Debt, Shortfall::Advance][agreement % 2],
            ..shop.policy.agreement
        };
        let mut world = World::new(shop);
        let mut channels = Channels::default();
        for step in &steps {
            take(&mut world, &mut channels, step);
        }
        heals(&mut world, &mut channels);
        for order in world.orders.values() {
            seen.extend(order.steps.iter().map(|step| (step.kind, step.status)));
        }
        booked.extend(world.booked());
    }
    for code in EntryCode::ALL {
        // Coupons are issued by the ledger's own command, which has its own tests.
        assert!(booked.contains(&code) || code == EntryCode::CouponGranted, "{} never happened", code.name());
    }
    for kind in EventKind::ALL {
        assert!(seen.iter().any(|(seen, _)| *seen == kind), "{} never happened", kind.name());
    }
    for status in OrderStatus::ALL {
        assert!(seen.iter().any(|(_, seen)| *seen == status), "{status} was never reached");
    }
}
