//! One turn of a simulated channel: what is due and what is called, in order of time.

use suanpan_model::channel::FailureKind;
use suanpan_model::{Capability, ChannelReport, Outcome, PayKind, ReportSource, TimestampMs};

use super::State;
use super::work::{Scheduled, Work};
use crate::behaviour::Behaviour;
use crate::book::{BookLine, LineStatus, PaymentKey, RefundLine};
use crate::fate::{AnswerPlan, Fate, PayerPlan};
use crate::random::Draws;

/// The channel's state in hand, its clock, and what it has said so far.
pub struct Turn<'a> {
    pub(super) capability: &'a Capability,
    pub(super) behaviour: &'a Behaviour,
    pub(super) draws: Draws,
    pub(super) state: &'a mut State,
    /// The instant at which things happen: that of an agenda item while it runs, `now` otherwise.
    pub(super) clock: TimestampMs,
    now: TimestampMs,
    pub(super) reports: Vec<ChannelReport>,
}

impl<'a> Turn<'a> {
    /// A turn at `now` that will take as many calls.
    pub fn begin(
        capability: &'a Capability,
        behaviour: &'a Behaviour,
        draws: Draws,
        state: &'a mut State,
        now: TimestampMs,
        calls: usize,
    ) -> Self {
        // A call is mostly answered, and often followed by a notification.
        Self { capability, behaviour, draws, state, clock: now, now, reports: Vec::with_capacity(2 * calls) }
    }

    /// What was said.
    pub fn finish(self) -> Vec<ChannelReport> {
        self.reports
    }

    pub(super) fn fate(&self, key: PaymentKey) -> Fate<'a> {
        Fate::of(self.draws, key.order, key.attempt, self.behaviour)
    }

    /// Does what is due, each thing at its own instant.
    pub fn catch_up(&mut self) {
        while let Some(item) = self.state.agenda.peek().filter(|item| item.at <= self.now).copied() {
            self.state.agenda.pop();
            self.clock = item.at;
            self.run(item.key, item.work);
        }
        self.clock = self.now;
    }

    /// Does something at once when its time is not after the clock, and later otherwise.
    pub(super) fn at(&mut self, at: TimestampMs, key: PaymentKey, work: Work) {
        if at <= self.clock {
            self.run(key, work);
        } else if at != TimestampMs::NEVER {
            let sequence = self.state.sequence;
            self.state.sequence += 1;
            self.state.agenda.push(Scheduled { at, sequence, key, work });
        }
    }

    /// Puts what a restored line has still before it onto the agenda.
    pub fn resume(&mut self, key: PaymentKey, line: &BookLine) {
        match line.status {
            LineStatus::Processing => self.at(line.due, key, Work::Settle { answered: false }),
            LineStatus::Waiting | LineStatus::Closed => self.at(line.due, key, Work::PayerActs),
            LineStatus::Paid if !line.noticed => {
                let early = self.is_noticed_early(key, line);
                self.notify(key, line, early);
            }
            LineStatus::Paid | LineStatus::WaitingSms | LineStatus::Failed(_) => {}
        }
    }

    /// The same for a restored refund: it may come back.
    pub fn resume_refund(&mut self, key: PaymentKey, refund: u8, line: RefundLine) {
        self.at(line.due, key, Work::Bounce { refund });
    }

    fn run(&mut self, key: PaymentKey, work: Work) {
        match work {
            Work::Settle { answered } => self.settle(key, answered),
            Work::PayerActs => self.payer_acts(key),
            Work::AnswerPay => self.answer_pay(key),
            Work::AnswerCreated => self.say(key, ReportSource::PayAnswer, self.created(key)),
            Work::AnswerProcessing => self.say(key, ReportSource::PayAnswer, Outcome::Processing),
            Work::AnswerQuery { unknown } => self.answer_query(key, unknown),
            Work::Close => self.close_now(key),
            Work::AnswerRefund { refund, unknown } => self.answer_refund(key, refund, unknown),
            Work::AnswerRefundQuery { refund } | Work::NoticeRefund { refund } => {
                self.tell_refund(key, refund);
            }
            Work::Bounce { refund } => self.bounce(key, refund),
            Work::Notice { lie } => self.notice_paid(key, lie),
            Work::NoticeFailed => {
                self.say(key, ReportSource::PayNotice, Self::failed(FailureKind::Channel));
            }
        }
    }

    /// The bank finishes a quick payment.
    fn settle(&mut self, key: PaymentKey, answered: bool) {
        if let Some(line) = self.state.book.line(key).copied()
            && line.status == LineStatus::Processing
        {
            self.settle_line(key, line, answered);
        }
    }

    /// As [`Turn::settle`], for a payment whose line is in hand and perhaps not yet in the book.
    pub(super) fn settle_line(&mut self, key: PaymentKey, line: BookLine, answered: bool) {
        let paid = self.mark_paid(key, line);
        let early = self.is_noticed_early(key, &paid);
        if answered && !early {
            self.say(key, ReportSource::PayAnswer, self.succeeded(key, &paid));
        }
        self.notify(key, &paid, early);
        if answered && early {
            self.say(key, ReportSource::PayAnswer, self.succeeded(key, &paid));
        }
    }

    /// The gateway payer pays or declines; after a close only the stubborn ones pay.
    fn payer_acts(&mut self, key: PaymentKey) {
        let Some(line) = self.state.book.line(key).copied() else {
            return;
        };
        let fate = self.fate(key);
        match (line.status, fate.payer()) {
            (LineStatus::Waiting, PayerPlan::Declines) => {
                let status = LineStatus::Failed(FailureKind::Declined);
                self.put(key, BookLine { status, due: TimestampMs::NEVER, ..line });
                self.say(key, ReportSource::PayNotice, Self::failed(FailureKind::Declined));
            }
            (LineStatus::Waiting, PayerPlan::Pays) => self.payer_pays(key, line),
            (LineStatus::Closed, PayerPlan::Pays) if fate.paid_after_close() => self.payer_pays(key, line),
            (
                LineStatus::Waiting
                | LineStatus::Closed
                | LineStatus::Processing
                | LineStatus::WaitingSms
                | LineStatus::Paid
                | LineStatus::Failed(_),
                PayerPlan::Pays | PayerPlan::Declines | PayerPlan::Never,
            ) => {}
        }
    }

    fn payer_pays(&mut self, key: PaymentKey, line: BookLine) {
        let paid = self.mark_paid(key, line);
        let early = self.is_noticed_early(key, &paid);
        self.notify(key, &paid, early);
    }

    pub(super) fn mark_paid(&mut self, key: PaymentKey, line: BookLine) -> BookLine {
        let paid =
            BookLine { status: LineStatus::Paid, due: TimestampMs::NEVER, changed_at: self.clock, ..line };
        self.state.book.put(key, paid);
        paid
    }

    /// Writes a line that comes to its status now.
    pub(super) fn put(&mut self, key: PaymentKey, line: BookLine) {
        self.state.book.put(key, BookLine { changed_at: self.clock, ..line });
    }

    /// Whether the payment is notified before its call is answered.
    fn is_noticed_early(&self, key: PaymentKey, line: &BookLine) -> bool {
        let fate = self.fate(key);
        fate.notice_before_answer()
            && match line.kind {
                PayKind::Gateway => fate.payer() == PayerPlan::Pays,
                PayKind::QuickPay | PayKind::Balance => true,
            }
    }

    /// Arranges the notifications of a payment made.
    pub(super) fn notify(&mut self, key: PaymentKey, line: &BookLine, early: bool) {
        let fate = self.fate(key);
        let told = match line.kind {
            PayKind::Gateway => true,
            PayKind::QuickPay | PayKind::Balance => {
                self.behaviour.quick_pay_notice
                    || early
                    || fate.answers_processing()
                    || fate.answer() != AnswerPlan::InTime
            }
        };
        if !told {
            return;
        }
        let plan = fate.notices();
        // An early notification is the first one, and comes at once.
        let mut at = if early { line.changed_at } else { line.changed_at + ms(plan.after_ms) };
        for _ in 0..plan.copies {
            self.at(at, key, Work::Notice { lie: plan.lie });
            at = at + ms(plan.gap_ms);
        }
        if let Some(after_ms) = plan.contradiction_after_ms {
            self.at(line.changed_at + ms(after_ms), key, Work::NoticeFailed);
        }
    }
}

pub(super) const fn ms(span: u64) -> suanpan_model::DurationMs {
    suanpan_model::DurationMs(span)
}
