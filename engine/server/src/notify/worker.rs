//! The shell around the outboxes: a thread, connections, the store.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use rustc_hash::FxHashMap;
use smol_str::SmolStr;
use suanpan_model::{Announced, AnnouncementId, DurationMs, PlatformId, TimestampMs};
use suanpan_runtime::codec::decode_row;
use suanpan_runtime::store::StoreFault;
use suanpan_runtime::{Engine, EngineFault};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::address::Guard;
use super::counts::Counts;
use super::delivery::{Delivery, DeliveryState, Try, cursor_key, delivery_key, id_of};
use super::http;
use super::outbox::{Changes, Outbox, PENDING_MAX};
use super::retention::Retention;
use super::schedule::{Schedule, Verdict};
use crate::wire::EventOut;

/// Requests to send again that may wait for one outbox.
const ASKS_MAX: usize = 64;

/// Announcements that are taken up at once.
const TAKEN_MAX: usize = 256;

/// Wait after the store refused something.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// Longest sleep: what is due later is looked at again.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// Which mall is told where.
#[derive(Clone, Debug)]
pub struct Target {
    /// The mall.
    pub platform: PlatformId,
    /// Its address; without one it is told of those orders that name a callback.
    pub url: Option<Url>,
}

/// How malls are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifierOptions {
    /// Waits between tries.
    pub schedule: Schedule,
    /// What addresses may be called.
    pub guard: Guard,
    /// How long an answer is awaited.
    pub timeout: Duration,
    /// Notifications to one mall under way at once.
    pub in_flight_max: usize,
    /// How long events and what became of their deliveries are kept; for good when absent.
    pub events_kept: Option<DurationMs>,
    /// How often what is no longer kept is removed.
    pub expires_every: Duration,
}

/// Signs what malls are told.
pub trait Signer: Send + Sync {
    /// Headers that prove who sends this body under this id at this time, in Unix seconds; none when nothing is signed.
    ///
    /// # Errors
    /// Why it cannot be signed; it is tried again then.
    fn headers(
        &self,
        platform: PlatformId,
        id: &str,
        at_s: u64,
        body: &[u8],
    ) -> Result<Vec<(&'static str, String)>, String>;
}

/// Why malls cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum NotifyFault {
    /// The client of HTTP.
    #[error("notifications: {0}")]
    Client(#[from] reqwest::Error),
    /// The operating system.
    #[error("notifications: {0}")]
    System(#[from] std::io::Error),
    /// What was kept cannot be read.
    #[error("notifications: {0}")]
    Engine(#[from] EngineFault),
    /// The same.
    #[error("notifications: {0}")]
    Store(#[from] StoreFault),
}

/// Why something is not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResendFault {
    /// The mall has no address.
    NoTarget,
    /// It happened longer ago than events are kept.
    Expired,
    /// Too much is pending.
    Busy,
    /// The engine is ending.
    Ended,
}

struct Ask {
    id: AnnouncementId,
    reply: oneshot::Sender<Result<(), ResendFault>>,
}

/// The running outboxes. They end when it is dropped; what was not delivered is told after the next start.
pub struct Notifier {
    engine: Engine,
    asks: FxHashMap<PlatformId, mpsc::Sender<Ask>>,
    counts: FxHashMap<PlatformId, Arc<Counts>>,
    /// Dropped with the rest, it ends the retention.
    _runs: oneshot::Sender<()>,
}

impl Notifier {
    /// Starts an outbox for each target in a thread of its own. A mall that is told for the first time hears of what
    /// happens from now on. Of `untold` platforms, whose malls are told nothing any more, what is there expires alone.
    ///
    /// # Errors
    /// Connections, threads, rows that cannot be read.
    pub fn start(
        engine: &Engine,
        targets: Vec<Target>,
        untold: &[PlatformId],
        options: &NotifierOptions,
        signer: &Arc<dyn Signer>,
    ) -> Result<Self, NotifyFault> {
        let (mut asks, mut counts, mut workers) = (FxHashMap::default(), FxHashMap::default(), Vec::new());
        for Target { platform, url } in targets {
            let (sender, inbox) = mpsc::channel(ASKS_MAX);
            let tally = Arc::new(Counts::default());
            workers.push(Worker {
                engine: engine.clone(),
                platform,
                url,
                client: http::client(options.guard, options.timeout)?,
                guard: options.guard,
                in_flight_max: options.in_flight_max,
                outbox: load(engine, platform, &options.schedule)?,
                signer: Arc::clone(signer),
                counts: Arc::clone(&tally),
                inbox,
                flights: JoinSet::new(),
            });
            asks.insert(platform, sender);
            counts.insert(platform, tally);
        }
        let (runs, ended) = oneshot::channel();
        let told = counts.iter().map(|(platform, tally)| (*platform, Some(Arc::clone(tally))));
        let platforms: Vec<_> = told.chain(untold.iter().map(|platform| (*platform, None))).collect();
        let retention = options.events_kept.filter(|_| !platforms.is_empty()).map(|kept| Retention {
            engine: engine.clone(),
            kept,
            every: options.expires_every,
            platforms,
            ended,
        });
        if !workers.is_empty() || retention.is_some() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            std::thread::Builder::new().name("notify".to_owned()).spawn(move || {
                runtime.block_on(async {
                    let mut running = JoinSet::new();
                    workers.into_iter().for_each(|worker| drop(running.spawn(worker.run())));
                    retention.into_iter().for_each(|retention| drop(running.spawn(retention.run())));
                    while running.join_next().await.is_some() {}
                });
            })?;
        }
        Ok(Self { engine: engine.clone(), asks, counts, _runs: runs })
    }

    /// Sends an announcement again, now.
    ///
    /// # Errors
    /// A mall without an address; too much that is pending.
    pub async fn resend(&self, platform: PlatformId, id: AnnouncementId) -> Result<(), ResendFault> {
        let asks = self.asks.get(&platform).ok_or(ResendFault::NoTarget)?;
        let (reply, answer) = oneshot::channel();
        asks.try_send(Ask { id, reply }).map_err(|fault| match fault {
            mpsc::error::TrySendError::Full(_) => ResendFault::Busy,
            mpsc::error::TrySendError::Closed(_) => ResendFault::Ended,
        })?;
        answer.await.unwrap_or(Err(ResendFault::Ended))
    }

    /// How far an announcement is on its way; nothing when it was not taken up.
    ///
    /// # Errors
    /// What the disk says.
    pub fn delivery(
        &self,
        platform: PlatformId,
        id: AnnouncementId,
    ) -> Result<Option<(DeliveryState, Delivery)>, EngineFault> {
        find(&self.engine, platform, id)
    }

    /// Deliveries in a state, after `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// What the disk says.
    pub fn deliveries(
        &self,
        platform: PlatformId,
        state: DeliveryState,
        after: AnnouncementId,
        limit: usize,
    ) -> Result<Vec<(AnnouncementId, Delivery)>, EngineFault> {
        rows(&self.engine, platform, state, after, limit)
    }

    /// How old the oldest event is of which the mall was not told, in milliseconds; 0 where there is none.
    ///
    /// # Errors
    /// What the disk says.
    pub fn lag_ms(&self, platform: PlatformId, now: TimestampMs) -> Result<u64, EngineFault> {
        let Some(counts) = self.counts.get(&platform) else { return Ok(0) };
        let (oldest, taken_up_to) = counts.oldest();
        let announced = match oldest {
            Some(id) => self.engine.announcement(platform, id)?,
            None => self.engine.announcements(platform, taken_up_to, 1)?.pop(),
        };
        Ok(announced.map_or(0, |one| now.since(one.announcement.at).0))
    }

    /// What became of the notifications of each platform since the start.
    pub fn counts(&self) -> impl Iterator<Item = (PlatformId, &Counts)> {
        self.counts.iter().map(|(platform, counts)| (*platform, &**counts))
    }
}

/// The outbox of a platform as its rows have it.
fn load(engine: &Engine, platform: PlatformId, schedule: &Schedule) -> Result<Outbox, EngineFault> {
    let cursor = match engine.store().delivery(&cursor_key(platform))? {
        Some(row) => read(&row)?,
        None => {
            // Written at once, so that what happens before the first notification is not skipped after a crash.
            let newest = engine.newest_announcement(platform)?;
            let row = suanpan_runtime::codec::encode_row(&newest);
            engine.store().write_deliveries(vec![(cursor_key(platform), Some(row))])?;
            newest
        }
    };
    let pending = rows(engine, platform, DeliveryState::Pending, AnnouncementId::FIRST, PENDING_MAX)?;
    Ok(Outbox::new(platform, schedule.clone(), cursor, pending.into_iter().collect::<BTreeMap<_, _>>()))
}

fn rows(
    engine: &Engine,
    platform: PlatformId,
    state: DeliveryState,
    after: AnnouncementId,
    limit: usize,
) -> Result<Vec<(AnnouncementId, Delivery)>, EngineFault> {
    let last = AnnouncementId { lsn: suanpan_model::Lsn(u64::MAX), place: u8::MAX };
    let key = |id| delivery_key(platform, state, id);
    let found = engine.store().deliveries(Bound::Excluded(key(after)), Bound::Included(key(last)), limit)?;
    found
        .iter()
        .filter_map(|(key, row)| {
            let id = id_of(key)?;
            Some(read(row).map(|delivery| (id, delivery)))
        })
        .collect()
}

fn find(
    engine: &Engine,
    platform: PlatformId,
    id: AnnouncementId,
) -> Result<Option<(DeliveryState, Delivery)>, EngineFault> {
    for state in DeliveryState::ALL {
        if let Some(row) = engine.store().delivery(&delivery_key(platform, state, id))? {
            return Ok(Some((state, read(&row)?)));
        }
    }
    Ok(None)
}

fn read<T: serde::de::DeserializeOwned>(row: &[u8]) -> Result<T, EngineFault> {
    decode_row(row).map_err(|fault| EngineFault::Replay { lsn: 0, what: format!("a delivery: {fault}") })
}

/// What came of a try.
struct Landed {
    id: AnnouncementId,
    /// When it happened what was told.
    happened_at: TimestampMs,
    one: Try,
    verdict: Verdict,
}

/// One mall's outbox at work.
struct Worker {
    engine: Engine,
    platform: PlatformId,
    url: Option<Url>,
    client: reqwest::Client,
    guard: Guard,
    in_flight_max: usize,
    outbox: Outbox,
    signer: Arc<dyn Signer>,
    counts: Arc<Counts>,
    inbox: mpsc::Receiver<Ask>,
    flights: JoinSet<Landed>,
}

impl Worker {
    async fn run(mut self) {
        let engine = self.engine.clone();
        loop {
            // Asked for before looking, so that nothing is missed in between.
            let heard = engine.announced();
            let mut patience = SLEEP_MAX;
            if let Err(fault) = self.fill() {
                tracing::error!(platform = self.platform.0, %fault, "notifications wait for the store");
                patience = STORE_RETRY;
            }
            self.counts.stands(self.outbox.pending(), self.outbox.oldest(), self.outbox.cursor());
            let now = engine.now();
            if self.flights.len() < self.in_flight_max
                && let Some(due) = self.outbox.next_due()
            {
                patience = patience.min(Duration::from_millis(due.since(now).0));
            }
            tokio::select! {
                landed = self.flights.join_next(), if !self.flights.is_empty() => match landed {
                    Some(Ok(landed)) => self.land(landed),
                    // A panic in there is a bug; the announcement stays pending and is told after the next start.
                    Some(Err(fault)) => tracing::error!(%fault, "a notification was lost on its way"),
                    None => {}
                },
                ask = self.inbox.recv() => match ask {
                    Some(ask) => self.answer(ask),
                    None => return,
                },
                () = heard => {}
                () = tokio::time::sleep(patience) => {}
            }
        }
    }

    /// Takes up what is new and sends what is due, as far as there is room.
    fn fill(&mut self) -> Result<(), EngineFault> {
        let now = self.engine.now();
        // What is already due goes first; new ones are taken up as room comes.
        let wanted = self.outbox.room().min(TAKEN_MAX);
        if wanted > 0 && self.outbox.next_due().is_none_or(|due| due > now) {
            let announced = self.engine.announcements(self.platform, self.outbox.cursor(), wanted)?;
            if let Some(last) = announced.last() {
                let is_told = |one: &&Announced| self.url.is_some() || !one.announcement.callback.is_empty();
                let ids: Vec<AnnouncementId> = announced.iter().filter(is_told).map(|one| one.id).collect();
                let changes = self.outbox.take(&ids, last.id, now);
                self.write(changes);
            }
        }
        while self.flights.len() < self.in_flight_max
            && let Some(id) = self.outbox.start(now)
        {
            match self.engine.announcement(self.platform, id)? {
                Some(announced) => self.send(&announced, now),
                None => tracing::error!(platform = self.platform.0, %id, "an announcement is gone"),
            }
        }
        Ok(())
    }

    fn send(&mut self, announced: &Announced, now: TimestampMs) {
        let (id, happened_at) = (announced.id, announced.announcement.at);
        let fail = |why: &str, verdict| {
            let one = Try { at: now, took_ms: 0, status: 0, fault: SmolStr::new(why) };
            Landed { id, happened_at, one, verdict }
        };
        let url = match (announced.announcement.callback.as_str(), &self.url) {
            ("", Some(url)) => url.clone(),
            ("", None) => return self.fail(fail("there is no address", Verdict::Refused)),
            (callback, _) => match self.guard.read(callback) {
                Ok(url) => url,
                Err(fault) => return self.fail(fail(&format!("expected {fault}"), Verdict::Refused)),
            },
        };
        let body = serde_json::to_vec(&EventOut::new(announced)).unwrap_or_default();
        let headers = match self.signer.headers(self.platform, &id.to_string(), now.0 / 1_000, &body) {
            Ok(headers) => header_map(&headers),
            Err(fault) => return self.fail(fail(&fault, Verdict::Again(None))),
        };
        let client = self.client.clone();
        self.flights.spawn(async move {
            let (one, verdict) = http::tell(&client, url, headers, body, now).await;
            Landed { id, happened_at, one, verdict }
        });
    }

    /// Notes a try that does not leave the engine.
    fn fail(&mut self, failed: Landed) {
        self.flights.spawn(async move { failed });
    }

    fn land(&mut self, landed: Landed) {
        let Landed { id, happened_at, one, verdict } = landed;
        let (status, fault) = (one.status, one.fault.clone());
        self.counts.tried(&one);
        let (state, changes) = self.outbox.finish(id, one, verdict, self.engine.now());
        self.write(changes);
        let platform = self.platform.0;
        let counter = match state {
            DeliveryState::Delivered => {
                let took_ms = self.engine.now().since(happened_at).0;
                self.counts.deliveries.add(Duration::from_millis(took_ms));
                &self.counts.delivered
            }
            DeliveryState::Pending => {
                return tracing::info!(platform, %id, status, %fault, "a mall was not told; trying again");
            }
            DeliveryState::Dead => {
                tracing::warn!(platform, %id, status, %fault, "a mall could not be told; given up");
                &self.counts.dead
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn answer(&mut self, ask: Ask) {
        // Whoever asked may be gone.
        let _ = ask.reply.send(self.resend(ask.id));
    }

    fn resend(&mut self, id: AnnouncementId) -> Result<(), ResendFault> {
        let announced = self.engine.announcement(self.platform, id).map_err(|_| ResendFault::Busy)?;
        // What the keeper may be removing just now is not taken up again.
        let is_old = announced.as_ref().is_some_and(|one| one.announcement.at < self.counts.expired_before());
        if is_old && !self.outbox.needs(id) {
            return Err(ResendFault::Expired);
        }
        let has_callback = announced.is_some_and(|one| !one.announcement.callback.is_empty());
        if self.url.is_none() && !has_callback {
            return Err(ResendFault::NoTarget);
        }
        let earlier = find(&self.engine, self.platform, id).map_err(|_| ResendFault::Busy)?;
        let earlier = earlier.map(|(_, delivery)| delivery);
        let changes = self.outbox.resend(id, earlier, self.engine.now()).ok_or(ResendFault::Busy)?;
        self.write(changes);
        Ok(())
    }

    /// Writes rows down. If the store refuses, they are lost with the process at most: then it is told once more.
    fn write(&self, changes: Changes) {
        if changes.is_empty() {
            return;
        }
        if let Err(fault) = self.engine.store().write_deliveries(changes) {
            tracing::error!(platform = self.platform.0, %fault, "what malls were told cannot be written down");
        }
    }
}

fn header_map(headers: &[(&'static str, String)]) -> HeaderMap {
    let header = |(name, value): &(&'static str, String)| {
        Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?))
    };
    headers.iter().filter_map(header).collect()
}
