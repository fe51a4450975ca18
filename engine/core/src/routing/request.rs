//! What a decision is asked for, and what it reads besides the rules.

use smallvec::SmallVec;
use smol_str::SmolStr;
use suanpan_model::{
    Amount, Bank, Candidate, CardType, ChannelId, Currency, Holder, OrderTerms, PayKind, PlatformId,
    SubOrder, Success, TimestampMs,
};

/// What rules may look at beside the payment itself; the default is an order that says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderFacts<'a> {
    /// The order's fingerprint: draws for splits and exploration follow from it.
    pub key: u128,
    /// The payer, as the mall names them; empty where not known.
    pub payer: &'a str,
    /// What each merchant sold.
    pub sub_orders: &'a [SubOrder],
    /// Kind of goods or business; empty where not known.
    pub category: &'a str,
    /// Who holds the card or account, where known.
    pub holder: Option<Holder>,
    /// Attributes of the payer.
    pub payer_attributes: &'a [(SmolStr, SmolStr)],
    /// Notes of the mall.
    pub metadata: &'a [(SmolStr, SmolStr)],
}

impl<'a> OrderFacts<'a> {
    /// The facts of an order.
    #[must_use]
    pub fn of(terms: &'a OrderTerms) -> Self {
        let attributes = terms.attributes.as_deref();
        Self {
            key: terms.key(),
            payer: &terms.payer,
            sub_orders: &terms.sub_orders,
            category: attributes.map_or("", |known| &known.category),
            holder: attributes.and_then(|known| known.holder),
            payer_attributes: attributes.map_or(&[], |known| &known.payer),
            metadata: &terms.metadata,
        }
    }
}

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
    /// What rules may look at beside these.
    pub facts: OrderFacts<'a>,
}

impl<'a> RouteRequest<'a> {
    /// The payment of an order at `now`, after attempts on `tried`.
    #[must_use]
    pub fn of(terms: &'a OrderTerms, now: TimestampMs, tried: &'a [ChannelId]) -> Self {
        Self {
            now,
            platform: terms.platform,
            kind: terms.kind,
            currency: terms.currency,
            bank: terms.bank,
            card_type: terms.card_type,
            amount: terms.payable(),
            tried,
            facts: OrderFacts::of(terms),
        }
    }
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

    /// What the channel has taken in Beijing calendar month `month`, in minor units.
    fn month_used(&self, _channel_index: usize, _channel: ChannelId, _month: u32) -> Amount {
        Amount::ZERO
    }

    /// Whether the channel may be called once more at `now`.
    fn has_token(&self, _channel_index: usize, _channel: ChannelId, _now: TimestampMs) -> bool {
        true
    }

    /// How often the channel succeeds with such payments; nothing where too little is known.
    fn success(
        &self,
        _channel_index: usize,
        _channel: ChannelId,
        _bank: Option<Bank>,
        _card_type: Option<CardType>,
    ) -> Option<Success> {
        None
    }

    /// How long the channel takes to answer, in milliseconds, where known.
    fn latency_ms(&self, _channel_index: usize, _channel: ChannelId) -> Option<u32> {
        None
    }

    /// Takes the room that a payment of `amount` needs at the channel: quota, probe, token, all or nothing. False when
    /// there is none any more, because other payments took it since it was looked at.
    fn claim(&self, _channel_index: usize, _channel: ChannelId, _amount: Amount, _now: TimestampMs) -> bool {
        true
    }
}

/// A [`Standing`] for what-if questions and tests: no quota used, every channel healthy, nothing known about success.
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
    pub because: SmallVec<[Candidate; 16]>,
    /// Version of the rule set that was in force.
    pub rules_version: u32,
}
