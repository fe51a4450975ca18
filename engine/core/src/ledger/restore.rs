//! Coming back after a restart: rows of a checkpoint, then the log from there on.

use rustc_hash::FxHashMap;
use suanpan_model::{AccountId, AccountType, Amount, HoldId, Lsn};

use super::{Account, Hold, Instruction, Ledger};

/// Up to which log position restored rows are complete.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    accounts: FxHashMap<AccountId, Lsn>,
    holds: FxHashMap<HoldId, Lsn>,
}

/// What rows of a checkpoint say of an account that is not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Awaited {
    pub(super) held: Amount,
    pub(super) below: i128,
}

impl Ledger {
    /// Puts back an account from a checkpoint.
    pub fn restore_account(&mut self, account: Account) {
        self.accounts.insert(account);
    }

    /// Puts back a hold from a checkpoint.
    pub fn restore_hold(&mut self, id: HoldId, hold: Hold) {
        self.holds.insert(id, hold);
    }

    /// Carries out an instruction again after a restart. Rows of the checkpoint may be newer than the position
    /// from which the log is read; `marks` tells which instructions they already contain. Returns whether a posting
    /// changed its account now.
    pub fn replay(&mut self, marks: &Marks, lsn: Lsn, instruction: &Instruction) -> bool {
        match instruction {
            Instruction::Post { posting, cause, currency, .. } => {
                let hold = HoldId { cause: *cause, no: posting.hold_no };
                let is_news = marks.holds.get(&hold).is_none_or(|mark| lsn > *mark);
                if posting.hold_no != 0 && is_news && self.is_hold_of(hold, posting) {
                    self.use_hold(lsn, hold, posting.amount);
                }
                let is_news = marks.accounts.get(&posting.account).is_none_or(|mark| lsn > *mark);
                if is_news {
                    self.post(lsn, *posting, *currency);
                }
                is_news
            }
            Instruction::Void { hold, .. } => {
                self.void(*hold);
                false
            }
        }
    }

    /// Whether a hold is the one that a posting uses up. Recoveries give their numbers out again once they are carried
    /// out, so a row may be of a later one; each uses its hold whole, and one of the same amount is as good.
    fn is_hold_of(&self, id: HoldId, posting: &suanpan_model::Posting) -> bool {
        let left = self.holds.get(&id).map(|hold| hold.left);
        id.no < super::FIRST_RECOVERY_HOLD || left == Some(posting.amount)
    }

    /// Puts held balances and roll-ups in agreement with holds and accounts that were restored row by row, and
    /// tells up to which log position each row is complete. What rows say of an account that is not among them
    /// waits until the log opens it.
    #[must_use]
    pub fn settle_restored(&mut self) -> Marks {
        let marks = Marks {
            accounts: self.accounts.values().map(|account| (account.id, account.applied)).collect(),
            holds: self.holds.iter().map(|(id, hold)| (*id, hold.applied)).collect(),
        };
        for account in self.accounts.values_mut() {
            account.held = Amount::ZERO;
            account.below = 0;
        }
        for hold in self.holds.values().copied().collect::<Vec<_>>() {
            let held = if self.is_awaited(hold.account) {
                &mut self.awaited.entry(hold.account).or_default().held
            } else {
                &mut self.entry(hold.account).held
            };
            *held = held.plus(hold.left);
        }
        self.recovering = self
            .holds
            .iter()
            .filter(|(id, _)| id.no >= super::FIRST_RECOVERY_HOLD)
            .map(|(id, hold)| (hold.account, *id))
            .collect();
        let debts: Vec<AccountId> = self
            .accounts
            .values()
            .map(|account| account.id)
            .filter(|id| matches!(id.kind(), AccountType::Receivable | AccountType::Advanced))
            .collect();
        debts.into_iter().for_each(|debt| self.note_debt(debt));
        let children: Vec<_> =
            self.accounts.values().map(|account| (account.parent, account.posted)).collect();
        for (parent, posted) in children.into_iter().filter(|(parent, _)| parent.is_some()) {
            self.roll_up(parent, posted);
        }
        marks
    }

    fn is_awaited(&self, id: AccountId) -> bool {
        !id.kind().is_internal() && !self.accounts.contains(id)
    }
}
