//! A mall in a box: an engine on a directory, simulated channels, sellers, and short ways to say things.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use suanpan_channels::{Adapter, BUILTIN_CHANNELS, Behaviour, Simulator, load_descriptors};
use suanpan_core::routing::{Router, RoutingRules, Strategy};
use suanpan_model::command::{OrderRef, RefundRequest};
use suanpan_model::*;
use suanpan_runtime::api::{OpenAccount, OrderSummary, TopUp};
use suanpan_runtime::journal::Journal;
use suanpan_runtime::{Command, Engine, EngineOptions, Reply, World};

pub const PLATFORM: PlatformId = PlatformId(9001);
pub const CAMPAIGN: CampaignId = CampaignId(1);

pub type Channels = Vec<Arc<dyn Adapter>>;

/// Simulated channels that do what `behave` says; one set can serve several engines, as the outside world does.
pub fn channels(behave: impl Fn(&mut Behaviour)) -> Channels {
    let descriptors = load_descriptors(BUILTIN_CHANNELS).unwrap();
    descriptors
        .into_iter()
        .map(|mut descriptor| {
            let mut behaviour = Behaviour::instant();
            behave(&mut behaviour);
            descriptor.behaviour = behaviour;
            descriptor.capability.hours = None;
            descriptor.capability.daily_quota = None;
            descriptor.capability.call_timeout = DurationMs(300);
            descriptor.capability.query_ladder = vec![DurationMs(50)];
            Arc::new(Simulator::new(descriptor, 7)) as Arc<dyn Adapter>
        })
        .collect()
}

pub fn world(channels: &Channels) -> World {
    let capabilities = channels.iter().map(|adapter| adapter.capability().clone()).collect();
    let rules = RoutingRules {
        version: 1,
        order: vec![Strategy::Cost],
        amount_bands: vec![],
        designations: vec![],
        priority: vec![],
        ..RoutingRules::default()
    };
    World {
        router: Router::new(capabilities, rules, vec![]).unwrap(),
        policies: vec![PlatformPolicy::defaults(PLATFORM)],
        adapters: channels.clone(),
    }
}

/// 5.00 off from 20.00 on, from the platform's coupon fund.
pub fn campaign() -> Campaign {
    Campaign {
        id: CAMPAIGN,
        platform: PLATFORM,
        currency: Currency::Cny,
        worth: Worth::Face(Amount::from_minor(500)),
        minimum_spend: Amount::from_minor(2_000),
        valid_from: TimestampMs(0),
        valid_until: TimestampMs::NEVER,
        funders: [Funder { account: coupon_fund(), bps: 10_000 }].into(),
        merchants: vec![],
        stock: None,
        per_customer: None,
        stackable: true,
        rank: 0,
        claimable: true,
    }
}

pub fn coupon_fund() -> AccountId {
    AccountId::internal(AccountType::CouponFund, PLATFORM.0, Currency::Cny, 0)
}

/// The terms with a coupon of each campaign.
pub fn with_coupons(campaigns: &[&Campaign], terms: OrderTerms) -> OrderTerms {
    OrderTerms { coupons: suanpan_core::coupon::uses(campaigns, &terms.sub_orders), ..terms }
}

/// An engine with two sellers, an agent, a funded buyer and a funded coupon fund.
pub struct Mall {
    pub engine: Engine,
    pub seller: AccountId,
    pub agent: AccountId,
    pub buyer: AccountId,
}

pub async fn mall(dir: &Path, channels: &Channels) -> Mall {
    mall_with(EngineOptions::new(dir), channels).await
}

pub async fn mall_with(options: EngineOptions, channels: &Channels) -> Mall {
    settle_in(Engine::start(options, world(channels)).unwrap()).await
}

pub async fn mall_in(options: EngineOptions, world: World) -> Mall {
    settle_in(Engine::start(options, world).unwrap()).await
}

pub async fn mall_on(journal: Box<dyn Journal>, dir: &Path, channels: &Channels) -> Mall {
    settle_in(Engine::start_on(journal, EngineOptions::new(dir), world(channels)).unwrap()).await
}

pub async fn mall_with_journal(
    journal: Box<dyn Journal>,
    options: EngineOptions,
    channels: &Channels,
) -> Mall {
    settle_in(Engine::start_on(journal, options, world(channels)).unwrap()).await
}

pub async fn settle_in(engine: Engine) -> Mall {
    let open = |kind, reference: &str| OpenAccount {
        platform: PLATFORM,
        reference: reference.into(),
        kind,
        currency: Currency::Cny,
        parent: None,
        credit_limit: Amount::ZERO,
    };
    let accounts = vec![
        open(AccountType::Settlement, "seller"),
        open(AccountType::Commission, "agent"),
        open(AccountType::Cash, "buyer"),
    ];
    let opened = engine.open_accounts(accounts).await;
    let [seller, agent, buyer] = [0, 1, 2].map(|index: usize| *opened[index].as_ref().unwrap());
    engine.record_campaign(campaign()).await.unwrap();
    for (account, reference) in [(coupon_fund(), "fund"), (buyer, "buyer")] {
        let top_up = TopUp {
            platform: PLATFORM,
            account,
            amount: Amount::from_minor(100_000_000),
            currency: Currency::Cny,
            reference: reference.into(),
        };
        engine.top_up(top_up).await.unwrap();
    }
    Mall { engine, seller, agent, buyer }
}

impl Mall {
    /// Terms of a gateway order over 128.00 with a coupon of 5.00, 5 % to the platform and 2 % to an agent.
    pub fn terms(&self, order_no: &str) -> OrderTerms {
        let commission = AccountId::internal(AccountType::CommissionIncome, PLATFORM.0, Currency::Cny, 0);
        let terms = OrderTerms {
            platform: PLATFORM,
            order_no: order_no.into(),
            payer: "buyer".into(),
            payer_account: None,
            amount: Amount::from_minor(12_800),
            currency: Currency::Cny,
            kind: PayKind::Gateway,
            bank: Bank::from_code("ICBC"),
            card_type: Some(CardType::Debit),
            agreement_no: "".into(),
            description: "tea".into(),
            // The same at every call, so that the same order can be asked for again.
            expires_at: TimestampMs(1_797_000_000_000).max(self.engine.now() + DurationMs::from_days(1)),
            escrow: true,
            virtual_goods: false,
            coupons: vec![],
            sub_orders: [SubOrder { merchant: self.seller, amount: Amount::from_minor(12_800) }].into(),
            splits: [
                SplitRule::new(commission, Share::Bps(500)),
                SplitRule::new(self.agent, Share::Bps(200)),
            ]
            .into(),
            callback: "".into(),
            metadata: vec![],
            attributes: None,
        };
        with_coupons(&[&campaign()], terms)
    }

    pub async fn create(&self, terms: &OrderTerms) -> Result<OrderSummary, Reject> {
        told(self.engine.call(Command::Create(Arc::new(terms.clone()))).await)
    }

    pub async fn order(&self, id: OrderId, command: OrderCommand) -> Result<OrderSummary, Reject> {
        let order = OrderRef::Id(id);
        told(self.engine.call(Command::Order { platform: Some(PLATFORM), order, command }).await)
    }

    pub async fn release(&self, id: OrderId) -> Result<OrderSummary, Reject> {
        self.order(id, release("", None)).await
    }

    pub async fn refund(&self, id: OrderId, no: &str, amount: Option<u64>) -> Result<OrderSummary, Reject> {
        self.order(id, refund(no, amount)).await
    }

    pub async fn life(&self, id: OrderId) -> Arc<Order> {
        let query = Command::Query { platform: Some(PLATFORM), order: OrderRef::Id(id) };
        match self.engine.call(query).await.unwrap() {
            Reply::Life(order) => order,
            Reply::Order(told) => panic!("a query tells a life, not {told:?}"),
        }
    }

    /// Waits until the order's status satisfies `wanted`.
    pub async fn until(&self, id: OrderId, wanted: impl Fn(&Order) -> bool) -> Arc<Order> {
        let began = Instant::now();
        loop {
            let order = self.life(id).await;
            if wanted(&order) {
                return order;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "waited too long; the order is {order:#?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn until_status(&self, id: OrderId, status: OrderStatus) -> Arc<Order> {
        self.until(id, |order| order.status == status).await
    }

    /// Waits until the archive has every finished order.
    pub async fn until_archived(&self) {
        let began = Instant::now();
        while self.engine.stats().archive_lag > 0 {
            assert!(began.elapsed() < Duration::from_secs(20), "the archive takes too long");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn posted(&self, account: AccountId) -> i128 {
        self.engine.balance(account).await.unwrap().posted
    }

    /// The books balance, and come to agree with every channel's own book: what was under way may take a moment.
    pub async fn check_books(&self) {
        let began = Instant::now();
        loop {
            let trial = self.engine.trial_balance().await;
            assert!(trial.is_balanced(), "{trial:#?}");
            let comparisons = self.engine.compare_books().await;
            let Some(differs) = comparisons.iter().find(|row| row.ours != row.theirs) else { return };
            assert!(began.elapsed() < Duration::from_secs(20), "{differs:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Release of all sub-orders.
pub fn release(release_no: &str, amount: Option<u64>) -> OrderCommand {
    let amount = amount.map(Amount::from_minor);
    OrderCommand::Release { release_no: release_no.into(), sub_order: None, amount, payees: vec![] }
}

/// Refund of all sub-orders.
pub fn refund(refund_no: &str, amount: Option<u64>) -> OrderCommand {
    OrderCommand::Refund(wanted(refund_no, amount))
}

pub fn wanted(refund_no: &str, amount: Option<u64>) -> RefundRequest {
    let amount = amount.map(Amount::from_minor);
    RefundRequest { refund_no: refund_no.into(), sub_order: None, amount }
}

fn told(reply: Result<Reply, Reject>) -> Result<OrderSummary, Reject> {
    match reply? {
        Reply::Order(told) => Ok(told),
        Reply::Life(order) => panic!("a command tells where the order stands, not {order:?}"),
    }
}

pub fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
