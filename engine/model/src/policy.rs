//! What a platform has agreed: the settings that decisions read. Decisions record their result in events, so a
//! replay needs none of this.

use serde::{Deserialize, Serialize};

use crate::ids::{CampaignId, PlatformId};
use crate::money::{Amount, Currency};
use crate::time::{DurationMs, TimestampMs};

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
    /// How long an order waits for its payer when it does not say (30 minutes).
    pub order_ttl: DurationMs,
    /// Largest number of attempts under one order.
    pub attempts_max: u8,
    /// Who bears the channel's fee.
    pub fee_bearer: FeeBearer,
    /// What happens to late payments.
    pub late_payment: LatePayment,
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
            order_ttl: DurationMs::from_secs(30 * 60),
            attempts_max: 4,
            fee_bearer: FeeBearer::Merchant,
            late_payment: LatePayment::Refund,
        }
    }
}

/// A coupon campaign: a face value that the platform's coupon fund pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// Its number.
    pub id: CampaignId,
    /// The platform whose coupon fund pays.
    pub platform: PlatformId,
    /// Currency of the amounts below.
    pub currency: Currency,
    /// What the coupon is worth.
    pub face: Amount,
    /// Smallest order that it can be used on.
    pub minimum_spend: Amount,
    /// First instant at which it can be used.
    pub valid_from: TimestampMs,
    /// First instant at which it can no longer be used.
    pub valid_until: TimestampMs,
}
