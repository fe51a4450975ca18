//! An engine on a directory, banks whose channels behave each in its own way, and the accounts of one platform.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use suanpan_channels::{Adapter, BUILTIN_CHANNELS, Behaviour, Rate, Simulator, load_descriptors};
use suanpan_core::routing::{Router, RoutingRules, Strategy};
use suanpan_model::command::OrderRef;
use suanpan_model::policy::Agreement;
use suanpan_model::*;
use suanpan_runtime::api::{Balance, OpenAccount, OrderSummary, TopUp};
use suanpan_runtime::{Command, Engine, EngineOptions, Reply, World};

use super::exact::{Cents, amount};

pub const PLATFORM: PlatformId = PlatformId(9001);

/// What the channel of a bank does. Each bank has one channel, so that an order's bank decides its fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// All goes well, at 0.6 %.
    Good,
    /// All goes well, at 0.35 and 1 %: more than small orders are worth.
    Dear,
    /// Nobody ever pays.
    Unpaid,
    /// Refunds are refused.
    Refusing,
    /// Refunds are answered with "unknown", and found made when asked.
    Vague,
    /// Refunds get stuck, also when they are sent again.
    Stuck,
    /// Refunds come back.
    Bouncing,
}

pub const MANNERS: [Manner; 7] = [
    Manner::Good,
    Manner::Dear,
    Manner::Unpaid,
    Manner::Refusing,
    Manner::Vague,
    Manner::Stuck,
    Manner::Bouncing,
];

impl Manner {
    pub fn bank(self) -> Option<Bank> {
        Bank::from_code(&format!("BANK{}", self as u8))
    }

    pub const fn channel(self) -> ChannelId {
        ChannelId(self as u16 + 1)
    }

    /// Half a cent and more goes up.
    pub const fn fee(self, paid: Cents) -> Cents {
        match self {
            Self::Dear => 35 + (paid + 50) / 100,
            Self::Good | Self::Unpaid | Self::Refusing | Self::Vague | Self::Stuck | Self::Bouncing => {
                (paid * 6 + 500) / 1_000
            }
        }
    }

    fn behaviour(self) -> Behaviour {
        let mut behaviour = Behaviour::instant();
        match self {
            Self::Good | Self::Dear => {}
            Self::Unpaid => behaviour.never_pays = Rate::ALWAYS,
            Self::Refusing => behaviour.refund_failure = Rate::ALWAYS,
            Self::Vague => behaviour.refund_unknown = Rate::ALWAYS,
            Self::Stuck => behaviour.refund_abnormal = Rate::ALWAYS,
            Self::Bouncing => behaviour.refund_bounced = Rate::ALWAYS,
        }
        behaviour
    }
}

fn channel(manner: Manner, seed: u64) -> Arc<dyn Adapter> {
    let mut descriptor = load_descriptors(BUILTIN_CHANNELS).unwrap().remove(0);
    descriptor.behaviour = manner.behaviour();
    let capability = &mut descriptor.capability;
    capability.id = manner.channel();
    capability.name = format!("channel{}", manner as u8).into();
    capability.kinds = vec![PayKind::Gateway];
    capability.banks = Banks::Only(vec![manner.bank().unwrap()]);
    let (rate_ppm, fixed) = if manner == Manner::Dear { (10_000, 35) } else { (6_000, 0) };
    let band = TariffBand { up_to: None, rate_ppm, fixed: amount(fixed), floor: Amount::ZERO, cap: None };
    capability.tariff = Tariff { debit: vec![band], credit: vec![] };
    capability.call_timeout = DurationMs(2_000);
    capability.query_ladder = vec![DurationMs(1)];
    capability.hours = None;
    capability.daily_quota = None;
    Arc::new(Simulator::new(descriptor, seed))
}

/// Everything outside the engine's directory.
pub struct Outside {
    pub policy: PlatformPolicy,
    adapters: Vec<Arc<dyn Adapter>>,
    dir: PathBuf,
}

impl Outside {
    pub fn new(dir: &Path, seed: u64, agreement: Agreement, split_cap_bps: u32) -> Self {
        let policy = PlatformPolicy { split_cap_bps, agreement, ..PlatformPolicy::defaults(PLATFORM) };
        let adapters = MANNERS.into_iter().map(|manner| channel(manner, seed)).collect();
        Self { policy, adapters, dir: dir.to_owned() }
    }

    pub fn start(&self) -> Mall {
        let capabilities = self.adapters.iter().map(|adapter| adapter.capability().clone()).collect();
        let rules = RoutingRules { version: 1, order: vec![Strategy::Cost], ..RoutingRules::default() };
        let world = World {
            router: Router::new(capabilities, rules, vec![]).unwrap(),
            policies: vec![self.policy.clone()],
            adapters: self.adapters.clone(),
        };
        Mall { engine: Engine::start(EngineOptions::new(&self.dir), world).unwrap() }
    }
}

/// Short ways to ask a running engine.
pub struct Mall {
    pub engine: Engine,
}

impl Mall {
    pub async fn open(&self, kind: AccountType, reference: &str) -> AccountId {
        let account = OpenAccount {
            platform: PLATFORM,
            reference: reference.into(),
            kind,
            currency: Currency::Cny,
            parent: None,
            credit_limit: Amount::ZERO,
        };
        self.engine.open_accounts(vec![account]).await.remove(0).unwrap()
    }

    pub async fn top_up(&self, account: AccountId, cents: Cents, reference: &str) {
        let top_up = TopUp {
            platform: PLATFORM,
            account,
            amount: amount(cents),
            currency: Currency::Cny,
            reference: reference.into(),
        };
        self.engine.top_up(top_up).await.unwrap();
    }

    pub async fn balance(&self, account: AccountId) -> Balance {
        self.engine.balance(account).await.unwrap()
    }

    pub async fn create(&self, terms: &OrderTerms) -> Result<OrderSummary, Reject> {
        told(self.engine.call(Command::Create(Arc::new(terms.clone()))).await)
    }

    pub async fn order(&self, id: OrderId, command: OrderCommand) -> Result<OrderSummary, Reject> {
        self.orders(id, vec![command]).await.remove(0)
    }

    /// All at once.
    pub async fn orders(
        &self,
        id: OrderId,
        commands: Vec<OrderCommand>,
    ) -> Vec<Result<OrderSummary, Reject>> {
        let order = OrderRef::Id(id);
        let ask = |command| Command::Order { platform: Some(PLATFORM), order, command };
        let replies = self.engine.call_many(commands.into_iter().map(ask).collect()).await;
        replies.into_iter().map(told).collect()
    }

    pub async fn operator(&self, id: OrderId, command: OrderCommand) -> Result<OrderSummary, Reject> {
        let order = OrderRef::Id(id);
        told(self.engine.call(Command::Order { platform: None, order, command }).await)
    }

    pub async fn life(&self, id: OrderId) -> Arc<Order> {
        let query = Command::Query { platform: Some(PLATFORM), order: OrderRef::Id(id) };
        match self.engine.call(query).await.unwrap() {
            Reply::Life(order) => order,
            Reply::Order(told) => panic!("a query tells a life, not {told:?}"),
        }
    }

    /// The order, as soon as `wanted` holds.
    pub async fn until(&self, id: OrderId, wanted: impl Fn(&Order) -> bool) -> Arc<Order> {
        let began = Instant::now();
        loop {
            let order = self.life(id).await;
            if wanted(&order) {
                return order;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "waited too long; the order is {order:#?}");
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
    }
}

fn told(reply: Result<Reply, Reject>) -> Result<OrderSummary, Reject> {
    match reply? {
        Reply::Order(told) => Ok(told),
        Reply::Life(order) => panic!("a command tells where the order stands, not {order:?}"),
    }
}
