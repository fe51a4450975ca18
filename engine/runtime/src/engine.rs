//! The in-process API.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use suanpan_channels::Adapter;
use suanpan_core::routing::Router;
use suanpan_model::{AccountId, AccountType, Campaign, PlatformId, PlatformPolicy, Reject, TimestampMs};

use crate::api::{
    AnswerSink, Balance, BookComparison, Command, Notice, OpenAccount, Reply, Request, StatementLine,
    StatementQuery, TopUp, TrialBalance,
};

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
    /// Bytes of log after which a checkpoint is taken.
    pub checkpoint_every_bytes: u64,
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
            checkpoint_every_bytes: 1 << 30,
        }
    }
}

/// What the engine works with besides its own data: rules and the outside world.
pub struct World {
    /// Channels' capabilities and routing rules.
    pub router: Router,
    /// Settings of platforms.
    pub policies: Vec<PlatformPolicy>,
    /// Coupon campaigns.
    pub campaigns: Vec<Campaign>,
    /// Adapters to the channels.
    pub adapters: Vec<Arc<dyn Adapter>>,
}

/// Counters since the start of the process, and gauges.
#[derive(Clone, Debug, Default)]
pub struct EngineStats {
    /// Orders recorded.
    pub created: u64,
    /// Orders that became settled, failed, closed or refunded.
    pub finished: u64,
    /// Log records written.
    pub records: u64,
    /// Group commits.
    pub groups: u64,
    /// Bytes written to the log.
    pub log_bytes: u64,
    /// Last durable log position.
    pub durable_lsn: u64,
    /// Requests under way.
    pub in_flight: usize,
    /// Orders in memory.
    pub live_orders: usize,
    /// Finished orders that are not yet in the archive.
    pub archive_lag: usize,
    /// Whether the engine cannot make anything durable just now, and why.
    pub unavailable: Option<String>,
    /// p50 and p99 of a group commit in microseconds.
    pub commit_micros: (u64, u64),
}

/// Why the engine cannot start or stop cleanly.
#[derive(Debug, thiserror::Error)]
pub enum EngineFault {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] crate::journal::JournalFault),
    /// The store.
    #[error(transparent)]
    Store(#[from] crate::store::StoreFault),
    /// Settings that cannot work.
    #[error("{0}")]
    Options(String),
    /// The log holds something that does not fit.
    #[error(
        "the log cannot be replayed at position {lsn}: {what}; run `suanpan verify DIR` and keep the directory"
    )]
    Replay {
        /// Where.
        lsn: u64,
        /// What.
        what: String,
    },
}

/// A running engine. Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine {}

impl Engine {
    /// Opens the directory, recovers, and starts the actors.
    pub fn start(_options: EngineOptions, _world: World) -> Result<Self, EngineFault> {
        unimplemented!()
    }

    /// Hands in a batch of requests; every one is answered exactly once at `sink`, refusals (`busy`, `unavailable`)
    /// included. Never blocks.
    pub fn submit(&self, _requests: Vec<Request>, _sink: &Arc<dyn AnswerSink>) {
        unimplemented!()
    }

    /// Asks for one thing and awaits the answer. Dropping the future does not undo the command.
    pub async fn call(&self, _command: Command) -> Result<Reply, Reject> {
        unimplemented!()
    }

    /// Asks for many things and awaits all answers, in the order of the commands.
    pub async fn call_many(&self, _commands: Vec<Command>) -> Vec<Result<Reply, Reject>> {
        unimplemented!()
    }

    /// Everything that happens to orders from now on, once durable, in batches. A subscriber that falls more than
    /// `capacity` batches behind is cut off: its channel is closed.
    pub fn subscribe(&self, _capacity: usize) -> crossbeam::channel::Receiver<Arc<Vec<Notice>>> {
        unimplemented!()
    }

    /// Opens accounts; a repeat returns the account that exists. Answers in the order of the requests.
    pub async fn open_accounts(&self, _accounts: Vec<OpenAccount>) -> Vec<Result<AccountId, Reject>> {
        unimplemented!()
    }

    /// The account that a platform knows under `reference`.
    pub fn account_by_reference(
        &self,
        _platform: PlatformId,
        _kind: AccountType,
        _reference: &str,
    ) -> Option<AccountId> {
        unimplemented!()
    }

    /// Puts money from outside on an account.
    pub async fn top_up(&self, _top_up: TopUp) -> Result<(), Reject> {
        unimplemented!()
    }

    /// Balances of an account; any stripe of an internal account names the whole.
    pub async fn balance(&self, _account: AccountId) -> Result<Balance, Reject> {
        unimplemented!()
    }

    /// Lines of an account's statement, oldest first, from the archive and from memory.
    pub async fn statement(&self, _query: StatementQuery) -> Result<Vec<StatementLine>, Reject> {
        unimplemented!()
    }

    /// The trial balance.
    pub async fn trial_balance(&self) -> TrialBalance {
        unimplemented!()
    }

    /// The clearing accounts beside the channels' own books.
    pub async fn compare_books(&self) -> Vec<BookComparison> {
        unimplemented!()
    }

    /// The routing snapshot in force.
    pub fn router(&self) -> Arc<Router> {
        unimplemented!()
    }

    /// The settings of a platform.
    pub fn policy(&self, _platform: PlatformId) -> Option<Arc<PlatformPolicy>> {
        unimplemented!()
    }

    /// A coupon campaign.
    pub fn campaign(&self, _campaign: suanpan_model::CampaignId) -> Option<Campaign> {
        unimplemented!()
    }

    /// The time as the engine sees it.
    pub fn now(&self) -> TimestampMs {
        unimplemented!()
    }

    /// Counters and gauges.
    pub fn stats(&self) -> EngineStats {
        unimplemented!()
    }

    /// Waits until no request is under way and nothing waits for the disk; false when `patience` ran out first.
    pub async fn drain(&self, _patience: Duration) -> bool {
        unimplemented!()
    }

    /// Takes a checkpoint now and waits for it.
    pub async fn checkpoint(&self) -> Result<(), EngineFault> {
        unimplemented!()
    }

    /// Stops taking requests, drains, takes a checkpoint, and ends the actors.
    pub async fn shutdown(&self) -> Result<(), EngineFault> {
        unimplemented!()
    }
}
