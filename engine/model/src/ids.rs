//! Typed numbers. The low eight bits of order and account numbers are a *bucket*: `bucket & mask` is the shard.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::account::AccountType;
use crate::money::Currency;
use crate::time::TimestampMs;

/// How many buckets (and so, at most, shards and stripes) there are.
pub const BUCKETS: u16 = 256;

/// Over how many stripes a hot internal account is spread. A constant, so that stored account numbers
/// do not depend on how many shards the process runs.
pub const STRIPES: u8 = 16;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A mall (platform) that calls the API.
    PlatformId(u32)
);
number!(
    /// A bank or payment company, by its number in the configuration.
    ChannelId(u16)
);
number!(
    /// Attempt of an order, from 1.
    AttemptNo(u8)
);
number!(
    /// A coupon campaign.
    CampaignId(u32)
);
number!(
    /// Position in a partition's log, from 1, without gaps.
    Lsn(u64)
);
number!(
    /// Number under which a caller awaits an answer; chosen by the caller.
    Ticket(u64)
);
number!(
    /// What a hold or an entry was made for: an order or a transfer (both draw from one sequence).
    CauseId(u64)
);

impl Lsn {
    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// An order, numbered by the engine: milliseconds since 2024 (40 bits), a count inside the millisecond
/// (16 bits), bucket (8 bits). So numbers sort by time and name their shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(pub u64);

/// 2024-01-01T00:00:00Z, from which order numbers count.
const ORDER_EPOCH_MS: u64 = 1_704_067_200_000;

impl OrderId {
    /// The bucket, which names the shard.
    #[must_use]
    pub const fn bucket(self) -> u8 {
        (self.0 & 0xff) as u8
    }

    /// The shard among `shards`, a power of two.
    #[must_use]
    pub const fn shard(self, shards: usize) -> usize {
        self.bucket() as usize & (shards - 1)
    }

    /// The stripe of internal accounts that this order posts to.
    #[must_use]
    pub const fn stripe(self) -> u8 {
        self.bucket() & (STRIPES - 1)
    }

    /// The number after `last` for an order created at `now` in `bucket`; always larger than `last`.
    #[must_use]
    pub const fn following(last: Self, now: TimestampMs, bucket: u8) -> Self {
        let by_clock = now.0.saturating_sub(ORDER_EPOCH_MS) << 16;
        let by_count = (last.0 >> 8) + 1;
        let sequence = if by_clock > by_count { by_clock } else { by_count };
        Self((sequence << 8) | bucket as u64)
    }

    /// The lowest number that an order created at `at` can have: numbers below it belong to earlier instants.
    #[must_use]
    pub const fn lowest_at(at: TimestampMs) -> Self {
        let since_epoch_ms = at.0.saturating_sub(ORDER_EPOCH_MS);
        if since_epoch_ms >> 40 == 0 { Self(since_epoch_ms << 24) } else { Self(u64::MAX) }
    }

    /// When the order came, as its number says.
    #[must_use]
    pub const fn at(self) -> TimestampMs {
        TimestampMs(ORDER_EPOCH_MS + (self.0 >> 24))
    }

    /// As the cause of holds and entries.
    #[must_use]
    pub const fn cause(self) -> CauseId {
        CauseId(self.0)
    }

    /// The number that a channel sees for one attempt: 16 hex digits of the order, 2 of the attempt.
    #[must_use]
    pub fn payment_no(self, attempt: AttemptNo) -> String {
        format!("{:016x}{:02x}", self.0, attempt.0)
    }

    /// Reads what [`OrderId::payment_no`] wrote.
    #[must_use]
    pub fn from_payment_no(text: &str) -> Option<(Self, AttemptNo)> {
        if text.len() != 18 || !text.is_ascii() {
            return None;
        }
        let order = u64::from_str_radix(&text[..16], 16).ok()?;
        let attempt = u8::from_str_radix(&text[16..], 16).ok()?;
        Some((Self(order), AttemptNo(attempt)))
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A hold on an account: what it was made for, and its number there (from 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HoldId {
    /// The order or transfer that the money is held for.
    pub cause: CauseId,
    /// Number among the holds of that cause, from 1.
    pub no: u16,
}

/// An account of the ledger: type (8 bits), number (48 bits), bucket (8 bits).
///
/// The number of an internal account is its owner (32 bits: a platform or channel), its currency (8 bits) and
/// a spare byte; its bucket is the stripe. Members of one account tree share the bucket of the root, so that a
/// posting and its roll-up stay inside one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(u64);

impl AccountId {
    /// Numbers of accounts stay below this.
    pub const NUMBERS: u64 = 1 << 48;

    /// An account that somebody opened. `number` must stay below [`AccountId::NUMBERS`].
    ///
    /// # Panics
    /// When `number` is too large or the type is internal: a bug of the caller.
    #[must_use]
    pub fn opened(kind: AccountType, number: u64, bucket: u8) -> Self {
        assert!(number < Self::NUMBERS, "an account number has 48 bits");
        assert!(!kind.is_internal(), "internal accounts are not opened");
        Self((kind as u64) << 56 | number << 8 | u64::from(bucket))
    }

    /// Stripe `stripe` of an internal account.
    #[must_use]
    pub const fn internal(kind: AccountType, owner: u32, currency: Currency, stripe: u8) -> Self {
        Self((kind as u64) << 56 | (owner as u64) << 24 | (currency as u64) << 16 | stripe as u64)
    }

    /// The account on which the debt of the owner of this one to the operator stands: same number, same shard. It
    /// names its debtor because numbers are given out once, whatever the type.
    #[must_use]
    pub const fn receivable(self) -> Self {
        Self((AccountType::Receivable as u64) << 56 | (self.0 & ((1 << 56) - 1)))
    }

    /// The account on which the debt of the owner of this one to its platform stands: same number, same shard.
    #[must_use]
    pub const fn advanced(self) -> Self {
        Self((AccountType::Advanced as u64) << 56 | (self.0 & ((1 << 56) - 1)))
    }

    /// Reads a number as it is written in the API and on disk.
    #[must_use]
    pub fn from_raw(raw: u64) -> Option<Self> {
        let kind = AccountType::from_code((raw >> 56) as u8)?;
        if kind.is_internal() && Currency::from_index((raw >> 16 & 0xff) as u8).is_none() {
            return None;
        }
        Some(Self(raw))
    }

    /// The number as it is written in the API and on disk.
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// The type.
    ///
    /// # Panics
    /// Never: an `AccountId` is only made from a type.
    #[must_use]
    pub fn kind(self) -> AccountType {
        AccountType::from_code((self.0 >> 56) as u8).expect("an account number names its type")
    }

    /// The bucket, which names the shard (and, for an internal account, the stripe).
    #[must_use]
    pub const fn bucket(self) -> u8 {
        (self.0 & 0xff) as u8
    }

    /// The shard among `shards`, a power of two.
    #[must_use]
    pub const fn shard(self, shards: usize) -> usize {
        self.bucket() as usize & (shards - 1)
    }

    /// The number between type and bucket, 48 bits.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0 >> 8 & ((1 << 48) - 1)
    }

    /// Platform or channel that owns an internal account.
    #[must_use]
    pub const fn owner(self) -> u32 {
        (self.0 >> 24 & 0xffff_ffff) as u32
    }

    /// Currency of an internal account; an opened account keeps its own in the ledger.
    #[must_use]
    pub fn internal_currency(self) -> Option<Currency> {
        if self.kind().is_internal() { Currency::from_index((self.0 >> 16 & 0xff) as u8) } else { None }
    }

    /// The same internal account without its stripe.
    #[must_use]
    pub const fn unstriped(self) -> Self {
        Self(self.0 & !0xff)
    }

    /// The same internal account on another stripe.
    #[must_use]
    pub const fn on_stripe(self, stripe: u8) -> Self {
        Self(self.0 & !0xff | stripe as u64)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:012x}-{:02x}", self.kind().name(), self.number(), self.bucket())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_numbers_grow_even_when_the_clock_goes_back() {
        let now = TimestampMs(1_795_327_536_000);
        let first = OrderId::following(OrderId(0), now, 7);
        let second = OrderId::following(first, now, 250);
        let third = OrderId::following(second, TimestampMs(0), 3);
        assert!(first < second && second < third);
        assert_eq!((first.bucket(), second.bucket(), third.bucket()), (7, 250, 3));
    }

    #[test]
    fn numbers_tell_the_time() {
        let at = TimestampMs(1_795_327_536_000);
        let lowest = OrderId::lowest_at(at);
        assert!(OrderId::following(OrderId(0), TimestampMs(at.0 - 1), 255) < lowest);
        assert!(OrderId::following(OrderId(0), at, 0) >= lowest);
        assert_eq!(OrderId::lowest_at(TimestampMs(0)), OrderId(0));
        assert_eq!(OrderId::lowest_at(TimestampMs::NEVER), OrderId(u64::MAX));
        let mut id = OrderId(0);
        for _ in 0..100_000 {
            id = OrderId::following(id, at, 200);
            let (from, until) = (OrderId::lowest_at(id.at()), OrderId::lowest_at(TimestampMs(id.at().0 + 1)));
            assert!(from <= id && id < until, "a list from the instant of an order has it");
        }
        assert_eq!(id.at().0, at.0 + 1, "what overflows a millisecond is of the next");
    }

    #[test]
    fn payment_numbers_read_back() {
        let order = OrderId::following(OrderId(0), TimestampMs(1_795_327_536_000), 7);
        let text = order.payment_no(AttemptNo(3));
        assert_eq!(OrderId::from_payment_no(&text), Some((order, AttemptNo(3))));
        for bad in ["", "0", "zz00000000000000001", &text[1..], "００００００"] {
            assert_eq!(OrderId::from_payment_no(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn account_numbers_carry_their_parts() {
        let escrow = AccountId::internal(AccountType::Escrow, 9001, Currency::Usd, 5);
        assert_eq!(escrow.kind(), AccountType::Escrow);
        assert_eq!((escrow.owner(), escrow.bucket()), (9001, 5));
        assert_eq!(escrow.internal_currency(), Some(Currency::Usd));
        assert_eq!(escrow.unstriped().on_stripe(5), escrow);
        let cash = AccountId::opened(AccountType::Cash, 77, 0xfe);
        assert_eq!((cash.kind(), cash.number(), cash.bucket()), (AccountType::Cash, 77, 0xfe));
        assert_eq!(AccountId::from_raw(cash.raw()), Some(cash));
        assert_eq!(AccountId::from_raw(0), None);
    }
}
