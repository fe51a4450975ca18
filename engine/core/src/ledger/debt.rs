//! Debts: what a receiver could not give back is taken from its next income.
//!
//! A debt stands on an account of its own beside the debtor's, with the same number and so in the same shard. When
//! money reaches the debtor, its shard holds what is available, up to the debt, and posts the recovery.

use smallvec::{SmallVec, smallvec};
use suanpan_model::{
    AccountId, AccountType, Amount, CauseId, Entry, EntryCode, HoldId, LedgerEvent, Posting, TimestampMs,
};

use super::{Account, Ledger};

/// Holds with this number or a higher one are recoveries'; orders never have as many.
pub const FIRST_RECOVERY_HOLD: u16 = 60_000;

/// Types of accounts whose owners can owe.
const DEBTORS: [AccountType; 6] = [
    AccountType::Settlement,
    AccountType::Commission,
    AccountType::Cash,
    AccountType::Marketing,
    AccountType::Wealth,
    AccountType::Deposit,
];

impl Ledger {
    /// What the owner of an account owes, in minor units.
    #[must_use]
    pub fn owed(&self, debtor: AccountId) -> Amount {
        let owed = |account| self.debt(account);
        owed(debtor.receivable()).plus(owed(debtor.advanced()))
    }

    fn debt(&self, account: AccountId) -> Amount {
        let posted = self.account(account).map_or(0, |known| known.posted);
        Amount::from_minor(u64::try_from(posted).unwrap_or_default())
    }

    /// Accounts whose owners owe something.
    pub fn debtors(&self) -> impl Iterator<Item = AccountId> + '_ {
        self.owing.iter().copied()
    }

    /// Whether the owner of an account owes something.
    #[must_use]
    pub fn is_owing(&self, account: AccountId) -> bool {
        !self.owing.is_empty() && self.owing.contains(&account)
    }

    /// What can be recovered from `debtor` now: a hold and the entry that uses it, for the caller to record and fold
    /// in. `cause` is what brought the money. One recovery of an account is under way at a time.
    #[must_use]
    pub fn recovery(&self, debtor: AccountId, cause: CauseId) -> Option<SmallVec<[LedgerEvent; 2]>> {
        if self.recovering.contains_key(&debtor) {
            return None;
        }
        let account = self.account(debtor)?;
        // A debt is not paid out of another one: the credit limit stays out of it.
        let own = account.available() - account.credit_limit.signed();
        let available = Amount::from_minor(u64::try_from(own).ok()?);
        let (receivable, advanced) = (debtor.receivable(), debtor.advanced());
        let debt = if self.debt(receivable).is_zero() { advanced } else { receivable };
        let amount = available.min(self.debt(debt));
        if amount.is_zero() {
            return None;
        }
        let taken = |no: &u16| self.holds.contains_key(&HoldId { cause, no: *no });
        let no = (FIRST_RECOVERY_HOLD..=u16::MAX).find(|no| !taken(no))?;
        let mut entry = Entry::new(EntryCode::Recovery, account.currency, cause)
            .with(Posting::debit_held(debtor, amount, no))
            .with(Posting::credit(debt, amount));
        if debt == advanced {
            let stripe = debtor.bucket() & (suanpan_model::ids::STRIPES - 1);
            let of = |kind| AccountId::internal(kind, account.platform.0, account.currency, stripe);
            entry.push(Posting::debit(of(AccountType::Advance), amount));
            entry.push(Posting::credit(of(AccountType::CommissionIncome), amount));
        }
        let hold = HoldId { cause, no };
        Some(smallvec![
            LedgerEvent::HoldPlaced { hold, account: debtor, amount, expires_at: TimestampMs::NEVER },
            LedgerEvent::EntryPosted { entry, reference: "".into() },
        ])
    }

    /// The account of a debt, opened beside its debtor.
    ///
    /// # Panics
    /// When no account has its number: a debt without a debtor is a bug.
    pub(super) fn open_debt(&self, id: AccountId) -> Account {
        let debtor = self.debtor(id).and_then(|debtor| self.account(debtor));
        let debtor = debtor.unwrap_or_else(|| panic!("a debt has a debtor: {id}"));
        Account {
            id,
            platform: debtor.platform,
            reference: debtor.reference.clone(),
            currency: debtor.currency,
            parent: None,
            posted: 0,
            held: Amount::ZERO,
            below: 0,
            credit_limit: Amount::ZERO,
            applied: suanpan_model::Lsn(0),
        }
    }

    /// The debtor whose debt stands on this account, if it is one of a debt.
    #[must_use]
    pub fn debtor_of(&self, account: AccountId) -> Option<AccountId> {
        let is_debt = matches!(account.kind(), AccountType::Receivable | AccountType::Advanced);
        if is_debt { self.debtor(account) } else { None }
    }

    fn debtor(&self, debt: AccountId) -> Option<AccountId> {
        let numbered = |kind| AccountId::opened(kind, debt.number(), debt.bucket());
        DEBTORS.into_iter().map(numbered).find(|debtor| self.account(*debtor).is_some())
    }

    /// Notes the debts of an account that was opened: after a restart their rows may be there before it is.
    pub(super) fn note_debts_of(&mut self, opened: AccountId) {
        if DEBTORS.contains(&opened.kind()) && !self.owed(opened).is_zero() {
            self.owing.insert(opened);
        }
    }

    /// Notes whether a debt stands after a posting to its account.
    pub(super) fn note_debt(&mut self, debt: AccountId) {
        let Some(debtor) = self.debtor(debt) else { return };
        if self.owed(debtor).is_zero() {
            self.owing.remove(&debtor);
        } else {
            self.owing.insert(debtor);
        }
    }
}
