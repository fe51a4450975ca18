//! What malls are told about their orders.

use suanpan_model::{Announced, AnnouncementId, Lsn, PlatformId};

use crate::codec::decode_row;
use crate::engine::Engine;
use crate::fault::EngineFault;
use crate::store::{AnnouncementKey, Store};

impl Engine {
    /// What the mall is told, after `after`, oldest first, at most `limit`. Everything that is older than something seen
    /// once was seen, too; the same after a restart.
    ///
    /// # Errors
    /// What the disk says.
    pub fn announcements(
        &self,
        platform: PlatformId,
        after: AnnouncementId,
        limit: usize,
    ) -> Result<Vec<Announced>, EngineFault> {
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
