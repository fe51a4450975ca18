//! What one mall is to be told and when: decided here, without network, clock or disk.

use std::collections::{BTreeMap, BTreeSet};

use suanpan_model::{AnnouncementId, DurationMs, PlatformId, TimestampMs};
use suanpan_runtime::codec::encode_row;

use super::delivery::{Delivery, DeliveryState, Try, cursor_key, delivery_key};
use super::schedule::{Schedule, Verdict};

/// Announcements of one platform that are pending at once. While a mall takes nothing, what comes later waits in the
/// store, and is not lost.
pub const PENDING_MAX: usize = 1_000;

/// Rows to be written together.
pub type Changes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// The outbox of one platform.
#[derive(Clone, Debug)]
pub struct Outbox {
    platform: PlatformId,
    schedule: Schedule,
    /// Everything up to here was taken up.
    cursor: AnnouncementId,
    pending: BTreeMap<AnnouncementId, Delivery>,
    /// Those of them that are not being sent just now.
    waiting: BTreeSet<(TimestampMs, AnnouncementId)>,
    /// Whether the latest try failed in a way that may pass.
    is_failing: bool,
}

impl Outbox {
    /// An outbox as its rows have it.
    #[must_use]
    pub fn new(
        platform: PlatformId,
        schedule: Schedule,
        cursor: AnnouncementId,
        pending: BTreeMap<AnnouncementId, Delivery>,
    ) -> Self {
        let waiting = pending.iter().map(|(id, delivery)| (delivery.due, *id)).collect();
        Self { platform, schedule, cursor, pending, waiting, is_failing: false }
    }

    /// Everything up to here was taken up.
    #[must_use]
    pub const fn cursor(&self) -> AnnouncementId {
        self.cursor
    }

    /// How many more announcements it takes up now.
    #[must_use]
    pub fn room(&self) -> usize {
        PENDING_MAX.saturating_sub(self.pending.len())
    }

    /// How many are pending.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The oldest of them.
    #[must_use]
    pub fn oldest(&self) -> Option<AnnouncementId> {
        self.pending.keys().next().copied()
    }

    /// Whether it is pending, or was not taken up yet.
    #[must_use]
    pub fn needs(&self, id: AnnouncementId) -> bool {
        id > self.cursor || self.pending.contains_key(&id)
    }

    /// When the next one wants to be sent.
    #[must_use]
    pub fn next_due(&self) -> Option<TimestampMs> {
        self.waiting.first().map(|(due, _)| *due)
    }

    /// Takes up announcements that follow the cursor: those in `ids`. Of the others up to `upto` nobody is told.
    pub fn take(&mut self, ids: &[AnnouncementId], upto: AnnouncementId, now: TimestampMs) -> Changes {
        let mut changes = Changes::new();
        if upto <= self.cursor {
            return changes;
        }
        for id in ids.iter().filter(|id| **id > self.cursor && **id <= upto).copied().collect::<Vec<_>>() {
            changes.push(self.put(id, Delivery { due: now, ..Delivery::default() }));
        }
        self.cursor = upto;
        changes.push((cursor_key(self.platform), Some(encode_row(&self.cursor))));
        changes
    }

    /// The next announcement that is due. It counts as being sent until [`Outbox::finish`].
    pub fn start(&mut self, now: TimestampMs) -> Option<AnnouncementId> {
        let (due, id) = *self.waiting.first()?;
        if due > now {
            return None;
        }
        self.waiting.remove(&(due, id));
        Some(id)
    }

    /// Notes what came of a try at `now`.
    pub fn finish(
        &mut self,
        id: AnnouncementId,
        one: Try,
        verdict: Verdict,
        now: TimestampMs,
    ) -> (DeliveryState, Changes) {
        let Some(mut delivery) = self.pending.remove(&id) else {
            return (DeliveryState::Delivered, Vec::new());
        };
        delivery.tried(one);
        let wait = match verdict {
            Verdict::Delivered | Verdict::Refused => None,
            Verdict::Again(asked) => {
                delivery.asked = asked.is_some();
                self.schedule.wait(usize::from(delivery.tries), asked)
            }
        };
        match (verdict, wait) {
            (Verdict::Delivered, _) => {
                let changes = self.end(id, DeliveryState::Delivered, &delivery);
                if std::mem::take(&mut self.is_failing) {
                    self.hurry(now);
                }
                (DeliveryState::Delivered, changes)
            }
            (Verdict::Again(_), Some(wait)) => {
                self.is_failing = true;
                delivery.due = now + DurationMs(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
                (DeliveryState::Pending, vec![self.put(id, delivery)])
            }
            (Verdict::Again(_) | Verdict::Refused, _) => {
                (DeliveryState::Dead, self.end(id, DeliveryState::Dead, &delivery))
            }
        }
    }

    /// Sends an announcement again now: one that is pending, or one that had come to an end with `earlier`. Nothing when
    /// too many are pending.
    pub fn resend(
        &mut self,
        id: AnnouncementId,
        earlier: Option<Delivery>,
        now: TimestampMs,
    ) -> Option<Changes> {
        if let Some(delivery) = self.pending.get_mut(&id) {
            // One that is being sent has its own answer coming.
            if self.waiting.remove(&(delivery.due, id)) {
                delivery.due = now;
                self.waiting.insert((now, id));
            }
            return Some(Vec::new());
        }
        // One that was not taken up yet will be sent anyway.
        if id > self.cursor {
            return Some(Vec::new());
        }
        if self.room() == 0 {
            return None;
        }
        let again = Delivery { tries: 0, due: now, asked: false, ..earlier.unwrap_or_default() };
        let mut changes = vec![self.put(id, again)];
        for state in [DeliveryState::Delivered, DeliveryState::Dead] {
            changes.push((delivery_key(self.platform, state, id), None));
        }
        Some(changes)
    }

    /// The mall is back: whatever waits for its turn goes now, but for what it asked to wait with.
    fn hurry(&mut self, now: TimestampMs) {
        let early: Vec<_> =
            self.waiting.iter().filter(|(due, id)| *due > now && !self.asked(*id)).copied().collect();
        for (due, id) in early {
            self.waiting.remove(&(due, id));
            self.waiting.insert((now, id));
            if let Some(delivery) = self.pending.get_mut(&id) {
                delivery.due = now;
            }
        }
    }

    fn asked(&self, id: AnnouncementId) -> bool {
        self.pending.get(&id).is_some_and(|delivery| delivery.asked)
    }

    fn put(&mut self, id: AnnouncementId, delivery: Delivery) -> (Vec<u8>, Option<Vec<u8>>) {
        let row = (delivery_key(self.platform, DeliveryState::Pending, id), Some(encode_row(&delivery)));
        self.waiting.insert((delivery.due, id));
        self.pending.insert(id, delivery);
        row
    }

    fn end(&self, id: AnnouncementId, state: DeliveryState, delivery: &Delivery) -> Changes {
        vec![
            (delivery_key(self.platform, DeliveryState::Pending, id), None),
            (delivery_key(self.platform, state, id), Some(encode_row(delivery))),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use suanpan_model::Lsn;

    use super::*;

    const FIRST: TimestampMs = TimestampMs(1_000_000);

    fn id(lsn: u64) -> AnnouncementId {
        AnnouncementId { lsn: Lsn(lsn), place: 0 }
    }

    fn outbox() -> Outbox {
        Outbox::new(PlatformId(7), Schedule::default(), AnnouncementId::FIRST, BTreeMap::new())
    }

    fn answered(status: u16) -> (Try, Verdict) {
        (Try { at: FIRST, took_ms: 3, status, fault: "".into() }, Verdict::of(status, None))
    }

    fn finish(outbox: &mut Outbox, lsn: u64, status: u16, now: TimestampMs) -> DeliveryState {
        let (one, verdict) = answered(status);
        outbox.finish(id(lsn), one, verdict, now).0
    }

    #[test]
    fn announcements_go_in_order_and_once() {
        let mut outbox = outbox();
        assert_eq!(outbox.take(&[id(1), id(2), id(3)], id(4), FIRST).len(), 4, "three rows and the cursor");
        assert!(
            outbox.take(&[id(2), id(4)], id(4), FIRST).is_empty(),
            "they were taken up, or not to be told"
        );
        for lsn in 1..=3 {
            assert_eq!(outbox.start(FIRST), Some(id(lsn)));
        }
        assert_eq!(outbox.start(FIRST), None);
        for lsn in 1..=3 {
            assert_eq!(finish(&mut outbox, lsn, 204, FIRST), DeliveryState::Delivered);
        }
        assert_eq!((outbox.pending(), outbox.next_due()), (0, None));
    }

    #[test]
    fn a_mall_that_fails_is_told_on_the_schedule_and_then_given_up() {
        let mut outbox = outbox();
        outbox.take(&[id(1)], id(1), FIRST);
        let (mut now, mut waits) = (FIRST, Vec::new());
        loop {
            assert_eq!(outbox.start(now), Some(id(1)));
            match finish(&mut outbox, 1, 500, now) {
                DeliveryState::Pending => {
                    let due = outbox.next_due().unwrap();
                    assert_eq!(outbox.start(TimestampMs(due.0 - 1)), None, "not before it is due");
                    waits.push(due.since(now).0 / 1_000);
                    now = due;
                }
                DeliveryState::Dead => break,
                DeliveryState::Delivered => panic!("it was not"),
            }
        }
        assert_eq!(waits[..4], [15, 15, 30, 180]);
        assert_eq!(waits.len(), 15);
        assert_eq!(outbox.pending(), 0);
    }

    #[test]
    fn a_refusal_is_final_at_once() {
        let mut outbox = outbox();
        outbox.take(&[id(1)], id(1), FIRST);
        outbox.start(FIRST);
        assert_eq!(finish(&mut outbox, 1, 404, FIRST), DeliveryState::Dead);
    }

    #[test]
    fn a_mall_that_is_back_hears_at_once_what_waited_but_not_what_it_asked_to_wait_with() {
        let mut outbox = outbox();
        outbox.take(&[id(1), id(2), id(3)], id(3), FIRST);
        for lsn in 1..=3 {
            outbox.start(FIRST);
            let asked = (lsn == 2).then_some(Duration::from_secs(600));
            let (one, _) = answered(503);
            outbox.finish(id(lsn), one, Verdict::of(503, asked), FIRST);
        }
        let later = FIRST + DurationMs::from_secs(15);
        assert_eq!(outbox.start(later), Some(id(1)));
        assert_eq!(finish(&mut outbox, 1, 200, later), DeliveryState::Delivered);
        assert_eq!(outbox.start(later), Some(id(3)));
        assert_eq!(outbox.start(later), None);
        assert_eq!(outbox.next_due(), Some(FIRST + DurationMs::from_secs(600)));
    }

    #[test]
    fn pending_is_bounded_and_nothing_is_skipped() {
        let mut outbox = outbox();
        let ids: Vec<AnnouncementId> = (1..).take(PENDING_MAX).map(id).collect();
        outbox.take(&ids, id(PENDING_MAX as u64), FIRST);
        assert_eq!(outbox.room(), 0);
        assert_eq!(outbox.resend(id(5_000_000), None, FIRST), Some(Vec::new()), "it comes anyway");
        outbox.start(FIRST);
        finish(&mut outbox, 1, 410, FIRST);
        outbox.take(&[id(PENDING_MAX as u64 + 1)], id(PENDING_MAX as u64 + 1), FIRST);
        assert_eq!(outbox.resend(id(1), None, FIRST), None, "there is no room");
    }

    #[test]
    fn a_dead_one_is_sent_again_by_hand_with_its_history() {
        let mut outbox = outbox();
        outbox.take(&[id(1)], id(1), FIRST);
        outbox.start(FIRST);
        let (one, verdict) = answered(404);
        let (_, changes) = outbox.finish(id(1), one, verdict, FIRST);
        let row = changes.last().unwrap().1.clone().unwrap();
        let dead: Delivery = suanpan_runtime::codec::decode_row(&row).unwrap();
        let changes = outbox.resend(id(1), Some(dead), FIRST).unwrap();
        assert_eq!(changes.iter().filter(|(_, row)| row.is_none()).count(), 2, "no second row of it stays");
        assert_eq!(outbox.start(FIRST), Some(id(1)));
        let (one, verdict) = answered(200);
        let (state, changes) = outbox.finish(id(1), one, verdict, FIRST);
        let row = changes.last().unwrap().1.clone().unwrap();
        let done: Delivery = suanpan_runtime::codec::decode_row(&row).unwrap();
        assert_eq!((state, done.tries, done.log.len()), (DeliveryState::Delivered, 1, 2));
    }
}
