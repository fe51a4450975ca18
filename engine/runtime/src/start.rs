//! Putting an engine together, and taking it apart.

use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;

use actix::Actor;
use arc_swap::ArcSwap;
use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use hdrhistogram::Histogram;
use rustc_hash::FxHashMap;
use suanpan_channels::{Adapter, ReportSink};
use suanpan_model::ids::BUCKETS;

use crate::actors::{
    BalanceActor, ChannelActor, ChannelAddress, Herald, LateWiring, OrderActor, Ports, Recover, RecoverDebts,
    ReportRouter, Voids, Wiring,
};
use crate::balance_shard::BalanceShard;
use crate::clock::{Clock, SystemClock};
use crate::fault::EngineFault;
use crate::hand_out::shards;
use crate::journal::{Journal, JournalOptions, SegmentJournal};
use crate::keeper::Keeper;
use crate::learner::{Folded, Learner};
use crate::limits::Limits;
use crate::log_writer::{LogMessage, LogWriter};
use crate::messages::KeeperMessage;
use crate::options::{EngineOptions, World};
use crate::order_shard::OrderShard;
use crate::recovery::{Purpose, Recovered, Settings, Survey, Threads, recover_with};
use crate::registry::Registry;
use crate::rulebook::RuleBook;
use crate::shared::{Counters, Feed, Gate, Shared, Tidings};
use crate::store::{Store, StoreOptions};

/// Largest group of the journal: what gathers while the disk stands still must fit, and is bounded by the gate.
const GROUP_BYTES_MAX: u64 = 1 << 30;

/// How much less CPU time the archive gets than the actors when both want it.
const ARCHIVE_NICENESS: i32 = 19;

/// The threads of a running engine.
pub(crate) struct Running {
    pub(crate) shared: Arc<Shared>,
    pub(crate) adapters: Vec<Arc<dyn Adapter>>,
    pub(crate) commit_micros: Arc<Mutex<Histogram<u64>>>,
    pub(crate) replayed: u64,
    wiring: LateWiring,
    threads: Mutex<Vec<JoinHandle<()>>>,
    system: actix::System,
}

impl Running {
    pub(crate) fn wiring(&self) -> &Wiring {
        self.wiring.get().expect("the engine is wired before it is handed out")
    }

    pub(crate) fn start(options: &EngineOptions, world: World) -> Result<Self, EngineFault> {
        check(options)?;
        let journal = SegmentJournal::open(
            &options.dir.join("journal"),
            JournalOptions { max_group_bytes: GROUP_BYTES_MAX, ..JournalOptions::default() },
        )?;
        Self::start_on(Box::new(journal), options, world)
    }

    pub(crate) fn start_on(
        journal: Box<dyn Journal>,
        options: &EngineOptions,
        world: World,
    ) -> Result<Self, EngineFault> {
        check(options)?;
        let store = open_store(options)?;
        let World { router, policies, adapters } = world;
        let conditions = |known: &suanpan_model::Capability| (known.id, known.conditions.clone());
        let conditions = router.capabilities().iter().map(conditions).collect();
        let settings = Settings {
            limits: Limits::USUAL,
            conditions: &conditions,
            policies: &policies,
            threads: Threads::Several,
        };
        let mut recovered = recover_with(settings, &store, &*journal, options.shards, Purpose::Start)?;
        let rules = RuleBook::open(&options.dir.join("routing"))?;
        let router = rules.apply(router)?;
        let folded =
            Folded { upto: recovered.durable, learning: std::mem::take(&mut recovered.meta.learning) };
        let mut survey = recovered.survey(Threads::Several);
        if !survey.breaks.is_empty() {
            return Err(EngineFault::Broken { first: survey.breaks.swap_remove(0) });
        }
        let shared = Arc::new(Shared {
            clock: Arc::new(SystemClock::default()) as Arc<dyn Clock>,
            registry: Registry::new(policies),
            learner: Learner::new(router.capabilities(), folded),
            rules,
            router: ArcSwap::from_pointee(router),
            gate: Gate::new(options.in_flight_max, options.live_orders_max, options.archive_lag_max),
            feed: Feed::default(),
            announced: Tidings::default(),
            counters: Counters::default(),
            store,
            limits: Limits::USUAL,
        });
        shared.counters.durable_lsn.store(recovered.durable.0, std::sync::atomic::Ordering::Release);
        let (log, log_inbox) = unbounded();
        let (keeper, keeper_inbox) = unbounded();
        let channels = Inboxes { log, log_inbox, keeper, keeper_inbox };
        Self::run(options, recovered, survey, shared, adapters, journal, channels)
    }

    fn run(
        options: &EngineOptions,
        recovered: Recovered,
        survey: Survey,
        shared: Arc<Shared>,
        adapters: Vec<Arc<dyn Adapter>>,
        journal: Box<dyn Journal>,
        inboxes: Inboxes,
    ) -> Result<Self, EngineFault> {
        let wiring: LateWiring = Arc::new(OnceLock::new());
        let commit_micros = Arc::new(Mutex::new(new_histogram()));
        let replayed = recovered.replayed;
        let (orders, balances) = shards(options.shards, &shared, recovered, &survey)?;
        let Inboxes { log, log_inbox, keeper, keeper_inbox } = inboxes;
        let writer = LogWriter::new(
            journal,
            Herald::new(Arc::clone(&wiring)),
            Arc::clone(&shared),
            options.shards,
            options.checkpoint_every_bytes,
            Arc::clone(&commit_micros),
        );
        let herald = Herald::new(Arc::clone(&wiring));
        let store_keeper = Keeper::new(Arc::clone(&shared), herald, log.clone(), 2 * options.shards);
        let (system, actors) = start_actors(orders, balances, &adapters, &shared, &wiring, log, keeper)?;
        let threads = vec![
            actors,
            spawn("suanpan-log", move || writer.run(&log_inbox))?,
            spawn("suanpan-keeper", move || {
                lower_priority();
                store_keeper.run(&keeper_inbox);
            })?,
        ];
        let threads = Mutex::new(threads);
        let running = Self { shared, adapters, commit_micros, replayed, wiring, threads, system };
        let wiring = running.wiring();
        for orphan in survey.orphans {
            let shard = orphan.hold.account.shard(wiring.balances.len());
            wiring.balances[shard].do_send(Voids { asks: vec![orphan] });
        }
        wiring.orders.iter().for_each(|address| address.do_send(Recover {}));
        wiring.balances.iter().for_each(|address| address.do_send(RecoverDebts {}));
        Ok(running)
    }

    /// Ends all threads; repeated calls do nothing.
    pub(crate) fn stop(&self) {
        self.shared.gate.close();
        let wiring = self.wiring();
        // A thread that has ended already takes nothing any more.
        let _ = wiring.log.send(LogMessage::Stop);
        let _ = wiring.keeper.send(KeeperMessage::Stop);
        self.system.stop();
        let Ok(mut threads) = self.threads.lock() else { return };
        for thread in threads.drain(..) {
            if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
                tracing::error!("a thread of the engine ended with a panic");
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Inboxes {
    log: Sender<LogMessage>,
    log_inbox: Receiver<LogMessage>,
    keeper: Sender<KeeperMessage>,
    keeper_inbox: Receiver<KeeperMessage>,
}

fn check(options: &EngineOptions) -> Result<(), EngineFault> {
    if !options.shards.is_power_of_two() || options.shards > usize::from(BUCKETS) {
        return Err(EngineFault::Options("engine.shards must be a power of two, at most 256".into()));
    }
    if options.in_flight_max == 0 || options.live_orders_max == 0 || options.archive_lag_max == 0 {
        let what = "engine.in_flight_max, live_orders_max and archive_lag_max must be above zero";
        return Err(EngineFault::Options(what.into()));
    }
    Ok(())
}

/// Opens the store in a thread of low priority, which its own threads inherit: the archive may lag, actors may not.
fn open_store(options: &EngineOptions) -> Result<Store, EngineFault> {
    let dir = options.dir.join("store");
    let settings = StoreOptions { cache_bytes: options.store_cache_bytes, ..StoreOptions::default() };
    let opening = spawn_for("suanpan-store-open", move || {
        lower_priority();
        Store::open(&dir, settings)
    })?;
    match opening.join() {
        Ok(store) => Ok(store?),
        Err(_) => Err(EngineFault::Options("the store cannot be opened; look at the log".into())),
    }
}

fn lower_priority() {
    if let Err(error) = rustix::process::nice(ARCHIVE_NICENESS) {
        tracing::debug!(%error, "the archive keeps its priority");
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, EngineFault> {
    spawn_for(name, work)
}

fn spawn_for<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, EngineFault> {
    Ok(std::thread::Builder::new().name(name.into()).spawn(work)?)
}

fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds are constants that fit")
}

/// Starts a thread with the actor system, an arbiter (a thread) for each shard of orders and its neighbour of
/// balances, which it talks to most, and one for the channels.
fn start_actors(
    orders: Vec<OrderShard>,
    balances: Vec<BalanceShard>,
    adapters: &[Arc<dyn Adapter>],
    shared: &Arc<Shared>,
    wiring: &LateWiring,
    log: Sender<LogMessage>,
    keeper: Sender<KeeperMessage>,
) -> Result<(actix::System, JoinHandle<()>), EngineFault> {
    let (adapters, shared, wiring) = (adapters.to_vec(), Arc::clone(shared), Arc::clone(wiring));
    let (ready, started) = bounded(1);
    let thread = spawn("suanpan-actors", move || {
        let runner = actix::System::new();
        let mut arbiters = Vec::new();
        runner.block_on(async {
            let mut order_addresses = Vec::with_capacity(orders.len());
            let mut balance_addresses = Vec::with_capacity(balances.len());
            for (index, (orders, balances)) in orders.into_iter().zip(balances).enumerate() {
                arbiters.push(actix::Arbiter::new());
                let arbiter = arbiters[index].handle();
                let ports = || Ports::new(index, Arc::clone(&wiring));
                let actor = OrderActor::new(orders, ports(), Arc::clone(&shared));
                order_addresses.push(OrderActor::start_in_arbiter(&arbiter, |_| actor));
                let actor = BalanceActor::new(balances, ports(), Arc::clone(&shared));
                balance_addresses.push(BalanceActor::start_in_arbiter(&arbiter, |_| actor));
            }
            let arbiter = actix::Arbiter::new();
            let handle = arbiter.handle();
            arbiters.push(arbiter);
            let sink: Arc<dyn ReportSink> =
                Arc::new(ReportRouter::new(order_addresses.len(), Arc::clone(&wiring)));
            let mut channels = FxHashMap::default();
            let mut waiting = Vec::with_capacity(adapters.len());
            for adapter in adapters {
                let id = adapter.capability().id;
                let actor = ChannelActor::new(adapter, Arc::clone(&sink), Arc::clone(&shared.clock));
                waiting.push((id, actor));
            }
            // Wired first: a channel may have something to say as soon as its actor starts.
            for (id, actor) in waiting {
                let actor = ChannelActor::start_in_arbiter(&handle, |_| actor);
                channels.insert(id, ChannelAddress::new(actor));
            }
            let wired =
                Wiring { orders: order_addresses, balances: balance_addresses, channels, log, keeper };
            assert!(wiring.set(wired).is_ok(), "an engine is wired once");
            // The starter waits for this, or has given up.
            let _ = ready.send(actix::System::current());
        });
        if let Err(error) = runner.run() {
            tracing::error!(%error, "the actors ended with a fault");
        }
        // Shards hold the store: the directory is free again once they have ended.
        for arbiter in arbiters {
            arbiter.stop();
            if arbiter.join().is_err() {
                tracing::error!("a shard's thread ended with a panic");
            }
        }
    })?;
    let system = started
        .recv()
        .map_err(|_| EngineFault::Options("the actors cannot be started; look at the log".into()))?;
    Ok((system, thread))
}
