//! What a mall is told about its orders.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::event::EventKind;
use crate::ids::{Lsn, OrderId, PlatformId};
use crate::money::{Amount, Currency};
use crate::order::OrderStatus;
use crate::time::TimestampMs;

/// Something that happened to an order and that its mall is told. It follows from the log alone: after a restart the
/// same record makes the same announcement again, under the same number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The order.
    pub order: OrderId,
    /// The mall's number of it.
    pub order_no: SmolStr,
    /// Number of the announcement under its order, from 1 without gaps.
    pub sequence: u32,
    /// When it happened.
    pub at: TimestampMs,
    /// What happened.
    pub kind: EventKind,
    /// Where the order stood afterwards.
    pub status: OrderStatus,
    /// What was paid, released or given back, in minor units; zero where nothing was.
    pub amount: Amount,
    /// In which currency.
    pub currency: Currency,
    /// The mall's number of the release or refund; empty where there is none.
    pub number: SmolStr,
    /// Where the order wants this to be told; empty for the mall's usual address.
    pub callback: SmolStr,
}

/// The number of an announcement: unique on its platform, and ascending in the order of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AnnouncementId {
    /// Position in the log of the record that it belongs to.
    pub lsn: Lsn,
    /// Place of the event in the record.
    pub place: u8,
}

impl AnnouncementId {
    /// Before every announcement.
    pub const FIRST: Self = Self { lsn: Lsn(0), place: 0 };

    /// The least number above it.
    #[must_use]
    pub const fn next(self) -> Self {
        match self.place.checked_add(1) {
            Some(place) => Self { lsn: self.lsn, place },
            None => Self { lsn: self.lsn.next(), place: 0 },
        }
    }

    /// Reads what [`Display`](std::fmt::Display) writes; nothing when it is something else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (lsn, place) = text.strip_prefix("ev_")?.split_once('_')?;
        let id = Self { lsn: Lsn(lsn.parse().ok()?), place: place.parse().ok()? };
        // One announcement has one number: no leading zeros or signs.
        (id.to_string() == text).then_some(id)
    }
}

impl std::fmt::Display for AnnouncementId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "ev_{}_{}", self.lsn.0, self.place)
    }
}

/// An announcement with its number and the platform that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// The platform.
    pub platform: PlatformId,
    /// Its number.
    pub id: AnnouncementId,
    /// What is told.
    pub announcement: Announcement,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_or_are_refused() {
        for id in [AnnouncementId::FIRST, AnnouncementId { lsn: Lsn(u64::MAX), place: 255 }] {
            assert_eq!(AnnouncementId::parse(&id.to_string()), Some(id));
        }
        for text in ["", "ev_", "ev_1", "ev_1_256", "ev_01_1", "ev_+1_1", "1_1", "ev_1_1_1", "ev_-1_0"] {
            assert_eq!(AnnouncementId::parse(text), None, "{text:?}");
        }
    }
}
