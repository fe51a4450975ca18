//! The naive ledger: sums of what the log says, in plain maps. It knows nothing of shards, checkpoints or accounts' rules.

use std::collections::{BTreeMap, BTreeSet};

use suanpan_core::invariants::Invariant;
use suanpan_model::policy::Shortfall;
use suanpan_model::{
    AccountId, AccountType, Amount, AttemptNo, Entry, EntryCode, HoldId, LedgerEvent, OrderEvent, OrderId,
    Record, Side,
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
    /// Numbers of the mall's releases.
    pub release_nos: BTreeSet<String>,
    /// Who pays, and the counted campaigns whose coupons are used.
    pub customer: String,
    /// See `customer`.
    pub counted: Vec<u32>,
    /// What is in escrow and in suspense for it.
    pub escrow: i128,
    /// See `escrow`.
    pub suspense: i128,
    /// What came from payers, and what went back to them.
    pub paid: i128,
    /// See `paid`.
    pub given_back: i128,
    /// What happens when a receiver has spent what it must give back.
    pub shortfall: Shortfall,
    /// Attempts whose payments are or were on their way back, and the one that was taken in.
    pub returns: BTreeSet<AttemptNo>,
    /// See `returns`.
    pub reopened: BTreeSet<AttemptNo>,
    /// Refunds that were finished another way.
    pub finished: BTreeSet<u8>,
    /// Whether a close began, or the order was closed.
    pub closes: bool,
    /// How often a dispute was opened and ended.
    pub disputes: (usize, usize),
    /// Payments that the engine knows of.
    pub payments: BTreeSet<AttemptNo>,
    /// How many channels were tried, whether the last may still take the money, and whether one said that it took another sum
    /// than it was asked for.
    pub tried: u8,
    /// See `tried`.
    pub may_take: bool,
    /// See `tried`.
    pub contested: bool,
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
    /// Orders that made debts without any dispute: a dispute may hold less than there was when it began.
    pub debts: BTreeSet<OrderId>,
    /// Campaigns and customers by the accounts of their coupons.
    pub coupons: BTreeMap<AccountId, (u32, String)>,
    /// Coupons in use, by campaign and customer.
    pub in_use: BTreeMap<(u32, String), i64>,
    /// Coupons that were issued, by campaign.
    pub issued: BTreeMap<u32, i64>,
    /// Stocks and customers' limits, by campaign.
    pub limits: BTreeMap<u32, (Option<u32>, Option<u32>)>,
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
                        self.order_entry(*order, entry);
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
            LedgerEvent::AccountOpened { account, credit_limit, reference, .. } => {
                if is_pieces(account.kind()) {
                    let (campaign, customer) = reference.split_once('/').unwrap_or((reference, ""));
                    self.coupons.insert(*account, (campaign.parse().unwrap_or(0), customer.to_owned()));
                }
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
            LedgerEvent::CampaignRecorded { campaign, .. } => {
                if self.limits.insert(campaign.id.0, (campaign.stock, campaign.per_customer)).is_some() {
                    let what = format!("campaign {} is recorded twice", campaign.id);
                    self.breaks.push(Invariant::OneEffect.broken(what));
                }
            }
            LedgerEvent::EntryPosted { entry, reference } if reference.is_empty() => self.entry(lsn, entry),
            LedgerEvent::EntryPosted { entry, reference } => {
                if entry.code == EntryCode::CouponGranted {
                    self.granted(entry);
                }
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

    /// What an entry does to the money of its order: escrow and suspense never owe anybody, and never more goes back to
    /// payers than came from them.
    fn order_entry(&mut self, id: OrderId, entry: &Entry) {
        self.coupon_entry(id, entry);
        let Some(heard) = self.orders.get_mut(&id) else { return };
        let mut debts = BTreeSet::new();
        for posting in &entry.postings {
            let amount = i128::from(posting.amount.minor());
            let into = if posting.side == Side::Credit { amount } else { -amount };
            match posting.account.kind() {
                AccountType::Escrow => heard.escrow += into,
                AccountType::Suspense => heard.suspense += into,
                // The fee is between the engine and the channel.
                AccountType::ChannelClearing | AccountType::Cash if entry.code != EntryCode::ChannelFee => {
                    match (entry.code, posting.side) {
                        (EntryCode::RefundBounced, Side::Debit) => heard.given_back -= amount,
                        (_, Side::Debit) => heard.paid += amount,
                        (_, Side::Credit) => heard.given_back += amount,
                    }
                }
                AccountType::Receivable | AccountType::Advanced => {
                    debts.insert(posting.account.kind());
                }
                _ => {}
            }
        }
        if heard.escrow < 0 || heard.suspense < 0 {
            let what = format!(
                "order {id}: escrow has {} minor units for it and suspense {}",
                heard.escrow, heard.suspense
            );
            self.breaks.push(Invariant::Custody.broken(what));
        }
        if heard.given_back > heard.paid {
            let what = format!(
                "order {id}: {} minor units went back to payers, {} came from them",
                heard.given_back, heard.paid
            );
            self.breaks.push(Invariant::RefundsWithinPaid.broken(what));
        }
        let allowed = match heard.shortfall {
            Shortfall::Debt => Some(AccountType::Receivable),
            Shortfall::Advance => Some(AccountType::Advanced),
            // A dispute is decided all the same: what a receiver had spent by then becomes its debt.
            Shortfall::Refuse if heard.disputes.0 > 0 => Some(AccountType::Receivable),
            Shortfall::Refuse => None,
        };
        if !debts.is_empty() && heard.disputes.0 == 0 {
            self.debts.insert(id);
        }
        if let Some(other) = debts.into_iter().find(|kind| Some(*kind) != allowed) {
            let what = format!(
                "order {id}: a debt on {} although shortfalls are {:?}",
                other.name(),
                heard.shortfall
            );
            self.breaks.push(Invariant::OrderConserved.broken(what));
        }
    }

    /// Counts coupons by hand: stock and limits of a campaign hold at every position of the log.
    fn coupon_entry(&mut self, id: OrderId, entry: &Entry) {
        let step = match entry.code {
            EntryCode::CouponUsed => 1,
            EntryCode::CouponReturned => -1,
            _ => return,
        };
        let customer = self.orders.get(&id).map(|heard| heard.customer.clone()).unwrap_or_default();
        let of = entry.postings.iter().filter(|posting| {
            matches!(posting.account.kind(), AccountType::CouponStock | AccountType::CouponWallet)
        });
        let campaigns: Vec<u32> = of
            .filter_map(|posting| self.coupons.get(&posting.account))
            .map(|(campaign, _)| *campaign)
            .collect();
        for campaign in campaigns {
            *self.in_use.entry((campaign, customer.clone())).or_default() += step;
            self.check_coupons(campaign, &customer);
        }
    }

    fn granted(&mut self, entry: &Entry) {
        let wallet =
            entry.postings.iter().find(|posting| posting.account.kind() == AccountType::CouponWallet);
        let Some(posting) = wallet else { return };
        let Some((campaign, customer)) = self.coupons.get(&posting.account).cloned() else { return };
        *self.issued.entry(campaign).or_default() +=
            i64::try_from(posting.amount.minor()).unwrap_or(i64::MAX);
        self.check_coupons(campaign, &customer);
    }

    fn check_coupons(&mut self, campaign: u32, customer: &str) {
        let (stock, limit) = self.limits.get(&campaign).copied().unwrap_or_default();
        let used: i64 =
            self.in_use.iter().filter(|((of, _), _)| *of == campaign).map(|(_, count)| *count).sum();
        let issued = self.issued.get(&campaign).copied().unwrap_or_default();
        let own = self.in_use.get(&(campaign, customer.to_owned())).copied().unwrap_or_default();
        let over = |limit: Option<u32>, count: i64| limit.is_some_and(|limit| count > i64::from(limit));
        if over(stock, used.max(issued)) || over(limit, own) || used < 0 || own < 0 {
            let what =
                format!("campaign {campaign}: {used} coupons in use, {own} by {customer}, {issued} issued");
            self.breaks.push(Invariant::CouponStock.broken(what));
        }
    }

    /// What is held on an account.
    #[must_use]
    pub fn held(&self, account: AccountId) -> i128 {
        self.holds.values().filter(|(owner, _)| *owner == account).map(|(_, left)| i128::from(*left)).sum()
    }

    fn order_event(&mut self, id: OrderId, event: &OrderEvent) {
        if let OrderEvent::Created { terms, agreement, .. } = event {
            let no = terms.order_no.to_string();
            if let Some(first) = self.by_no.insert(no.clone(), id) {
                let what = format!("the mall's order {no} is recorded as {first} and as {id}");
                self.breaks.push(Invariant::OneEffect.broken(what));
            }
            let counted = terms.coupons.iter().filter(|coupon| coupon.counted);
            let heard = Heard {
                order_no: no,
                customer: terms.payer.to_string(),
                counted: counted.map(|coupon| coupon.campaign.0).collect(),
                shortfall: agreement.shortfall,
                ..Heard::default()
            };
            self.orders.insert(id, heard);
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
            OrderEvent::RefundStarted { refund_no, attempt, .. } if refund_no.is_empty() => {
                heard.returns.insert(*attempt);
            }
            OrderEvent::RefundFinished { refund, .. } => {
                let is_new = heard.finished.insert(*refund);
                let what = || format!("order {id}: refund number {refund} is finished twice");
                self.breaks.extend((!is_new).then(|| Invariant::OneEffect.broken(what())));
            }
            OrderEvent::Reopened { attempt, .. } => {
                let is_new = heard.reopened.insert(*attempt);
                let what = || format!("order {id}: the payment of attempt {attempt} is taken in twice");
                self.breaks.extend((!is_new).then(|| Invariant::OneEffect.broken(what())));
            }
            OrderEvent::RefundStarted { refund_no, .. } => {
                if heard.refunds.iter().any(|known| known == refund_no.as_str()) {
                    let what = format!("order {id}: refund {refund_no} is made twice");
                    self.breaks.push(Invariant::OneEffect.broken(what));
                }
                heard.refunds.push(refund_no.to_string());
            }
            OrderEvent::Released { release_no, .. } => {
                heard.releases += 1;
                if !release_no.is_empty() && !heard.release_nos.insert(release_no.to_string()) {
                    let what = format!("order {id}: release {release_no} is made twice");
                    self.breaks.push(Invariant::OneEffect.broken(what));
                }
            }
            OrderEvent::ClosingAdvanced { .. } | OrderEvent::Closed { .. } => heard.closes = true,
            OrderEvent::DisputeOpened { .. } => heard.disputes.0 += 1,
            OrderEvent::DisputeResolved { .. } => heard.disputes.1 += 1,
            OrderEvent::AttemptStarted { .. } => {
                if heard.may_take || heard.contested {
                    let what = format!("order {id}: another channel is tried, the last may have the money");
                    self.breaks.push(Invariant::NoFailOverInDoubt.broken(what));
                }
                heard.tried += 1;
                heard.may_take = true;
            }
            OrderEvent::AttemptFailed { attempt, .. } | OrderEvent::AttemptNotSent { attempt, .. } => {
                heard.may_take &= attempt.0 != heard.tried;
            }
            OrderEvent::Contradicted { attempt, said } if said == "amount" => {
                heard.contested |= heard.may_take && attempt.0 == heard.tried;
            }
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

const fn is_pieces(kind: AccountType) -> bool {
    matches!(kind, AccountType::CouponStock | AccountType::CouponWallet | AccountType::CouponAllowance)
}
