//! Coupons (优惠券): campaigns, and what an order uses of them.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::ids::{AccountId, CampaignId, PlatformId};
use crate::money::{Amount, Currency};
use crate::time::TimestampMs;

/// What a coupon takes off the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Worth {
    /// A sum in minor units.
    Face(Amount),
    /// Basis points of the price of the eligible sub-orders, rounded down.
    Percent {
        /// How many basis points, 1 to 10 000.
        bps: u32,
        /// The most that it takes off, in minor units.
        cap: Option<Amount>,
    },
}

/// Who pays which part of a subsidy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funder {
    /// The platform's coupon fund (stripe 0 stands for the whole) or a marketing account.
    pub account: AccountId,
    /// Its part in basis points; the parts of a campaign's funders add up to 10 000.
    pub bps: u32,
}

/// A coupon campaign. Never changes once it is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaign {
    /// Its number, unique in the engine.
    pub id: CampaignId,
    /// The platform on whose orders it can be used.
    pub platform: PlatformId,
    /// Currency of the amounts.
    pub currency: Currency,
    /// What a coupon is worth.
    pub worth: Worth,
    /// Smallest price of the eligible sub-orders on which it can be used.
    pub minimum_spend: Amount,
    /// First instant at which it can be used.
    pub valid_from: TimestampMs,
    /// First instant at which it can no longer be used.
    pub valid_until: TimestampMs,
    /// Who pays the subsidy, in declared order.
    pub funders: SmallVec<[Funder; 1]>,
    /// Merchants on whose sub-orders it can be used; all when empty.
    pub merchants: Vec<AccountId>,
    /// How many coupons there are; no limit when absent.
    pub stock: Option<u32>,
    /// How many coupons one customer can get; no limit when absent.
    pub per_customer: Option<u32>,
    /// Whether it can be used together with other coupons.
    pub stackable: bool,
    /// Place among the coupons of one order: lower ranks are applied first, and of equals the lower number.
    pub rank: u16,
    /// Whether an order may take a coupon straight from the stock; else it must have been issued to the customer.
    pub claimable: bool,
}

impl Campaign {
    /// Whether pieces have to be counted: stock, customers' limits, or coupons in customers' hands.
    #[must_use]
    pub const fn is_counted(&self) -> bool {
        self.stock.is_some() || self.per_customer.is_some() || !self.claimable
    }

    /// Whether a sub-order of `merchant` counts.
    #[must_use]
    pub fn is_for(&self, merchant: AccountId) -> bool {
        self.merchants.is_empty() || self.merchants.contains(&merchant)
    }
}

/// A coupon that an order uses: all that later steps need, so that they never ask the campaign again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CouponUse {
    /// Its campaign.
    pub campaign: CampaignId,
    /// What it takes off the price, in minor units: the sum of the funders' parts.
    pub subsidy: Amount,
    /// Who pays how much of it, in minor units, in the campaign's order; zero parts are kept.
    pub funders: SmallVec<[(AccountId, Amount); 1]>,
    /// What it takes off each sub-order, in minor units.
    pub shares: SmallVec<[Amount; 1]>,
    /// After this instant a coupon that comes back cannot be used any more.
    pub valid_until: TimestampMs,
    /// Whether pieces of it are counted.
    pub counted: bool,
}
