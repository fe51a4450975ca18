//! Coupons as accounts in pieces. A campaign has a stock; a customer has a wallet of coupons that were issued to them,
//! and an allowance that says how many they may still get. All of a campaign are in one shard, so that stock and
//! limits are exact without a lock. Lock is a hold, use a posting, return a void: the ledger's own rules.
//!
//! Stock and allowance begin at zero with a credit limit of their size: what is used is what is below zero.

use smallvec::{SmallVec, smallvec};
use smol_str::SmolStr;
use suanpan_model::{
    AccountId, AccountType, Amount, Campaign, CauseId, Currency, Entry, EntryCode, HoldId, LedgerEvent,
    PlatformId, Posting, Reject, RejectCode, TimestampMs,
};

use super::{Account, Decision, Ledger};

/// The accounts of one customer in one campaign; numbers of those that do not exist yet are given out by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CouponAccounts {
    /// The campaign's stock.
    pub stock: AccountId,
    /// The customer's wallet.
    pub wallet: AccountId,
    /// The customer's allowance, where the campaign has a limit, and the limit.
    pub allowance: Option<(AccountId, u32)>,
    /// The platform.
    pub platform: PlatformId,
    /// The name of wallet and allowance.
    pub reference: SmolStr,
}

impl CouponAccounts {
    /// The entry that issues `count` coupons to the customer, out of stock and allowance under holds 1 and 2.
    #[must_use]
    pub fn grant_entry(&self, cause: CauseId, count: u32) -> Entry {
        let count = Amount::from_minor(count.into());
        let stripe = self.stock.bucket() & (suanpan_model::ids::STRIPES - 1);
        let pool = AccountId::internal(AccountType::CouponPool, self.platform.0, Currency::Pieces, stripe);
        let mut entry = Entry::new(EntryCode::CouponGranted, Currency::Pieces, cause)
            .with(Posting::debit_held(self.stock, count, 1))
            .with(Posting::credit(self.wallet, count));
        if let Some((allowance, _)) = self.allowance {
            entry.push(Posting::debit_held(allowance, count, 2));
            entry.push(Posting::credit(pool, count));
        }
        entry
    }
}

const ONE: Amount = Amount::from_minor(1);

/// The size of a stock or allowance without a limit.
const UNLIMITED: u64 = u32::MAX as u64;

impl Ledger {
    pub(super) fn decide_campaign(&self, campaign: &std::sync::Arc<Campaign>, stock: AccountId) -> Decision {
        if self.account(stock).is_some() {
            return Decision::Repeat;
        }
        Decision::Moved(smallvec![
            LedgerEvent::CampaignRecorded { campaign: std::sync::Arc::clone(campaign), stock },
            LedgerEvent::AccountOpened {
                account: stock,
                platform: campaign.platform,
                reference: campaign.id.to_string().into(),
                currency: Currency::Pieces,
                parent: None,
                credit_limit: Amount::from_minor(campaign.stock.map_or(UNLIMITED, u64::from)),
            },
        ])
    }

    /// Locks a coupon for an order: one from the customer's wallet, or one from stock where that is allowed.
    ///
    /// # Errors
    /// `coupon_sold_out`, `coupon_limit`, `coupon_not_held`.
    pub(super) fn decide_lock(
        &self,
        cause: CauseId,
        no: u16,
        accounts: &CouponAccounts,
        claimable: bool,
    ) -> Result<Decision, Reject> {
        let place = |no, account| LedgerEvent::HoldPlaced {
            hold: HoldId { cause, no },
            account,
            amount: ONE,
            expires_at: TimestampMs::NEVER,
        };
        if self.account(accounts.wallet).is_some_and(|wallet| wallet.available() >= 1) {
            return Ok(Decision::Moved(smallvec![place(no, accounts.wallet)]));
        }
        if !claimable {
            let expected = "a coupon of the campaign that was issued to the customer and is not in use";
            return Err(Reject::new(RejectCode::CouponNotHeld, "coupons", expected));
        }
        self.check_left(accounts, ONE)?;
        let mut events: SmallVec<[LedgerEvent; 2]> = SmallVec::new();
        events.push(place(no, accounts.stock));
        if let Some((allowance, limit)) = accounts.allowance {
            events.extend(self.opening(allowance, Some(limit), accounts));
            events.push(place(no + 1, allowance));
        }
        Ok(Decision::Moved(events))
    }

    /// Issues coupons to a customer.
    ///
    /// # Errors
    /// `amount_zero`, `coupon_sold_out`, `coupon_limit`.
    pub(super) fn decide_grant(
        &self,
        cause: CauseId,
        count: u32,
        accounts: &CouponAccounts,
        reference: &SmolStr,
    ) -> Result<Decision, Reject> {
        let (pieces, count) = (count, Amount::from_minor(count.into()));
        if count.is_zero() {
            return Err(Reject::new(RejectCode::AmountZero, "count", "at least one coupon"));
        }
        self.check_left(accounts, count)?;
        let held = |no, account| LedgerEvent::HoldPlaced {
            hold: HoldId { cause, no },
            account,
            amount: count,
            expires_at: TimestampMs::NEVER,
        };
        let mut events: SmallVec<[LedgerEvent; 2]> = smallvec![];
        events.extend(self.opening(accounts.wallet, None, accounts));
        events.push(held(1, accounts.stock));
        if let Some((allowance, limit)) = accounts.allowance {
            events.extend(self.opening(allowance, Some(limit), accounts));
            events.push(held(2, allowance));
        }
        let entry = accounts.grant_entry(cause, pieces);
        events.push(LedgerEvent::EntryPosted { entry, reference: reference.clone() });
        Ok(Decision::Moved(events))
    }

    fn check_left(&self, accounts: &CouponAccounts, count: Amount) -> Result<(), Reject> {
        let available = |account| self.account(account).map_or(0, Account::available);
        if available(accounts.stock) < count.signed() {
            let expected = "a campaign with as many coupons left";
            return Err(Reject::new(RejectCode::CouponSoldOut, "coupons", expected));
        }
        if let Some((allowance, limit)) = accounts.allowance {
            let known = self.account(allowance).map_or(i128::from(limit), Account::available);
            if known < count.signed() {
                let expected = format!("at most {limit} coupons of the campaign for one customer");
                return Err(Reject::new(RejectCode::CouponLimit, "coupons", expected));
            }
        }
        Ok(())
    }

    /// The opening of a customer's wallet (below the stock, so that it is rolled up) or allowance, if it is not open.
    fn opening(
        &self,
        account: AccountId,
        limit: Option<u32>,
        accounts: &CouponAccounts,
    ) -> Option<LedgerEvent> {
        self.account(account).is_none().then(|| LedgerEvent::AccountOpened {
            account,
            platform: accounts.platform,
            reference: accounts.reference.clone(),
            currency: Currency::Pieces,
            parent: limit.is_none().then_some(accounts.stock),
            credit_limit: Amount::from_minor(limit.map_or(0, u64::from)),
        })
    }
}
