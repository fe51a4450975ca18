//! An order: what the mall asked for, and where it stands.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::attributes::OrderAttributes;
use crate::channel::{FailureKind, NotSentWhy, PayerAction, UnknownWhy};
use crate::entry::Entry;
use crate::event::EventKind;
use crate::ids::{AccountId, AttemptNo, CampaignId, ChannelId, OrderId, PlatformId};
use crate::money::{Amount, Currency};
use crate::policy::{FeeBearer, LatePayment};
use crate::route::Route;
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

/// What a receiver gets of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Share {
    /// Basis points of what is released.
    Bps(u32),
    /// A fixed sum of the order in minor units, taken from the first releases.
    Fixed(Amount),
}

/// One receiver beside the merchants, who get the remainder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitRule {
    /// Who receives; stripe 0 of an internal account stands for the whole account.
    pub receiver: AccountId,
    /// How much.
    pub share: Share,
}

/// What one merchant sold within the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubOrder {
    /// The merchant's account.
    pub merchant: AccountId,
    /// Full price in minor units, before coupons.
    pub amount: Amount,
}

/// A coupon that the order uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CouponUse {
    /// Its campaign.
    pub campaign: CampaignId,
    /// What the coupon fund pays of the price, in minor units.
    pub subsidy: Amount,
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
    /// The coupon that is used, if any.
    pub coupon: Option<CouponUse>,
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
    /// What the coupon fund pays.
    #[must_use]
    pub fn subsidy(&self) -> Amount {
        self.coupon.map_or(Amount::ZERO, |coupon| coupon.subsidy)
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

/// Where the money of a refund comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefundSource {
    /// Frozen money of the order.
    Escrow,
    /// A late or double payment, parked in suspense.
    Suspense,
}

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum RefundState {
    /// The channel was called, or has not finished.
    Pending,
    /// Nobody knows: it is being asked.
    InDoubt,
    /// The money went back.
    Succeeded,
    /// The channel refused; the money stays where it was and an operator decides.
    Failed,
}

impl RefundState {
    /// Name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InDoubt => "in_doubt",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// Whether the money may still go back.
    #[must_use]
    pub const fn is_alive(self) -> bool {
        matches!(self, Self::Pending | Self::InDoubt)
    }
}

/// Money on its way back to the payer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// From 1, in the order in which they were asked for.
    pub no: u8,
    /// The mall's number for it; empty for a refund that the engine started by itself.
    pub refund_no: SmolStr,
    /// The attempt whose payment goes back; 0 for a payment from an e-account.
    pub attempt: AttemptNo,
    /// Where it comes from.
    pub source: RefundSource,
    /// Part of the price that is undone, in minor units.
    pub amount: Amount,
    /// Part of it that goes to the payer; the rest goes to the coupon fund.
    pub to_payer: Amount,
    /// Where it stands.
    pub state: RefundState,
    /// How often the channel was asked what became of it.
    pub queries: u16,
    /// When to ask the channel next.
    pub due: TimestampMs,
    /// What is undone of each sub-order; empty for a parked payment.
    pub amounts: SmallVec<[Amount; 1]>,
}

/// A hold that was placed for the order before it was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderHold {
    /// Number of the hold under the order, from 1.
    pub no: u8,
    /// The account (the stripe, for an internal one).
    pub account: AccountId,
    /// How much.
    pub amount: Amount,
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
    /// Where it stood before a dispute.
    pub before_dispute: Option<OrderStatus>,
    /// A close under way.
    pub closing: Option<Closing>,
    /// Why it failed.
    pub failure: Option<OrderFailure>,
    /// Why it was closed.
    pub closed: Option<CloseReason>,
    /// Who bears the channel's fee, as agreed when the order came.
    pub fee_bearer: FeeBearer,
    /// What happens to a late payment, as agreed when the order came.
    pub late_payment: LatePayment,
    /// Holds placed for it and not yet used or given back.
    pub holds: SmallVec<[OrderHold; 1]>,
    /// Its attempts, oldest first.
    pub attempts: SmallVec<[Attempt; 1]>,
    /// The attempt that paid it.
    pub paid_by: Option<AttemptNo>,
    /// Money frozen for it and not promised to a refund, in minor units.
    pub frozen: Amount,
    /// What was released of each sub-order, in minor units.
    pub released: SmallVec<[Amount; 1]>,
    /// What was given back of each sub-order or is on its way back, in minor units.
    pub refunded: SmallVec<[Amount; 1]>,
    /// Part of the channel's fee that was taken from merchants, in minor units.
    pub fee_taken: Amount,
    /// What receivers of fixed sums got so far, in the order of `terms.splits`.
    pub fixed_given: SmallVec<[Amount; 2]>,
    /// Its refunds, oldest first.
    pub refunds: Vec<Refund>,
    /// When frozen money is released by itself.
    pub release_at: TimestampMs,
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

    /// When it was created.
    #[must_use]
    pub fn created_at(&self) -> TimestampMs {
        self.steps.first().map_or(TimestampMs(0), |step| step.at)
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
        payment.min(expiry).min(release).min(refund.unwrap_or(TimestampMs::NEVER))
    }

    /// Whether nothing can happen to it any more by itself: final, and no money on its way.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.status.is_final()
            && self.alive().is_none()
            && !self.refunds.iter().any(|refund| refund.state.is_alive())
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
