//! How far one announcement is on its way to its mall, and how that is kept.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use suanpan_model::{AnnouncementId, Lsn, PlatformId, TimestampMs};

/// Tries that are remembered: all of the published schedule.
const TRIES_KEPT: usize = 16;

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryState {
    /// To be tried, or tried again.
    Pending,
    /// The mall has it.
    Delivered,
    /// Given up: the mall refused it, or every try failed.
    Dead,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Dead];

    /// Name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    const fn letter(self) -> u8 {
        match self {
            Self::Pending => b'p',
            Self::Delivered => b'd',
            Self::Dead => b'x',
        }
    }
}

/// One try to tell a mall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Try {
    /// When it began.
    pub at: TimestampMs,
    /// How long it took, in milliseconds.
    pub took_ms: u32,
    /// The status that the mall answered with; 0 when it did not answer.
    pub status: u16,
    /// Why it did not answer; empty when it did.
    pub fault: SmolStr,
}

/// How far an announcement is on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Tries since it was announced, or sent again by hand.
    pub tries: u16,
    /// When it is tried next, while it is pending.
    pub due: TimestampMs,
    /// Whether the mall asked to wait until then.
    pub asked: bool,
    /// The latest tries, oldest first.
    pub log: Vec<Try>,
}

impl Delivery {
    /// Notes a try.
    pub fn tried(&mut self, one: Try) {
        if self.log.len() >= TRIES_KEPT {
            self.log.remove(0);
        }
        self.log.push(one);
        self.tries = self.tries.saturating_add(1);
    }
}

/// Key of the row that says up to which announcement everything was taken up.
pub fn cursor_key(platform: PlatformId) -> Vec<u8> {
    let mut key = vec![b'c'];
    key.extend(platform.0.to_be_bytes());
    key
}

/// Key of a delivery's row: what is pending, delivered or dead lies together, in the order of the log.
pub fn delivery_key(platform: PlatformId, state: DeliveryState, id: AnnouncementId) -> Vec<u8> {
    let mut key = vec![state.letter()];
    key.extend(platform.0.to_be_bytes());
    key.extend(id.lsn.0.to_be_bytes());
    key.push(id.place);
    key
}

/// The announcement that a row is about.
pub fn id_of(key: &[u8]) -> Option<AnnouncementId> {
    let (lsn, place) = (key.get(5..13)?.try_into().ok()?, *key.get(13)?);
    Some(AnnouncementId { lsn: Lsn(u64::from_be_bytes(lsn)), place })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_and_keep_the_order_of_the_log() {
        let id = |lsn, place| AnnouncementId { lsn: Lsn(lsn), place };
        let ids = [id(0, 0), id(1, 0), id(1, 1), id(256, 0), id(u64::MAX, 255)];
        let key = |id| delivery_key(PlatformId(9_001), DeliveryState::Dead, id);
        assert!(ids.iter().is_sorted_by_key(|id| key(*id)));
        for id in ids {
            assert_eq!(id_of(&key(id)), Some(id));
        }
        assert_eq!(id_of(&cursor_key(PlatformId(1))), None);
    }

    #[test]
    fn the_latest_tries_are_kept() {
        let mut delivery = Delivery::default();
        for at in 0..40 {
            delivery.tried(Try { at: TimestampMs(at), took_ms: 1, status: 500, fault: "".into() });
        }
        assert_eq!((delivery.tries, delivery.log.len()), (40, TRIES_KEPT));
        assert_eq!(delivery.log.last().unwrap().at, TimestampMs(39));
    }
}
