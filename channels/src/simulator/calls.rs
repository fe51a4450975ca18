//! What happens when a call reaches a simulated channel.

use suanpan_model::channel::{FailureKind, NotSentWhy};
use suanpan_model::{Amount, ChannelOp, ChannelRequest, Outcome, PayKind, ReportSource, TimestampMs};

use super::SMS_CODE_REFUSED;
use super::turn::{Turn, ms};
use super::work::Work;
use crate::book::{BookLine, LineStatus, PaymentKey, RefundLine, RefundStatus};
use crate::fate::{AnswerPlan, Fate, Journey, PayerPlan};

impl Turn<'_> {
    /// Takes one call.
    pub fn call(&mut self, request: &ChannelRequest) {
        let key = PaymentKey { order: request.order, attempt: request.attempt };
        match &request.op {
            ChannelOp::Pay => self.pay(key, request),
            ChannelOp::Confirm { sms_code } => self.confirm(key, request, sms_code),
            ChannelOp::Query => {
                let asked = self.state.book.ask(key);
                let fate = self.fate(key);
                let unknown = fate.query_unknown(asked);
                self.at(self.clock + ms(fate.query_ms(asked)), key, Work::AnswerQuery { unknown });
            }
            ChannelOp::Close => self.close(key, request),
            ChannelOp::Refund { refund } => self.refund(key, *refund, request.amount),
            ChannelOp::QueryRefund { refund } => {
                let asked = self.state.book.ask(key);
                let at = self.clock + ms(self.fate(key).query_ms(asked));
                self.at(at, key, Work::AnswerRefundQuery { refund: *refund });
            }
        }
    }

    fn pay(&mut self, key: PaymentKey, request: &ChannelRequest) {
        let fate = self.fate(key);
        let answered_at = self.clock + ms(fate.create_ms());
        if self.state.book.line(key).is_some() {
            // The first call counts, with its amount; a repeat hears what became of it.
            return self.at(answered_at, key, Work::AnswerPay);
        }
        let fails = match fate.journey() {
            Journey::Refused => {
                return self.say(key, ReportSource::PayAnswer, Outcome::NotSent(NotSentWhy::Refused));
            }
            Journey::Lost => return,
            Journey::Fails(kind) => Some(kind),
            Journey::Arrives => self.refusal(request),
        };
        let line = self.new_line(request);
        if let Some(kind) = fails {
            self.put(key, BookLine { status: LineStatus::Failed(kind), ..line });
            return self.answer_as_planned(key, request.deadline, answered_at, fate, Work::AnswerPay);
        }
        match line.kind {
            PayKind::Gateway => self.send_payer(key, request, line, answered_at, fate),
            PayKind::QuickPay | PayKind::Balance if fate.wants_sms() => {
                self.put(key, BookLine { status: LineStatus::WaitingSms, ..line });
                self.at(answered_at, key, Work::AnswerPay);
            }
            PayKind::QuickPay | PayKind::Balance => self.charge(key, request, line, fate),
        }
    }

    fn new_line(&self, request: &ChannelRequest) -> BookLine {
        BookLine {
            amount: request.amount,
            refunded: Amount::ZERO,
            fee: self.capability.tariff.fee(request.amount, request.terms.card_type),
            changed_at: self.clock,
            due: TimestampMs::NEVER,
            status: LineStatus::Waiting,
            currency: request.terms.currency,
            kind: request.terms.kind,
            noticed: false,
            asked: 0,
        }
    }

    /// What the channel itself checks. Routing should have seen all of it; the clock and other orders may be in between.
    fn refusal(&self, request: &ChannelRequest) -> Option<FailureKind> {
        let terms = &request.terms;
        let able = self.capability.kinds.contains(&terms.kind)
            && self.capability.currencies.contains(&terms.currency)
            && self.capability.banks.reach(terms.bank)
            && terms.card_type.is_none_or(|card| self.capability.card_types.contains(&card))
            && !request.amount.is_zero();
        if !able {
            return Some(FailureKind::Request);
        }
        if request.amount < self.capability.amount_min || request.amount > self.capability.amount_max {
            return Some(FailureKind::Limit);
        }
        if let Some(quota) = self.capability.daily_quota {
            let paid = self.state.book.paid_on(self.clock.beijing_day());
            if paid.saturating_add(request.amount.minor()) > quota.minor() {
                return Some(FailureKind::Limit);
            }
        }
        let open = self.capability.hours.is_none_or(|hours| hours.contain(self.clock.beijing_minute()));
        let out = self.behaviour.outage.is_some_and(|outage| outage.contains(self.clock));
        (!open || out).then_some(FailureKind::Channel)
    }

    /// Creates a gateway payment and lets its payer go.
    fn send_payer(
        &mut self,
        key: PaymentKey,
        request: &ChannelRequest,
        line: BookLine,
        answered_at: TimestampMs,
        fate: Fate<'_>,
    ) {
        let payer = fate.payer();
        let early = payer == PayerPlan::Pays && fate.notice_before_answer();
        let acts_at = match payer {
            PayerPlan::Never => TimestampMs::NEVER,
            PayerPlan::Pays if early => self.clock,
            PayerPlan::Pays | PayerPlan::Declines => answered_at + ms(fate.think_ms()),
        };
        if acts_at > self.clock || payer == PayerPlan::Declines {
            self.put(key, BookLine { status: LineStatus::Waiting, due: acts_at, ..line });
            self.answer_as_planned(key, request.deadline, answered_at, fate, Work::AnswerPay);
            return self.at(acts_at, key, Work::PayerActs);
        }
        // Paid at this very instant: the book has no use for a line that waits.
        let paid = self.mark_paid(key, line);
        if early {
            self.notify(key, &paid, early);
        }
        self.answer_as_planned(key, request.deadline, answered_at, fate, Work::AnswerCreated);
        if !early {
            self.notify(key, &paid, early);
        }
    }

    /// Charges a bound card.
    fn charge(&mut self, key: PaymentKey, request: &ChannelRequest, line: BookLine, fate: Fate<'_>) {
        let answered_at = self.clock + ms(fate.create_ms());
        let settled_at = answered_at + ms(fate.pay_ms());
        let in_time = fate.answer() == AnswerPlan::InTime;
        if settled_at <= self.clock && in_time && !fate.answers_processing() {
            // Paid at this very instant: the book has no use for a line in process.
            return self.settle_line(key, line, true);
        }
        self.put(key, BookLine { status: LineStatus::Processing, due: settled_at, ..line });
        if fate.answers_processing() {
            self.answer_as_planned(key, request.deadline, answered_at, fate, Work::AnswerProcessing);
            return self.at(settled_at, key, Work::Settle { answered: false });
        }
        self.at(settled_at, key, Work::Settle { answered: in_time });
        if !in_time {
            self.answer_as_planned(key, request.deadline, settled_at, fate, Work::AnswerPay);
        }
    }

    /// Answers at `at`, or after the deadline, or never.
    fn answer_as_planned(
        &mut self,
        key: PaymentKey,
        deadline: TimestampMs,
        at: TimestampMs,
        fate: Fate<'_>,
        work: Work,
    ) {
        match fate.answer() {
            AnswerPlan::InTime => self.at(at, key, work),
            AnswerPlan::Late => self.at(at.max(deadline + ms(fate.late_ms())), key, work),
            AnswerPlan::Never => {}
        }
    }

    fn confirm(&mut self, key: PaymentKey, request: &ChannelRequest, sms_code: &str) {
        let fate = self.fate(key);
        let answered_at = self.clock + ms(fate.create_ms());
        match self.state.book.line(key).copied() {
            Some(line) if line.status == LineStatus::WaitingSms => {
                if sms_code == SMS_CODE_REFUSED {
                    self.put(key, BookLine { status: LineStatus::Failed(FailureKind::Declined), ..line });
                    self.at(answered_at, key, Work::AnswerPay);
                } else {
                    self.charge(key, request, line, fate);
                }
            }
            Some(_) | None => self.at(answered_at, key, Work::AnswerPay),
        }
    }

    fn close(&mut self, key: PaymentKey, request: &ChannelRequest) {
        if self.state.book.line(key).is_none() {
            // Closing what has not come keeps it from coming: a payment call still on its way finds it closed.
            let line = self.new_line(request);
            self.put(key, BookLine { status: LineStatus::Closed, ..line });
        }
        let asked = self.state.book.ask(key);
        self.at(self.clock + ms(self.fate(key).query_ms(asked)), key, Work::Close);
    }

    fn refund(&mut self, key: PaymentKey, refund: u8, amount: Amount) {
        let fate = self.fate(key);
        let answered_at = self.clock + ms(fate.refund_ms(refund));
        let known = self.state.book.refund(key, refund);
        let tried = match known {
            None => Some(0),
            // A refund that got stuck can be sent again, with the amount that it had.
            Some(line) if line.status == RefundStatus::Stuck && line.amount == amount => Some(line.tries),
            Some(_) => None,
        };
        let mut made = None;
        if let Some(tried) = tried
            && self.can_give_back(key, amount)
        {
            let line = self.new_refund(fate, refund, amount, tried, answered_at);
            self.state.book.put_refund(key, refund, line);
            made = (line.status == RefundStatus::Made).then_some(line);
        }
        let unknown = fate.refund_unknown(refund);
        self.at(answered_at, key, Work::AnswerRefund { refund, unknown });
        if let Some(line) = made {
            self.at(line.due, key, Work::Bounce { refund });
        }
    }

    fn can_give_back(&self, key: PaymentKey, amount: Amount) -> bool {
        self.state.book.line(key).is_some_and(|line| {
            line.status == LineStatus::Paid
                && !amount.is_zero()
                && line.refunded.checked_add(amount).is_some_and(|total| total <= line.amount)
        })
    }

    fn new_refund(
        &self,
        fate: Fate<'_>,
        refund: u8,
        amount: Amount,
        tried: u8,
        answered_at: TimestampMs,
    ) -> RefundLine {
        let status = if fate.refund_fails(refund) {
            RefundStatus::Refused
        } else if fate.refund_abnormal(refund, tried) {
            RefundStatus::Stuck
        } else {
            RefundStatus::Made
        };
        let bounces = fate.refund_bounces_ms(refund).filter(|_| status == RefundStatus::Made);
        let due = bounces.map_or(TimestampMs::NEVER, |after| answered_at + ms(after));
        RefundLine { amount, status, tries: tried.saturating_add(1), due }
    }
}
