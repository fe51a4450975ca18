//! Every acknowledged order, asked for at the end: what became of it, and where.

use std::collections::BTreeMap;
use std::sync::Arc;

use suanpan_model::command::OrderRef;
use suanpan_model::event::EventKind;
use suanpan_model::order::{Attempt, AttemptState, order_key};
use suanpan_model::refund::RefundState;
use suanpan_model::{
    Amount, Bank, Capability, CardType, ChannelId, Currency, Order, OrderStatus, OrderTerms, PayKind,
};
use suanpan_runtime::recovery::order_breaks;
use suanpan_runtime::{Command, Engine, Reply};

use super::cast::PLATFORM;
use super::mall::Mall;

/// Orders asked for at once.
const CHUNK: usize = 500;
/// Faults of one kind that are told.
const TOLD: usize = 10;

/// What one channel did in one currency.
#[derive(Clone, Debug, Default)]
pub struct ChannelFigures {
    /// Attempts there.
    pub attempts: u64,
    /// Attempts that paid.
    pub paid: u64,
    /// Attempts that were refused or not sent.
    pub failed: u64,
    /// Of these, those after which another channel was tried.
    pub failed_over: u64,
    /// Attempts that were closed unpaid.
    pub closed: u64,
    /// Attempts of which for a while nobody knew what became of them.
    pub doubted: u64,
    /// Payments that came after their order had ended.
    pub late: u64,
    /// What was paid, in minor units.
    pub volume: i128,
    /// The channel's fees, in minor units.
    pub fees: i128,
    /// What went back, in minor units.
    pub refunded: i128,
}

/// A payment that a channel took, for comparing what it would have cost elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Payment {
    kind: PayKind,
    currency: Currency,
    bank: Option<Bank>,
    card_type: Option<CardType>,
    /// What was paid.
    pub amount: Amount,
    /// What the channel took for it.
    pub fee: Amount,
}

impl Payment {
    fn new(terms: &OrderTerms, fee: Amount) -> Self {
        Self {
            kind: terms.kind,
            currency: terms.currency,
            bank: terms.bank,
            card_type: terms.card_type,
            amount: terms.payable(),
            fee,
        }
    }

    /// Its currency.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// What a channel would have taken for it, if it could have taken it at all. Quota and hours do not count.
    #[must_use]
    pub fn fee_at(&self, channel: &Capability) -> Option<Amount> {
        let can = channel.kinds.contains(&self.kind)
            && channel.currencies.contains(&self.currency)
            && channel.banks.reach(self.bank)
            && self.card_type.is_none_or(|card| channel.card_types.contains(&card))
            && (channel.amount_min..=channel.amount_max).contains(&self.amount);
        can.then(|| channel.tariff.fee(self.amount, self.card_type))
    }
}

/// What became of all orders.
#[derive(Debug, Default)]
pub struct Survey {
    /// Orders found.
    pub orders: usize,
    /// How they ended.
    pub statuses: BTreeMap<OrderStatus, u64>,
    /// What channels did.
    pub channels: BTreeMap<(ChannelId, Currency), ChannelFigures>,
    /// Orders paid from e-accounts, and how much.
    pub balance: (u64, i128),
    /// Payments through channels.
    pub payments: Vec<Payment>,
    /// Contradictions of channels that were noted.
    pub contradictions: u64,
    /// Orders with a coupon that were paid.
    pub coupons: u64,
    /// Of these, those with more than one.
    pub stacked: u64,
    /// Releases of part, and of these those with receivers of their own.
    pub milestones: (u64, u64),
    /// Refunds of money that had been released.
    pub refunds_after_release: u64,
    /// Disputes that ended with a refund.
    pub disputes_refunded: u64,
    /// What receivers had to give back and had spent, in minor units.
    pub owed: i128,
    /// Acknowledged orders that are not there, or under another number.
    pub missing: Vec<String>,
    /// Orders that have not ended, or for which something is still under way.
    pub unfinished: Vec<String>,
    /// Breaks of invariants.
    pub breaks: Vec<String>,
    best: Option<(u32, Arc<Order>)>,
    story: Option<Arc<Order>>,
}

impl Survey {
    /// Asks for every acknowledged order.
    pub async fn take(engine: &Engine, mall: &Mall) -> Self {
        let acknowledged: Vec<(String, String)> =
            mall.record.borrow().orders().iter().map(|(no, id)| (no.clone(), id.clone())).collect();
        let mut survey = Self::default();
        for chunk in acknowledged.chunks(CHUNK) {
            let query = |(no, _): &(String, String)| Command::Query {
                platform: Some(PLATFORM),
                order: OrderRef::Key(order_key(PLATFORM, no)),
            };
            let answers = engine.call_many(chunk.iter().map(query).collect()).await;
            for ((no, id), answer) in chunk.iter().zip(answers) {
                match answer {
                    Ok(Reply::Life(order)) if order.id.to_string() == *id => survey.add(&order),
                    Ok(_) => survey.missing.push(format!("{no}: known under another number than {id}")),
                    Err(reject) => survey.missing.push(format!("{no} ({id}): {reject}")),
                }
            }
        }
        survey.missing.truncate(TOLD);
        survey.unfinished.truncate(TOLD);
        survey.breaks.truncate(TOLD);
        survey
    }

    /// An order worth telling.
    #[must_use]
    pub fn best(&self) -> Option<&Arc<Order>> {
        self.best.as_ref().map(|(_, order)| order)
    }

    /// The order of which the story is told.
    #[must_use]
    pub const fn story(&self) -> Option<&Arc<Order>> {
        self.story.as_ref()
    }

    /// Counts releases, refunds and disputes.
    fn depth(&mut self, order: &Order) {
        self.stacked += u64::from(order.terms.coupons.len() > 1 && order.paid_by.is_some());
        let parts = order.releases.iter().filter(|release| !release.release_no.is_empty()).count();
        let planned = order.terms.splits.len() + 2;
        let has_payees = order.parts.iter().any(|part| part.stakes.len() > planned);
        self.milestones.0 += parts as u64;
        self.milestones.1 += u64::from(has_payees);
        for refund in order.refunds.iter().filter(|refund| refund.state == RefundState::Succeeded) {
            let takes = refund.unwinding.iter().flat_map(|unwinding| &unwinding.takes);
            self.refunds_after_release += u64::from(takes.clone().next().is_some());
            self.owed += takes.map(|take| take.short().signed()).sum::<i128>();
        }
        let ended = [EventKind::DisputeResolved, EventKind::RefundStarted];
        let by_refund = order.steps.windows(2).filter(|pair| [pair[0].kind, pair[1].kind] == ended);
        self.disputes_refunded += by_refund.count() as u64;
    }

    fn add(&mut self, order: &Arc<Order>) {
        self.orders += 1;
        *self.statuses.entry(order.status).or_default() += 1;
        self.contradictions += u64::from(order.contradictions);
        if !order.is_finished() {
            self.unfinished.push(format!("{} ({}): {}", order.terms.order_no, order.id, order.status));
        }
        self.breaks.extend(order_breaks(order));
        let doubted = doubted(order);
        for (place, attempt) in order.attempts.iter().enumerate() {
            self.attempt(order, attempt, place + 1 == order.attempts.len(), doubted.contains(&place));
        }
        if order.terms.kind == PayKind::Balance && order.paid_by.is_some() {
            self.balance.0 += 1;
            self.balance.1 += order.terms.payable().signed();
        }
        if !order.terms.coupons.is_empty() && order.paid_by.is_some() {
            self.coupons += 1;
        }
        self.depth(order);
        if order.terms.description == super::story::DESCRIPTION {
            self.story = Some(Arc::clone(order));
            return;
        }
        let worth = worth(order, !doubted.is_empty());
        if self.best.as_ref().is_none_or(|(best, _)| worth > *best) {
            self.best = Some((worth, Arc::clone(order)));
        }
    }

    fn attempt(&mut self, order: &Order, attempt: &Attempt, is_last: bool, doubted: bool) {
        let figures = self.channels.entry((attempt.channel(), order.terms.currency)).or_default();
        figures.attempts += 1;
        figures.doubted += u64::from(doubted);
        match attempt.state {
            AttemptState::Succeeded => {
                let back = order
                    .refunds
                    .iter()
                    .filter(|refund| refund.attempt == attempt.no && refund.state == RefundState::Succeeded);
                figures.refunded += back.map(|refund| refund.to_payer.signed()).sum::<i128>();
                figures.volume += order.terms.payable().signed();
                figures.fees += attempt.fee.signed();
                if order.paid_by == Some(attempt.no) {
                    figures.paid += 1;
                    self.payments.push(Payment::new(&order.terms, attempt.fee));
                } else {
                    figures.late += 1;
                }
            }
            AttemptState::Failed { .. } | AttemptState::NotSent(_) => {
                figures.failed += 1;
                figures.failed_over += u64::from(!is_last);
            }
            AttemptState::Closed => figures.closed += 1,
            AttemptState::Calling | AttemptState::Waiting { .. } | AttemptState::InDoubt(_) => {}
        }
    }
}

/// Places of the attempts that were in doubt at some time.
fn doubted(order: &Order) -> Vec<usize> {
    let mut places = Vec::new();
    let mut attempts = 0_usize;
    for step in &order.steps {
        match step.kind {
            EventKind::AttemptStarted => attempts += 1,
            EventKind::AttemptInDoubt => places.push(attempts.saturating_sub(1)),
            _ => {}
        }
    }
    places.dedup();
    places
}

/// How much there is to see in an order's life.
fn worth(order: &Order, doubted: bool) -> u32 {
    let failed_over = order.attempts.len() > 1 && order.paid_by.is_some();
    let merits = [
        (8, failed_over),
        (5, doubted && order.paid_by.is_some()),
        (6, !order.terms.coupons.is_empty()),
        (3, order.terms.coupons.len() > 1),
        (3, order.releases.len() > 1),
        (6, order.terms.splits.len() >= 2),
        (2, order.status == OrderStatus::Settled && order.terms.escrow),
        (2, !order.refunds.is_empty() && order.refunds.iter().all(|one| one.state == RefundState::Succeeded)),
        (1, order.terms.sub_orders.len() > 1),
        (1, order.terms.bank.is_some()),
        // A life that does not fit a page is not told.
        (10, order.steps.len() <= 16 && order.contradictions == 0),
    ];
    merits.into_iter().filter(|(_, has)| *has).map(|(merit, _)| merit).sum()
}
