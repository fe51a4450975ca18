//! An order: what the mall asked for, and where it stands.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::attributes::OrderAttributes;
use crate::channel::{FailureKind, NotSentWhy, PayerAction, UnknownWhy};
use crate::coupon::CouponUse;
use crate::entry::Entry;
use crate::event::EventKind;
use crate::ids::{AccountId, AttemptNo, ChannelId, OrderId, PlatformId};
use crate::money::{Amount, Currency};
use crate::policy::Agreement;
use crate::refund::{Refund, RefundSource};
use crate::route::Route;
use crate::split::SplitRule;
use crate::time::TimestampMs;

/// How an order is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum PayKind {
    /// The payer is sent to the channel's page (网关支付).
    Gateway,
    /// A bound card is charged (快捷支付).
    QuickPay,
    /// From the payer's e-account (电子账户支付); no channel.
    Balance,
}

impl PayKind {
    /// Name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::QuickPay => "quick_pay",
            Self::Balance => "balance",
        }
    }
}

/// Kind of bank card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum CardType {
    /// 借记卡.
    Debit,
    /// 贷记卡.
    Credit,
}

impl CardType {
    /// Name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Credit => "credit",
        }
    }
}

/// Code of a bank: two to eight capital letters or digits, for example `ICBC`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bank(u64);

impl Bank {
    /// Reads a code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        let wellformed = (2..=8).contains(&code.len())
            && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        wellformed.then(|| Self(code.bytes().fold(0, |packed, byte| packed << 8 | u64::from(byte))))
    }

    /// The code.
    #[must_use]
    pub fn code(self) -> SmolStr {
        self.0.to_be_bytes().into_iter().filter(|byte| *byte != 0).map(char::from).collect()
    }
}

impl fmt::Display for Bank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code())
    }
}

impl fmt::Debug for Bank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What one merchant sold within the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubOrder {
    /// The merchant's account.
    pub merchant: AccountId,
    /// Full price in minor units, before coupons.
    pub amount: Amount,
}

/// What the mall asked for. Never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderTerms {
    /// The mall.
    pub platform: PlatformId,
    /// The mall's own number for the order; with the platform the idempotency key.
    pub order_no: SmolStr,
    /// The payer, as the mall names them.
    pub payer: SmolStr,
    /// The payer's e-account, for [`PayKind::Balance`].
    pub payer_account: Option<AccountId>,
    /// Full price in minor units: the sum of the sub-orders.
    pub amount: Amount,
    /// Its currency.
    pub currency: Currency,
    /// How it is paid.
    pub kind: PayKind,
    /// The payer's bank, where known.
    pub bank: Option<Bank>,
    /// The payer's kind of card, where known.
    pub card_type: Option<CardType>,
    /// Number under which the card was bound, for [`PayKind::QuickPay`].
    pub agreement_no: SmolStr,
    /// What was bought, for the payer's statement.
    pub description: SmolStr,
    /// When an unpaid order is closed.
    pub expires_at: TimestampMs,
    /// Whether the money is frozen until the buyer confirms.
    pub escrow: bool,
    /// Whether nothing is shipped, so that frozen money is released sooner by itself.
    pub virtual_goods: bool,
    /// The coupons that are used, in the order in which they are applied.
    pub coupons: Vec<CouponUse>,
    /// What each merchant sold; at least one.
    pub sub_orders: SmallVec<[SubOrder; 1]>,
    /// Receivers beside the merchants, in declared order.
    pub splits: SmallVec<[SplitRule; 2]>,
    /// Where the mall wants to be told.
    pub callback: SmolStr,
    /// The mall's own notes, handed back as they came.
    pub metadata: Vec<(SmolStr, SmolStr)>,
    /// What routing rules may look at beyond the fields above, if anything is said.
    pub attributes: Option<Box<OrderAttributes>>,
}

impl OrderTerms {
    /// What the funders of coupons pay.
    #[must_use]
    pub fn subsidy(&self) -> Amount {
        self.coupons.iter().fold(Amount::ZERO, |sum, coupon| sum.plus(coupon.subsidy))
    }

    /// What the payer pays: the price less the subsidy.
    #[must_use]
    pub fn payable(&self) -> Amount {
        self.amount.minus(self.subsidy())
    }

    /// The 128-bit fingerprint of platform and order number under which the order is found.
    #[must_use]
    pub fn key(&self) -> u128 {
        order_key(self.platform, &self.order_no)
    }
}

/// The 128-bit fingerprint of a platform's order number. Its low eight bits are the order's bucket.
#[must_use]
pub fn order_key(platform: PlatformId, order_no: &str) -> u128 {
    xxhash_rust::xxh3::xxh3_128_with_seed(order_no.as_bytes(), u64::from(platform.0))
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum OrderStatus {
    /// Recorded; no attempt yet.
    Created,
    /// A channel was chosen and called.
    Routing,
    /// The payer or the channel has to act.
    Pending,
    /// The money is here.
    Paid,
    /// The money is frozen for the order.
    Frozen,
    /// Part of the frozen money was released.
    PartReleased,
    /// Everything was released (or given back after a part was released).
    Settled,
    /// No channel took it.
    Failed,
    /// Expired or cancelled before it was paid.
    Closed,
    /// Everything was given back.
    Refunded,
    /// A dispute stopped the clock.
    Disputed,
}

impl OrderStatus {
    /// Every status.
    pub const ALL: [Self; 11] = [
        Self::Created,
        Self::Routing,
        Self::Pending,
        Self::Paid,
        Self::Frozen,
        Self::PartReleased,
        Self::Settled,
        Self::Failed,
        Self::Closed,
        Self::Refunded,
        Self::Disputed,
    ];

    /// Name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Routing => "routing",
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::Frozen => "frozen",
            Self::PartReleased => "part_released",
            Self::Settled => "settled",
            Self::Failed => "failed",
            Self::Closed => "closed",
            Self::Refunded => "refunded",
            Self::Disputed => "disputed",
        }
    }

    /// Whether nothing more is expected to happen.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Settled | Self::Failed | Self::Closed | Self::Refunded)
    }

    /// Whether the order still waits for its payment.
    #[must_use]
    pub const fn is_unpaid(self) -> bool {
        matches!(self, Self::Created | Self::Routing | Self::Pending)
    }
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where an attempt stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttemptState {
    /// The channel was called.
    Calling,
    /// The channel has it; the payer or the channel has to act.
    Waiting {
        /// What the payer has to do, if anything.
        action: Option<PayerAction>,
    },
    /// Nobody knows: it is being asked.
    InDoubt(UnknownWhy),
    /// Money moved.
    Succeeded,
    /// Refused for good.
    Failed {
        /// Which kind of refusal.
        kind: FailureKind,
        /// The channel's own code.
        code: SmolStr,
    },
    /// Certainly never reached the channel.
    NotSent(NotSentWhy),
    /// Closed at the channel, unpaid.
    Closed,
}

impl AttemptState {
    /// Whether money may still move under it.
    #[must_use]
    pub const fn is_alive(&self) -> bool {
        matches!(self, Self::Calling | Self::Waiting { .. } | Self::InDoubt(_))
    }

    /// Name in the API.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Calling => "calling",
            Self::Waiting { .. } => "waiting",
            Self::InDoubt(_) => "in_doubt",
            Self::Succeeded => "succeeded",
            Self::Failed { .. } => "failed",
            Self::NotSent(_) => "not_sent",
            Self::Closed => "closed",
        }
    }
}

/// One try at one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1.
    pub no: AttemptNo,
    /// Where it stands.
    pub state: AttemptState,
    /// When the channel was called.
    pub started_at: TimestampMs,
    /// How often the channel was asked what became of it.
    pub queries: u16,
    /// When to ask the channel next, or to stop awaiting its answer.
    pub due: TimestampMs,
    /// The channel's number for it; empty until the channel says.
    pub channel_no: SmolStr,
    /// The channel's fee in minor units: expected, then as the channel says.
    pub fee: Amount,
    /// The decision that chose the channel.
    pub route: Arc<Route>,
}

impl Attempt {
    /// The channel.
    #[must_use]
    pub fn channel(&self) -> ChannelId {
        self.route.channel
    }
}

/// Why an order is being closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum CloseReason {
    /// Its time ran out.
    Expired,
    /// The mall cancelled it.
    Cancelled,
}

impl CloseReason {
    /// Name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Closing asks the channel, closes there, asks again, and only then closes here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum ClosingStage {
    /// The channel was asked what became of the payment.
    AskFirst,
    /// The channel was told to close it.
    CloseThere,
    /// The channel was asked again.
    AskAgain,
}

/// A close under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// Why.
    pub reason: CloseReason,
    /// How far.
    pub stage: ClosingStage,
    /// When to ask again if nothing is heard.
    pub due: TimestampMs,
}

/// Why an order failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum OrderFailure {
    /// No channel is capable of it (any more).
    NoChannel,
    /// A refusal that no other channel can cure.
    Refused,
    /// The last allowed attempt failed.
    AttemptsUsedUp,
}

impl OrderFailure {
    /// Name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoChannel => "no_channel",
            Self::Refused => "refused",
            Self::AttemptsUsedUp => "attempts_used_up",
        }
    }
}

/// A hold that was placed for the order before it was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderHold {
    /// Number of the hold under the order, from 1.
    pub no: u16,
    /// The account (the stripe, for an internal one).
    pub account: AccountId,
    /// How much.
    pub amount: Amount,
}

/// What one receiver got of a sub-order, and gave back. In minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stake {
    /// The receiver; stripe 0 of an internal account stands for the stripe of the order.
    pub account: AccountId,
    /// What it was given.
    pub given: Amount,
    /// What it gave back, or is about to.
    pub taken: Amount,
}

/// How far the money of one sub-order has come. In minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What was released.
    pub released: Amount,
    /// What was given back, or is on its way back, out of frozen money.
    pub returned: Amount,
    /// What was given back, or is on its way back, out of released money.
    pub reversed: Amount,
    /// What was undone so far: for the payer, then for each funder of a coupon. Empty when nothing was.
    pub undone: SmallVec<[Amount; 2]>,
    /// Who was given what: first one line for each split, the channel's fee and the merchant, then one for each payee
    /// of a release that named its own. Empty when nothing was released.
    pub stakes: Vec<Stake>,
}

impl Part {
    /// What was given back, or is on its way back.
    #[must_use]
    pub fn refunded(&self) -> Amount {
        self.returned.plus(self.reversed)
    }
}

/// A release that was carried out, by which its repeat is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The mall's number for it; empty for the release of all that was left.
    pub release_no: SmolStr,
    /// Fingerprint of what the mall asked for.
    pub request: u64,
    /// What it gave, in minor units.
    pub amount: Amount,
}

/// A dispute that is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// Where the order stood before.
    pub before: OrderStatus,
    /// What is held of the money that receivers already got.
    pub holds: Vec<OrderHold>,
}

/// One step of an order's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When.
    pub at: TimestampMs,
    /// What happened.
    pub kind: EventKind,
    /// Where the order stood afterwards.
    pub status: OrderStatus,
}

/// An order and everything that became of it: a fold over its events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The engine's number.
    pub id: OrderId,
    /// What the mall asked for.
    pub terms: Arc<OrderTerms>,
    /// Where it stands.
    pub status: OrderStatus,
    /// The dispute that is open.
    pub dispute: Option<Box<Dispute>>,
    /// A close under way.
    pub closing: Option<Closing>,
    /// Why it failed.
    pub failure: Option<OrderFailure>,
    /// Why it was closed.
    pub closed: Option<CloseReason>,
    /// What was agreed with the platform when the order came.
    pub agreement: Agreement,
    /// Holds placed for it and not yet used or given back.
    pub holds: SmallVec<[OrderHold; 1]>,
    /// The highest number that a hold of it had.
    pub last_hold: u16,
    /// Its attempts, oldest first.
    pub attempts: SmallVec<[Attempt; 1]>,
    /// The attempt that paid it.
    pub paid_by: Option<AttemptNo>,
    /// Money frozen for it and not promised to a refund, in minor units.
    pub frozen: Amount,
    /// How far the money of each sub-order has come; empty until some of it is released or given back.
    pub parts: Vec<Part>,
    /// Its releases, oldest first.
    pub releases: Vec<Release>,
    /// Its refunds, oldest first.
    pub refunds: Vec<Refund>,
    /// When frozen money is released by itself.
    pub release_at: TimestampMs,
    /// When a parked payment is taken into the order after all; [`TimestampMs::NEVER`] when none is to be.
    pub reopen_at: TimestampMs,
    /// Contradictions of its channels, a break for reconciliation.
    pub contradictions: u16,
    /// Its life, oldest first.
    pub steps: Vec<Step>,
    /// Its entries, oldest first.
    pub entries: Vec<Entry>,
}

impl Order {
    /// The attempt under which money may still move, if any.
    #[must_use]
    pub fn alive(&self) -> Option<&Attempt> {
        self.attempts.iter().rev().find(|attempt| attempt.state.is_alive())
    }

    /// The attempt with this number.
    #[must_use]
    pub fn attempt(&self, no: AttemptNo) -> Option<&Attempt> {
        self.attempts.get(usize::from(no.0).checked_sub(1)?)
    }

    /// The refund with this number.
    #[must_use]
    pub fn refund(&self, no: u8) -> Option<&Refund> {
        self.refunds.get(usize::from(no).checked_sub(1)?)
    }

    /// When it came: the instant in its number, by which lists are sorted and asked for. It was recorded then, or a little
    /// later where money had to be held first.
    #[must_use]
    pub const fn created_at(&self) -> TimestampMs {
        self.id.at()
    }

    /// When it wants to be woken next; [`TimestampMs::NEVER`] when it waits for nobody.
    #[must_use]
    pub fn next_due(&self) -> TimestampMs {
        let payment = match (self.closing, self.alive()) {
            (Some(closing), _) => closing.due,
            (None, Some(attempt)) => attempt.due,
            (None, None) => TimestampMs::NEVER,
        };
        let expiry = match self.closing {
            None if self.status.is_unpaid() => self.terms.expires_at,
            None | Some(_) => TimestampMs::NEVER,
        };
        let release = match self.status {
            OrderStatus::Frozen | OrderStatus::PartReleased if !self.frozen.is_zero() => self.release_at,
            OrderStatus::Created
            | OrderStatus::Routing
            | OrderStatus::Pending
            | OrderStatus::Paid
            | OrderStatus::Frozen
            | OrderStatus::PartReleased
            | OrderStatus::Settled
            | OrderStatus::Failed
            | OrderStatus::Closed
            | OrderStatus::Refunded
            | OrderStatus::Disputed => TimestampMs::NEVER,
        };
        let refund =
            self.refunds.iter().filter(|refund| refund.state.is_alive()).map(|refund| refund.due).min();
        payment.min(expiry).min(release).min(self.reopen_at).min(refund.unwrap_or(TimestampMs::NEVER))
    }

    /// Whether nothing can happen to it any more by itself: final, no money on its way, nothing left for an operator.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.status.is_final()
            && self.alive().is_none()
            && !self.refunds.iter().any(|refund| refund.state.is_alive())
            && !self.needs_operator()
    }

    /// Whether money of it waits for an operator: a parked payment, or a refund that its channel cannot finish.
    #[must_use]
    pub fn needs_operator(&self) -> bool {
        self.refunds.iter().any(|refund| refund.state.needs_operator()) || self.parked().next().is_some()
    }

    /// Payments that were parked and are not on their way back.
    pub fn parked(&self) -> impl Iterator<Item = &Attempt> {
        let returning = |no| {
            let mut back = self.refunds.iter().filter(move |refund| refund.source == RefundSource::Suspense);
            back.any(|refund| refund.attempt == no && refund.state != crate::refund::RefundState::Failed)
        };
        self.attempts.iter().filter(move |attempt| {
            attempt.state == AttemptState::Succeeded
                && self.paid_by != Some(attempt.no)
                && !returning(attempt.no)
        })
    }

    /// How far the money of a sub-order has come.
    #[must_use]
    pub fn part(&self, place: usize) -> Option<&Part> {
        self.parts.get(place)
    }

    /// What was released, in minor units.
    #[must_use]
    pub fn released(&self) -> Amount {
        self.parts.iter().fold(Amount::ZERO, |sum, part| sum.plus(part.released))
    }

    /// What was given back or is on its way back, in minor units.
    #[must_use]
    pub fn refunded(&self) -> Amount {
        self.parts.iter().fold(Amount::ZERO, |sum, part| sum.plus(part.refunded()))
    }

    /// What is frozen of a sub-order and not promised to a refund, in minor units; nothing before it is paid.
    #[must_use]
    pub fn frozen_of(&self, place: usize) -> Amount {
        let Some(sub_order) = self.terms.sub_orders.get(place).filter(|_| self.paid_by.is_some()) else {
            return Amount::ZERO;
        };
        let gone = self.part(place).map_or(Amount::ZERO, |part| part.released.plus(part.returned));
        sub_order.amount.minus(gone)
    }

    /// Whether a hold with this number belongs to something that is under way.
    #[must_use]
    pub fn relies_on(&self, hold_no: u16) -> bool {
        let among = |holds: &[OrderHold]| holds.iter().any(|hold| hold.no == hold_no);
        let disputed = self.dispute.as_ref().is_some_and(|dispute| among(&dispute.holds));
        let taken = |refund: &Refund| {
            let takes = refund.unwinding.iter().flat_map(|unwinding| &unwinding.takes);
            takes.filter_map(|take| take.hold).any(|hold| hold.no == hold_no)
        };
        disputed
            || among(&self.holds)
            || self.refunds.iter().filter(|refund| refund.state.is_open()).any(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bank_codes_read_back_or_are_refused() {
        for code in ["ICBC", "CMB", "BC", "ABCDEFG8"] {
            assert_eq!(Bank::from_code(code).map(|bank| bank.code().to_string()).as_deref(), Some(code));
        }
        for code in ["", "A", "icbc", "ABCDEFGHI", "IC BC", "工商"] {
            assert_eq!(Bank::from_code(code), None, "{code:?}");
        }
    }
}
