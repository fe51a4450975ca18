//! What malls are told: rows by platform and number, in the order of the log.

use std::ops::Bound;

use super::backend::{Change, Space};
use super::{Bytes, Store, StoreFault};

/// From this many rows on, they go in as a sorted run; below, the syncs of a run cost more.
const RUN_FROM_ROWS: usize = 4_096;

const META_EXPIRED: &[u8] = b"expired";

/// Platform, log position, place in the record.
pub type AnnouncementKey = (u32, u64, u8);

/// What of a platform's announcements is not there any more: positions, 0 while everything is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Up to here it is gone. From here to `upto`, a crash may have kept some of it.
    pub removed: (u64, u8),
    /// Up to here nobody may rely on any of it.
    pub upto: (u64, u8),
}

impl Store {
    /// Adds announcements; adding one again changes nothing. Durable at the latest with the next sealed checkpoint: until
    /// then the log makes them again.
    ///
    /// # Errors
    /// [`StoreFault::DiskFull`], [`StoreFault::Poisoned`] after an earlier disk failure, else what the disk says.
    pub fn announce<R: Into<Bytes>>(&self, mut rows: Vec<(AnnouncementKey, R)>) -> Result<(), StoreFault> {
        let fault = |e| self.fault("write announcements", e);
        rows.sort_unstable_by_key(|(key, _)| *key);
        rows.dedup_by_key(|(key, _)| *key);
        let is_run = rows.len() >= RUN_FROM_ROWS;
        let mut rows =
            rows.into_iter().map(|(key, row)| -> Change { (key_bytes(key).into(), Some(row.into())) });
        let tables = &self.inner.tables;
        if is_run {
            tables.check_writable().map_err(fault)?;
            tables.ingest(Space::Announcements, &mut rows).map_err(fault)
        } else {
            tables.write(Space::Announcements, rows.collect()).map_err(fault)
        }
    }

    /// Announcements for a platform after `after`, at most `limit`, oldest first.
    ///
    /// # Errors
    /// What the disk says.
    pub fn announcements(
        &self,
        platform: u32,
        after: (u64, u8),
        limit: usize,
    ) -> Result<Vec<(AnnouncementKey, Bytes)>, StoreFault> {
        let from = Bound::Excluded(key_bytes((platform, after.0, after.1)).to_vec());
        let to = Bound::Included(key_bytes((platform, u64::MAX, u8::MAX)).to_vec());
        let rows = self.inner.tables.range(Space::Announcements, from, to).take(limit);
        rows.map(|row| {
            let (key, row) = row.map_err(|e| self.fault("read announcements", e))?;
            Ok((self.announcement_key(&key)?, row))
        })
        .collect()
    }

    /// Announcements for a platform before `before`, newest first.
    pub fn announcements_before(
        &self,
        platform: u32,
        before: (u64, u8),
    ) -> impl Iterator<Item = Result<(AnnouncementKey, Bytes), StoreFault>> {
        let from = Bound::Included(key_bytes((platform, 0, 0)).to_vec());
        let to = Bound::Excluded(key_bytes((platform, before.0, before.1)).to_vec());
        let is_empty = before == (0, 0);
        let rows = (!is_empty).then(|| self.inner.tables.range(Space::Announcements, from, to).rev());
        rows.into_iter().flatten().map(|row| {
            let (key, row) = row.map_err(|e| self.fault("read announcements", e))?;
            Ok((self.announcement_key(&key)?, row))
        })
    }

    /// The row of one announcement.
    ///
    /// # Errors
    /// What the disk says.
    pub fn announcement(&self, key: AnnouncementKey) -> Result<Option<Bytes>, StoreFault> {
        let row = self.inner.tables.get(Space::Announcements, &key_bytes(key));
        row.map_err(|e| self.fault("read an announcement", e))
    }

    /// The key of the newest announcement for a platform.
    ///
    /// # Errors
    /// What the disk says.
    pub fn newest_announcement(&self, platform: u32) -> Result<Option<AnnouncementKey>, StoreFault> {
        let bound = |lsn, place| Bound::Included(key_bytes((platform, lsn, place)).to_vec());
        let newest =
            self.inner.tables.range(Space::Announcements, bound(0, 0), bound(u64::MAX, u8::MAX)).next_back();
        let Some(row) = newest else { return Ok(None) };
        let (key, _) = row.map_err(|e| self.fault("read announcements", e))?;
        self.announcement_key(&key).map(Some)
    }

    /// Removes announcements for a platform: first of those that had expired before, what a crash may have kept; then, once it
    /// is noted durably that those up to `upto` expire, of these. A call that failed is made again with what there is then.
    ///
    /// # Errors
    /// As [`Store::announce`].
    pub fn expire_announcements(
        &self,
        platform: u32,
        upto: (u64, u8),
        removed: &[AnnouncementKey],
    ) -> Result<(), StoreFault> {
        let before = self.announcements_expired(platform)?.upto;
        let (left, fresh): (Vec<_>, Vec<_>) =
            removed.iter().partition(|(_, lsn, place)| (*lsn, *place) <= before);
        self.remove_announcements(&left)?;
        if upto > before {
            // Writes survive up to one point: whoever sees this note finds nothing of what went before it.
            let note = [before, upto].map(position_bytes).concat();
            self.put_meta_durably("note what expired", &expired_key(platform), &note)?;
        }
        self.remove_announcements(&fresh)
    }

    fn remove_announcements(&self, keys: &[&AnnouncementKey]) -> Result<(), StoreFault> {
        if keys.is_empty() {
            return Ok(());
        }
        let changes = keys.iter().map(|key| -> Change { (key_bytes(**key).into(), None) }).collect();
        let removed = self.inner.tables.write(Space::Announcements, changes);
        removed.map_err(|e| self.fault("remove announcements", e))
    }

    /// What of the announcements for a platform is not there any more.
    ///
    /// # Errors
    /// What the disk says.
    pub fn announcements_expired(&self, platform: u32) -> Result<Expired, StoreFault> {
        let Some(row) = self.meta_row("read what expired", &expired_key(platform))? else {
            return Ok(Expired::default());
        };
        let note: [u8; 18] = self.array("meta", &row)?;
        let [removed, upto] = [&note[..9], &note[9..]].map(|position| {
            let lsn = position[..8].iter().fold(0, |lsn, byte| lsn << 8 | u64::from(*byte));
            (lsn, position[8])
        });
        Ok(Expired { removed, upto })
    }

    fn announcement_key(&self, bytes: &[u8]) -> Result<AnnouncementKey, StoreFault> {
        let bytes: [u8; 13] = self.array("announcements", bytes)?;
        let [p0, p1, p2, p3, l0, l1, l2, l3, l4, l5, l6, l7, place] = bytes;
        let lsn = u64::from_be_bytes([l0, l1, l2, l3, l4, l5, l6, l7]);
        Ok((u32::from_be_bytes([p0, p1, p2, p3]), lsn, place))
    }
}

fn expired_key(platform: u32) -> Vec<u8> {
    [META_EXPIRED, &platform.to_be_bytes()].concat()
}

fn position_bytes((lsn, place): (u64, u8)) -> [u8; 9] {
    let mut bytes = [place; 9];
    bytes[..8].copy_from_slice(&lsn.to_be_bytes());
    bytes
}

fn key_bytes((platform, lsn, place): AnnouncementKey) -> [u8; 13] {
    let mut bytes = [0; 13];
    bytes[..4].copy_from_slice(&platform.to_be_bytes());
    bytes[4..12].copy_from_slice(&lsn.to_be_bytes());
    bytes[12] = place;
    bytes
}
