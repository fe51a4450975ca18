//! A whole engine in a directory, driven in batches: each order from its creation to its release.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam::channel::Receiver;
use suanpan_channels::{Adapter, BUILTIN_CHANNELS, Behaviour, Simulator, load_descriptors};
use suanpan_core::routing::{Router, RoutingRules, Strategy};
use suanpan_model::command::OrderRef;
use suanpan_model::event::EventKind;
use suanpan_model::{
    AccountId, AccountType, Amount, Currency, DurationMs, OrderId, PlatformPolicy, Share, SplitRule, SubOrder,
};
use suanpan_runtime::api::{Notice, OpenAccount};
use suanpan_runtime::{Command, Engine, EngineOptions, Reply, World};

use crate::core_world::{PLATFORM, release, terms};

/// A running engine with two accounts.
pub struct EngineWorld {
    engine: Engine,
    tokio: tokio::runtime::Runtime,
    notices: Receiver<Arc<Vec<Notice>>>,
    merchant: AccountId,
    agent: AccountId,
    next: AtomicU64,
}

impl EngineWorld {
    /// Starts one on the instant built-in channels.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(dir: &Path) -> Self {
        let descriptors = load_descriptors(BUILTIN_CHANNELS).expect("the built-in channels");
        let adapters: Vec<Arc<dyn Adapter>> = descriptors
            .into_iter()
            .map(|mut descriptor| {
                descriptor.behaviour = Behaviour { keep_lines: false, ..Behaviour::instant() };
                (descriptor.capability.hours, descriptor.capability.daily_quota) = (None, None);
                Arc::new(Simulator::new(descriptor, 1)) as Arc<dyn Adapter>
            })
            .collect();
        let rules = RoutingRules { version: 1, order: vec![Strategy::Cost], ..RoutingRules::default() };
        let capabilities = adapters.iter().map(|adapter| adapter.capability().clone()).collect();
        let router = Router::new(capabilities, rules, Vec::new()).expect("rules by cost");
        let policies = vec![PlatformPolicy::defaults(PLATFORM)];
        let world = World { router, policies, adapters };
        let engine = Engine::start(EngineOptions::new(dir), world).expect("an engine");
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let notices = engine.subscribe(1 << 16);
        let open = |kind| OpenAccount {
            platform: PLATFORM,
            reference: "it".into(),
            kind,
            currency: Currency::Cny,
            parent: None,
            credit_limit: Amount::ZERO,
        };
        let mut opened = tokio
            .block_on(
                engine.open_accounts(vec![open(AccountType::Settlement), open(AccountType::Commission)]),
            )
            .into_iter()
            .map(|account| account.expect("an account"));
        let (merchant, agent) = (opened.next().expect("two"), opened.next().expect("two"));
        Self { engine, tokio, notices, merchant, agent, next: AtomicU64::new(0) }
    }

    /// `count` orders at once, from creation to release, each step acknowledged when it is on disk.
    ///
    /// # Panics
    /// When one is refused or none is heard of for ten seconds.
    pub fn orders(&self, count: u64) {
        let first = self.next.fetch_add(count, Ordering::Relaxed);
        let commission = AccountId::internal(AccountType::CommissionIncome, PLATFORM.0, Currency::Cny, 0);
        let create = |number| {
            let mut terms = terms(number);
            terms.coupons.clear();
            terms.expires_at = self.engine.now() + DurationMs::from_days(1);
            terms.sub_orders = [SubOrder { merchant: self.merchant, amount: terms.amount }].into();
            terms.splits =
                [SplitRule::new(commission, Share::Bps(500)), SplitRule::new(self.agent, Share::Bps(200))]
                    .into();
            Command::Create(Arc::new(terms))
        };
        self.call((first..first + count).map(create).collect());
        let mut frozen: Vec<OrderId> = Vec::new();
        while (frozen.len() as u64) < count {
            let batch = self.notices.recv_timeout(Duration::from_secs(10)).expect("news of the orders");
            frozen.extend(batch.iter().filter(|one| one.kind == EventKind::Frozen).map(|one| one.order));
        }
        let give = |order: &OrderId| Command::Order {
            platform: Some(PLATFORM),
            order: OrderRef::Id(*order),
            command: release(),
        };
        self.call(frozen.iter().map(give).collect());
    }

    fn call(&self, commands: Vec<Command>) {
        for answer in self.tokio.block_on(self.engine.call_many(commands)) {
            assert!(matches!(answer, Ok(Reply::Order(_))), "{answer:?}");
        }
    }

    /// Ends the engine.
    ///
    /// # Panics
    /// When its books do not balance.
    pub fn stop(&self) {
        assert!(self.tokio.block_on(self.engine.trial_balance()).is_balanced());
        self.tokio.block_on(self.engine.shutdown()).expect("a clean end");
    }
}
