//! Behaviour of the simulator.

use std::sync::Arc;

use super::*;
use crate::behaviour::{Latency, Rate};
use crate::conformance;

mod determinism;
mod faults;
mod flows;
mod restart;

/// The builtin channel of this name, behaving as told.
fn descriptor(name: &str, behaviour: Behaviour) -> Descriptor {
    let all = load_descriptors(crate::BUILTIN_CHANNELS).unwrap();
    let found = all.into_iter().find(|one| one.capability.name == name).unwrap();
    Descriptor { behaviour, ..found }
}

#[test]
fn every_builtin_channel_conforms() {
    for Descriptor { capability, behaviour } in load_descriptors(crate::BUILTIN_CHANNELS).unwrap() {
        // A payment after its close breaks the rule on purpose.
        let behaviour = Behaviour { paid_after_close: Rate::NEVER, ..behaviour };
        let descriptor = Descriptor { capability, behaviour };
        conformance::check(|| Arc::new(Simulator::new(descriptor.clone(), 7)));
    }
}

#[test]
fn instant_channels_conform() {
    for descriptor in load_descriptors(crate::BUILTIN_CHANNELS).unwrap() {
        let descriptor = Descriptor { behaviour: Behaviour::instant(), ..descriptor };
        conformance::check(|| Arc::new(Simulator::new(descriptor.clone(), 7)));
        let forgetful = Behaviour { keep_lines: false, ..Behaviour::instant() };
        let descriptor = Descriptor { behaviour: forgetful, ..descriptor };
        conformance::check(|| Arc::new(Simulator::new(descriptor.clone(), 7)));
    }
}

#[test]
fn a_hostile_channel_conforms() {
    // As above; everything else holds under every fault.
    let behaviour = Behaviour { paid_after_close: Rate::NEVER, ..Behaviour::hostile() };
    for seed in 0..10 {
        conformance::check(|| Arc::new(Simulator::new(descriptor("cpcn", behaviour.clone()), seed)));
    }
}

#[test]
#[should_panic = "what is closed stays closed"]
fn conformance_sees_a_payment_after_its_close() {
    let behaviour =
        Behaviour { think: Latency::exactly(1_000), paid_after_close: Rate::ALWAYS, ..Behaviour::instant() };
    conformance::check(|| Arc::new(Simulator::new(descriptor("cpcn", behaviour.clone()), 1)));
}

/// The conformance suite on an adapter that books each repeated call anew.
#[test]
#[should_panic = "a repeated call moves no money"]
fn conformance_sees_a_payment_made_twice() {
    struct Twice(Simulator, std::sync::atomic::AtomicU64);
    impl Adapter for Twice {
        fn capability(&self) -> &Capability {
            self.0.capability()
        }
        fn perform(&self, now: TimestampMs, mut calls: Vec<ChannelRequest>, sink: &Arc<dyn ReportSink>) {
            for call in calls.iter_mut().filter(|call| call.op == suanpan_model::ChannelOp::Pay) {
                let fresh = self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                call.attempt = AttemptNo(if fresh == 0 { 1 } else { 200 });
            }
            self.0.perform(now, calls, sink);
        }
        fn advance(&self, now: TimestampMs, sink: &Arc<dyn ReportSink>) -> Option<TimestampMs> {
            self.0.advance(now, sink)
        }
        fn book(&self) -> Option<BookTotals> {
            self.0.book()
        }
    }
    let make = || Twice(Simulator::new(descriptor("cpcn", Behaviour::instant()), 1), Default::default());
    let case = conformance::CASES.iter().find(|(name, _)| *name == "paying_twice_pays_once").unwrap().1;
    case(&mut conformance::Bench::new(Arc::new(make()), suanpan_model::PayKind::Gateway));
}
