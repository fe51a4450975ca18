//! What a decision is asked for, and what it reads besides the rules.

use smallvec::SmallVec;
use suanpan_model::{
    Amount, Bank, Candidate, CardType, ChannelId, Currency, PayKind, PlatformId, TimestampMs,
};

/// A payment that needs a channel, with or without an order behind it (what-if).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteRequest<'a> {
    /// The instant of the decision.
    pub now: TimestampMs,
    /// Whose rules apply.
    pub platform: PlatformId,
    /// How the order is paid.
    pub kind: PayKind,
    /// Currency of the amount.
    pub currency: Currency,
    /// The payer's bank, where known.
    pub bank: Option<Bank>,
    /// The payer's kind of card, where known.
    pub card_type: Option<CardType>,
    /// What the payer pays, in minor units.
    pub amount: Amount,
    /// Channels on which an earlier attempt of the same order failed.
    pub tried: &'a [ChannelId],
}

/// What changes from moment to moment: read by a decision, not decided there.
///
/// Channels come with their index in [`Router::capabilities`](super::Router::capabilities), so that an
/// implementation can be an array. A question is asked only about channels that passed every earlier filter.
pub trait Standing {
    /// What the channel has taken on Beijing calendar day `day`, in minor units.
    fn quota_used(&self, channel_index: usize, channel: ChannelId, day: u32) -> Amount;

    /// Whether the channel's circuit lets a payment through at `now`.
    fn is_healthy(&self, channel_index: usize, channel: ChannelId, now: TimestampMs) -> bool;
}

/// A [`Standing`] for what-if questions and tests: no quota used, every channel healthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllOpen;

impl Standing for AllOpen {
    fn quota_used(&self, _channel_index: usize, _channel: ChannelId, _day: u32) -> Amount {
        Amount::ZERO
    }

    fn is_healthy(&self, _channel_index: usize, _channel: ChannelId, _now: TimestampMs) -> bool {
        true
    }
}

/// No channel can take the payment, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no channel can take this payment under routing rules version {rules_version}")]
pub struct NoRoute {
    /// Every channel with the first filter that it failed, in the configuration's order.
    pub because: SmallVec<[Candidate; 8]>,
    /// Version of the rule set that was in force.
    pub rules_version: u32,
}
