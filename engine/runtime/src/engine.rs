//! The in-process API.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam::channel::Receiver;
use suanpan_channels::Adapter;
use suanpan_core::ledger::LedgerCommand;
use suanpan_core::order::Directory;
use suanpan_core::routing::Router;
use suanpan_model::{
    AccountId, AccountType, Amount, Campaign, CampaignId, CauseId, Currency, Entry, EntryCode, PlatformId,
    PlatformPolicy, Posting, Reject, RejectCode, Ticket, TimestampMs,
};
use tokio::sync::oneshot;

use crate::actors::{Balances, Commands, Requests, Statement};
use crate::api::{
    Answer, AnswerSink, Balance, BookComparison, Command, FUNDING, Notice, OpenAccount, Reply, Request,
    StatementLine, StatementQuery, TopUp, TrialBalance, TrialRow,
};
use crate::calls::Gathering;
use crate::journal::Journal;
use crate::log_writer::LogMessage;
use crate::shared::{Shared, busy};
use crate::start::Running;

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
    /// Coupon campaigns.
    pub campaigns: Vec<Campaign>,
    /// Adapters to the channels.
    pub adapters: Vec<Arc<dyn Adapter>>,
}

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
    /// A stored row.
    #[error("{0}")]
    Codec(#[from] crate::codec::CodecFault),
    /// The operating system.
    #[error("a thread of the engine cannot be started: {0}")]
    Thread(#[from] std::io::Error),
    /// The books do not balance.
    #[error(
        "the books of this directory are broken: {first}; run `suanpan verify DIR` and keep the directory"
    )]
    Broken {
        /// The first finding.
        first: String,
    },
    /// Something did not happen in time.
    #[error("{0} did not happen in time; look at the log for what holds it up")]
    Late(&'static str),
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
/// };
/// let world = World {
///     router: Router::new(capabilities, rules, vec![])?,
///     policies: vec![PlatformPolicy::defaults(platform)],
///     campaigns: vec![],
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
///         coupon: None,
///         sub_orders: [SubOrder { merchant, amount: Amount::from_minor(12_800) }].into(),
///         splits: Default::default(),
///         callback: "".into(),
///         metadata: vec![],
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
    running: Arc<Running>,
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
    pub fn start_on(
        journal: Box<dyn Journal>,
        options: EngineOptions,
        world: World,
    ) -> Result<Self, EngineFault> {
        Ok(Self { running: Arc::new(Running::start_on(journal, &options, world)?) })
    }

    fn shared(&self) -> &Shared {
        &self.running.shared
    }

    /// Hands in a batch of requests; every one is answered exactly once at `sink`, refusals (`busy`, `unavailable`)
    /// included. Never blocks.
    pub fn submit(&self, mut requests: Vec<Request>, sink: &Arc<dyn AnswerSink>) {
        let refuse = |requests: Vec<Request>, reject: &Reject| {
            let answer = |request: Request| Answer { ticket: request.ticket, result: Err(reject.clone()) };
            sink.deliver(requests.into_iter().map(answer).collect());
        };
        let mut room = self.shared().gate.room_for_creations();
        let is_creation = |request: &Request| matches!(request.command, Command::Create(_));
        if room < requests.len() {
            let mut fits = |request: &Request| {
                let has_room = room > 0 || !is_creation(request);
                room = room.saturating_sub(usize::from(is_creation(request)));
                has_room
            };
            let (fitting, beyond): (Vec<_>, Vec<_>) = requests.into_iter().partition(|request| fits(request));
            requests = fitting;
            if !beyond.is_empty() {
                refuse(beyond, &busy());
            }
        }
        let admitted = match self.shared().gate.admit(requests.len()) {
            Ok(admitted) => admitted,
            Err(reject) => return refuse(requests, &reject),
        };
        if admitted < requests.len() {
            refuse(requests.split_off(admitted), &busy());
        }
        let shards = self.running.wiring().orders.len();
        let mut by_shard: Vec<Vec<Request>> =
            (0..shards).map(|_| Vec::with_capacity(requests.len() * 5 / 4 / shards + 1)).collect();
        for request in requests {
            let bucket = match &request.command {
                Command::Create(terms) => (terms.key() & 0xff) as usize,
                Command::Order { order, .. } | Command::Query { order, .. } => usize::from(order.bucket()),
            };
            by_shard[bucket & (shards - 1)].push(request);
        }
        for (address, requests) in self.running.wiring().orders.iter().zip(by_shard) {
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

    /// Opens accounts; a repeat returns the account that exists. Answers in the order of the requests.
    ///
    /// # Errors
    /// Each on its own: `unknown_platform`, `account_type_not_allowed`, `account_exists`, `invalid_parent`.
    pub async fn open_accounts(&self, accounts: Vec<OpenAccount>) -> Vec<Result<AccountId, Reject>> {
        let names: Vec<_> =
            accounts.iter().map(|open| (open.platform, open.kind, open.reference.clone())).collect();
        let opened: Vec<_> = accounts.into_iter().map(|account| self.number_account(account)).collect();
        let commands = opened.iter().flatten().map(|(id, command)| (*id, command.clone())).collect();
        let mut results = self.command(commands).await.into_iter();
        let mut answers = Vec::with_capacity(opened.len());
        for (account, name) in opened.into_iter().zip(&names) {
            let answer = match account {
                Ok((id, _)) => results.next().unwrap_or_else(|| Err(ended())).map(|()| id),
                Err(reject) => Err(reject),
            };
            if answer.is_err() {
                self.shared().registry.forget_unopened(name);
            }
            answers.push(answer);
        }
        answers
    }

    fn number_account(&self, account: OpenAccount) -> Result<(AccountId, LedgerCommand), Reject> {
        let OpenAccount { platform, reference, kind, currency, parent, credit_limit } = account;
        if self.policy(platform).is_none() {
            let expected = "a platform of the configuration";
            return Err(Reject::new(RejectCode::UnknownPlatform, "platform", expected));
        }
        if kind.is_internal() {
            let expected = "a type of account that can be opened";
            return Err(Reject::new(RejectCode::AccountTypeNotAllowed, "kind", expected));
        }
        let name = (platform, kind, reference.clone());
        let id = self.shared().registry.number_for(&name, parent.map(AccountId::bucket));
        Ok((id, LedgerCommand::Open { account: id, platform, reference, currency, parent, credit_limit }))
    }

    /// Gives commands to the shards of their accounts and awaits what becomes of each.
    async fn command(&self, commands: Vec<(AccountId, LedgerCommand)>) -> Vec<Result<(), Reject>> {
        let count = commands.len();
        match self.shared().gate.admit(count) {
            Ok(admitted) if admitted == count => {}
            Ok(admitted) => {
                self.shared().gate.answered(admitted);
                return (0..count).map(|_| Err(busy())).collect();
            }
            Err(reject) => return (0..count).map(|_| Err(reject.clone())).collect(),
        }
        let wiring = self.running.wiring();
        let mut by_shard: Vec<Vec<_>> = (0..wiring.balances.len()).map(|_| Vec::new()).collect();
        let mut answers = Vec::with_capacity(count);
        for (account, command) in commands {
            let (to, answer) = oneshot::channel();
            // Whoever asked may have given up waiting.
            let tell: crate::balance_shard::Told = Box::new(move |result| drop(to.send(result)));
            by_shard[account.shard(wiring.balances.len())].push((command, tell));
            answers.push(answer);
        }
        for (address, commands) in wiring.balances.iter().zip(by_shard) {
            if !commands.is_empty() {
                address.do_send(Commands { commands });
            }
        }
        let mut results = Vec::with_capacity(count);
        for answer in answers {
            results.push(answer.await.unwrap_or_else(|_| Err(ended())));
            self.shared().gate.answered(1);
        }
        results
    }

    /// The account that a platform knows under `reference`.
    #[must_use]
    pub fn account_by_reference(
        &self,
        platform: PlatformId,
        kind: AccountType,
        reference: &str,
    ) -> Option<AccountId> {
        let id = self.shared().registry.account_by_name(&(platform, kind, reference.into()))?;
        self.shared().registry.account(id).map(|_| id)
    }

    /// Puts money from outside on an account.
    ///
    /// # Errors
    /// `idempotency_conflict`, `unknown_account`, `currency_mismatch`, `amount_zero`, `amount_too_large`.
    pub async fn top_up(&self, top_up: TopUp) -> Result<(), Reject> {
        let TopUp { platform, account, amount, currency, reference } = top_up;
        let (owner, own_currency) = match account.internal_currency() {
            Some(own) => (PlatformId(account.owner()), own),
            None => match self.shared().registry.account(account) {
                Some(facts) => (facts.platform, facts.currency),
                None => return Err(unknown_account()),
            },
        };
        if owner != platform {
            return Err(unknown_account());
        }
        if own_currency != currency {
            let expected = format!("the account's currency, {own_currency}");
            return Err(Reject::new(RejectCode::CurrencyMismatch, "currency", expected));
        }
        if amount.is_zero() {
            return Err(Reject::new(RejectCode::AmountZero, "amount", "an amount above zero"));
        }
        if amount > Amount::MAX {
            return Err(Reject::new(RejectCode::AmountTooLarge, "amount", "an amount within the limit"));
        }
        let entry = top_up_entry(platform, account, amount, currency, &reference);
        let home = entry.postings[0].account;
        let reference = format!("{platform}/{reference}").into();
        let command = LedgerCommand::Post { entry, reference };
        self.command(vec![(home, command)]).await.pop().unwrap_or_else(|| Err(ended()))
    }

    /// Balances of an account; any stripe of an internal account names the whole.
    ///
    /// # Errors
    /// `unknown_account`; `unavailable` when the engine is ending.
    pub async fn balance(&self, account: AccountId) -> Result<Balance, Reject> {
        let stripes: Vec<AccountId> = match account.kind().is_internal() {
            true => (0..suanpan_model::ids::STRIPES).map(|stripe| account.on_stripe(stripe)).collect(),
            false => vec![account],
        };
        let wiring = self.running.wiring();
        let mut sum: Option<Balance> = None;
        for (shard, address) in wiring.balances.iter().enumerate() {
            let accounts: Vec<_> = stripes
                .iter()
                .copied()
                .filter(|stripe| stripe.shard(wiring.balances.len()) == shard)
                .collect();
            if accounts.is_empty() {
                continue;
            }
            let (to, answer) = oneshot::channel();
            address.do_send(Balances { accounts, to });
            for part in answer.await.map_err(|_| ended())?.into_iter().flatten() {
                sum = Some(match sum {
                    None => Balance { account, ..part },
                    Some(sum) => add(sum, &part),
                });
            }
        }
        match (sum, account.internal_currency()) {
            (Some(balance), _) => Ok(balance),
            (None, Some(currency)) => Ok(nothing(account, currency)),
            (None, None) => Err(unknown_account()),
        }
    }

    /// Lines of an account's statement, oldest first, from the archive and from memory.
    ///
    /// # Errors
    /// `unknown_account`; `unavailable` when the archive cannot be read or the engine is ending.
    pub async fn statement(&self, query: StatementQuery) -> Result<Vec<StatementLine>, Reject> {
        let wiring = self.running.wiring();
        let (to, answer) = oneshot::channel();
        wiring.balances[query.account.shard(wiring.balances.len())].do_send(Statement { query, to });
        answer.await.map_err(|_| ended())?
    }

    /// The trial balance of all shards at one position of the log.
    pub async fn trial_balance(&self) -> TrialBalance {
        let (to, mut parts) = tokio::sync::mpsc::unbounded_channel();
        if self.running.wiring().log.send(LogMessage::Trial(to)).is_err() {
            return TrialBalance { rows: Vec::new(), breaks: vec!["the engine is ending".into()] };
        }
        let mut trial = TrialBalance::default();
        let mut answered = 0;
        while let Some((rows, breaks)) = parts.recv().await {
            answered += 1;
            trial.breaks.extend(breaks);
            rows.into_iter().for_each(|row| add_row(&mut trial.rows, row));
        }
        if answered != self.running.wiring().balances.len() {
            trial.breaks.push("a shard of the ledger does not answer".into());
        }
        trial.rows.sort_by_key(|row| (row.kind, row.owner, row.currency));
        trial
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

    /// A coupon campaign.
    #[must_use]
    pub fn campaign(&self, campaign: CampaignId) -> Option<Campaign> {
        self.shared().registry.campaign(campaign)
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
        let commit_micros = self.running.commit_micros.lock().map_or((0, 0), |histogram| {
            (histogram.value_at_quantile(0.5), histogram.value_at_quantile(0.99))
        });
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
            unavailable: shared.gate.trouble(),
            commit_micros,
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

fn top_up_entry(
    platform: PlatformId,
    account: AccountId,
    amount: Amount,
    currency: Currency,
    reference: &str,
) -> Entry {
    let seed = u64::from(platform.0);
    let cause = CauseId(xxhash_rust::xxh3::xxh3_64_with_seed(reference.as_bytes(), seed));
    let clearing = AccountId::internal(AccountType::ChannelClearing, u32::from(FUNDING.0), currency, 0);
    let mut entry = Entry::new(EntryCode::TopUp, currency, cause).with(Posting::debit(clearing, amount));
    if account.kind().is_internal() {
        let stripes = suanpan_model::ids::STRIPES;
        let parts = suanpan_core::split::allocate(amount, &vec![1; usize::from(stripes)]);
        for (stripe, part) in (0..stripes).zip(parts) {
            entry.push(Posting::credit(account.on_stripe(stripe), part));
        }
    } else {
        entry.push(Posting::credit(account, amount));
    }
    entry
}

fn ended() -> Reject {
    let expected =
        "an engine that is running; the outcome of this request is not known, query it after a restart";
    Reject::new(RejectCode::Unavailable, "", expected)
}

fn unknown_account() -> Reject {
    Reject::new(RejectCode::UnknownAccount, "account", "an account that was opened on this platform")
}

fn add(sum: Balance, part: &Balance) -> Balance {
    Balance {
        posted: sum.posted + part.posted,
        held: sum.held.plus(part.held),
        available: sum.available + part.available,
        rolled_up: sum.rolled_up + part.rolled_up,
        ..sum
    }
}

fn nothing(account: AccountId, currency: Currency) -> Balance {
    Balance {
        account,
        platform: PlatformId(0),
        reference: "".into(),
        currency,
        posted: 0,
        held: Amount::ZERO,
        available: 0,
        rolled_up: 0,
    }
}

fn add_row(rows: &mut Vec<TrialRow>, row: TrialRow) {
    let same = |known: &&mut TrialRow| {
        (known.kind, known.owner, known.currency) == (row.kind, row.owner, row.currency)
    };
    match rows.iter_mut().find(same) {
        Some(known) => {
            known.accounts += row.accounts;
            known.debit_balance += row.debit_balance;
        }
        None => rows.push(row),
    }
}
