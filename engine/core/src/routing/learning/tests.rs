//! What counts as a result, the confidence bound, and the circuit, as tables.

use suanpan_model::{DurationMs, HealthPolicy};

use super::*;

const NOW: TimestampMs = TimestampMs(1_795_327_536_000);
const CHANNEL: ChannelId = ChannelId(7);

fn seen(what: Observed, at: u64) -> Observation {
    Observation {
        at: TimestampMs(NOW.0 + at),
        channel: CHANNEL,
        bank: Bank::from_code("ICBC"),
        card_type: Some(CardType::Debit),
        amount: Amount::from_minor(100),
        started_at: NOW,
        what,
    }
}

#[test]
fn the_confidence_bound_is_wilsons() {
    // Good, all, and the lower end of the 95 % interval as a statistics package gives it, rounded down.
    let table = [
        (0, 0, None),
        (0, 1, Some(0)),
        (1, 1, Some(206_543)),
        (5, 10, Some(236_589)),
        (10, 10, Some(722_460)),
        (100, 125, Some(721_405)),
        (125, 125, Some(970_184)),
        (124, 125, Some(956_010)),
        (25, 125, Some(139_361)),
    ];
    for (good, all, expected) in table {
        let bound = lower_bound_ppm(good, all);
        let near = match (bound, expected) {
            (Some(bound), Some(expected)) => bound.abs_diff(expected) <= 250,
            (bound, expected) => bound == expected,
        };
        assert!(near, "{good} of {all}: {bound:?}, not {expected:?}");
    }
    let rising: Vec<u32> = (0..=125).filter_map(|good| lower_bound_ppm(good, 125)).collect();
    assert!(rising.is_sorted() && rising.len() == 126);
}

#[test]
fn only_the_channels_own_faults_count() {
    let table = [
        (Observed::Started, None),
        (Observed::Accepted { first: true }, None),
        (Observed::Paid { first: true, was_dead: false }, Some(true)),
        (Observed::Failed { first: true, own: true }, Some(false)),
        // Too little money, a refused code, a limit, a mistake of ours.
        (Observed::Failed { first: true, own: false }, None),
        (Observed::NotSent { own: true }, Some(false)),
        (Observed::NotSent { own: false }, None),
        (Observed::InDoubt { first: true, own: true }, Some(false)),
        (Observed::InDoubt { first: true, own: false }, None),
        (Observed::Closed { first: false }, None),
    ];
    for (what, expected) in table {
        assert_eq!(seen(what, 0).result(), expected, "{what:?}");
    }
}

#[test]
fn no_data_is_not_success_and_few_results_count_as_the_channels_whole() {
    let mut learning = Learning::default();
    let conditions = Conditions::default();
    let icbc = (Bank::from_code("ICBC"), Some(CardType::Debit));
    let cmb = (Bank::from_code("CMB"), Some(CardType::Credit));
    assert_eq!(learning.success(CHANNEL, icbc.0, icbc.1), None);
    let paid = Observed::Paid { first: true, was_dead: false };
    for _ in 0..RESULTS_MIN {
        learning.fold(&seen(paid, 1), &conditions);
    }
    let other = |what| Observation { bank: cmb.0, card_type: cmb.1, ..seen(what, 1) };
    for _ in 0..RESULTS_MIN - 1 {
        learning.fold(&other(Observed::Failed { first: true, own: true }), &conditions);
    }
    let whole = lower_bound_ppm(20, 39);
    let of = |learning: &Learning, key: (_, _)| learning.success(CHANNEL, key.0, key.1).map(Success::ppm);
    assert_eq!((of(&learning, icbc), of(&learning, cmb)), (lower_bound_ppm(20, 20), whole));
    learning.fold(&other(Observed::Failed { first: true, own: true }), &conditions);
    assert_eq!(of(&learning, cmb), Some(0), "now they are enough to count by themselves");
}

#[test]
fn the_window_forgets_the_oldest() {
    let mut window = Window::default();
    (0..WINDOW).for_each(|_| window.push(false));
    (0..WINDOW).for_each(|n| {
        assert_eq!((window.results(), window.good()), (WINDOW, u32::from(n)));
        window.push(true);
    });
    assert_eq!(window.good(), u32::from(WINDOW));
}

#[test]
fn the_circuit_step_by_step() {
    let policy = HealthPolicy {
        window: 4,
        faults_min: 2,
        faults_ppm: 500_000,
        slow: Some(DurationMs(500)),
        open: DurationMs(1_000),
        open_max: DurationMs(1_500),
        probes: 2,
    };
    let (good, fault) = (Observed::Accepted { first: true }, Observed::Failed { first: true, own: true });
    let payer = Observed::Failed { first: true, own: false };
    let mut health = Health::default();
    // What happens, when, how long after its start, and the circuit afterwards.
    let table = [
        (fault, 0, 0, "closed"),
        (payer, 0, 0, "closed"), // the channel answered: that is good
        (good, 0, 0, "closed"),
        (good, 0, 0, "closed"),
        (fault, 0, 0, "closed"), // the first is forgotten: one of four
        (good, 10, 501, "open"), // too slow is a fault, too: two of four
        (Observed::Started, 20, 0, "open"),
        (fault, 900, 0, "open"), // what was under way says nothing new
        (Observed::Started, 1_010, 0, "half_open"),
        (good, 1_011, 600, "half_open"), // began before: no probe
        (good, 1_011, 0, "half_open"),
        (Observed::Started, 1_012, 0, "half_open"),
        (fault, 1_013, 0, "open"), // twice as long, but not longer than the longest
        (Observed::Started, 2_512, 0, "open"),
        (Observed::Started, 2_513, 0, "half_open"),
        (Observed::Started, 2_513, 0, "half_open"),
        (good, 2_514, 0, "half_open"),
        (Observed::InDoubt { first: true, own: false }, 2_514, 0, "half_open"), // restart: another probe
        (Observed::Started, 2_515, 0, "half_open"),
        (good, 2_516, 0, "closed"),
    ];
    for (row, (what, at, took, expected)) in table.into_iter().enumerate() {
        let started_at = TimestampMs(NOW.0 + at - took.min(at));
        let started_at = if took > at { TimestampMs(started_at.0 - (took - at)) } else { started_at };
        health.fold(&Observation { started_at, ..seen(what, at) }, &policy);
        assert_eq!(health.circuit.name(), expected, "row {row}: {what:?}");
    }
    assert_eq!(health.opened, 2);
}

#[test]
fn volume_is_taken_and_given_back_to_its_own_day() {
    let day = 86_400_000;
    let mut volume = Volume::default();
    let used = |volume: &Volume, at: u64| {
        let at = TimestampMs(NOW.0 + at);
        (volume.on_day(at.beijing_day()).minor(), volume.in_month(at.beijing_month().0).minor())
    };
    let failed = Observed::Failed { first: true, own: true };
    volume.fold(&seen(Observed::Started, 0));
    volume.fold(&seen(Observed::Started, 0));
    assert_eq!(used(&volume, 0), (200, 200));
    volume.fold(&seen(failed, 5));
    assert_eq!(used(&volume, 0), (100, 100));
    volume.fold(&seen(Observed::Started, day));
    assert_eq!((used(&volume, 0), used(&volume, day)), ((0, 200), (100, 200)));
    // Begun yesterday, failed today: the month has it back, today keeps its own.
    volume.fold(&seen(failed, day));
    assert_eq!(used(&volume, day), (100, 100));
    // Given up, and paid all the same: it counts where it was paid.
    volume.fold(&seen(Observed::Paid { first: false, was_dead: true }, day));
    assert_eq!(used(&volume, day), (200, 200));
}
