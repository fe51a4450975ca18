//! How long it is kept what malls were told: a pure decision, which the keeper carries out portion by portion.
//!
//! A portion goes along the announcements of a platform, oldest first, and ends at the first that must stay. What lists of
//! releases, refunds and disputes are made of is passed over: lists go back to the first order, as the orders do.

use suanpan_model::{Announcement, AnnouncementId, Lsn, PlatformId, TimestampMs};

use crate::engine::Listed;
use crate::store::AnnouncementKey;

/// Announcements that are looked at for one portion: some milliseconds of the keeper, of which others wait.
pub const PORTION_ROWS: usize = 4_096;

/// What of a platform's announcements is no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Whose they are.
    pub platform: PlatformId,
    /// Only of what happened before this instant.
    pub before: TimestampMs,
    /// Only those below this number: from there on, the mall has still to be told.
    pub needed_from: AnnouncementId,
}

/// What goes at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portion {
    /// Up to here not everything is there any more.
    pub upto: (u64, u8),
    /// What goes.
    pub removed: Vec<AnnouncementKey>,
}

/// What goes of `rows`, oldest first, which follow what went before; nothing when the first must stay. A restart makes
/// again what comes after `sealed`, so that stays. A row that cannot be read stays, too, and holds up nobody.
pub fn portion(
    rows: impl IntoIterator<Item = (AnnouncementKey, Option<Announcement>)>,
    expiry: &Expiry,
    sealed: Lsn,
) -> Option<Portion> {
    let mut portion: Option<Portion> = None;
    for (key, announcement) in rows {
        let (_, lsn, place) = key;
        let id = AnnouncementId { lsn: Lsn(lsn), place };
        let is_recent = announcement.as_ref().is_some_and(|one| one.at >= expiry.before);
        if id >= expiry.needed_from || id.lsn > sealed || is_recent {
            break;
        }
        let portion = portion.get_or_insert_with(|| Portion { upto: (0, 0), removed: Vec::new() });
        portion.upto = (lsn, place);
        if announcement.is_some_and(|one| !Listed::ALL.into_iter().any(|listed| listed.kind() == one.kind)) {
            portion.removed.push(key);
        }
    }
    portion
}

#[cfg(test)]
mod tests {
    use suanpan_model::event::EventKind;
    use suanpan_model::{Amount, Currency, OrderId, OrderStatus};

    use super::*;

    const P: PlatformId = PlatformId(7);

    fn row(lsn: u64, at: u64, kind: EventKind) -> (AnnouncementKey, Option<Announcement>) {
        let announcement = Announcement {
            order: OrderId(1),
            order_no: "A".into(),
            sequence: 1,
            at: TimestampMs(at),
            kind,
            status: OrderStatus::Frozen,
            amount: Amount::ZERO,
            currency: Currency::Cny,
            number: "".into(),
            callback: "".into(),
        };
        ((P.0, lsn, 0), Some(announcement))
    }

    fn id(lsn: u64) -> AnnouncementId {
        AnnouncementId { lsn: Lsn(lsn), place: 0 }
    }

    /// Up to where, what goes.
    type Expected = Option<(u64, &'static [u64])>;

    /// Instant, first that is needed, sealed position → up to where, what goes.
    #[test]
    fn a_portion_ends_at_the_first_that_must_stay() {
        use EventKind::{DisputeOpened, Paid, RefundStarted, Released, Settled};
        let rows = || {
            let unreadable = ((P.0, 5, 0), None);
            [
                row(1, 100, Paid),
                row(2, 110, Released),
                row(3, 120, RefundStarted),
                row(4, 130, DisputeOpened),
                unreadable,
                // Shards decide side by side: the times do not rise strictly.
                row(6, 90, Settled),
                row(7, 140, Paid),
            ]
        };
        let table: [(u64, AnnouncementId, u64, Expected); 9] = [
            (1_000, id(100), 100, Some((7, &[1, 6, 7]))),
            // By time.
            (100, id(100), 100, None),
            (101, id(100), 100, Some((1, &[1]))),
            (140, id(100), 100, Some((6, &[1, 6]))),
            // By what the mall has still to be told.
            (1_000, id(7), 100, Some((6, &[1, 6]))),
            (1_000, id(1), 100, None),
            (1_000, AnnouncementId::FIRST.next(), 100, None),
            // By what a restart makes again.
            (1_000, id(100), 2, Some((2, &[1]))),
            (1_000, id(100), 0, None),
        ];
        for (before, needed_from, sealed, expected) in table {
            let expiry = Expiry { platform: P, before: TimestampMs(before), needed_from };
            let found = portion(rows(), &expiry, Lsn(sealed));
            let expected = expected.map(|(upto, removed)| Portion {
                upto: (upto, 0),
                removed: removed.iter().map(|lsn| (P.0, *lsn, 0)).collect(),
            });
            assert_eq!(found, expected, "{expiry:?}, sealed up to {sealed}");
        }
    }
}
