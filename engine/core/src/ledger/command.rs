//! What can be asked of a shard of the ledger, and its answers.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};
use smol_str::SmolStr;
use suanpan_model::{
    AccountId, Amount, Campaign, CauseId, Currency, Entry, HoldId, LedgerEvent, PlatformId, Posting, Reject,
    RejectCode, Side, TimestampMs,
};

use super::{CouponAccounts, Hold, Ledger, fits_below};

/// A command to the shard that owns the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerCommand {
    /// Open an account. Its number was given out by the caller.
    Open {
        /// Its number.
        account: AccountId,
        /// The platform that it serves.
        platform: PlatformId,
        /// The platform's name for it.
        reference: SmolStr,
        /// Its currency.
        currency: Currency,
        /// The account above it.
        parent: Option<AccountId>,
        /// How far below zero it may go.
        credit_limit: Amount,
    },
    /// Set money aside.
    Hold {
        /// Which hold.
        hold: HoldId,
        /// On which account.
        account: AccountId,
        /// How much.
        amount: Amount,
        /// In which currency.
        currency: Currency,
        /// When it lapses by itself.
        expires_at: TimestampMs,
        /// Whether less is of no use; else as much is held as there is, which may be nothing.
        whole: bool,
    },
    /// Record a coupon campaign with its stock.
    RecordCampaign {
        /// The campaign, checked.
        campaign: Arc<Campaign>,
        /// The account of its stock.
        stock: AccountId,
    },
    /// Lock one coupon for an order.
    LockCoupon {
        /// The order.
        cause: CauseId,
        /// Number of the hold; the next one belongs to it too.
        no: u16,
        /// The customer's accounts in the campaign.
        accounts: CouponAccounts,
        /// Whether it may come straight from the stock.
        claimable: bool,
    },
    /// Issue coupons to a customer.
    GrantCoupons {
        /// Cause of holds and entry.
        cause: CauseId,
        /// How many.
        count: u32,
        /// The customer's accounts in the campaign.
        accounts: CouponAccounts,
        /// The caller's number, by which the caller recognises a repeat.
        reference: SmolStr,
    },
    /// Give back what is left of a hold.
    Void {
        /// Which hold.
        hold: HoldId,
    },
    /// Post an entry outside any order. Its first line belongs to this shard; if that line is a debit of a limited
    /// account, the money is held first. The caller has checked the accounts of the other lines, and recognises a
    /// repeat by the reference once the entry is carried out; until then it is recognised here by its hold.
    Post {
        /// The entry; the hold number of the first line is filled in here.
        entry: Entry,
        /// The caller's number.
        reference: SmolStr,
    },
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// These events happened, in order.
    Moved(SmallVec<[LedgerEvent; 2]>),
    /// The same command was carried out before; nothing happens now.
    Repeat,
}

impl Ledger {
    /// Decides a command; changes nothing.
    ///
    /// # Errors
    /// In precedence: `idempotency_conflict` / `account_exists`, `unknown_account`, `invalid_parent`,
    /// `currency_mismatch`, `amount_zero`, `amount_too_large`, `unknown_hold`, `insufficient_funds`. (The enum
    /// [`RejectCode`] fixes the order for the API as a whole.)
    pub fn decide(&self, command: &LedgerCommand) -> Result<Decision, Reject> {
        match command {
            LedgerCommand::Open { account, platform, reference, currency, parent, credit_limit } => {
                self.decide_open(*account, *platform, reference, *currency, *parent, *credit_limit)
            }
            LedgerCommand::Hold { hold, account, amount, currency, expires_at, whole } => {
                if let Some(known) = self.hold(*hold) {
                    return repeat_of(known, *account, *amount, *whole);
                }
                let amount = if *whole { *amount } else { self.as_far_as_possible(*account, *amount) };
                if amount.is_zero() && !whole {
                    return Ok(Decision::Repeat);
                }
                self.check_debit(*account, amount, *currency)?;
                Ok(moved(LedgerEvent::HoldPlaced {
                    hold: *hold,
                    account: *account,
                    amount,
                    expires_at: *expires_at,
                }))
            }
            LedgerCommand::RecordCampaign { campaign, stock } => Ok(self.decide_campaign(campaign, *stock)),
            LedgerCommand::LockCoupon { cause, no, accounts, claimable } => {
                self.decide_lock(*cause, *no, accounts, *claimable)
            }
            LedgerCommand::GrantCoupons { cause, count, accounts, reference } => {
                self.decide_grant(*cause, *count, accounts, reference)
            }
            LedgerCommand::Void { hold } => match self.hold(*hold) {
                Some(known) => Ok(moved(LedgerEvent::HoldVoided { hold: *hold, account: known.account })),
                None => Ok(Decision::Repeat),
            },
            LedgerCommand::Post { entry, reference } => self.decide_post(entry, reference),
        }
    }

    fn decide_open(
        &self,
        account: AccountId,
        platform: PlatformId,
        reference: &SmolStr,
        currency: Currency,
        parent: Option<AccountId>,
        credit_limit: Amount,
    ) -> Result<Decision, Reject> {
        if let Some(known) = self.account(account) {
            let same = known.platform == platform && known.currency == currency && known.parent == parent;
            return if same {
                Ok(Decision::Repeat)
            } else {
                let expected =
                    "the account exists with another currency or parent; open one under another reference";
                Err(Reject::new(RejectCode::AccountExists, "account", expected))
            };
        }
        if let Some(parent) = parent {
            let fits = self
                .account(parent)
                .is_some_and(|above| fits_below(above, account.bucket(), currency, platform));
            if !fits {
                let expected = "an account of the same platform and currency";
                return Err(Reject::new(RejectCode::InvalidParent, "parent", expected));
            }
        }
        Ok(moved(LedgerEvent::AccountOpened {
            account,
            platform,
            reference: reference.clone(),
            currency,
            parent,
            credit_limit,
        }))
    }

    fn decide_post(&self, entry: &Entry, reference: &SmolStr) -> Result<Decision, Reject> {
        if entry.postings.is_empty() || entry.imbalance() != 0 {
            let expected = "postings that sum to zero";
            return Err(Reject::new(RejectCode::AmountMismatch, "postings", expected));
        }
        let takes = |line: &&Posting| line.side == Side::Debit && line.account.kind().is_limited();
        if entry.postings[1..].iter().any(|line| takes(&line)) {
            let expected = "a debit of a limited account only in the first line, where it can be held";
            return Err(Reject::new(RejectCode::InvalidField, "postings", expected));
        }
        let first = entry.postings[0];
        if !takes(&&first) {
            self.check_line(first.account, first.amount, entry.currency)?;
            let posted = LedgerEvent::EntryPosted { entry: entry.clone(), reference: reference.clone() };
            return Ok(moved(posted));
        }
        let hold = HoldId { cause: entry.cause, no: 1 };
        if let Some(known) = self.hold(hold) {
            return repeat_of(known, first.account, first.amount, true);
        }
        self.check_debit(first.account, first.amount, entry.currency)?;
        let mut entry = entry.clone();
        entry.postings[0] = Posting { hold_no: 1, ..first };
        Ok(Decision::Moved(smallvec![
            LedgerEvent::HoldPlaced {
                hold,
                account: first.account,
                amount: first.amount,
                expires_at: TimestampMs::NEVER,
            },
            LedgerEvent::EntryPosted { entry, reference: reference.clone() },
        ]))
    }

    /// As much of `amount` as the account has.
    fn as_far_as_possible(&self, account: AccountId, amount: Amount) -> Amount {
        let available = self.account(account).map_or(0, super::Account::available);
        amount.min(Amount::from_minor(u64::try_from(available).unwrap_or_default()))
    }

    fn check_debit(&self, account: AccountId, amount: Amount, currency: Currency) -> Result<(), Reject> {
        self.check_line(account, amount, currency)?;
        let available = self.account(account).map_or(0, super::Account::available);
        if account.kind().is_limited() && available < amount.signed() {
            let expected = "an amount that is available on the account";
            return Err(Reject::new(RejectCode::InsufficientFunds, "amount", expected));
        }
        Ok(())
    }

    fn check_line(&self, account: AccountId, amount: Amount, currency: Currency) -> Result<(), Reject> {
        let internal = account.internal_currency();
        let Some(own_currency) = self.account(account).map(|known| known.currency).or(internal) else {
            return Err(Reject::new(RejectCode::UnknownAccount, "account", "an account that was opened"));
        };
        if own_currency != currency {
            let expected = format!("the account's currency, {own_currency}");
            return Err(Reject::new(RejectCode::CurrencyMismatch, "currency", expected));
        }
        if amount.is_zero() {
            return Err(Reject::new(RejectCode::AmountZero, "amount", "an amount above zero"));
        }
        if amount > Amount::MAX {
            return Err(Reject::new(RejectCode::AmountTooLarge, "amount", "an amount within the limit"));
        }
        Ok(())
    }
}

fn repeat_of(known: &Hold, account: AccountId, amount: Amount, whole: bool) -> Result<Decision, Reject> {
    if known.account == account && (known.placed == amount || !whole) {
        return Ok(Decision::Repeat);
    }
    let expected = "another number: the hold exists with another account or amount";
    Err(Reject::new(RejectCode::IdempotencyConflict, "hold", expected))
}

fn moved(event: LedgerEvent) -> Decision {
    Decision::Moved(smallvec![event])
}
