//! What an engine is started with.

use std::path::PathBuf;
use std::sync::Arc;

use suanpan_channels::Adapter;
use suanpan_core::routing::Router;
use suanpan_model::PlatformPolicy;

/// Settings of the engine. `EngineOptions::new(dir)` gives working defaults.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Directory of journal and store.
    pub dir: PathBuf,
    /// Order shards and balance shards each: a power of two, at most 256.
    pub shards: usize,
    /// Requests that may be under way at once; more are refused as busy.
    pub in_flight_max: usize,
    /// Live orders that may be in memory; creations beyond it are refused as busy.
    pub live_orders_max: usize,
    /// Finished orders that may wait for the archive; creations beyond it are refused as busy.
    pub archive_lag_max: usize,
    /// Bytes of log after which a checkpoint is taken.
    pub checkpoint_every_bytes: u64,
    /// Memory for the store's blocks, in bytes.
    pub store_cache_bytes: u64,
}

impl EngineOptions {
    /// Working defaults for `dir`.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            shards: 2,
            in_flight_max: 65_536,
            live_orders_max: 4_000_000,
            archive_lag_max: 2_000_000,
            checkpoint_every_bytes: 256 << 20,
            store_cache_bytes: 64 << 20,
        }
    }
}

/// What the engine works with besides its own data: rules and the outside world.
pub struct World {
    /// Channels' capabilities and routing rules.
    pub router: Router,
    /// Settings of platforms.
    pub policies: Vec<PlatformPolicy>,
    /// Adapters to the channels.
    pub adapters: Vec<Arc<dyn Adapter>>,
}
