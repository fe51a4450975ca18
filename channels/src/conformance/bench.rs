//! An adapter on the bench: a virtual clock, a recording sink, payments made up to suit the channel.

use std::sync::{Arc, Mutex, PoisonError};

use smol_str::SmolStr;
use suanpan_model::order::Bank;
use suanpan_model::{
    AccountId, AccountType, Amount, AttemptNo, Banks, Capability, ChannelId, ChannelOp, ChannelReport,
    ChannelRequest, DurationMs, OrderId, OrderTerms, Outcome, PayKind, PayerAction, PlatformId, ReportSource,
    SubOrder, TimestampMs,
};

use crate::adapter::{Adapter, BookTotals, ReportSink};

/// A sink that keeps what it gets.
#[derive(Debug, Default)]
pub struct Recorder {
    batches: Mutex<Vec<Vec<ChannelReport>>>,
}

impl Recorder {
    /// Takes everything delivered so far, batch by batch.
    #[must_use]
    pub fn take(&self) -> Vec<Vec<ChannelReport>> {
        std::mem::take(&mut *self.batches.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ReportSink for Recorder {
    fn deliver(&self, reports: Vec<ChannelReport>) {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner).push(reports);
    }
}

/// A payment to be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The order.
    pub order: OrderId,
    /// The attempt.
    pub attempt: AttemptNo,
    /// How much.
    pub amount: Amount,
}

/// An adapter, a clock and a sink.
pub struct Bench {
    adapter: Arc<dyn Adapter>,
    recorder: Arc<Recorder>,
    sink: Arc<dyn ReportSink>,
    kind: PayKind,
    now: TimestampMs,
    orders: u64,
}

/// Monday 2026-11-23, 12:00 in Beijing: inside any sensible service hours.
const NOON: TimestampMs = TimestampMs(1_795_406_400_000);

impl Bench {
    /// Puts an adapter on the bench, for payments of `kind`.
    #[must_use]
    pub fn new(adapter: Arc<dyn Adapter>, kind: PayKind) -> Self {
        let recorder = Arc::new(Recorder::default());
        Self { adapter, sink: recorder.clone(), recorder, kind, now: NOON, orders: 0 }
    }

    /// What the channel says that it can do.
    #[must_use]
    pub fn capability(&self) -> &Capability {
        self.adapter.capability()
    }

    /// The channel's number.
    #[must_use]
    pub fn channel(&self) -> ChannelId {
        self.capability().id
    }

    /// The channel's book, empty when it keeps none.
    #[must_use]
    pub fn totals(&self) -> BookTotals {
        self.adapter.book().unwrap_or_default()
    }

    /// The time on the bench.
    #[must_use]
    pub const fn now(&self) -> TimestampMs {
        self.now
    }

    /// Terms that the channel takes.
    #[must_use]
    pub fn terms(&self, amount: Amount) -> OrderTerms {
        let capability = self.capability();
        let bank: Option<Bank> = match &capability.banks {
            Banks::All => None,
            Banks::Only(banks) => banks.first().copied(),
        };
        let merchant = AccountId::opened(AccountType::Cash, 1, 0);
        OrderTerms {
            platform: PlatformId(1),
            order_no: SmolStr::new_static("bench"),
            payer: SmolStr::new_static("payer"),
            payer_account: None,
            amount,
            currency: capability.currencies.first().copied().unwrap_or_default(),
            kind: self.kind,
            bank,
            card_type: capability.card_types.first().copied(),
            agreement_no: SmolStr::new_static("agreement"),
            description: SmolStr::default(),
            expires_at: self.now + DurationMs::from_days(1),
            escrow: false,
            virtual_goods: false,
            coupons: Vec::new(),
            sub_orders: [SubOrder { merchant, amount }].into_iter().collect(),
            splits: std::iter::empty().collect(),
            callback: SmolStr::default(),
            metadata: Vec::new(),
            attributes: None,
        }
    }

    /// A payment that nobody has asked for, within the channel's limits and worth splitting.
    pub fn next_payment(&mut self) -> Payment {
        self.orders += 1;
        let capability = self.capability();
        let amount = Amount::from_minor(3_000).clamp(capability.amount_min, capability.amount_max);
        Payment { order: OrderId(self.orders << 8), attempt: AttemptNo(1), amount }
    }

    /// The request for `op` about a payment.
    #[must_use]
    pub fn request(&self, payment: Payment, op: ChannelOp) -> ChannelRequest {
        ChannelRequest {
            channel: self.channel(),
            order: payment.order,
            attempt: payment.attempt,
            op,
            amount: payment.amount,
            deadline: self.now + self.capability().call_timeout,
            terms: Arc::new(self.terms(payment.amount)),
        }
    }

    /// Calls with one batch and hears what is said at once.
    pub fn call_at_once(&mut self, calls: &[(Payment, ChannelOp)]) -> Vec<ChannelReport> {
        let requests = calls.iter().map(|(payment, op)| self.request(*payment, op.clone())).collect();
        self.adapter.perform(self.now, requests, &self.sink);
        let batches = self.recorder.take();
        assert!(batches.len() <= 1, "a call of `perform` delivers at most one batch");
        batches.into_iter().flatten().collect()
    }

    /// Calls with one batch and hears everything said until the adapter is idle.
    pub fn call_all(&mut self, calls: &[(Payment, ChannelOp)]) -> Vec<ChannelReport> {
        let mut reports = self.call_at_once(calls);
        reports.extend(self.idle());
        reports
    }

    /// Calls once and hears everything said until the adapter is idle.
    pub fn call(&mut self, payment: Payment, op: ChannelOp) -> Vec<ChannelReport> {
        self.call_all(&[(payment, op)])
    }

    /// Moves the clock from wish to wish of the adapter until it has none.
    ///
    /// # Panics
    /// When the adapter wishes for what has passed, or never stops.
    pub fn idle(&mut self) -> Vec<ChannelReport> {
        let mut reports = Vec::new();
        for _ in 0..1_000_000 {
            let next = self.adapter.advance(self.now, &self.sink);
            reports.extend(self.recorder.take().into_iter().flatten());
            let Some(next) = next else {
                return reports;
            };
            assert!(
                next > self.now,
                "an adapter has nothing left to do for {:?} after it was called then",
                self.now
            );
            self.now = next;
        }
        panic!("an adapter has always something left to do");
    }

    /// Moves the clock to `end`, hearing what is said on the way.
    pub fn until(&mut self, end: TimestampMs) -> Vec<ChannelReport> {
        let mut reports = Vec::new();
        while let Some(next) = self.adapter.advance(self.now, &self.sink).filter(|next| *next <= end) {
            self.now = next;
        }
        self.now = end;
        reports.extend(self.recorder.take().into_iter().flatten());
        reports
    }

    /// Lets time pass without calling the adapter.
    pub fn wait(&mut self, span: DurationMs) {
        self.now = self.now + span;
    }

    /// Calls and gives the answer, if one comes.
    pub fn answer(&mut self, payment: Payment, op: ChannelOp, source: ReportSource) -> Option<Outcome> {
        self.call(payment, op).into_iter().find(|report| report.source == source).map(|report| report.outcome)
    }

    /// Asks until the channel knows, at most fifty times.
    ///
    /// # Panics
    /// When it never knows.
    pub fn query(&mut self, payment: Payment) -> Outcome {
        for _ in 0..50 {
            match self.answer(payment, ChannelOp::Query, ReportSource::QueryAnswer) {
                None | Some(Outcome::Unknown(_)) => {}
                Some(outcome) => return outcome,
            }
        }
        panic!("of fifty queries none says what became of {payment:?}");
    }

    /// Asks for a payment and types the code if one is wanted, without waiting for what takes time.
    pub fn start(&mut self, payment: Payment) {
        let reports = self.call_at_once(&[(payment, ChannelOp::Pay)]);
        if wants_sms(&reports) {
            self.call_at_once(&[(payment, confirmation())]);
        }
    }

    /// Types the code.
    pub fn confirm(&mut self, payment: Payment) {
        self.call(payment, confirmation());
    }

    /// A payment that was made.
    ///
    /// # Panics
    /// When none of five hundred is.
    pub fn paid(&mut self) -> Payment {
        for _ in 0..500 {
            let payment = self.next_payment();
            let reports = self.call(payment, ChannelOp::Pay);
            if wants_sms(&reports) {
                self.confirm(payment);
            }
            if matches!(self.query(payment), Outcome::Succeeded { .. }) {
                return payment;
            }
        }
        panic!("of five hundred payments none goes well");
    }
}

fn confirmation() -> ChannelOp {
    ChannelOp::Confirm { sms_code: SmolStr::new_static("123456") }
}

fn wants_sms(reports: &[ChannelReport]) -> bool {
    reports
        .iter()
        .any(|report| matches!(report.outcome, Outcome::Accepted { action: Some(PayerAction::SmsCode), .. }))
}
