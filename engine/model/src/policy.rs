//! What a platform has agreed: the settings that decisions read. Decisions record their result in events, so a
//! replay needs none of this.

use serde::{Deserialize, Serialize};

use crate::ids::PlatformId;
use crate::time::DurationMs;

/// Who bears the channel's fee.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeeBearer {
    /// Taken from the merchant's part at release.
    #[default]
    Merchant,
    /// Borne by the engine's operator under its contract with the platform.
    Platform,
}

/// What happens to a payment that arrives after its order has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LatePayment {
    /// Parked in suspense and refunded by itself.
    #[default]
    Refund,
    /// Parked in suspense for an operator.
    Park,
    /// Taken into the order, which goes on as if it had been paid in time; refunded where its coupons are gone.
    Reopen,
}

/// What becomes of the channel's fee that a merchant bore, when its money is taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundedFee {
    /// The fee is kept: the merchant gives back what it got and the fee.
    #[default]
    Keep,
    /// The fee is given back to the merchant in proportion: it gives back what it got.
    Return,
}

/// What happens when a receiver has spent what it must give back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shortfall {
    /// The receiver owes it to the engine's operator: a receivable, recovered from its next income.
    #[default]
    Debt,
    /// The platform advances it out of its commission; recovered for the platform from the receiver's next income.
    Advance,
    /// The refund is refused.
    Refuse,
}

/// What a platform had agreed when an order came. It stays with the order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// Who bears the channel's fee.
    pub fee_bearer: FeeBearer,
    /// What happens to a payment that comes after the order ended.
    pub late_payment: LatePayment,
    /// What becomes of a fee that a merchant bore, when money is taken back.
    pub refunded_fee: RefundedFee,
    /// What happens when a receiver has spent what it must give back.
    pub shortfall: Shortfall,
}

/// Settings of one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformPolicy {
    /// The platform.
    pub id: PlatformId,
    /// Largest total share of splits that are not the merchant's own, in basis points of the order (30 %).
    pub split_cap_bps: u32,
    /// Largest number of split receivers of one order (50).
    pub split_receivers_max: usize,
    /// After how long frozen money is released by itself (10 days).
    pub auto_release: DurationMs,
    /// The same for orders of virtual goods (2 days).
    pub auto_release_virtual: DurationMs,
    /// How long an order waits for its payer when it does not say (30 minutes).
    pub order_ttl: DurationMs,
    /// Largest number of attempts under one order.
    pub attempts_max: u8,
    /// What each order is recorded with.
    pub agreement: Agreement,
    /// Whether the mall is told what happens to its orders.
    pub announces: bool,
}

impl PlatformPolicy {
    /// The defaults of the domain for platform `id`.
    #[must_use]
    pub const fn defaults(id: PlatformId) -> Self {
        Self {
            id,
            split_cap_bps: 3_000,
            split_receivers_max: 50,
            auto_release: DurationMs::from_days(10),
            auto_release_virtual: DurationMs::from_days(2),
            order_ttl: DurationMs::from_secs(30 * 60),
            attempts_max: 4,
            agreement: Agreement {
                fee_bearer: FeeBearer::Merchant,
                late_payment: LatePayment::Refund,
                refunded_fee: RefundedFee::Keep,
                shortfall: Shortfall::Debt,
            },
            announces: true,
        }
    }
}
