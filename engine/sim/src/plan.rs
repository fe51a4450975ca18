//! What one life is like: everything that is drawn from the seed before it begins. Each fault is off in half of all lives,
//! so that lives differ in kind and a fault cannot hide behind another.

use std::sync::LazyLock;

use suanpan_channels::{BUILTIN_CHANNELS, Behaviour, Descriptor, Latency, Rate, load_descriptors};
use suanpan_core::routing::Strategy;
use suanpan_model::policy::{Agreement, FeeBearer, LatePayment, RefundedFee, Shortfall};
use suanpan_model::{Amount, DurationMs, PlatformId, PlatformPolicy};
use suanpan_runtime::Limits;

use crate::dice::Dice;

/// The mall of all lives.
pub const PLATFORM: PlatformId = PlatformId(9001);

/// Faults of the network between engine, channels and malls, in parts per million of messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Network {
    /// Calls and reports that never arrive.
    pub lost_ppm: u32,
    /// Calls and reports that arrive twice.
    pub doubled_ppm: u32,
    /// Calls and reports that take much longer than others, and so arrive after later ones.
    pub slow_ppm: u32,
    /// What a slow one takes, in milliseconds.
    pub slow_ms: u64,
    /// What any takes at the most, in milliseconds.
    pub usual_ms: u64,
    /// Answers to payment calls that say "failed" although the payment goes on: the channel contradicts itself.
    pub false_failure_ppm: u32,
    /// Refunds that their channel cannot finish.
    pub abnormal_ppm: u32,
    /// Refunds whose money comes back later.
    pub bounced_ppm: u32,
    /// Requests and answers of malls that never arrive.
    pub mall_lost_ppm: u32,
    /// Requests of malls that arrive twice.
    pub mall_doubled_ppm: u32,
}

/// When the process dies.
#[derive(Clone, Copy, Debug, Default)]
pub struct Crashes {
    /// About how often, in milliseconds; 0: never.
    pub every_ms: u64,
    /// Crashes that are power cuts; in the others the page cache survives.
    pub power_ppm: u32,
    /// Crashes that wait for the next operations of a disk, to happen between two of them.
    pub inside_ppm: u32,
    /// Starts that are cut off by another crash.
    pub in_recovery_ppm: u32,
}

/// What the disks do besides losing what was not synced.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disks {
    /// About how often one refuses something, in milliseconds; 0: never.
    pub refuses_every_ms: u64,
    /// Starts at which a read fails.
    pub unreadable_start_ppm: u32,
    /// Unsynced bytes that survive a power cut come back with flipped bits.
    pub rots: bool,
}

/// A bug that is planted to see that the checks find it: something between the parts goes wrong that never may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// The disk forgets the end of the journal although it said that it was durable.
    ForgetsSynced,
    /// A group counts more records than it has.
    SkipsPositions,
    /// A record of the log counts twice.
    CountsTwice,
    /// A posting reaches its account with another amount.
    ChangesAmount,
    /// A posting never reaches its account.
    LosesPosting,
    /// Holds that nobody needs are not given back.
    LosesVoids,
    /// Lines of statements never reach the archive.
    LosesLines,
    /// A refund is answered with "done" and was never made.
    InventsRefund,
    /// Nothing that a channel says arrives any more once the world is whole.
    DeafForEver,
    /// An answer is lost on its way out of the engine.
    LosesAnswer,
    /// An answer says "busy" although the order was recorded.
    RefusesFalsely,
    /// A shard hears of a commit twice.
    CommitsTwice,
    /// Another channel is tried although none ever said no.
    ForgetsFailures,
    /// Late payments are parked although they should go back.
    KeepsLatePayments,
    /// What is recovered of debts never reaches the log.
    ForgetsDebts,
    /// What malls are told never reaches the store.
    LosesTidings,
}

/// What one life is like.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its seed.
    pub seed: u64,
    /// Shards of orders, and of accounts.
    pub shards: usize,
    /// Whether an actor gets messages in the order in which they were sent, whoever sent them, as in the real
    /// process; otherwise only messages of one sender keep their order.
    pub causal: bool,
    /// How many orders malls place.
    pub orders: usize,
    /// How many things malls do.
    pub acts: usize,
    /// How long the faults last, in milliseconds.
    pub safety_ms: u64,
    /// How long a message between actors waits at the most, in milliseconds.
    pub hop_ms: u64,
    /// Messages after which an actor stands still for a while.
    pub stall_ppm: u32,
    /// How long it stands still at the most, in milliseconds.
    pub stall_ms: u64,
    /// How often timers are looked at, in milliseconds.
    pub tick_ms: u64,
    /// How much is done in one go.
    pub limits: Limits,
    /// Messages that may wait for the keeper during a checkpoint.
    pub backlog: usize,
    /// Size of a journal segment.
    pub segment_bytes: u64,
    /// Bytes of log after which a checkpoint is taken.
    pub checkpoint_every_bytes: u64,
    /// Bounds of the gate: requests, live orders, orders that wait for the archive.
    pub gate: (usize, usize, usize),
    /// The platform's settings.
    pub policy: PlatformPolicy,
    /// How channels are chosen.
    pub strategy: Strategy,
    /// Whether receivers spend what they get.
    pub spends: bool,
    /// How long issued coupons can be used, in milliseconds.
    pub coupons_valid_ms: u64,
    /// The channels.
    pub channels: Vec<Descriptor>,
    /// The network.
    pub network: Network,
    /// Deaths of the process.
    pub crashes: Crashes,
    /// The disks.
    pub disks: Disks,
    /// A planted bug.
    pub sabotage: Option<Sabotage>,
    /// What malls do, given: four bytes an act. Drawn when empty.
    pub script: Vec<[u8; 4]>,
}

impl Plan {
    /// The life of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let dice = &mut dice;
        let orders = dice.pick(&[1, 3, 8, 15, 25, 40]);
        let safety_ms = dice.pick(&[20_000, 120_000, 600_000, 1_800_000]);
        Self {
            seed,
            shards: dice.pick(&[1, 2, 2, 4]),
            causal: dice.below(2) == 0,
            orders,
            acts: orders * dice.pick(&[2, 5, 10]),
            safety_ms,
            hop_ms: dice.pick(&[0, 1, 3, 20]),
            stall_ppm: dice.swarm_rate(30_000),
            stall_ms: dice.pick(&[200, 2_000, 20_000]),
            tick_ms: dice.pick(&[50, 50, 500, 3_000]),
            limits: limits(dice),
            backlog: dice.pick(&[1, 2, 16]),
            segment_bytes: dice.pick(&[4_096, 16_384, 65_536]),
            checkpoint_every_bytes: dice.pick(&[2_000, 10_000, 60_000, u64::MAX]),
            gate: gate(dice),
            policy: policy(dice),
            strategy: dice.pick(&[Strategy::Cost, Strategy::Cost, Strategy::Success, Strategy::Value]),
            spends: dice.below(2) == 0,
            coupons_valid_ms: dice.pick(&[safety_ms / 2, safety_ms, 20 * 3_600_000]),
            channels: channels(dice),
            network: network(dice),
            crashes: Crashes {
                every_ms: if dice.below(5) == 0 { 0 } else { safety_ms / dice.between(1, 8) },
                power_ppm: dice.pick(&[0, 500_000, 1_000_000]),
                inside_ppm: dice.pick(&[0, 500_000, 1_000_000]),
                in_recovery_ppm: dice.pick(&[0, 300_000, 700_000]),
            },
            disks: Disks {
                refuses_every_ms: if dice.below(2) == 0 { 0 } else { safety_ms / dice.between(2, 12) },
                unreadable_start_ppm: dice.swarm_rate(500_000),
                rots: dice.below(2) == 0,
            },
            sabotage: None,
            script: Vec::new(),
        }
    }
}

impl Plan {
    /// A life without faults in which malls do what `script` says: for fuzzing of command sequences.
    #[must_use]
    pub fn of_script(script: &[u8]) -> Self {
        let script: Vec<[u8; 4]> = script.as_chunks().0.iter().copied().take(200).collect();
        Self {
            orders: 4,
            acts: script.len(),
            safety_ms: 60_000,
            network: Network::default(),
            crashes: Crashes::default(),
            disks: Disks::default(),
            script,
            ..Self::of(7)
        }
    }
}

fn limits(dice: &mut Dice) -> Limits {
    if dice.below(3) == 0 {
        return Limits::USUAL;
    }
    Limits {
        group_bytes: dice.pick(&[1, 2_000, 4 << 20]),
        recovered_at_once: dice.pick(&[1, 5, 10_000]),
        wakes_at_once: dice.pick(&[1, 10, 4_096]),
        rows_at_once: dice.pick(&[1, 4, 1_000]),
        rows_gathered: dice.pick(&[1, 12, 16_384]),
        hand_over_lines: dice.pick(&[5, 60, 500_000]),
        feed_orders: dice.pick(&[1, 5, 50_000]),
        replay_orders: dice.pick(&[1, 6, 100_000]),
        replay_lines: dice.pick(&[10, 100, 4_000_000]),
        open_orders: dice.pick(&[1, 8, 32_768]),
        // A life does not depend on it, as a test shows.
        orders_for_threads: Limits::USUAL.orders_for_threads,
    }
}

fn gate(dice: &mut Dice) -> (usize, usize, usize) {
    match dice.below(4) {
        0 => (dice.pick(&[4, 8]), 1_000, 1_000),
        1 => (1_000, dice.pick(&[3, 10]), dice.pick(&[3, 1_000])),
        _ => (100_000, 100_000, 100_000),
    }
}

fn policy(dice: &mut Dice) -> PlatformPolicy {
    PlatformPolicy {
        order_ttl: DurationMs(dice.pick(&[5_000, 60_000, 600_000])),
        auto_release: DurationMs(dice.pick(&[3_000, 120_000, 1_800_000])),
        attempts_max: u8::try_from(dice.between(1, 4)).unwrap_or(4),
        auto_release_virtual: DurationMs(dice.pick(&[1_000, 30_000])),
        split_cap_bps: dice.pick(&[3_000, 3_000, 6_000]),
        agreement: Agreement {
            fee_bearer: dice.pick(&[FeeBearer::Merchant, FeeBearer::Platform]),
            late_payment: dice.pick(&[LatePayment::Refund, LatePayment::Park, LatePayment::Reopen]),
            refunded_fee: dice.pick(&[RefundedFee::Keep, RefundedFee::Return]),
            shortfall: dice.pick(&[Shortfall::Debt, Shortfall::Debt, Shortfall::Advance, Shortfall::Refuse]),
        },
        ..PlatformPolicy::defaults(PLATFORM)
    }
}

fn network(dice: &mut Dice) -> Network {
    Network {
        lost_ppm: dice.swarm_rate(150_000),
        doubled_ppm: dice.swarm_rate(150_000),
        slow_ppm: dice.swarm_rate(100_000),
        slow_ms: dice.pick(&[1_000, 20_000, 200_000]),
        usual_ms: dice.pick(&[0, 5, 50, 500]),
        false_failure_ppm: dice.swarm_rate(200_000),
        abnormal_ppm: dice.swarm_rate(300_000),
        bounced_ppm: dice.swarm_rate(300_000),
        mall_lost_ppm: dice.swarm_rate(150_000),
        mall_doubled_ppm: dice.swarm_rate(200_000),
    }
}

/// The channels that come with the program, with other tempers, and with ladders short enough for a short life.
fn channels(dice: &mut Dice) -> Vec<Descriptor> {
    static BUILTIN: LazyLock<Vec<Descriptor>> = LazyLock::new(|| {
        load_descriptors(BUILTIN_CHANNELS).expect("the program's own descriptors are right")
    });
    let mut descriptors = BUILTIN.clone();
    let ladder: &[u64] =
        dice.pick(&[&[300_u64, 1_000, 5_000, 30_000][..], &[50, 400, 4_000], &[2_000, 60_000]]);
    let timeout = dice.pick(&[300, 3_000, 15_000]);
    let are_alike = dice.below(2) == 0;
    let temper = behaviour(dice);
    for descriptor in &mut descriptors {
        descriptor.capability.hours = None;
        descriptor.capability.daily_quota = None;
        descriptor.capability.query_ladder = ladder.iter().copied().map(DurationMs).collect();
        descriptor.capability.call_timeout = DurationMs(timeout);
        descriptor.capability.amount_min = Amount::from_minor(1);
        descriptor.behaviour = if are_alike { temper.clone() } else { behaviour(dice) };
    }
    descriptors
}

fn behaviour(dice: &mut Dice) -> Behaviour {
    match dice.below(6) {
        0 => return Behaviour::instant(),
        1 => {
            return Behaviour {
                think: Latency { p50_ms: 2_000, p99_ms: 60_000 },
                // What gets stuck or comes back is the banks' doing here, who tell it until they are heard (`life.rs`).
                refund_abnormal: Rate::NEVER,
                refund_bounced: Rate::NEVER,
                ..Behaviour::hostile()
            };
        }
        _ => {}
    }
    let mut rate = |most_percent: u32| Rate::from_ppm(dice.swarm_rate(most_percent * 10_000));
    let mut behaviour = Behaviour {
        never_pays: rate(20),
        declines: rate(10),
        sms: rate(60),
        processing: rate(40),
        failures: [rate(4), rate(2), rate(2), rate(8), rate(8), rate(2)],
        refused: rate(10),
        timeout_not_done: rate(15),
        timeout_done: rate(20),
        notice_lost: rate(30),
        notice_duplicate: rate(40),
        notice_before_answer: rate(30),
        notice_delayed: rate(30),
        lie_amount: rate(10),
        contradiction: rate(10),
        paid_after_close: rate(60),
        query_unknown: rate(30),
        refund_failure: rate(20),
        refund_unknown: rate(30),
        ..Behaviour::instant()
    };
    let mut latency = |most_ms: u32| {
        let p50_ms = [0, 1, most_ms / 20, most_ms / 4][dice.place(4)];
        Latency { p50_ms, p99_ms: p50_ms.saturating_mul(6) }
    };
    behaviour.create = latency(2_000);
    behaviour.pay = latency(8_000);
    behaviour.query = latency(1_000);
    behaviour.refund = latency(4_000);
    behaviour.notice = latency(20_000);
    behaviour.think = latency(120_000);
    behaviour.quick_pay_notice = dice.below(2) == 0;
    behaviour
}
