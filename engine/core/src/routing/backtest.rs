//! A draft rule set against recorded orders: what each would have cost, which channel it would have taken.
//!
//! Limits are counted as the draft would have used them; health and success follow from what really happened. Each
//! order is one step, so that a caller can stream over millions of them.

use rustc_hash::FxHashMap;
use smol_str::SmolStr;
use suanpan_model::channel::NotSentWhy;
use suanpan_model::order::AttemptState;
use suanpan_model::{
    Amount, Bank, CardType, ChannelId, Currency, FailureKind, Order, PayKind, PlatformId, Route, RouteRule,
    SubOrder, Success, TimestampMs,
};

use super::learning::{Learning, Observation, Observed, RESULTS_MIN, Window};
use super::request::{OrderFacts, RouteRequest, Standing};
use super::{NoRoute, Router};

/// What became of a recorded order at its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was paid.
    Paid,
    /// The channel's own trouble.
    ChannelFault,
    /// Anything that says nothing about the channel: the payer, a limit, expiry.
    Unpaid,
}

impl Outcome {
    /// Name in recorded orders.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::ChannelFault => "channel_fault",
            Self::Unpaid => "unpaid",
        }
    }

    /// The outcome with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Paid, Self::ChannelFault, Self::Unpaid].into_iter().find(|outcome| outcome.name() == name)
    }
}

/// An order as it was routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// When it was routed.
    pub at: TimestampMs,
    /// The mall.
    pub platform: PlatformId,
    /// The mall's number.
    pub order_no: SmolStr,
    /// Its fingerprint.
    pub key: u128,
    /// How it was paid.
    pub kind: PayKind,
    /// Currency of the amount.
    pub currency: Currency,
    /// The payer's bank.
    pub bank: Option<Bank>,
    /// The payer's kind of card.
    pub card_type: Option<CardType>,
    /// What the payer had to pay.
    pub amount: Amount,
    /// The payer, as the mall names them.
    pub payer: SmolStr,
    /// What each merchant sold.
    pub sub_orders: Vec<SubOrder>,
    /// What rules may look at besides.
    pub attributes: suanpan_model::OrderAttributes,
    /// Notes of the mall.
    pub metadata: Vec<(SmolStr, SmolStr)>,
    /// The channel of its first attempt, and its fee.
    pub channel: ChannelId,
    /// The fee that was expected there.
    pub fee: Amount,
    /// What became of it there.
    pub outcome: Outcome,
}

impl Recorded {
    /// What an order's first attempt was; nothing for one that went through no channel.
    #[must_use]
    pub fn of(order: &Order) -> Option<Self> {
        let attempt = order.attempts.first()?;
        let terms = &order.terms;
        let outcome = match &attempt.state {
            AttemptState::Succeeded => Outcome::Paid,
            AttemptState::Failed { kind: FailureKind::Channel, .. }
            | AttemptState::NotSent(NotSentWhy::Refused | NotSentWhy::Throttled)
            | AttemptState::InDoubt(_) => Outcome::ChannelFault,
            AttemptState::Failed { .. }
            | AttemptState::NotSent(NotSentWhy::QueueFull)
            | AttemptState::Calling
            | AttemptState::Waiting { .. }
            | AttemptState::Closed => Outcome::Unpaid,
        };
        Some(Self {
            at: attempt.started_at,
            platform: terms.platform,
            order_no: terms.order_no.clone(),
            key: terms.key(),
            kind: terms.kind,
            currency: terms.currency,
            bank: terms.bank,
            card_type: terms.card_type,
            amount: terms.payable(),
            payer: terms.payer.clone(),
            sub_orders: terms.sub_orders.to_vec(),
            attributes: terms.attributes.as_deref().cloned().unwrap_or_default(),
            metadata: terms.metadata.clone(),
            channel: attempt.channel(),
            fee: attempt.route.fee,
            outcome,
        })
    }

    fn request(&self) -> RouteRequest<'_> {
        RouteRequest {
            now: self.at,
            platform: self.platform,
            kind: self.kind,
            currency: self.currency,
            bank: self.bank,
            card_type: self.card_type,
            amount: self.amount,
            tried: &[],
            facts: OrderFacts {
                key: self.key,
                payer: &self.payer,
                sub_orders: &self.sub_orders,
                category: &self.attributes.category,
                holder: self.attributes.holder,
                payer_attributes: &self.attributes.payer,
                metadata: &self.metadata,
            },
        }
    }
}

/// Orders and money of one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelTotals {
    /// Orders that really went there.
    pub orders: u64,
    /// Their amounts.
    pub volume: u128,
    /// Their fees.
    pub fees: u128,
    /// How many of them were paid.
    pub paid: u64,
    /// Orders that would go there under the draft.
    pub draft_orders: u64,
    /// Their amounts.
    pub draft_volume: u128,
    /// Their fees.
    pub draft_fees: u128,
    /// Of the orders that would go there, how many would be paid if each succeeded as often as the channel was known to
    /// at its time, in millionths of an order; orders of which nothing was known count as they really ended.
    pub draft_paid_millionths: u128,
}

/// What became of one order under the draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It takes the channel that it took.
    Same,
    /// It takes another one.
    Changed {
        /// Which.
        channel: ChannelId,
        /// Its fee there.
        fee: Amount,
        /// The rule that chose.
        rule: RouteRule,
        /// Number of the rule among those of the set; 0 for none.
        rule_no: u16,
    },
    /// No channel takes it any more.
    Lost,
}

/// Sums over all orders so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Orders that were looked at.
    pub orders: u64,
    /// Those whose channel changes.
    pub changed: u64,
    /// Those that no channel takes any more.
    pub lost: u64,
    /// By channel, in the configuration's order.
    pub channels: Vec<(ChannelId, ChannelTotals)>,
    /// Orders that went to channels that are not configured any more.
    pub unknown_channel: u64,
    /// Fees of all orders, in minor units whichever the currency.
    pub fees: u128,
    /// Fees of the same orders under the draft, without those that are lost.
    pub draft_fees: u128,
}

/// Volume that a channel took under the draft.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    day: u32,
    day_used: u64,
    month: u32,
    month_used: u64,
}

type SuccessKey = (u16, Option<Bank>, Option<CardType>);

/// What the draft's decisions look at.
struct World<'a> {
    router: &'a Router,
    used: Vec<Used>,
    /// What really happened, by channel.
    learning: Learning,
    success: FxHashMap<SuccessKey, Window>,
    /// When each channel's bucket is full again, in microseconds.
    buckets: Vec<u64>,
}

/// A back-test under way.
pub struct BackTest<'a> {
    world: World<'a>,
    summary: Summary,
}

impl Standing for World<'_> {
    fn quota_used(&self, channel_index: usize, _channel: ChannelId, day: u32) -> Amount {
        let used = &self.used[channel_index];
        Amount::from_minor(if used.day == day { used.day_used } else { 0 })
    }

    fn month_used(&self, channel_index: usize, _channel: ChannelId, month: u32) -> Amount {
        let used = &self.used[channel_index];
        Amount::from_minor(if used.month == month { used.month_used } else { 0 })
    }

    fn is_healthy(&self, channel_index: usize, channel: ChannelId, now: TimestampMs) -> bool {
        let conditions = &self.router.capabilities()[channel_index].conditions;
        self.learning.is_healthy(channel, conditions, now)
    }

    fn has_token(&self, channel_index: usize, _channel: ChannelId, now: TimestampMs) -> bool {
        let conditions = &self.router.capabilities()[channel_index].conditions;
        let (Some(limit), Some(token_us)) = (conditions.rate_limit, super::learning::token_us(conditions))
        else {
            return true;
        };
        super::learning::has_token(self.buckets[channel_index], token_us, limit.burst, now)
    }

    fn success(
        &self,
        _channel_index: usize,
        channel: ChannelId,
        bank: Option<Bank>,
        card_type: Option<CardType>,
    ) -> Option<Success> {
        let of = |bank, card_type| self.success.get(&(channel.0, bank, card_type));
        let part = of(bank, card_type).filter(|window| window.results() >= RESULTS_MIN);
        part.or_else(|| of(None, None))?.success()
    }

    fn latency_ms(&self, _channel_index: usize, channel: ChannelId) -> Option<u32> {
        self.learning.channel(channel)?.health.latency_ms()
    }
}

impl<'a> BackTest<'a> {
    /// Orders go through `router`, which holds the draft.
    #[must_use]
    pub fn new(router: &'a Router) -> Self {
        let count = router.capabilities().len();
        let totals = |known: &suanpan_model::Capability| (known.id, ChannelTotals::default());
        let channels = router.capabilities().iter().map(totals).collect();
        Self {
            world: World {
                router,
                used: vec![Used::default(); count],
                learning: Learning::default(),
                success: FxHashMap::default(),
                buckets: vec![0; count],
            },
            summary: Summary { channels, ..Summary::default() },
        }
    }

    /// Routes one order anew. Orders come in the order in which they were routed.
    pub fn step(&mut self, order: &Recorded) -> Step {
        let request = order.request();
        let decided = self.world.router.decide(&request, &self.world);
        let actual = self.world.router.index(order.channel);
        self.summary.orders += 1;
        self.summary.fees += u128::from(order.fee.minor());
        match actual {
            Some(index) => {
                let totals = &mut self.summary.channels[index].1;
                totals.orders += 1;
                totals.volume += u128::from(order.amount.minor());
                totals.fees += u128::from(order.fee.minor());
                totals.paid += u64::from(order.outcome == Outcome::Paid);
            }
            None => self.summary.unknown_channel += 1,
        }
        let step = match decided {
            Ok(route) => self.count(order, &route),
            Err(NoRoute { .. }) => {
                self.summary.lost += 1;
                Step::Lost
            }
        };
        if let Some(index) = actual {
            self.learn(order, index);
        }
        step
    }

    fn count(&mut self, order: &Recorded, route: &Route) -> Step {
        let Some(index) = self.world.router.index(route.channel) else { return Step::Lost };
        let known = self.world.success(index, route.channel, order.bank, order.card_type).map(Success::ppm);
        let really = if order.outcome == Outcome::Paid { 1_000_000 } else { 0 };
        let totals = &mut self.summary.channels[index].1;
        totals.draft_orders += 1;
        totals.draft_volume += u128::from(order.amount.minor());
        totals.draft_fees += u128::from(route.fee.minor());
        totals.draft_paid_millionths += u128::from(known.unwrap_or(really));
        self.summary.draft_fees += u128::from(route.fee.minor());
        self.world.take(index, order.at, order.amount);
        if route.channel == order.channel {
            return Step::Same;
        }
        self.summary.changed += 1;
        Step::Changed {
            channel: route.channel,
            fee: route.fee,
            rule: route.rule,
            rule_no: route.trace.rule_no,
        }
    }

    /// Takes in what really happened.
    fn learn(&mut self, order: &Recorded, index: usize) {
        let conditions = &self.world.router.capabilities()[index].conditions;
        let mut fold = |what| {
            let seen = Observation {
                at: order.at,
                channel: order.channel,
                bank: None,
                card_type: None,
                amount: order.amount,
                started_at: order.at,
                what,
            };
            self.world.learning.fold_health(&seen, conditions);
        };
        fold(Observed::Started);
        let good = match order.outcome {
            Outcome::Paid => {
                fold(Observed::Paid { first: true, was_dead: false });
                true
            }
            Outcome::ChannelFault => {
                fold(Observed::Failed { first: true, own: true });
                false
            }
            Outcome::Unpaid => {
                fold(Observed::Failed { first: true, own: false });
                return;
            }
        };
        let key = |bank, card_type| (order.channel.0, bank, card_type);
        self.world.success.entry(key(None, None)).or_default().push(good);
        if order.bank.is_some() || order.card_type.is_some() {
            self.world.success.entry(key(order.bank, order.card_type)).or_default().push(good);
        }
    }

    /// The sums so far.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }
}

impl World<'_> {
    fn take(&mut self, index: usize, at: TimestampMs, amount: Amount) {
        let used = &mut self.used[index];
        let (day, month) = (at.beijing_day(), at.beijing_month().0);
        if used.day != day {
            (used.day, used.day_used) = (day, 0);
        }
        if used.month != month {
            (used.month, used.month_used) = (month, 0);
        }
        used.day_used = used.day_used.saturating_add(amount.minor());
        used.month_used = used.month_used.saturating_add(amount.minor());
        let conditions = &self.router.capabilities()[index].conditions;
        if let Some(token_us) = super::learning::token_us(conditions) {
            let full = &mut self.buckets[index];
            *full = (*full).max(at.0.saturating_mul(1_000)) + token_us;
        }
    }
}
