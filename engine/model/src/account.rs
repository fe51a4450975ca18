//! Account types and the chart of internal accounts.

use serde::{Deserialize, Serialize};

use crate::entry::Side;

/// The side on which a type of account grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NormalSide {
    /// Assets and expenses.
    Debit,
    /// Liabilities and income.
    Credit,
}

/// Type of an account. Types below 64 are opened for somebody; types from 64 on are the engine's own chart,
/// exist once per owner and currency, and are striped over the shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum AccountType {
    /// E-account of a customer (电子账户): pays orders, is topped up and withdrawn from.
    Cash = 1,
    /// Account of a merchant: receives releases, is settled from.
    Settlement = 2,
    /// Marketing money of a merchant or agent.
    Marketing = 3,
    /// Money fund holdings.
    Wealth = 4,
    /// Deposit (保证金).
    Deposit = 5,
    /// Commission of an agent or sub-agent.
    Commission = 6,
    /// What the owner of an account owes the operator, because it had spent what it had to give back. Numbered like
    /// the account.
    Receivable = 7,
    /// Coupons of a campaign that nobody has yet, in pieces.
    CouponStock = 8,
    /// Coupons of a campaign that a customer has, in pieces.
    CouponWallet = 9,
    /// Coupons of a campaign that a customer may still get, in pieces.
    CouponAllowance = 10,
    /// What the owner of an account owes its platform, which advanced it. Numbered like the account.
    Advanced = 11,
    /// Money that a channel holds for the engine. Owner: channel.
    ChannelClearing = 64,
    /// Money frozen for orders (担保). Owner: platform.
    Escrow = 65,
    /// A platform's commission. Owner: platform.
    CommissionIncome = 66,
    /// Fees that merchants bear. Owner: platform.
    FeeIncome = 67,
    /// Fees that a channel takes. Owner: channel.
    FeeExpense = 68,
    /// Money that pays coupon subsidies. Owner: platform.
    CouponFund = 69,
    /// Money that belongs to no live order: late and double payments. Owner: platform.
    Suspense = 70,
    /// What a platform advanced for receivers that owe it. Owner: platform.
    Advance = 71,
    /// The other side of coupons, in pieces. Owner: platform.
    CouponPool = 72,
}

impl AccountType {
    /// Every type, in the order of the chart.
    pub const ALL: [Self; 20] = [
        Self::Cash,
        Self::Settlement,
        Self::Marketing,
        Self::Wealth,
        Self::Deposit,
        Self::Commission,
        Self::Receivable,
        Self::CouponStock,
        Self::CouponWallet,
        Self::CouponAllowance,
        Self::Advanced,
        Self::ChannelClearing,
        Self::Escrow,
        Self::CommissionIncome,
        Self::FeeIncome,
        Self::FeeExpense,
        Self::CouponFund,
        Self::Suspense,
        Self::Advance,
        Self::CouponPool,
    ];

    /// The type with this code, if there is one.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Cash,
            2 => Self::Settlement,
            3 => Self::Marketing,
            4 => Self::Wealth,
            5 => Self::Deposit,
            6 => Self::Commission,
            7 => Self::Receivable,
            8 => Self::CouponStock,
            9 => Self::CouponWallet,
            10 => Self::CouponAllowance,
            11 => Self::Advanced,
            64 => Self::ChannelClearing,
            65 => Self::Escrow,
            66 => Self::CommissionIncome,
            67 => Self::FeeIncome,
            68 => Self::FeeExpense,
            69 => Self::CouponFund,
            70 => Self::Suspense,
            71 => Self::Advance,
            72 => Self::CouponPool,
            _ => return None,
        })
    }

    /// Name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::Settlement => "settlement",
            Self::Marketing => "marketing",
            Self::Wealth => "wealth",
            Self::Deposit => "deposit",
            Self::Commission => "commission",
            Self::ChannelClearing => "channel_clearing",
            Self::Escrow => "escrow",
            Self::CommissionIncome => "commission_income",
            Self::FeeIncome => "fee_income",
            Self::FeeExpense => "fee_expense",
            Self::CouponFund => "coupon_fund",
            Self::Suspense => "suspense",
            Self::Receivable => "receivable",
            Self::CouponStock => "coupon_stock",
            Self::CouponWallet => "coupon_wallet",
            Self::CouponAllowance => "coupon_allowance",
            Self::Advanced => "advanced",
            Self::Advance => "advance",
            Self::CouponPool => "coupon_pool",
        }
    }

    /// The type with this name in the API.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether the account belongs to the engine's own chart (and is striped).
    #[must_use]
    pub const fn is_internal(self) -> bool {
        self as u8 >= 64
    }

    /// The side on which the account grows.
    #[must_use]
    pub const fn normal_side(self) -> NormalSide {
        match self {
            Self::ChannelClearing
            | Self::FeeExpense
            | Self::Receivable
            | Self::Advanced
            | Self::CouponPool => NormalSide::Debit,
            Self::Cash
            | Self::Settlement
            | Self::Marketing
            | Self::Wealth
            | Self::Deposit
            | Self::Commission
            | Self::Escrow
            | Self::CommissionIncome
            | Self::FeeIncome
            | Self::CouponFund
            | Self::Suspense
            | Self::Advance
            | Self::CouponStock
            | Self::CouponWallet
            | Self::CouponAllowance => NormalSide::Credit,
        }
    }

    /// Whether a balance below zero (less any credit limit) is refused. Clearing and fee accounts with a channel
    /// may stand on either side for a while (a refund may leave before the payment is settled); so may what a
    /// platform earns, of which refunds take their part back and which pays its advances.
    #[must_use]
    pub const fn is_limited(self) -> bool {
        !matches!(
            self,
            Self::ChannelClearing
                | Self::FeeExpense
                | Self::FeeIncome
                | Self::CommissionIncome
                | Self::Receivable
                | Self::Advanced
                | Self::Advance
                | Self::CouponPool
        )
    }

    /// Whether somebody may ask for an account of this type; the others come by themselves.
    #[must_use]
    pub const fn may_be_opened(self) -> bool {
        matches!(
            self,
            Self::Cash | Self::Settlement | Self::Marketing | Self::Wealth | Self::Deposit | Self::Commission
        )
    }

    /// Whether a campaign may be paid from an account of this type.
    #[must_use]
    pub const fn may_fund_coupons(self) -> bool {
        matches!(self, Self::CouponFund | Self::Marketing)
    }

    /// Whether an order may be paid from an account of this type.
    #[must_use]
    pub const fn may_pay_orders(self) -> bool {
        matches!(self, Self::Cash)
    }

    /// Whether a release may pay into an account of this type.
    #[must_use]
    pub const fn may_receive_release(self) -> bool {
        matches!(
            self,
            Self::Settlement | Self::Cash | Self::Marketing | Self::Commission | Self::CommissionIncome
        )
    }

    /// The sign of a posting on `side`: +1 when it makes the account grow.
    #[must_use]
    pub const fn sign(self, side: Side) -> i128 {
        match (self.normal_side(), side) {
            (NormalSide::Debit, Side::Debit) | (NormalSide::Credit, Side::Credit) => 1,
            (NormalSide::Debit, Side::Credit) | (NormalSide::Credit, Side::Debit) => -1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_read_back() {
        for kind in AccountType::ALL {
            assert_eq!(AccountType::from_code(kind as u8), Some(kind));
            assert_eq!(AccountType::from_name(kind.name()), Some(kind));
        }
    }
}
