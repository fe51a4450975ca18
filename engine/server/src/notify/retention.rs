//! Events and what became of their deliveries go when they are old, in portions, behind everything that has still to be
//! told.

use std::sync::Arc;
use std::time::Duration;

use suanpan_model::{AnnouncementId, DurationMs, Lsn, PlatformId, TimestampMs};
use suanpan_runtime::retention::Expiry;
use suanpan_runtime::{Engine, EngineFault};
use tokio::sync::oneshot;

use super::counts::Counts;
use super::delivery::{DeliveryState, delivery_key};

/// Rows of deliveries that go at once.
const PORTION_ROWS: usize = 4_096;

/// After every event.
const END: AnnouncementId = AnnouncementId { lsn: Lsn(u64::MAX), place: u8::MAX };

/// Removes what is no longer kept, now and then, until `ended`.
pub(super) struct Retention {
    pub engine: Engine,
    /// How long events are kept.
    pub kept: DurationMs,
    /// How often they are looked at.
    pub every: Duration,
    /// The platforms, with how far each mall was told; nobody is told of the others.
    pub platforms: Vec<(PlatformId, Option<Arc<Counts>>)>,
    /// Something to be heard, or silence broken, when it is over.
    pub ended: oneshot::Receiver<()>,
}

impl Retention {
    pub(super) async fn run(mut self) {
        loop {
            for (platform, counts) in self.platforms.clone() {
                match self.expire(platform, counts.as_deref()).await {
                    Ok(()) => {}
                    Err(EngineFault::Ended) => return,
                    Err(fault) => tracing::error!(%platform, %fault, "what is no longer kept stays for now"),
                }
            }
            tokio::select! {
                _ = &mut self.ended => return,
                () = tokio::time::sleep(self.every) => {}
            }
        }
    }

    async fn expire(&mut self, platform: PlatformId, counts: Option<&Counts>) -> Result<(), EngineFault> {
        let before = TimestampMs(self.engine.now().0.saturating_sub(self.kept.0));
        let needed_from = counts.map_or(END, |counts| {
            counts.expires(before);
            counts.needed_from()
        });
        loop {
            let has_more = self.engine.expire_announcements(Expiry { platform, before, needed_from }).await?;
            let expired = self.engine.expired_upto(platform)?;
            while self.forget_deliveries(platform, expired)? {
                tokio::task::yield_now().await;
            }
            if !has_more || !matches!(self.ended.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
                return Ok(());
            }
        }
    }

    /// Removes some deliveries that came to an end, of events up to `upto`. Whether there may be more.
    fn forget_deliveries(&self, platform: PlatformId, upto: AnnouncementId) -> Result<bool, EngineFault> {
        let store = self.engine.store();
        for state in [DeliveryState::Delivered, DeliveryState::Dead] {
            let key = |id| std::ops::Bound::Included(delivery_key(platform, state, id));
            let rows = store.deliveries(key(AnnouncementId::FIRST), key(upto), PORTION_ROWS)?;
            if !rows.is_empty() {
                store.write_deliveries(rows.into_iter().map(|(key, _)| (key.to_vec(), None)).collect())?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}
