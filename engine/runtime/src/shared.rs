//! What several actors read: immutable snapshots swapped as a whole, the gate, and counters. Nothing here is locked on the
//! hot path.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use suanpan_core::routing::Router;
use suanpan_model::{OrderStatus, Reject, RejectCode};

use crate::api::Notice;
use crate::clock::Clock;
use crate::learner::Learner;
use crate::limits::Limits;
use crate::registry::Registry;
use crate::rulebook::RuleBook;
use crate::store::Store;

/// Counts what is under way, before any mailbox, and refuses what is too much.
#[derive(Debug)]
pub struct Gate {
    in_flight: AtomicUsize,
    in_flight_max: usize,
    live_orders: AtomicUsize,
    live_orders_max: usize,
    archive_lag: AtomicUsize,
    archive_lag_max: usize,
    /// No requests are taken any more.
    stopping: AtomicBool,
    /// Threads that wait for the disk must give up.
    closed: AtomicBool,
    trouble: ArcSwapOption<String>,
    poison: ArcSwapOption<String>,
}

impl Gate {
    /// A gate with these bounds.
    #[must_use]
    pub fn new(in_flight_max: usize, live_orders_max: usize, archive_lag_max: usize) -> Self {
        Self {
            in_flight: AtomicUsize::new(0),
            in_flight_max,
            live_orders: AtomicUsize::new(0),
            live_orders_max,
            archive_lag: AtomicUsize::new(0),
            archive_lag_max,
            stopping: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            trouble: ArcSwapOption::empty(),
            poison: ArcSwapOption::empty(),
        }
    }

    /// Lets in as many of `wanted` requests as there is room for.
    ///
    /// # Errors
    /// `unavailable` when nothing can be made durable or the engine is stopping.
    pub fn admit(&self, wanted: usize) -> Result<usize, Reject> {
        if let Some(trouble) = self.trouble() {
            let expected = format!("an engine that can make things durable; try again later ({trouble})");
            return Err(Reject::new(RejectCode::Unavailable, "", expected));
        }
        if self.is_stopping() {
            return Err(Reject::new(
                RejectCode::Unavailable,
                "",
                "an engine that is not stopping; try again later",
            ));
        }
        let before = self.in_flight.fetch_add(wanted, Ordering::AcqRel);
        let admitted = self.in_flight_max.saturating_sub(before).min(wanted);
        self.in_flight.fetch_sub(wanted - admitted, Ordering::AcqRel);
        Ok(admitted)
    }

    /// How many creations there is room for: a quarter of the places is kept for commands to orders that exist, so
    /// that an overloaded engine finishes what it has begun.
    #[must_use]
    pub fn room_for_creations(&self) -> usize {
        (self.in_flight_max - self.in_flight_max / 4).saturating_sub(self.in_flight())
    }

    /// Counts requests that come in past [`Gate::admit`].
    pub fn took_in(&self, requests: usize) {
        self.in_flight.fetch_add(requests, Ordering::AcqRel);
    }

    /// Counts answers that were given.
    pub fn answered(&self, answers: usize) {
        self.in_flight.fetch_sub(answers, Ordering::AcqRel);
    }

    /// Whether there is room for another order beside `more` that are not counted yet.
    #[must_use]
    pub fn has_room_for_orders(&self, more: usize) -> bool {
        self.live_orders.load(Ordering::Relaxed) + more < self.live_orders_max
            && self.archive_lag.load(Ordering::Relaxed) < self.archive_lag_max
    }

    /// Requests under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Orders in memory, finished ones that wait for the archive included.
    #[must_use]
    pub fn live_orders(&self) -> usize {
        self.live_orders.load(Ordering::Relaxed)
    }

    /// Finished orders that wait for the archive.
    #[must_use]
    pub fn archive_lag(&self) -> usize {
        self.archive_lag.load(Ordering::Relaxed)
    }

    /// Whether as many finished orders wait for the archive as `orders`, or so many that new ones will soon have to wait.
    #[must_use]
    pub fn is_archive_behind(&self, orders: usize) -> bool {
        self.archive_lag() >= orders.min(self.archive_lag_max / 2).min(self.live_orders_max / 2)
    }

    /// Counts orders that came into memory.
    pub fn orders_came(&self, orders: usize) {
        self.live_orders.fetch_add(orders, Ordering::Relaxed);
    }

    /// Counts finished orders that are being handed to the archive.
    pub fn orders_finished(&self, orders: usize) {
        if orders > 0 {
            self.archive_lag.fetch_add(orders, Ordering::Relaxed);
        }
    }

    /// Takes back the count of orders that were not handed over after all, because there is news of them.
    pub fn orders_went_on(&self, orders: usize) {
        if orders > 0 {
            self.archive_lag.fetch_sub(orders, Ordering::Relaxed);
        }
    }

    /// Counts orders that the archive took over.
    pub fn orders_archived(&self, orders: usize) {
        self.archive_lag.fetch_sub(orders, Ordering::Relaxed);
        self.live_orders.fetch_sub(orders, Ordering::Relaxed);
    }

    /// Takes no more requests.
    pub fn stop_admitting(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether no more requests are taken.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Takes no more requests, and tells threads that wait for the disk to give up.
    pub fn close(&self) {
        self.stop_admitting();
        self.closed.store(true, Ordering::Release);
    }

    /// Whether threads that wait for the disk must give up.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Says, or takes back, that nothing can be made durable.
    pub fn set_trouble(&self, trouble: Option<String>) {
        self.trouble.store(trouble.map(Arc::new));
    }

    /// Says for good that the engine must be restarted.
    pub fn poison(&self, why: String) {
        self.close();
        self.poison.store(Some(Arc::new(why)));
    }

    /// Whether it was said that nothing can be made durable just now.
    #[must_use]
    pub fn has_trouble(&self) -> bool {
        self.trouble.load().is_some()
    }

    /// Whether the engine must be restarted.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poison.load().is_some()
    }

    /// Why nothing can be made durable, if so.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let trouble = self.poison.load_full().or_else(|| self.trouble.load_full());
        trouble.map(|trouble| trouble.to_string())
    }
}

/// The busy answer: how long the queue is, what to do.
#[must_use]
pub fn busy() -> Reject {
    Reject::new(RejectCode::Busy, "", "fewer requests at once; nothing was done, send it again in a second")
}

/// Subscribers to what happens to orders.
#[derive(Default)]
pub struct Feed {
    subscribers: ArcSwap<Vec<Sender<Arc<Vec<Notice>>>>>,
}

impl Feed {
    /// A new subscriber that may fall `capacity` batches behind.
    pub fn subscribe(&self, capacity: usize) -> Receiver<Arc<Vec<Notice>>> {
        let (sender, receiver) = bounded(capacity.max(1));
        self.subscribers.rcu(|subscribers| {
            let mut subscribers = Vec::clone(subscribers);
            subscribers.push(sender.clone());
            subscribers
        });
        receiver
    }

    /// Whether anybody listens.
    #[must_use]
    pub fn has_subscribers(&self) -> bool {
        !self.subscribers.load().is_empty()
    }

    /// Tells everybody; who has fallen too far behind is cut off.
    pub fn publish(&self, notices: Vec<Notice>) {
        if notices.is_empty() {
            return;
        }
        let notices = Arc::new(notices);
        let subscribers = self.subscribers.load();
        let lost = |sender: &Sender<_>| match sender.try_send(Arc::clone(&notices)) {
            Ok(()) => false,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => true,
        };
        let gone: Vec<_> = subscribers.iter().filter(|sender| lost(sender)).cloned().collect();
        if !gone.is_empty() {
            self.subscribers.rcu(|subscribers| {
                let stays = |sender: &&Sender<_>| !gone.iter().any(|other| other.same_channel(sender));
                subscribers.iter().filter(stays).cloned().collect::<Vec<_>>()
            });
        }
    }
}

/// Counters since the start of the process.
#[derive(Debug, Default)]
pub struct Counters {
    /// Orders recorded.
    pub created: AtomicU64,
    /// Orders that ended.
    pub finished: AtomicU64,
    /// The same by the status with which they ended, in the order of [`OrderStatus::ALL`].
    pub ended: [AtomicU64; OrderStatus::ALL.len()],
    /// Log records written.
    pub records: AtomicU64,
    /// Group commits.
    pub groups: AtomicU64,
    /// Bytes written to the log.
    pub log_bytes: AtomicU64,
    /// Last durable log position.
    pub durable_lsn: AtomicU64,
    /// Reports that belong to no order or attempt.
    pub unmatched_reports: AtomicU64,
    /// Contradictions of channels.
    pub contradictions: AtomicU64,
    /// Checkpoints that are complete.
    pub checkpoints: AtomicU64,
}

/// Adds to a counter.
pub fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

/// Wakes whoever waits for something that malls are told.
#[derive(Debug, Default)]
pub struct Tidings(tokio::sync::Notify);

impl Tidings {
    /// There is something new.
    pub fn tell(&self) {
        self.0.notify_waiters();
    }

    /// Waits for something new from now on.
    pub fn heard(&self) -> tokio::sync::futures::Notified<'_> {
        self.0.notified()
    }
}

/// Everything that actors share.
pub struct Shared {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Accounts, platforms, campaigns.
    pub registry: Registry,
    /// Channels and rules.
    pub router: ArcSwap<Router>,
    /// What was learned about channels, and the room that they have.
    pub learner: Learner,
    /// Rules that were put.
    pub rules: RuleBook,
    /// Admission.
    pub gate: Gate,
    /// Subscribers.
    pub feed: Feed,
    /// Told whenever the store has something new that malls are to be told.
    pub announced: Tidings,
    /// Counters.
    pub counters: Counters,
    /// Archive and checkpoint.
    pub store: Store,
    /// How much is done in one go.
    pub limits: Limits,
}
