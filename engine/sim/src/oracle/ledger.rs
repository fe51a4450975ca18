//! The naive ledger: sums of what the log says, in plain maps. It knows nothing of shards, checkpoints or accounts' rules.

use std::collections::{BTreeMap, BTreeSet};

use suanpan_core::invariants::Invariant;
use suanpan_model::{
    AccountId, Amount, AttemptNo, Entry, HoldId, LedgerEvent, OrderEvent, OrderId, Record, Side,
};

/// A line of a statement: position, whether it is a credit, amount, balance after it.
pub type Line = (u64, bool, u64, i128);

/// What the log says of an order.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Platform's number.
    pub order_no: String,
    /// Numbers of the mall's refunds.
    pub refunds: Vec<String>,
    /// How often something was released.
    pub releases: usize,
    /// Whether a close began, or the order was closed.
    pub closes: bool,
    /// How often a dispute was opened and ended.
    pub disputes: (usize, usize),
    /// Payments that the engine knows of.
    pub payments: BTreeSet<AttemptNo>,
}

/// Sums of what the log says.
#[derive(Clone, Debug, Default)]
pub struct NaiveLedger {
    /// Posted balance of each account on its normal side.
    pub posted: BTreeMap<AccountId, i128>,
    /// Statement lines of each account.
    pub lines: BTreeMap<AccountId, Vec<Line>>,
    /// What is left of each hold.
    pub holds: BTreeMap<HoldId, (AccountId, u64)>,
    /// Accounts that were opened, and how far below zero each may go.
    pub opened: BTreeMap<AccountId, u64>,
    /// Numbers of top-ups and transfers.
    pub references: BTreeMap<String, usize>,
    /// Orders.
    pub orders: BTreeMap<OrderId, Heard>,
    /// Orders by the mall's number.
    pub by_no: BTreeMap<String, OrderId>,
    /// Records.
    pub records: u64,
    /// Breaks that were found on the way.
    pub breaks: Vec<String>,
}

impl NaiveLedger {
    /// Takes in one record at its position.
    pub fn fold(&mut self, lsn: u64, record: &Record) {
        self.records += 1;
        match record {
            Record::Order { order, events, .. } => {
                for event in events {
                    self.order_event(*order, event);
                    for entry in event.entries() {
                        self.entry(lsn, entry);
                    }
                    for hold in event.voided() {
                        self.holds.remove(&HoldId { cause: order.cause(), no: hold.no });
                    }
                }
            }
            Record::Ledger { event, .. } => self.ledger_event(lsn, event),
        }
    }

    fn ledger_event(&mut self, lsn: u64, event: &LedgerEvent) {
        match event {
            LedgerEvent::AccountOpened { account, credit_limit, .. } => {
                if self.opened.insert(*account, credit_limit.minor()).is_some() {
                    self.breaks.push(Invariant::OneEffect.broken(format!("account {account} opened twice")));
                }
            }
            LedgerEvent::HoldPlaced { hold, account, amount, .. } => {
                if self.holds.insert(*hold, (*account, amount.minor())).is_some() {
                    self.breaks.push(Invariant::OneEffect.broken(format!("hold {hold:?} placed twice")));
                }
                self.check_account(*account);
            }
            LedgerEvent::HoldVoided { hold, .. } | LedgerEvent::HoldExpired { hold, .. } => {
                self.holds.remove(hold);
            }
            LedgerEvent::EntryPosted { entry, reference } => {
                let times = self.references.entry(reference.to_string()).or_default();
                *times += 1;
                if *times > 1 {
                    let what = format!("top-up {reference} posted {times} times");
                    self.breaks.push(Invariant::OneEffect.broken(what));
                }
                self.entry(lsn, entry);
            }
        }
    }

    fn entry(&mut self, lsn: u64, entry: &Entry) {
        let mut sum = 0;
        for posting in &entry.postings {
            let signed = i128::from(posting.amount.minor());
            sum += if posting.side == Side::Debit { signed } else { -signed };
            if posting.hold_no != 0 {
                let hold = HoldId { cause: entry.cause, no: posting.hold_no };
                let left = self.holds.get(&hold).map_or(0, |(_, left)| *left);
                match left.checked_sub(posting.amount.minor()) {
                    Some(0) => drop(self.holds.remove(&hold)),
                    Some(rest) => drop(self.holds.insert(hold, (posting.account, rest))),
                    None => {
                        let what = format!("position {lsn}: {hold:?} gives more than it has");
                        self.breaks.push(Invariant::HeldWithinPosted.broken(what));
                    }
                }
            }
            let credit = posting.side == Side::Credit;
            let grows_by_debit = posting.account.kind().normal_side() == suanpan_model::NormalSide::Debit;
            let balance = self.posted.entry(posting.account).or_default();
            *balance += if credit == grows_by_debit { -signed } else { signed };
            let line = (lsn, credit, posting.amount.minor(), *balance);
            self.lines.entry(posting.account).or_default().push(line);
        }
        if sum != 0 {
            let what = format!("position {lsn}: debits less credits of an entry are {sum}");
            self.breaks.push(Invariant::EntriesBalance.broken(what));
        }
        for posting in &entry.postings {
            self.check_account(posting.account);
        }
    }

    /// What is held never exceeds what is there.
    fn check_account(&mut self, account: AccountId) {
        if !account.kind().is_limited() {
            return;
        }
        let limit = i128::from(self.opened.get(&account).copied().unwrap_or(0));
        let available = self.posted.get(&account).copied().unwrap_or(0) + limit - self.held(account);
        if available < 0 {
            let what = format!("account {account}: {available} minor units are available");
            self.breaks.push(Invariant::HeldWithinPosted.broken(what));
        }
    }

    /// What is held on an account.
    #[must_use]
    pub fn held(&self, account: AccountId) -> i128 {
        self.holds.values().filter(|(owner, _)| *owner == account).map(|(_, left)| i128::from(*left)).sum()
    }

    fn order_event(&mut self, id: OrderId, event: &OrderEvent) {
        if let OrderEvent::Created { terms, .. } = event {
            let no = terms.order_no.to_string();
            if let Some(first) = self.by_no.insert(no.clone(), id) {
                let what = format!("the mall's order {no} is recorded as {first} and as {id}");
                self.breaks.push(Invariant::OneEffect.broken(what));
            }
            self.orders.insert(id, Heard { order_no: no, ..Heard::default() });
        }
        let Some(heard) = self.orders.get_mut(&id) else {
            let what = format!("order {id} is told about and was never recorded");
            return self.breaks.push(Invariant::ReplayEqualsLive.broken(what));
        };
        match event {
            OrderEvent::Paid { attempt, .. } | OrderEvent::LatePaid { attempt, .. } => {
                let is_new = heard.payments.insert(*attempt);
                let what = || format!("order {id}: the payment of attempt {attempt} counts twice");
                self.breaks.extend((!is_new).then(|| Invariant::OneEffect.broken(what())));
            }
            OrderEvent::RefundStarted { refund_no, .. } if !refund_no.is_empty() => {
                if heard.refunds.iter().any(|known| known == refund_no.as_str()) {
                    let what = format!("order {id}: refund {refund_no} is made twice");
                    self.breaks.push(Invariant::OneEffect.broken(what));
                }
                heard.refunds.push(refund_no.to_string());
            }
            OrderEvent::Released { .. } => heard.releases += 1,
            OrderEvent::ClosingAdvanced { .. } | OrderEvent::Closed { .. } => heard.closes = true,
            OrderEvent::DisputeOpened => heard.disputes.0 += 1,
            OrderEvent::DisputeResolved { .. } => heard.disputes.1 += 1,
            _ => {}
        }
    }

    /// Whether every currency sums to zero.
    #[must_use]
    pub fn imbalance(&self) -> i128 {
        let sum = |(account, posted): (&AccountId, &i128)| {
            let grows_by_debit = account.kind().normal_side() == suanpan_model::NormalSide::Debit;
            if grows_by_debit { *posted } else { -posted }
        };
        self.posted.iter().map(sum).sum()
    }

    /// Sum of all stripes of an internal account.
    #[must_use]
    pub fn striped(&self, account: AccountId) -> i128 {
        let same = self.posted.iter().filter(|(id, _)| id.unstriped() == account.unstriped());
        same.filter(|(id, _)| id.kind().is_internal()).map(|(_, posted)| *posted).sum()
    }

    /// An amount in minor units, signed.
    #[must_use]
    pub fn signed(amount: Amount) -> i128 {
        i128::from(amount.minor())
    }
}
