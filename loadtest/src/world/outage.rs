//! A channel that can be made to fail: it refuses every payment while it is out, and books nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use suanpan_channels::{Adapter, BookTotals, ReportSink};
use suanpan_model::channel::{ChannelOp, FailureKind, Outcome, ReportSource};
use suanpan_model::{Capability, ChannelReport, ChannelRequest, TimestampMs};

/// Whether channels are out. Clones are one switch.
#[derive(Clone, Debug, Default)]
pub struct Switch(Arc<AtomicBool>);

impl Switch {
    /// Takes the channels out, or back.
    pub fn set(&self, is_out: bool) {
        self.0.store(is_out, Ordering::Release);
    }

    fn is_out(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A channel with a switch.
pub struct Interruptible {
    channel: Arc<dyn Adapter>,
    switch: Switch,
}

impl Interruptible {
    /// `channel`, out while `switch` says so.
    #[must_use]
    pub fn new(channel: Arc<dyn Adapter>, switch: Switch) -> Self {
        Self { channel, switch }
    }
}

impl Adapter for Interruptible {
    fn capability(&self) -> &Capability {
        self.channel.capability()
    }

    fn perform(&self, now: TimestampMs, calls: Vec<ChannelRequest>, sink: &Arc<dyn ReportSink>) {
        if !self.switch.is_out() {
            return self.channel.perform(now, calls, sink);
        }
        let (payments, others): (Vec<_>, Vec<_>) =
            calls.into_iter().partition(|call| matches!(call.op, ChannelOp::Pay));
        let refusal = |call: ChannelRequest| ChannelReport {
            channel: call.channel,
            order: call.order,
            attempt: call.attempt,
            source: ReportSource::PayAnswer,
            outcome: Outcome::Failed { kind: FailureKind::Channel, code: "OUT_OF_SERVICE".into() },
        };
        if !payments.is_empty() {
            sink.deliver(payments.into_iter().map(refusal).collect());
        }
        if !others.is_empty() {
            self.channel.perform(now, others, sink);
        }
    }

    fn advance(&self, now: TimestampMs, sink: &Arc<dyn ReportSink>) -> Option<TimestampMs> {
        self.channel.advance(now, sink)
    }

    fn book(&self) -> Option<BookTotals> {
        self.channel.book()
    }
}
