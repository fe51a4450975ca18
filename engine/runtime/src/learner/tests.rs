//! Room is never taken twice, and what is shown is what was folded.

use std::sync::atomic::{AtomicU64, AtomicUsize};

use proptest::prelude::*;
use suanpan_channels::{BUILTIN_CHANNELS, load_descriptors};
use suanpan_model::{Commitment, DurationMs, HealthPolicy, RateLimit};

use super::*;

const NOON: TimestampMs = TimestampMs(1_795_319_136_000);
const CHANNEL: ChannelId = ChannelId(1);

fn capability() -> Capability {
    let mut one = load_descriptors(BUILTIN_CHANNELS).unwrap().swap_remove(0).capability;
    one.daily_quota = Some(Amount::from_minor(1_000));
    one.conditions = Conditions {
        monthly_quota: Some(Amount::from_minor(1_500)),
        commitment: Some(Commitment { minimum: Amount::ZERO, maximum: Some(Amount::from_minor(1_400)) }),
        health: HealthPolicy {
            window: 4,
            faults_min: 2,
            open: DurationMs::from_secs(10),
            probes: 3,
            ..HealthPolicy::default()
        },
        ..Conditions::default()
    };
    one
}

fn seen(what: Observed, at: TimestampMs, amount: u64) -> Observation {
    Observation {
        at,
        channel: CHANNEL,
        bank: Bank::from_code("ICBC"),
        card_type: Some(CardType::Debit),
        amount: Amount::from_minor(amount),
        started_at: at,
        what,
    }
}

const FAULT: Observed = Observed::Failed { first: true, own: true };
const GOOD: Observed = Observed::Accepted { first: true };

/// Threads that all claim at once, as often as they are let; how often and how much they were let.
fn rush(learner: &Learner, now: TimestampMs, amounts: [u64; 4]) -> (usize, u64) {
    let (times, total) = (AtomicUsize::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for amount in amounts {
            let (times, total) = (&times, &total);
            scope.spawn(move || {
                for _ in 0..5_000 {
                    if learner.board().claim(0, CHANNEL, Amount::from_minor(amount), now) {
                        times.fetch_add(1, Ordering::Relaxed);
                        total.fetch_add(amount, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    (times.into_inner(), total.into_inner())
}

#[test]
fn limits_are_never_exceeded_whoever_claims_at_once() {
    let learner = Learner::new(&[capability()], Folded::default());
    // Everything that fits is given out: one minor unit always does.
    assert_eq!(rush(&learner, NOON, [1, 2, 3, 7]).1, 1_000);
    // The next day the day's quota is free again, but only 400 of the agreed month's volume are left.
    let tomorrow = NOON + DurationMs::from_days(1);
    assert_eq!(rush(&learner, tomorrow, [1, 2, 3, 7]).1, 400);
    // What comes to nothing gives its room back, to the day that it was taken from.
    let failed = seen(Observed::Failed { first: true, own: false }, tomorrow, 250);
    learner.fold([failed].into_iter(), Lsn(1));
    assert_eq!(rush(&learner, tomorrow, [1, 1, 1, 1]).1, 250);
    assert_eq!(rush(&learner, NOON, [0, 0, 0, 1]).1, 0, "yesterday is over");
}

#[test]
fn a_bucket_gives_no_more_than_its_burst_and_rate() {
    let mut one = capability();
    (one.daily_quota, one.conditions.monthly_quota, one.conditions.commitment) = (None, None, None);
    one.conditions.rate_limit = Some(RateLimit { per_second: 100, burst: 20 });
    let learner = Learner::new(&[one], Folded::default());
    assert_eq!(rush(&learner, NOON, [1; 4]).0, 20);
    assert!(!learner.board().has_token(0, CHANNEL, NOON));
    let later = NOON + DurationMs(50);
    assert_eq!(rush(&learner, later, [1; 4]).0, 5);
    assert_eq!(rush(&learner, later + DurationMs::from_secs(9), [1; 4]).0, 20);
}

#[test]
fn a_sick_channel_is_left_and_probes_bring_it_back() {
    let mut one = capability();
    (one.daily_quota, one.conditions.monthly_quota, one.conditions.commitment) = (None, None, None);
    let learner = Learner::new(&[one.clone()], Folded::default());
    let healthy = |learner: &Learner, at| learner.board().is_healthy(0, CHANNEL, at);
    let fold = |learner: &Learner, what, at| learner.fold([seen(what, at, 1)].into_iter(), Lsn(1));
    fold(&learner, FAULT, NOON);
    assert!(healthy(&learner, NOON));
    fold(&learner, FAULT, NOON);
    let before = NOON + DurationMs(9_999);
    let after = NOON + DurationMs::from_secs(10);
    assert!(!healthy(&learner, before) && healthy(&learner, after));
    assert_eq!((rush(&learner, before, [1; 4]).0, rush(&learner, after, [1; 4]).0), (0, 3));
    assert!(!healthy(&learner, after), "all probes are under way");
    for _ in 0..3 {
        fold(&learner, Observed::Started, after);
    }
    // One says nothing about the channel: another probe may go.
    fold(&learner, Observed::Closed { first: true }, after);
    assert_eq!(rush(&learner, after, [1; 4]).0, 1);
    fold(&learner, Observed::Started, after);
    // The engine restarts: what was learned is what was shown.
    let learner = Learner::new(&[one], learner.snapshot());
    assert!(!healthy(&learner, after));
    fold(&learner, GOOD, after);
    fold(&learner, GOOD, after);
    assert!(!healthy(&learner, after));
    fold(&learner, GOOD, after);
    assert!(healthy(&learner, after));
    assert_eq!(rush(&learner, after, [1; 4]).0, 20_000, "closed: everybody passes");
    // Sick again: a probe that fails opens it for twice as long.
    fold(&learner, FAULT, after);
    fold(&learner, FAULT, after);
    let again = after + DurationMs::from_secs(10);
    assert_eq!(rush(&learner, again, [1; 4]).0, 3);
    fold(&learner, Observed::Started, again);
    fold(&learner, FAULT, again);
    assert!(!healthy(&learner, again + DurationMs::from_secs(19)));
    assert!(healthy(&learner, again + DurationMs::from_secs(20)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn a_restart_shows_what_was_shown_before(steps in proptest::collection::vec((0..8_u8, 0..40_u64), 0..200)) {
        let mut one = capability();
        one.daily_quota = Some(Amount::from_minor(100_000));
        (one.conditions.monthly_quota, one.conditions.commitment) = (None, None);
        one.conditions.rate_limit = Some(RateLimit { per_second: 100, burst: 50 });
        let learner = Learner::new(&[one.clone()], Folded::default());
        let mut now = NOON;
        let mut under_way: Vec<Observation> = Vec::new();
        for (kind, later) in steps {
            now = now + DurationMs(later * 100);
            if kind < 4 {
                let claimed = learner.board().is_healthy(0, CHANNEL, now)
                    && learner.board().claim(0, CHANNEL, Amount::from_minor(100), now);
                if claimed {
                    // Of two banks, so that neither has the success of the channel as a whole.
                    let bank = Bank::from_code(if later % 2 == 0 { "ICBC" } else { "CMB" });
                    let started = Observation { bank, ..seen(Observed::Started, now, 100) };
                    learner.fold([started].into_iter(), Lsn(1));
                    under_way.push(started);
                }
                continue;
            }
            let Some(started) = under_way.pop() else { continue };
            let what = match kind {
                4 => Observed::Paid { first: true, was_dead: false },
                5 => FAULT,
                6 => Observed::InDoubt { first: true, own: true },
                _ => Observed::Closed { first: true },
            };
            learner.fold([Observation { at: now, what, ..started }].into_iter(), Lsn(1));
        }
        let again = Learner::new(&[one], learner.snapshot());
        let (old, new) = (learner.board(), again.board());
        let (day, month) = (now.beijing_day(), now.beijing_month().0);
        prop_assert_eq!(old.quota_used(0, CHANNEL, day), new.quota_used(0, CHANNEL, day));
        prop_assert_eq!(old.month_used(0, CHANNEL, month), new.month_used(0, CHANNEL, month));
        prop_assert_eq!(old.latency_ms(0, CHANNEL), new.latency_ms(0, CHANNEL));
        for later in [0, 5_000, 9_999, 10_000, 60_000, 700_000] {
            let at = now + DurationMs(later);
            prop_assert_eq!(old.is_healthy(0, CHANNEL, at), new.is_healthy(0, CHANNEL, at), "{}", later);
            prop_assert_eq!(old.has_token(0, CHANNEL, at), new.has_token(0, CHANNEL, at), "{}", later);
        }
        let of = |bank| (Bank::from_code(bank), Some(CardType::Debit));
        for (bank, card) in [(None, None), of("ICBC"), of("CMB")] {
            prop_assert_eq!(old.success(0, CHANNEL, bank, card), new.success(0, CHANNEL, bank, card));
            prop_assert_eq!(old.success(0, CHANNEL, bank, card), learner.snapshot().learning.success(CHANNEL, bank, card));
        }
    }
}
