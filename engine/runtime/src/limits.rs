//! How much is done in one go. The defaults are for production; a simulation takes small ones, so that a short life
//! comes by every seam.

/// How much is done in one go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A group of the log takes in no more batches once it has this many bytes.
    pub group_bytes: usize,
    /// Orders looked at in one go after a restart.
    pub recovered_at_once: usize,
    /// Orders woken in one go, so that a flood of timers does not hold up other messages.
    pub wakes_at_once: usize,
    /// Orders, or accounts and holds, captured in one go for a checkpoint, so that a million of them need neither a long
    /// pause nor a copy of them all.
    pub rows_at_once: usize,
    /// Rows of one table of a checkpoint from which the keeper writes them: as one sorted run, for which few are too few.
    pub rows_gathered: usize,
    /// Live orders that all shards together keep as they are; more are packed until something happens to them.
    pub open_orders: usize,
    /// Lines after which statements are handed to the archive.
    pub hand_over_lines: usize,
    /// Orders from which a feed of the archive is worth its fixed cost.
    pub feed_orders: usize,
    /// Finished orders that are gathered before they are fed to the archive while the log is replayed.
    pub replay_orders: usize,
    /// Statement lines that are gathered before they are fed to the archive while the log is replayed.
    pub replay_lines: usize,
    /// Live orders from which each shard is filled by a thread of its own at a start.
    pub orders_for_threads: usize,
}

impl Limits {
    /// Those of production.
    pub const USUAL: Self = Self {
        group_bytes: 4 << 20,
        recovered_at_once: 10_000,
        wakes_at_once: 4_096,
        rows_at_once: 1_000,
        rows_gathered: 16_384,
        open_orders: 32_768,
        hand_over_lines: 500_000,
        feed_orders: 50_000,
        replay_orders: 100_000,
        replay_lines: 4_000_000,
        orders_for_threads: 10_000,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::USUAL
    }
}
