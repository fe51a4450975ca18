//! The in-process API.

mod accounts;
mod announcements;
mod coupons;
mod lists;
mod routing;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam::channel::Receiver;
use hdrhistogram::Histogram;
use suanpan_core::order::Directory;
use suanpan_core::routing::Router;
use suanpan_model::{
    AccountType, Campaign, CampaignId, Currency, Order, OrderStatus, PlatformId, PlatformPolicy, Reject,
    RejectCode, Ticket, TimestampMs,
};

use crate::actors::{NeedingOperator, Requests};
use crate::admission;
use crate::api::{AnswerSink, BookComparison, Command, Notice, Reply, Request};
use crate::calls::Gathering;
use crate::fault::EngineFault;
use crate::journal::Journal;
use crate::log_writer::LogMessage;
use crate::options::{EngineOptions, World};
use crate::shared::Shared;
use crate::start::Running;

pub use coupons::{CampaignState, CustomerCoupons};
pub use lists::{AnnouncedQuery, Listed, Page};

/// Counters since the start of the process, and gauges.
#[derive(Clone, Debug, Default)]
pub struct EngineStats {
    /// Checkpoints that are complete.
    pub checkpoints: u64,
    /// Channels' reports that belong to no order or attempt.
    pub unmatched_reports: u64,
    /// Channels' reports that contradict what is known.
    pub contradictions: u64,
    /// Log records replayed at the start.
    pub replayed: u64,
    /// Orders recorded.
    pub created: u64,
    /// Orders that became settled, failed, closed or refunded.
    pub finished: u64,
    /// The same by the status with which they ended.
    pub ended: Vec<(OrderStatus, u64)>,
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
    /// Messages that wait for the log writer.
    pub log_queue: usize,
    /// Messages that wait for the store keeper.
    pub keeper_queue: usize,
    /// Whether the engine cannot make anything durable just now, and why.
    pub unavailable: Option<String>,
    /// p50 and p99 of a group commit in microseconds.
    pub commit_micros: (u64, u64),
    /// How long group commits took, from the write to the end of the sync.
    pub commits: Durations,
}

/// How many of some durations were at most as long as each of some bounds.
#[derive(Clone, Debug, Default)]
pub struct Durations {
    /// Bounds in microseconds, ascending, each with how many were not longer.
    pub at_most: Vec<(u64, u64)>,
    /// How many there were.
    pub count: u64,
    /// All of them together, in microseconds, to three digits.
    pub sum_us: u64,
}

/// Bounds of [`EngineStats::commits`].
const COMMIT_BOUNDS_US: [u64; 12] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 2_500_000];

impl Durations {
    fn of(histogram: &Histogram<u64>) -> Self {
        // One pass: whoever reads these figures every second should not be seen among them.
        let mut at_most = COMMIT_BOUNDS_US.map(|bound| (bound, 0));
        let mut sum_us = 0;
        for step in histogram.iter_recorded() {
            let (value, count) = (step.value_iterated_to(), step.count_at_value());
            let least = histogram.lowest_equivalent(value);
            at_most.iter_mut().filter(|(bound, _)| least <= *bound).for_each(|(_, many)| *many += count);
            sum_us += value * count;
        }
        Self { at_most: at_most.to_vec(), count: histogram.len(), sum_us }
    }
}

/// A running engine. Cheap to clone; all clones are one engine, which ends with the last of them.
///
/// # Example
/// An order from creation to settlement, through a simulated channel:
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use suanpan_channels::{BUILTIN_CHANNELS, simulators};
/// use suanpan_core::routing::{Router, RoutingRules, Strategy};
/// use suanpan_model::command::OrderRef;
/// use suanpan_model::*;
/// use suanpan_runtime::{Command, Engine, EngineOptions, Reply, World, api::OpenAccount};
///
/// # let dir = std::env::temp_dir().join(format!("suanpan-doctest-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// # let options = EngineOptions::new(&dir);
/// // The outside world: simulated channels, routed by cost, and one mall.
/// let platform = PlatformId(9001);
/// let adapters = simulators(BUILTIN_CHANNELS, 7)?;
/// let capabilities = adapters.iter().map(|adapter| adapter.capability().clone()).collect();
/// let rules = RoutingRules {
///     version: 1,
///     order: vec![Strategy::Cost],
///     amount_bands: vec![],
///     designations: vec![],
///     priority: vec![],
///     ..RoutingRules::default()
/// };
/// let world = World {
///     router: Router::new(capabilities, rules, vec![])?,
///     policies: vec![PlatformPolicy::defaults(platform)],
///     adapters,
/// };
/// let engine = Engine::start(options, world)?;
///
/// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// runtime.block_on(async {
///     let seller = OpenAccount {
///         platform,
///         reference: "seller-1".into(),
///         kind: AccountType::Settlement,
///         currency: Currency::Cny,
///         parent: None,
///         credit_limit: Amount::ZERO,
///     };
///     let merchant = engine.open_accounts(vec![seller]).await.remove(0)?;
///
///     let terms = Arc::new(OrderTerms {
///         platform,
///         order_no: "A-1".into(),
///         payer: "buyer-1".into(),
///         payer_account: None,
///         amount: Amount::parse("128.00", Currency::Cny).expect("an amount"),
///         currency: Currency::Cny,
///         kind: PayKind::Gateway,
///         bank: Bank::from_code("ICBC"),
///         card_type: Some(CardType::Debit),
///         agreement_no: "".into(),
///         description: "tea".into(),
///         expires_at: engine.now() + DurationMs::from_secs(1_800),
///         escrow: true,
///         virtual_goods: false,
///         coupons: vec![],
///         sub_orders: [SubOrder { merchant, amount: Amount::from_minor(12_800) }].into(),
///         splits: Default::default(),
///         callback: "".into(),
///         metadata: vec![],
///         attributes: None,
///     });
///     // The answer comes when the order is on disk; the channel is called after that.
///     let Reply::Order(created) = engine.call(Command::Create(terms.clone())).await? else { unreachable!() };
///     // The same request again changes nothing.
///     let Reply::Order(again) = engine.call(Command::Create(terms)).await? else { unreachable!() };
///     assert!(again.repeat && again.id == created.id);
///
///     let query = Command::Query { platform: Some(platform), order: OrderRef::Id(created.id) };
///     let Reply::Life(life) = engine.call(query).await? else { unreachable!() };
///     assert_eq!(life.attempts.len(), 1);
///     assert!(engine.trial_balance().await.is_balanced());
///     Ok::<(), Reject>(())
/// })?;
/// runtime.block_on(engine.shutdown())?;
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Engine {
    pub(crate) running: Arc<Running>,
}

impl Engine {
    /// Opens the directory, recovers, and starts the actors.
    ///
    /// # Errors
    /// When the directory is in use or damaged, its books do not balance, or the settings cannot work.
    #[expect(clippy::needless_pass_by_value, reason = "a caller hands its settings over")]
    pub fn start(options: EngineOptions, world: World) -> Result<Self, EngineFault> {
        Ok(Self { running: Arc::new(Running::start(&options, world)?) })
    }

    /// The same on another log than the embedded one: whatever passes [`crate::journal::conformance`].
    ///
    /// # Errors
    /// As [`Engine::start`].
    #[expect(clippy::needless_pass_by_value, reason = "a caller hands its settings over")]
    pub fn start_on(
        journal: Box<dyn Journal>,
        options: EngineOptions,
        world: World,
    ) -> Result<Self, EngineFault> {
        Ok(Self { running: Arc::new(Running::start_on(journal, &options, world)?) })
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.running.shared
    }

    /// Hands in a batch of requests; every one is answered exactly once at `sink`, refusals (`busy`, `unavailable`)
    /// included. Never blocks.
    pub fn submit(&self, requests: Vec<Request>, sink: &Arc<dyn AnswerSink>) {
        let requests = admission::admit(&self.shared().gate, requests, sink);
        let orders = &self.running.wiring().orders;
        for (address, requests) in orders.iter().zip(admission::by_shard(requests, orders.len())) {
            if !requests.is_empty() {
                address.do_send(Requests { requests, sink: Arc::clone(sink) });
            }
        }
    }

    /// Asks for one thing and awaits the answer. Dropping the future does not undo the command.
    ///
    /// # Errors
    /// The reject of the command, or `busy` or `unavailable`.
    pub async fn call(&self, command: Command) -> Result<Reply, Reject> {
        self.call_many(vec![command]).await.pop().unwrap_or_else(|| Err(ended()))
    }

    /// Asks for many things and awaits all answers, in the order of the commands.
    pub async fn call_many(&self, commands: Vec<Command>) -> Vec<Result<Reply, Reject>> {
        let count = commands.len();
        if count == 0 {
            return Vec::new();
        }
        let (gathering, answers) = Gathering::new(count);
        let sink: Arc<dyn AnswerSink> = Arc::new(gathering);
        let requests = commands
            .into_iter()
            .zip(0..)
            .map(|(command, ticket)| Request { ticket: Ticket(ticket), command })
            .collect();
        self.submit(requests, &sink);
        drop(sink);
        answers.await.unwrap_or_else(|_| (0..count).map(|_| Err(ended())).collect())
    }

    /// Everything that happens to orders from now on, once durable, in batches. A subscriber that falls more than
    /// `capacity` batches behind is cut off: its channel is closed.
    #[must_use]
    pub fn subscribe(&self, capacity: usize) -> Receiver<Arc<Vec<Notice>>> {
        self.shared().feed.subscribe(capacity)
    }

    /// The clearing accounts beside the channels' own books, for channels that can be asked. They agree when nothing
    /// is under way.
    pub async fn compare_books(&self) -> Vec<BookComparison> {
        let trial = self.trial_balance().await;
        let mut comparisons = Vec::new();
        for adapter in &self.running.adapters {
            let channel = adapter.capability().id;
            let Some(book) = adapter.book() else { continue };
            for currency in Currency::ALL {
                let ours = trial.of(AccountType::ChannelClearing, u32::from(channel.0), currency);
                let theirs = book.of(currency).net();
                if ours != 0 || theirs != 0 {
                    comparisons.push(BookComparison { channel, currency, ours, theirs });
                }
            }
        }
        comparisons
    }

    /// The routing snapshot in force.
    #[must_use]
    pub fn router(&self) -> Arc<Router> {
        self.shared().router.load_full()
    }

    /// The settings of a platform.
    #[must_use]
    pub fn policy(&self, platform: PlatformId) -> Option<Arc<PlatformPolicy>> {
        self.shared().registry.policy(platform)
    }

    /// The settings of every platform, by number.
    #[must_use]
    pub fn policies(&self) -> Vec<Arc<PlatformPolicy>> {
        let mut policies: Vec<_> = self.shared().registry.policies().values().cloned().collect();
        policies.sort_by_key(|policy| policy.id);
        policies
    }

    /// Puts other settings of the same platforms in force. An order keeps what was agreed when it came.
    pub fn set_policies(&self, policies: Vec<PlatformPolicy>) {
        self.shared().registry.set_policies(policies);
    }

    /// A coupon campaign.
    #[must_use]
    pub fn campaign(&self, campaign: CampaignId) -> Option<Arc<Campaign>> {
        self.shared().registry.campaign(campaign)
    }

    /// Orders whose money waits for an operator: parked payments, refunds that their channel cannot finish. Oldest
    /// first.
    ///
    /// # Errors
    /// `unavailable` when the engine is ending.
    pub async fn needing_operator(&self) -> Result<Vec<Arc<Order>>, Reject> {
        let mut orders = Vec::new();
        for address in &self.running.wiring().orders {
            let (to, answer) = tokio::sync::oneshot::channel();
            address.do_send(NeedingOperator { to });
            orders.extend(answer.await.map_err(|_| ended())?);
        }
        orders.sort_by_key(|order| order.id);
        Ok(orders)
    }

    /// The time as the engine sees it.
    #[must_use]
    pub fn now(&self) -> TimestampMs {
        self.shared().clock.now()
    }

    /// Counters and gauges.
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        let shared = self.shared();
        let counters = &shared.counters;
        let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        // A copy, so that the log's thread waits for nothing that is computed here.
        let commits = self.running.commit_micros.lock().map(|histogram| histogram.clone());
        let quantiles =
            |known: &Histogram<u64>| (known.value_at_quantile(0.5), known.value_at_quantile(0.99));
        let commit_micros = commits.as_ref().map_or((0, 0), quantiles);
        let ended =
            OrderStatus::ALL.into_iter().zip(&counters.ended).map(|(status, many)| (status, read(many)));
        EngineStats {
            checkpoints: read(&counters.checkpoints),
            unmatched_reports: read(&counters.unmatched_reports),
            contradictions: read(&counters.contradictions),
            replayed: self.running.replayed,
            created: read(&counters.created),
            finished: read(&counters.finished),
            records: read(&counters.records),
            groups: read(&counters.groups),
            log_bytes: read(&counters.log_bytes),
            durable_lsn: read(&counters.durable_lsn),
            in_flight: shared.gate.in_flight(),
            live_orders: shared.gate.live_orders(),
            archive_lag: shared.gate.archive_lag(),
            log_queue: self.running.wiring().log.len(),
            keeper_queue: self.running.wiring().keeper.len(),
            unavailable: shared.gate.trouble(),
            commit_micros,
            commits: commits.as_ref().map(Durations::of).unwrap_or_default(),
            ended: ended.filter(|(status, _)| status.is_final()).collect(),
        }
    }

    /// Waits until no request is under way; false when `patience` ran out first.
    pub async fn drain(&self, patience: Duration) -> bool {
        let began = Instant::now();
        while self.shared().gate.in_flight() > 0 {
            if began.elapsed() > patience {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        true
    }

    /// Takes a checkpoint now and waits for it.
    ///
    /// # Errors
    /// When it is not complete within a minute.
    pub async fn checkpoint(&self) -> Result<(), EngineFault> {
        let before = self.stats().checkpoints;
        let began = Instant::now();
        if self.running.wiring().log.send(LogMessage::Checkpoint).is_err() {
            return Err(EngineFault::Late("a checkpoint"));
        }
        while self.stats().checkpoints == before {
            if began.elapsed() > Duration::from_secs(60) || self.shared().gate.trouble().is_some() {
                return Err(EngineFault::Late("a checkpoint"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Stops taking requests, waits for those under way, takes a checkpoint, and ends the actors.
    ///
    /// # Errors
    /// When requests under way, or the checkpoint, take too long: everything acknowledged is durable all the same.
    pub async fn shutdown(&self) -> Result<(), EngineFault> {
        let drained = {
            self.shared().gate.stop_admitting();
            self.drain(Duration::from_secs(30)).await
        };
        let checkpoint = self.checkpoint().await;
        self.running.stop();
        checkpoint?;
        if drained { Ok(()) } else { Err(EngineFault::Late("an answer to every request")) }
    }
}

pub(crate) fn ended() -> Reject {
    let expected =
        "an engine that is running; the outcome of this request is not known, query it after a restart";
    Reject::new(RejectCode::Unavailable, "", expected)
}
