//! The ledger: accounts, holds, postings, and the tree that rolls balances up.
//!
//! One `Ledger` is one shard's part of it. What a shard decides by itself are holds and openings; every posting
//! reaches it from the log, in log order, after a decision that made it infallible (a hold, or an order's frozen
//! money). Source of the design: two-phase transfers, hold → post in parts / void / expire.

mod audit;
mod command;
mod coupons;
mod debt;
mod restore;
mod table;
#[cfg(test)]
mod tests;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use suanpan_model::{
    AccountId, AccountType, Amount, CauseId, Currency, Entry, EntryCode, HoldId, LedgerEvent, Lsn,
    NormalSide, PlatformId, Posting, Record, Side, TimestampMs,
};

pub use command::{Decision, LedgerCommand};
pub use coupons::CouponAccounts;
pub use debt::FIRST_RECOVERY_HOLD;
use restore::Awaited;
pub use restore::Marks;
use table::Table;

/// An account and its balances, in minor units of its currency, growing on its normal side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// The platform that it serves; 0 for accounts of the engine's own chart.
    pub platform: PlatformId,
    /// The platform's name for it; empty for the engine's own.
    pub reference: SmolStr,
    /// Its currency.
    pub currency: Currency,
    /// The account above it.
    pub parent: Option<AccountId>,
    /// Posted balance, without the accounts below.
    pub posted: i128,
    /// Part of the posted balance that is held.
    pub held: Amount,
    /// Posted balances of all accounts below, summed.
    pub below: i128,
    /// How far below zero it may go.
    pub credit_limit: Amount,
    /// Log position up to which postings are in the balance.
    pub applied: Lsn,
}

impl Account {
    fn internal(id: AccountId) -> Self {
        Self {
            id,
            platform: PlatformId(0),
            reference: SmolStr::default(),
            currency: id.internal_currency().expect("an internal account names its currency"),
            parent: None,
            posted: 0,
            held: Amount::ZERO,
            below: 0,
            credit_limit: Amount::ZERO,
            applied: Lsn(0),
        }
    }

    /// What can still be held or debited: posted, less held, plus the credit limit.
    #[must_use]
    pub fn available(&self) -> i128 {
        self.posted - self.held.signed() + self.credit_limit.signed()
    }

    /// Posted balance with the accounts below.
    #[must_use]
    pub fn rolled_up(&self) -> i128 {
        self.posted + self.below
    }

    /// The posted balance as debits minus credits, for a trial balance.
    #[must_use]
    pub fn debit_balance(&self) -> i128 {
        match self.id.kind().normal_side() {
            NormalSide::Debit => self.posted,
            NormalSide::Credit => -self.posted,
        }
    }
}

/// Money set aside on an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The account.
    pub account: AccountId,
    /// What is left of it, in minor units.
    pub left: Amount,
    /// What it was placed for, in minor units; repeats are told by it.
    pub placed: Amount,
    /// When it lapses by itself.
    pub expires_at: TimestampMs,
    /// Log position up to which its uses are in `left`.
    pub applied: Lsn,
}

/// What the log tells a shard to do to one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Post one line of an entry.
    Post {
        /// The line.
        posting: Posting,
        /// What the entry records.
        code: EntryCode,
        /// What it belongs to.
        cause: CauseId,
        /// Its currency.
        currency: Currency,
    },
    /// Give back what is left of a hold.
    Void {
        /// The hold.
        hold: HoldId,
        /// Its account.
        account: AccountId,
    },
}

impl Instruction {
    /// The order or transfer that it belongs to.
    #[must_use]
    pub const fn cause(&self) -> CauseId {
        match self {
            Self::Post { cause, .. } => *cause,
            Self::Void { hold, .. } => hold.cause,
        }
    }

    /// The account that it is for.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        match self {
            Self::Post { posting, .. } => posting.account,
            Self::Void { account, .. } => *account,
        }
    }
}

/// Hands every instruction of a log record to `give`, in order. Live delivery and replay both use it.
pub fn instructions(record: &Record, give: &mut dyn FnMut(Instruction)) {
    match record {
        Record::Order { order, events, .. } => {
            for event in events {
                event.entries().iter().for_each(|entry| lines(entry, give));
                for hold in event.voided() {
                    let id = HoldId { cause: order.cause(), no: hold.no };
                    give(Instruction::Void { hold: id, account: hold.account });
                }
            }
        }
        Record::Ledger { event: LedgerEvent::EntryPosted { entry, .. }, .. } => lines(entry, give),
        Record::Ledger {
            event:
                LedgerEvent::AccountOpened { .. }
                | LedgerEvent::HoldPlaced { .. }
                | LedgerEvent::HoldVoided { .. }
                | LedgerEvent::HoldExpired { .. }
                | LedgerEvent::CampaignRecorded { .. },
            ..
        } => {}
    }
}

fn lines(entry: &Entry, give: &mut dyn FnMut(Instruction)) {
    for posting in &entry.postings {
        give(Instruction::Post {
            posting: *posting,
            code: entry.code,
            cause: entry.cause,
            currency: entry.currency,
        });
    }
}

/// One shard's accounts and holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    accounts: Table,
    holds: FxHashMap<HoldId, Hold>,
    /// Restored for accounts whose opening the log still brings.
    awaited: FxHashMap<AccountId, Awaited>,
    /// Accounts whose owners owe something.
    owing: FxHashSet<AccountId>,
    /// Recoveries that are under way, by debtor.
    recovering: FxHashMap<AccountId, HoldId>,
}

impl Ledger {
    /// An account, if it was opened or posted to.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// A hold that is not used up.
    #[must_use]
    pub fn hold(&self, id: HoldId) -> Option<&Hold> {
        self.holds.get(&id)
    }

    /// All accounts, in no order.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// All holds, in no order.
    pub fn holds(&self) -> impl Iterator<Item = (&HoldId, &Hold)> {
        self.holds.iter()
    }

    /// Folds in an event that this shard decided. Postings of [`LedgerEvent::EntryPosted`] are not folded in here:
    /// they come back as instructions from the log.
    ///
    /// # Panics
    /// When the event does not fit the state: a bug, or a log that was tampered with.
    pub fn apply(&mut self, event: &LedgerEvent) {
        match event {
            LedgerEvent::AccountOpened { account, platform, reference, currency, parent, credit_limit } => {
                let opened = Account {
                    id: *account,
                    platform: *platform,
                    reference: reference.clone(),
                    currency: *currency,
                    parent: *parent,
                    posted: 0,
                    held: Amount::ZERO,
                    below: 0,
                    credit_limit: *credit_limit,
                    applied: Lsn(0),
                };
                self.accounts.get_or_insert_with(*account, || opened);
                if let Some(awaited) = self.awaited.remove(account) {
                    let opened = self.entry(*account);
                    opened.held = awaited.held;
                    opened.below = awaited.below;
                    self.roll_up(*parent, awaited.below);
                }
                self.note_debts_of(*account);
            }
            LedgerEvent::HoldPlaced { hold, account, amount, expires_at } => {
                let row = Hold {
                    account: *account,
                    left: *amount,
                    placed: *amount,
                    expires_at: *expires_at,
                    applied: Lsn(0),
                };
                if let std::collections::hash_map::Entry::Vacant(place) = self.holds.entry(*hold) {
                    place.insert(row);
                    if hold.no >= FIRST_RECOVERY_HOLD {
                        self.recovering.insert(*account, *hold);
                    }
                    let account = self.entry(*account);
                    account.held = account.held.plus(*amount);
                }
            }
            LedgerEvent::HoldVoided { hold, .. } | LedgerEvent::HoldExpired { hold, .. } => self.void(*hold),
            LedgerEvent::EntryPosted { .. } | LedgerEvent::CampaignRecorded { .. } => {}
        }
    }

    /// Carries out an instruction of the log at position `lsn`; returns the account's posted balance before it.
    ///
    /// # Panics
    /// When a posting would take an account below what it allows, uses more than is held, or is in another
    /// currency: the decision that allowed it was wrong, and the shard must stop before it does harm.
    pub fn carry_out(&mut self, lsn: Lsn, instruction: &Instruction) -> i128 {
        match instruction {
            Instruction::Post { posting, cause, currency, .. } => {
                if posting.hold_no != 0 {
                    let hold = HoldId { cause: *cause, no: posting.hold_no };
                    assert!(self.use_hold(lsn, hold, posting.amount), "a posting uses a hold that exists");
                }
                let (after, available) = self.post(lsn, *posting, *currency);
                let kind = posting.account.kind();
                if posting.side == Side::Debit && kind.is_limited() {
                    assert!(
                        available >= 0,
                        "a debit never goes below what the account allows: {}",
                        posting.account
                    );
                }
                after - kind.sign(posting.side) * posting.amount.signed()
            }
            Instruction::Void { hold, account } => {
                self.void(*hold);
                self.account(*account).map_or(0, |account| account.posted)
            }
        }
    }

    /// Posts a line; returns the account's balance and what is available after it.
    fn post(&mut self, lsn: Lsn, posting: Posting, currency: Currency) -> (i128, i128) {
        let kind = posting.account.kind();
        let is_debt = matches!(kind, AccountType::Receivable | AccountType::Advanced);
        if is_debt && !self.accounts.contains(posting.account) {
            let opened = self.open_debt(posting.account);
            self.accounts.insert(opened);
        }
        let change = kind.sign(posting.side) * posting.amount.signed();
        if let Some(parent) = self.entry(posting.account).parent {
            self.roll_up(Some(parent), change);
        }
        let account = self.entry(posting.account);
        assert_eq!(account.currency, currency, "a posting is in the currency of its account");
        account.posted += change;
        account.applied = lsn;
        let after = (account.posted, account.available());
        if is_debt {
            self.note_debt(posting.account);
        }
        after
    }

    fn roll_up(&mut self, mut parent: Option<AccountId>, change: i128) {
        while let Some(id) = parent {
            let Some(account) = self.accounts.get_mut(id) else {
                self.awaited.entry(id).or_default().below += change;
                return;
            };
            account.below += change;
            parent = account.parent;
        }
    }

    /// Uses part of a hold; false when there is no such hold.
    fn use_hold(&mut self, lsn: Lsn, id: HoldId, amount: Amount) -> bool {
        let Some(hold) = self.holds.get_mut(&id) else { return false };
        hold.left = hold.left.minus(amount);
        hold.applied = lsn;
        let (account, used_up) = (hold.account, hold.left.is_zero());
        if used_up {
            self.holds.remove(&id);
            self.forget_recovery(id, account);
        }
        let account = self.entry(account);
        account.held = account.held.minus(amount);
        true
    }

    fn void(&mut self, id: HoldId) {
        if let Some(hold) = self.holds.remove(&id) {
            self.forget_recovery(id, hold.account);
            let account = self.entry(hold.account);
            account.held = account.held.minus(hold.left);
        }
    }

    fn forget_recovery(&mut self, id: HoldId, debtor: AccountId) {
        if id.no >= FIRST_RECOVERY_HOLD {
            self.recovering.remove(&debtor);
        }
    }

    fn entry(&mut self, id: AccountId) -> &mut Account {
        self.accounts.get_or_insert_with(id, || {
            assert!(id.kind().is_internal(), "an account is opened before it is used: {id}");
            Account::internal(id)
        })
    }

    /// The holds whose time has run out at `now`, by time and number, for the caller to record.
    ///
    /// A hold that an order lives on must not lapse: it is placed with [`TimestampMs::NEVER`], and the order gives it
    /// back when it ends.
    #[must_use]
    pub fn expired(&self, now: TimestampMs) -> Vec<LedgerEvent> {
        let is_due = |hold: &Hold| hold.expires_at <= now && hold.expires_at != TimestampMs::NEVER;
        let mut due: Vec<_> = self.holds.iter().filter(|(_, hold)| is_due(hold)).collect();
        due.sort_unstable_by_key(|(id, hold)| (hold.expires_at, **id));
        due.into_iter()
            .map(|(id, hold)| LedgerEvent::HoldExpired { hold: *id, account: hold.account })
            .collect()
    }
}

/// Whether `account` may stand in a tree below `parent`: same shard, same currency, opened for the same platform.
#[must_use]
pub fn fits_below(parent: &Account, bucket: u8, currency: Currency, platform: PlatformId) -> bool {
    !parent.id.kind().is_internal()
        && parent.id.bucket() == bucket
        && parent.currency == currency
        && parent.platform == platform
}
