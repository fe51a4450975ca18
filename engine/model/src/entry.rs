//! Double entry: postings that sum to zero.

use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, CauseId, HoldId};
use crate::money::{Amount, Currency};

/// Side of a posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Side {
    /// Left.
    Debit,
    /// Right.
    Credit,
}

impl Side {
    /// `debit` or `credit`, as in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Credit => "credit",
        }
    }
}

/// What an entry records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum EntryCode {
    /// A payment reached the engine through a channel and is frozen.
    Payment = 1,
    /// A payment from an e-account is frozen.
    BalancePayment = 2,
    /// The channel took its fee.
    ChannelFee = 3,
    /// Frozen money was released to its receivers.
    Release = 4,
    /// Money of an order, frozen or released, went back to the payer and the funders of coupons.
    Refund = 5,
    /// A payment that no live order waited for was parked.
    LatePayment = 6,
    /// A parked payment went back to the payer.
    LateRefund = 7,
    /// Money from outside was put on an account.
    TopUp = 8,
    /// Money moved between accounts.
    Transfer = 9,
    /// A parked payment was taken into its order.
    Reopening = 10,
    /// A refund came back and was parked.
    RefundBounced = 11,
    /// A refund that came back was finished another way.
    BouncedRefund = 12,
    /// A debt was recovered from income.
    Recovery = 13,
    /// Coupons were given to a customer.
    CouponGranted = 14,
    /// A coupon was used.
    CouponUsed = 15,
    /// A used coupon came back.
    CouponReturned = 16,
}

impl EntryCode {
    /// Every code.
    pub const ALL: [Self; 16] = [
        Self::Payment,
        Self::BalancePayment,
        Self::ChannelFee,
        Self::Release,
        Self::Refund,
        Self::LatePayment,
        Self::LateRefund,
        Self::TopUp,
        Self::Transfer,
        Self::Reopening,
        Self::RefundBounced,
        Self::BouncedRefund,
        Self::Recovery,
        Self::CouponGranted,
        Self::CouponUsed,
        Self::CouponReturned,
    ];

    /// The code with this number, as it stands in stored statements.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|known| *known as u8 == code)
    }

    /// Name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::BalancePayment => "balance_payment",
            Self::ChannelFee => "channel_fee",
            Self::Release => "release",
            Self::Refund => "refund",
            Self::LatePayment => "late_payment",
            Self::LateRefund => "late_refund",
            Self::TopUp => "top_up",
            Self::Transfer => "transfer",
            Self::Reopening => "reopening",
            Self::RefundBounced => "refund_bounced",
            Self::BouncedRefund => "bounced_refund",
            Self::Recovery => "recovery",
            Self::CouponGranted => "coupon_granted",
            Self::CouponUsed => "coupon_used",
            Self::CouponReturned => "coupon_returned",
        }
    }
}

/// One line of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// The account.
    pub account: AccountId,
    /// Its sum in minor units, never zero.
    pub amount: Amount,
    /// Its side.
    pub side: Side,
    /// Number of the hold of the same cause that this debit uses up; 0 for none.
    pub hold_no: u16,
}

impl Posting {
    /// A debit.
    #[must_use]
    pub const fn debit(account: AccountId, amount: Amount) -> Self {
        Self { account, amount, side: Side::Debit, hold_no: 0 }
    }

    /// A debit that uses up part of a hold.
    #[must_use]
    pub const fn debit_held(account: AccountId, amount: Amount, hold_no: u16) -> Self {
        Self { account, amount, side: Side::Debit, hold_no }
    }

    /// A credit.
    #[must_use]
    pub const fn credit(account: AccountId, amount: Amount) -> Self {
        Self { account, amount, side: Side::Credit, hold_no: 0 }
    }
}

/// Postings that sum to zero in one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What it records.
    pub code: EntryCode,
    /// Currency of every posting.
    pub currency: Currency,
    /// The order or transfer that it belongs to.
    pub cause: CauseId,
    /// The lines; zero amounts are left out.
    pub postings: Vec<Posting>,
}

impl Entry {
    /// An entry without lines.
    #[must_use]
    pub fn new(code: EntryCode, currency: Currency, cause: CauseId) -> Self {
        Self { code, currency, cause, postings: Vec::with_capacity(5) }
    }

    /// The entry with one more line; a line of zero is left out.
    #[must_use]
    pub fn with(mut self, posting: Posting) -> Self {
        self.push(posting);
        self
    }

    /// Adds a line; a line of zero is left out.
    pub fn push(&mut self, posting: Posting) {
        if !posting.amount.is_zero() {
            self.postings.push(posting);
        }
    }

    /// Debits minus credits in minor units; zero in every entry that leaves the core.
    #[must_use]
    pub fn imbalance(&self) -> i128 {
        self.postings
            .iter()
            .map(|posting| match posting.side {
                Side::Debit => posting.amount.signed(),
                Side::Credit => -posting.amount.signed(),
            })
            .sum()
    }

    /// The hold that a posting of this entry uses up, if any.
    #[must_use]
    pub const fn hold_of(&self, posting: &Posting) -> Option<HoldId> {
        if posting.hold_no == 0 { None } else { Some(HoldId { cause: self.cause, no: posting.hold_no }) }
    }
}
