//! What several actors read: immutable snapshots swapped as a whole, indexes that are read often and written seldom,
//! and counters. Nothing here is locked on the hot path.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use dashmap::DashMap;
use rustc_hash::{FxBuildHasher, FxHashMap};
use smol_str::SmolStr;
use suanpan_core::ledger::CouponAccounts;
use suanpan_core::order::{AccountFacts, Directory};
use suanpan_core::routing::Router;
use suanpan_model::{
    AccountId, AccountType, Campaign, CampaignId, OrderStatus, PlatformId, PlatformPolicy, Reject, RejectCode,
};

use crate::api::Notice;
use crate::clock::Clock;
use crate::learner::Learner;
use crate::limits::Limits;
use crate::rulebook::RuleBook;
use crate::store::Store;

/// The name under which a platform knows an account.
pub type AccountName = (PlatformId, AccountType, SmolStr);

/// What platforms have agreed.
pub type Policies = FxHashMap<PlatformId, Arc<PlatformPolicy>>;

/// Campaigns, with the accounts of their stocks.
pub type Campaigns = FxHashMap<CampaignId, (Arc<Campaign>, AccountId)>;

/// Accounts, platforms and campaigns, as orders look them up.
#[derive(Default)]
pub struct Registry {
    accounts: DashMap<AccountId, AccountFacts, FxBuildHasher>,
    /// Platforms choose the names, so their hash has a seed of its own in each process.
    names: DashMap<AccountName, AccountId, foldhash::quality::RandomState>,
    policies: ArcSwap<Policies>,
    campaigns: ArcSwap<Campaigns>,
    next_number: AtomicU64,
}

impl Registry {
    /// A registry of these platforms, without accounts and campaigns.
    #[must_use]
    pub fn new(policies: Vec<PlatformPolicy>) -> Self {
        let registry = Self { next_number: AtomicU64::new(1), ..Self::default() };
        registry.set_policies(policies);
        registry
    }

    /// Replaces the settings of all platforms.
    pub fn set_policies(&self, policies: Vec<PlatformPolicy>) {
        let policies = policies.into_iter().map(|policy| (policy.id, Arc::new(policy))).collect();
        self.policies.store(Arc::new(policies));
    }

    /// Settings of a platform.
    #[must_use]
    pub fn policy(&self, platform: PlatformId) -> Option<Arc<PlatformPolicy>> {
        self.policies.load().get(&platform).cloned()
    }

    /// Settings of all platforms, without counting references: for the hot path.
    #[must_use]
    pub fn policies(&self) -> arc_swap::Guard<Arc<Policies>> {
        self.policies.load()
    }

    /// The account that a platform knows under a name.
    #[must_use]
    pub fn account_by_name(&self, name: &AccountName) -> Option<AccountId> {
        self.names.get(name).map(|account| *account)
    }

    /// The account known under `name`, or a number for one that is to be opened. `bucket` is that of the tree's
    /// root; without a tree the number chooses. A number is given out once, whatever the type.
    pub fn number_for(&self, name: &AccountName, bucket: Option<u8>) -> AccountId {
        *self.names.entry(name.clone()).or_insert_with(|| {
            let number = self.next_number.fetch_add(1, Ordering::Relaxed);
            AccountId::opened(name.1, number, bucket.unwrap_or((number & 0xff) as u8))
        })
    }

    /// The first `limit` accounts that a platform opened with numbers after `after`, of one type or of all.
    #[must_use]
    pub fn numbers_of(
        &self,
        platform: PlatformId,
        kind: Option<AccountType>,
        after: u64,
        limit: usize,
    ) -> Vec<(AccountId, SmolStr)> {
        let mut first = BTreeMap::new();
        for entry in &self.names {
            let ((of, is, reference), id) = entry.pair();
            let wanted = *of == platform && kind.is_none_or(|kind| kind == *is) && is.may_be_opened();
            // A name is given out before its account is opened.
            if !wanted || id.number() <= after || !self.accounts.contains_key(id) {
                continue;
            }
            first.insert(id.number(), (*id, reference.clone()));
            if first.len() > limit {
                first.pop_last();
            }
        }
        first.into_values().collect()
    }

    /// Forgets a name whose account was not opened after all.
    pub fn forget_unopened(&self, name: &AccountName) {
        self.names.remove_if(name, |_, account| !self.accounts.contains_key(account));
    }

    /// Forgets a name that only the caller gives out.
    pub fn forget(&self, name: &AccountName) {
        self.names.remove(name);
    }

    /// A customer's accounts in a campaign; those that do not exist yet get numbers beside the campaign's stock.
    pub fn coupon_accounts(
        &self,
        campaign: &Campaign,
        stock: AccountId,
        customer: &SmolStr,
    ) -> CouponAccounts {
        let reference = smol_str::format_smolstr!("{}/{customer}", campaign.id);
        let bucket = Some(stock.bucket());
        let account = |kind| self.number_for(&(campaign.platform, kind, reference.clone()), bucket);
        CouponAccounts {
            stock,
            wallet: account(AccountType::CouponWallet),
            allowance: campaign.per_customer.map(|limit| (account(AccountType::CouponAllowance), limit)),
            platform: campaign.platform,
            reference,
        }
    }

    /// All campaigns as they are now.
    #[must_use]
    pub fn campaigns(&self) -> arc_swap::Guard<Arc<Campaigns>> {
        self.campaigns.load()
    }

    /// The account of a campaign's stock.
    #[must_use]
    pub fn stock_of(&self, campaign: CampaignId) -> Option<AccountId> {
        self.campaigns.load().get(&campaign).map(|(_, stock)| *stock)
    }

    /// Campaigns of a platform, by number.
    #[must_use]
    pub fn campaigns_of(&self, platform: PlatformId) -> Vec<Arc<Campaign>> {
        let campaigns = self.campaigns.load();
        let own = campaigns.values().map(|(campaign, _)| campaign);
        let mut own: Vec<_> = own.filter(|campaign| campaign.platform == platform).cloned().collect();
        own.sort_by_key(|campaign| campaign.id);
        own
    }

    /// Makes a recorded campaign known.
    pub fn insert_campaign(&self, campaign: &Arc<Campaign>, stock: AccountId) {
        self.campaigns.rcu(|known| {
            let mut known = FxHashMap::clone(known);
            known.insert(campaign.id, (Arc::clone(campaign), stock));
            known
        });
    }

    /// Makes an opened account known.
    pub fn insert(&self, id: AccountId, name: AccountName, facts: AccountFacts) {
        self.next_number.fetch_max(id.number() + 1, Ordering::Relaxed);
        self.names.entry(name).or_insert(id);
        self.accounts.insert(id, facts);
    }
}

impl Directory for Registry {
    fn account(&self, id: AccountId) -> Option<AccountFacts> {
        self.accounts.get(&id).map(|facts| *facts)
    }

    fn campaign(&self, id: CampaignId) -> Option<Arc<Campaign>> {
        self.campaigns.load().get(&id).map(|(campaign, _)| Arc::clone(campaign))
    }
}

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
