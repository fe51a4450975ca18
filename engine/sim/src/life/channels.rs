//! The network to the channels and back, and what becomes of refunds beyond their books.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use suanpan_channels::{Adapter, ReportSink};
use suanpan_model::{
    ChannelOp, ChannelReport, ChannelRequest, FailureKind, Outcome, ReportSource, TimestampMs,
};

use super::Life;
use super::agenda::Item;
use crate::oracle::books;
use crate::plan::Sabotage;
use crate::process::{Actor, Message};

/// What becomes of refunds that their channel's own book knows nothing of.
#[derive(Default)]
pub(super) struct Fates {
    /// Refunds whose first call arrived, and whether the channel cannot finish them.
    pub(super) abnormal: BTreeMap<books::RefundKey, bool>,
    /// Refunds that were made: whether the money comes back, and when.
    pub(super) bounces: BTreeMap<books::RefundKey, Option<Bounce>>,
}

/// A refund that comes back.
#[derive(Clone)]
pub(super) struct Bounce {
    pub(super) at: u64,
    pub(super) report: ChannelReport,
}

/// Gathers reports that channels let go.
#[derive(Default)]
pub(super) struct Wire(pub(super) Mutex<Vec<ChannelReport>>);

impl ReportSink for Wire {
    fn deliver(&self, reports: Vec<ChannelReport>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(reports);
    }
}

impl Life {
    fn flight(&mut self) -> u64 {
        let network = self.plan.network;
        if !self.healed && self.dice.happens(network.slow_ppm) {
            self.report.coverage.fault("message to or from a channel is slow");
            return self.dice.below(network.slow_ms);
        }
        self.dice.below(network.usual_ms + 1)
    }

    pub(super) fn send_call(&mut self, call: ChannelRequest) {
        let network = self.plan.network;
        if !self.healed && self.dice.happens(network.lost_ppm) {
            self.report.coverage.fault("call is lost");
            return;
        }
        if !self.healed && self.dice.happens(network.doubled_ppm) {
            self.report.coverage.fault("call arrives twice");
            let wait = self.flight();
            self.after(wait, Item::Call(call.clone()));
        }
        let wait = self.flight();
        self.after(wait, Item::Call(call));
    }

    fn sink(&self) -> Arc<dyn ReportSink> {
        Arc::clone(&self.wire) as Arc<dyn ReportSink>
    }

    pub(super) fn call(&mut self, call: ChannelRequest) {
        let found = self.channels.iter().position(|channel| channel.capability().id == call.channel);
        let Some(channel) = found else { return };
        if self.planted == Some(Sabotage::InventsRefund)
            && let ChannelOp::Refund { refund } = call.op
        {
            let outcome =
                Outcome::Succeeded { channel_no: "never made".into(), amount: call.amount, fee: None };
            let source = ReportSource::Refund { refund };
            let ChannelRequest { channel, order, attempt, .. } = call;
            return self.after(1, Item::Report(ChannelReport { channel, order, attempt, source, outcome }));
        }
        if let Some(report) = self.fate_of(&call) {
            let wait = self.dice.wait(self.plan.network.usual_ms);
            return self.after(wait, Item::Report(report));
        }
        let sink = self.sink();
        self.channels[channel].perform(TimestampMs(self.now), vec![call], &sink);
        self.advance(channel);
    }

    /// What a channel says of a refund that it cannot finish, or that came back, instead of what its book says.
    fn fate_of(&mut self, call: &ChannelRequest) -> Option<ChannelReport> {
        let (ChannelOp::Refund { refund } | ChannelOp::QueryRefund { refund }) = call.op else { return None };
        let key = (call.order, call.attempt, refund);
        if let Some(Some(bounce)) = self.fates.bounces.get(&key)
            && bounce.at <= self.now
        {
            return Some(bounce.report.clone());
        }
        let is_abnormal = match (self.fates.abnormal.get(&key), &call.op) {
            (Some(known), _) => *known,
            (None, ChannelOp::Refund { .. }) => {
                let is_abnormal = !self.healed && self.dice.happens(self.plan.network.abnormal_ppm);
                self.fates.abnormal.insert(key, is_abnormal);
                is_abnormal
            }
            (None, _) => false,
        };
        if !is_abnormal {
            return None;
        }
        self.report.coverage.fault("channel cannot finish a refund");
        let source = ReportSource::Refund { refund };
        let outcome = Outcome::Abnormal { code: "CARD_CLOSED".into() };
        Some(ChannelReport {
            channel: call.channel,
            order: call.order,
            attempt: call.attempt,
            source,
            outcome,
        })
    }

    /// A refund was made: its money may come back later.
    fn may_bounce(&mut self, report: &mut ChannelReport) {
        let ReportSource::Refund { refund } = report.source else { return };
        let Outcome::Succeeded { amount, .. } = report.outcome else { return };
        let key = (report.order, report.attempt, refund);
        match self.fates.bounces.get(&key) {
            Some(Some(bounce)) if bounce.at <= self.now => *report = bounce.report.clone(),
            Some(_) => {}
            None if !self.healed && self.dice.happens(self.plan.network.bounced_ppm) => {
                self.report.coverage.fault("refund comes back");
                let at = self.now + self.dice.wait(20_000);
                let outcome = Outcome::Bounced { amount, code: "RETURNED".into() };
                let bounced = ChannelReport { outcome, ..report.clone() };
                self.fates.bounces.insert(key, Some(Bounce { at, report: bounced.clone() }));
                self.at(at, Item::Report(bounced));
            }
            None => drop(self.fates.bounces.insert(key, None)),
        }
    }

    pub(super) fn advance(&mut self, channel: usize) {
        let sink = self.sink();
        let next = self.channels[channel].advance(TimestampMs(self.now), &sink);
        if let Some(next) = next.map(|next| next.0.max(self.now + 1))
            && next < self.advance_at[channel]
        {
            self.advance_at[channel] = next;
            self.at(next, Item::Advance(channel));
        }
        let said = std::mem::take(&mut *self.wire.0.lock().unwrap_or_else(PoisonError::into_inner));
        for report in said {
            self.send_report(report);
        }
    }

    fn send_report(&mut self, mut report: ChannelReport) {
        let network = self.plan.network;
        if self.planted == Some(Sabotage::DeafForEver) && self.healed {
            return;
        }
        if !self.healed && self.dice.happens(network.lost_ppm) {
            self.report.coverage.fault("report is lost");
            return;
        }
        self.may_bounce(&mut report);
        let may_lie = report.source == ReportSource::PayAnswer
            && matches!(report.outcome, Outcome::Accepted { .. } | Outcome::Processing);
        if may_lie && !self.healed && self.dice.happens(network.false_failure_ppm) {
            self.report.coverage.fault("channel says failed and goes on");
            report.outcome = Outcome::Failed { kind: FailureKind::Channel, code: "FALSE".into() };
        }
        if !self.healed && self.dice.happens(network.doubled_ppm) {
            self.report.coverage.fault("report arrives twice");
            let wait = self.flight();
            self.after(wait, Item::Report(report.clone()));
        }
        let wait = self.flight();
        self.after(wait, Item::Report(report));
    }

    pub(super) fn report_arrives(&mut self, report: ChannelReport) {
        let Some(process) = &mut self.process else {
            self.report.coverage.fault("report finds nobody");
            return;
        };
        // What was paid in full, and only that: a wrong amount is a contradiction that the engine must not book.
        if let (Outcome::Succeeded { amount, .. }, false) =
            (&report.outcome, matches!(report.source, ReportSource::Refund { .. }))
        {
            let line = self
                .channels
                .iter()
                .find(|channel| channel.capability().id == report.channel)
                .and_then(|channel| channel.payment(report.order, report.attempt));
            if line.is_some_and(|line| line.amount == *amount) {
                self.heard.insert((report.order, report.attempt));
            }
        }
        let to = Actor::Orders(report.order.shard(self.plan.shards));
        process.deliver(to, None, Message::Reports(vec![report]));
        self.wake(to);
    }
}
