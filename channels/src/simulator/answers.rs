//! What a simulated channel says, read from its book.

use smol_str::SmolStr;
use suanpan_model::channel::{FailureKind, UnknownWhy};
use suanpan_model::{Amount, ChannelReport, Outcome, PayerAction, ReportSource, TimestampMs};

use super::turn::{Turn, ms};
use super::work::Work;
use crate::book::{BookLine, LineStatus, PaymentKey, RefundLine, RefundStatus};

impl Turn<'_> {
    pub(super) fn say(&mut self, key: PaymentKey, source: ReportSource, outcome: Outcome) {
        let channel = self.capability.id;
        self.reports.push(ChannelReport { channel, order: key.order, attempt: key.attempt, source, outcome });
    }

    pub(super) fn failed(kind: FailureKind) -> Outcome {
        Outcome::Failed { kind, code: SmolStr::new_static(code(kind)) }
    }

    /// The channel's number for a payment: channel, order and attempt in 22 hex digits, which `SmolStr` keeps inline.
    fn channel_no(&self, key: PaymentKey) -> SmolStr {
        let mut digits = [0; 22];
        let bytes = self.capability.id.0.to_be_bytes().into_iter().chain(key.order.0.to_be_bytes());
        for (pair, byte) in digits.as_chunks_mut().0.iter_mut().zip(bytes.chain([key.attempt.0])) {
            *pair = HEX[usize::from(byte)];
        }
        SmolStr::new_inline(str::from_utf8(&digits).unwrap_or_default())
    }

    /// Payment created, its payer to be redirected.
    pub(super) fn created(&self, key: PaymentKey) -> Outcome {
        let channel_no = self.channel_no(key);
        let parts = ["https://", self.capability.name.as_str(), ".pay.example/", channel_no.as_str()];
        let mut address = String::with_capacity(parts.iter().map(|part| part.len()).sum());
        parts.into_iter().for_each(|part| address.push_str(part));
        Outcome::Accepted { channel_no, action: Some(PayerAction::Redirect(address.into())) }
    }

    pub(super) fn succeeded(&self, key: PaymentKey, line: &BookLine) -> Outcome {
        Outcome::Succeeded { channel_no: self.channel_no(key), amount: line.amount, fee: Some(line.fee) }
    }

    pub(super) fn answer_pay(&mut self, key: PaymentKey) {
        let outcome = match self.state.book.line(key) {
            None => Outcome::NotFound,
            Some(line) => match line.status {
                LineStatus::Waiting => self.created(key),
                LineStatus::WaitingSms => {
                    Outcome::Accepted { channel_no: self.channel_no(key), action: Some(PayerAction::SmsCode) }
                }
                LineStatus::Processing => Outcome::Processing,
                LineStatus::Paid => self.succeeded(key, line),
                LineStatus::Failed(kind) => Self::failed(kind),
                LineStatus::Closed => Outcome::Closed,
            },
        };
        self.say(key, ReportSource::PayAnswer, outcome);
    }

    pub(super) fn answer_query(&mut self, key: PaymentKey, unknown: bool) {
        let outcome = match self.state.book.line(key) {
            None => Outcome::NotFound,
            Some(_) if unknown => Outcome::Unknown(UnknownWhy::ChannelSaysUnknown),
            Some(line) => self.state_of(key, line),
        };
        self.say(key, ReportSource::QueryAnswer, outcome);
    }

    fn state_of(&self, key: PaymentKey, line: &BookLine) -> Outcome {
        match line.status {
            LineStatus::Waiting | LineStatus::WaitingSms | LineStatus::Processing => Outcome::Processing,
            LineStatus::Paid => self.succeeded(key, line),
            LineStatus::Failed(kind) => Self::failed(kind),
            LineStatus::Closed => Outcome::Closed,
        }
    }

    /// Closes a payment that waits for its payer, and says where it stands.
    pub(super) fn close_now(&mut self, key: PaymentKey) {
        let Some(line) = self.state.book.line(key).copied() else {
            return self.say(key, ReportSource::CloseAnswer, Outcome::NotFound);
        };
        let line = match line.status {
            LineStatus::Waiting | LineStatus::WaitingSms => {
                let closed = BookLine { status: LineStatus::Closed, ..line };
                self.put(key, closed);
                closed
            }
            LineStatus::Processing | LineStatus::Paid | LineStatus::Failed(_) | LineStatus::Closed => line,
        };
        let outcome = self.state_of(key, &line);
        self.say(key, ReportSource::CloseAnswer, outcome);
    }

    pub(super) fn answer_refund(&mut self, key: PaymentKey, refund: u8, unknown: bool) {
        match (self.state.book.refund(key, refund), self.state.book.line(key)) {
            (Some(line), _) if unknown => {
                let outcome = Outcome::Unknown(UnknownWhy::ChannelSaysUnknown);
                self.say(key, ReportSource::Refund { refund }, outcome);
                if line.status == RefundStatus::Stuck {
                    let gap = ms(u64::from(self.behaviour.notice.p50_ms));
                    self.at(self.clock + gap, key, Work::NoticeRefund { refund });
                }
            }
            (Some(_), _) => self.tell_refund(key, refund),
            (None, Some(_)) => {
                self.say(key, ReportSource::Refund { refund }, Self::failed(FailureKind::Request));
            }
            (None, None) => self.say(key, ReportSource::Refund { refund }, Outcome::NotFound),
        }
    }

    /// Says where a refund stands: to a query, or as a notification.
    pub(super) fn tell_refund(&mut self, key: PaymentKey, refund: u8) {
        let known = self.state.book.refund(key, refund);
        let outcome = known.map_or(Outcome::NotFound, |line| self.refund_state(key, refund, line));
        self.say(key, ReportSource::Refund { refund }, outcome);
    }

    /// The payer's bank sends a refund back.
    pub(super) fn bounce(&mut self, key: PaymentKey, refund: u8) {
        let Some(line) = self.state.book.refund(key, refund) else {
            return;
        };
        if line.status == RefundStatus::Made && line.due != TimestampMs::NEVER {
            let status = RefundStatus::Bounced;
            let line = RefundLine { status, due: TimestampMs::NEVER, ..line };
            self.state.book.put_refund(key, refund, line);
            self.tell_refund(key, refund);
        }
    }

    fn refund_state(&self, key: PaymentKey, refund: u8, line: RefundLine) -> Outcome {
        match line.status {
            RefundStatus::Made => {
                let channel_no =
                    SmolStr::from_iter([self.channel_no(key).as_str(), "R", &refund.to_string()]);
                Outcome::Succeeded { channel_no, amount: line.amount, fee: None }
            }
            RefundStatus::Refused => Self::failed(FailureKind::Channel),
            RefundStatus::Stuck => Outcome::Abnormal { code: SmolStr::new_static("REFUND_ABNORMAL") },
            RefundStatus::Bounced => {
                Outcome::Bounced { amount: line.amount, code: SmolStr::new_static("ACCOUNT_CLOSED") }
            }
        }
    }

    /// Notifies of a payment. The book does not lie, the notification may: it names one minor unit more.
    pub(super) fn notice_paid(&mut self, key: PaymentKey, lie: bool) {
        let Some(line) = self.state.book.notice(key) else {
            return;
        };
        let amount = if lie { line.amount.plus(Amount::from_minor(1)) } else { line.amount };
        let outcome = self.succeeded(key, &BookLine { amount, ..line });
        self.say(key, ReportSource::PayNotice, outcome);
    }
}

/// The simulated channels' own codes.
const fn code(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Payer => "INSUFFICIENT_FUNDS",
        FailureKind::Declined => "PAYER_DECLINED",
        FailureKind::Risk => "RISK_REFUSED",
        FailureKind::Limit => "LIMIT_EXCEEDED",
        FailureKind::Channel => "CHANNEL_TROUBLE",
        FailureKind::Request => "BAD_REQUEST",
    }
}

/// Two hex digits per byte value, so that a number of 22 digits takes 11 steps.
const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 0xf]];
        byte += 1;
    }
    table
};
