//! Same seed, same fates, however the calls are batched and ordered.

use std::collections::BTreeMap;

use suanpan_model::{ChannelOp, PayKind};

use super::*;
use crate::conformance::{Bench, Payment};

const PAYMENTS: u64 = 600;

/// What became of each payment when the calls come in batches of `batch`, backwards if told.
fn fates(seed: u64, batch: usize, backwards: bool) -> BTreeMap<OrderId, String> {
    let simulator = Arc::new(Simulator::new(descriptor("unionpay", Behaviour::hostile()), seed));
    let mut bench = Bench::new(simulator.clone(), PayKind::Gateway);
    let mut payments: Vec<Payment> = (0..PAYMENTS).map(|_| bench.next_payment()).collect();
    if backwards {
        payments.reverse();
    }
    let mut reports = Vec::new();
    for chunk in payments.chunks(batch) {
        let calls: Vec<_> = chunk.iter().map(|payment| (*payment, ChannelOp::Pay)).collect();
        reports.extend(bench.call_at_once(&calls));
    }
    reports.extend(bench.idle());
    let mut fates: BTreeMap<OrderId, String> = BTreeMap::new();
    for report in reports {
        let fate = fates.entry(report.order).or_default();
        *fate += &format!("{:?} {:?}; ", report.source, report.outcome);
    }
    for (order, _, line) in simulator.lines() {
        *fates.entry(order).or_default() += &format!("{line:?}");
    }
    fates
}

#[test]
fn batches_and_order_change_no_fate() {
    let reference = fates(7, 600, false);
    assert_eq!(fates(7, 1, false), reference);
    assert_eq!(fates(7, 64, true), reference);
    assert_ne!(fates(8, 600, false), reference, "another seed is another life");
}

#[test]
fn threads_change_no_fate() {
    let life = |threads: usize| {
        let simulator = Simulator::new(descriptor("unionpay", Behaviour::hostile()), 7);
        let mut bench = Bench::new(
            Arc::new(Simulator::new(descriptor("unionpay", Behaviour::hostile()), 7)),
            PayKind::Gateway,
        );
        let payments: Vec<_> = (0..PAYMENTS).map(|_| bench.next_payment()).collect();
        let calls: Vec<_> = payments.iter().map(|payment| bench.request(*payment, ChannelOp::Pay)).collect();
        let sink: Arc<dyn ReportSink> = Arc::new(conformance::Recorder::default());
        let share = calls.len().div_ceil(threads);
        std::thread::scope(|scope| {
            for part in calls.chunks(share) {
                let (simulator, sink, now) = (&simulator, &sink, bench.now());
                scope.spawn(move || {
                    part.iter().for_each(|call| simulator.perform(now, vec![call.clone()], sink))
                });
            }
        });
        simulator.lines()
    };
    assert_eq!(life(4), life(1));
}
