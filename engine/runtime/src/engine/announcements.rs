//! What malls are told about their orders.

use suanpan_model::{Announced, AnnouncementId, Lsn, PlatformId};

use crate::codec::decode_row;
use crate::engine::Engine;
use crate::fault::EngineFault;
use crate::messages::KeeperMessage;
use crate::retention::Expiry;
use crate::store::{AnnouncementKey, Store};

impl Engine {
    /// What the mall is told, after `after` and as far as it is kept, oldest first, at most `limit`. Everything that is
    /// older than something seen once was seen, too; the same after a restart.
    ///
    /// # Errors
    /// What the disk says.
    pub fn announcements(
        &self,
        platform: PlatformId,
        after: AnnouncementId,
        limit: usize,
    ) -> Result<Vec<Announced>, EngineFault> {
        let after = after.max(self.expired_upto(platform)?);
        let rows = self.shared().store.announcements(platform.0, (after.lsn.0, after.place), limit)?;
        rows.iter().map(|(key, row)| read_announcement(*key, row)).collect()
    }

    /// One thing that the mall is told.
    ///
    /// # Errors
    /// What the disk says.
    pub fn announcement(
        &self,
        platform: PlatformId,
        id: AnnouncementId,
    ) -> Result<Option<Announced>, EngineFault> {
        let key = (platform.0, id.lsn.0, id.place);
        let row = self.shared().store.announcement(key)?;
        row.map(|row| read_announcement(key, &row)).transpose()
    }

    /// The number of the newest thing that the mall is told.
    ///
    /// # Errors
    /// What the disk says.
    pub fn newest_announcement(&self, platform: PlatformId) -> Result<AnnouncementId, EngineFault> {
        let newest = self.shared().store.newest_announcement(platform.0)?;
        Ok(newest.map_or(AnnouncementId::FIRST, |(_, lsn, place)| AnnouncementId { lsn: Lsn(lsn), place }))
    }

    /// Up to which number what the mall is told is no longer kept, but for what lists are made of; before every number
    /// while all of it is.
    ///
    /// # Errors
    /// What the disk says.
    pub fn expired_upto(&self, platform: PlatformId) -> Result<AnnouncementId, EngineFault> {
        let (lsn, place) = self.shared().store.announcements_expired(platform.0)?.upto;
        Ok(AnnouncementId { lsn: Lsn(lsn), place })
    }

    /// Removes a portion of what a mall was told long ago, oldest first. Whether there may be more.
    ///
    /// # Errors
    /// What the disk says, or that the engine is ending.
    pub async fn expire_announcements(&self, expiry: Expiry) -> Result<bool, EngineFault> {
        let before = self.expired_upto(expiry.platform)?;
        let (message, answer) = KeeperMessage::expire(expiry);
        let sent = self.running.wiring().keeper.send(message);
        if sent.is_err() || answer.await.is_err() {
            return Err(EngineFault::Ended);
        }
        Ok(self.expired_upto(expiry.platform)? > before)
    }

    /// Waits until there is something new that some mall is told. Ask for the future before looking, and nothing is missed.
    pub fn announced(&self) -> tokio::sync::futures::Notified<'_> {
        self.shared().announced.heard()
    }

    /// The rows of whoever tells malls what happened.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.shared().store
    }
}

pub(super) fn read_announcement(
    (platform, lsn, place): AnnouncementKey,
    row: &[u8],
) -> Result<Announced, EngineFault> {
    let announcement = decode_row(row).map_err(|fault| EngineFault::Replay {
        lsn,
        what: format!("an announcement cannot be read: {fault}"),
    })?;
    let id = AnnouncementId { lsn: Lsn(lsn), place };
    Ok(Announced { platform: PlatformId(platform), id, announcement })
}
