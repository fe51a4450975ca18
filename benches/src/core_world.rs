//! The canonical order driven straight through the pure core: no actors, no threads, no log. The speed of light of the
//! engine, and what its parts are measured on.

use std::sync::Arc;

use smallvec::SmallVec;
use smol_str::format_smolstr;
use suanpan_channels::{BUILTIN_CHANNELS, load_descriptors};
use suanpan_core::coupon::uses;
use suanpan_core::ledger::{self, Decision as LedgerDecision, Instruction, Ledger, LedgerCommand};
use suanpan_core::order::{self, AccountFacts, Context, Decision, Directory, HoldNeed};
use suanpan_core::routing::{AllOpen, Router, RoutingRules, Strategy};
use suanpan_model::order::OrderHold;
use suanpan_model::{
    AccountId, AccountType, Amount, Bank, Campaign, CampaignId, CardType, CauseId, ChannelReport, Currency,
    DurationMs, EntryCode, Funder, HoldId, LedgerEvent, Lsn, Order, OrderCommand, OrderEvent, OrderId,
    OrderTerms, Outcome, PayKind, PlatformId, PlatformPolicy, Posting, Record, ReportSource, Share,
    SplitRule, SubOrder, TimestampMs, Worth,
};

/// The platform of every order.
pub const PLATFORM: PlatformId = PlatformId(9001);
/// When everything happens.
pub const NOW: TimestampMs = TimestampMs(1_795_327_536_000);
/// How many merchants there are.
pub const MERCHANTS: u64 = 1_000;
/// How many agents there are.
pub const AGENTS: u64 = 50;

/// Whoever was opened is known; there is one campaign.
struct Everybody(Arc<Campaign>);

impl Directory for Everybody {
    fn account(&self, _id: AccountId) -> Option<AccountFacts> {
        Some(AccountFacts { platform: PLATFORM, currency: Currency::Cny })
    }

    fn campaign(&self, id: CampaignId) -> Option<Arc<Campaign>> {
        (id == self.0.id).then(|| Arc::clone(&self.0))
    }
}

/// A ledger, rules, and everybody who takes part.
pub struct CoreWorld {
    /// The balances.
    pub ledger: Ledger,
    router: Router,
    policy: PlatformPolicy,
    everybody: Everybody,
    lsn: Lsn,
}

/// The settlement account of merchant `number`.
#[must_use]
pub fn merchant(number: u64) -> AccountId {
    AccountId::opened(AccountType::Settlement, 1 + number % MERCHANTS, 0)
}

/// The commission account of agent `number`.
#[must_use]
pub fn agent(number: u64) -> AccountId {
    AccountId::opened(AccountType::Commission, 1 + number % AGENTS, 0)
}

/// The engine's number of order `number`.
#[must_use]
pub const fn order_id(number: u64) -> OrderId {
    OrderId((number + 1) << 8)
}

impl Default for CoreWorld {
    fn default() -> Self {
        Self::new()
    }
}

impl CoreWorld {
    /// Merchants and agents with nothing, a coupon fund that never runs out, the built-in channels by cost.
    ///
    /// # Panics
    /// When the built-in channels cannot be read: a bug.
    #[must_use]
    pub fn new() -> Self {
        let mut descriptors = load_descriptors(BUILTIN_CHANNELS).expect("the built-in channels");
        for descriptor in &mut descriptors {
            (descriptor.capability.hours, descriptor.capability.daily_quota) = (None, None);
        }
        let rules = RoutingRules { version: 1, order: vec![Strategy::Cost], ..RoutingRules::default() };
        let capabilities = descriptors.into_iter().map(|descriptor| descriptor.capability).collect();
        let mut ledger = Ledger::default();
        for account in (0..MERCHANTS).map(merchant).chain((0..AGENTS).map(agent)) {
            ledger.apply(&LedgerEvent::AccountOpened {
                account,
                platform: PLATFORM,
                reference: format_smolstr!("{}", account.raw()),
                currency: Currency::Cny,
                parent: None,
                credit_limit: Amount::ZERO,
            });
        }
        for stripe in 0..suanpan_model::ids::STRIPES {
            let fund = AccountId::internal(AccountType::CouponFund, PLATFORM.0, Currency::Cny, stripe);
            let fill = Instruction::Post {
                posting: Posting::credit(fund, Amount::MAX),
                code: EntryCode::TopUp,
                cause: CauseId(1),
                currency: Currency::Cny,
            };
            ledger.carry_out(Lsn(1), &fill);
        }
        Self {
            ledger,
            router: Router::new(capabilities, rules, Vec::new()).expect("rules by cost"),
            policy: PlatformPolicy::defaults(PLATFORM),
            everybody: Everybody(Arc::new(campaign())),
            lsn: Lsn(2),
        }
    }

    fn context(&self) -> Context<'_> {
        Context {
            now: NOW,
            policy: &self.policy,
            router: &self.router,
            standing: &AllOpen,
            directory: &self.everybody,
            granted: None,
        }
    }

    /// Checks the terms and places the holds that the order needs.
    ///
    /// # Panics
    /// When something is refused: every order here is fine.
    pub fn hold(&mut self, number: u64, terms: &OrderTerms) -> SmallVec<[OrderHold; 1]> {
        let id = order_id(number);
        order::check(terms, NOW, &self.policy, &self.router, &self.everybody).expect("terms that are fine");
        let mut holds = SmallVec::new();
        for need in order::holds_needed(id, terms) {
            let HoldNeed::Money { hold, whole } = need else { continue };
            let command = LedgerCommand::Hold {
                hold: HoldId { cause: id.cause(), no: hold.no },
                account: hold.account,
                amount: hold.amount,
                currency: Currency::Cny,
                expires_at: TimestampMs::NEVER,
                whole,
            };
            let decided = self.ledger.decide(&command).expect("a fund that never runs out");
            let LedgerDecision::Moved(events) = decided else { panic!("a new hold is no repeat") };
            events.iter().for_each(|event| self.ledger.apply(event));
            holds.push(hold);
        }
        holds
    }

    /// Records the order and chooses its channel; changes no balance.
    ///
    /// # Panics
    /// When it is refused.
    #[must_use]
    pub fn create(
        &self,
        number: u64,
        terms: Arc<OrderTerms>,
        holds: SmallVec<[OrderHold; 1]>,
    ) -> (Order, Record) {
        let id = order_id(number);
        let (order, events) =
            order::create(id, terms, holds, &self.context()).expect("an order that is fine");
        (order, Record::Order { order: id, at: NOW, events })
    }

    /// Decides a command and folds what happened into the order; the record is for the ledger.
    ///
    /// # Panics
    /// When it is refused.
    #[must_use]
    pub fn command(&self, order: &mut Order, command: &OrderCommand) -> Record {
        let Decision::Moved(events) = order::decide(order, command, &self.context()).expect("fine") else {
            panic!("something happens")
        };
        events.iter().for_each(|event: &OrderEvent| order::apply(order, NOW, event));
        Record::Order { order: order.id, at: NOW, events }
    }

    /// Carries out what a record says.
    pub fn post(&mut self, record: &Record) {
        let (ledger, lsn) = (&mut self.ledger, self.lsn);
        ledger::instructions(record, &mut |instruction| {
            ledger.carry_out(lsn, &instruction);
        });
        self.lsn.0 += 1;
    }

    /// One order from its terms to settled.
    pub fn whole(&mut self, number: u64) -> Order {
        let terms = Arc::new(terms(number));
        let holds = self.hold(number, &terms);
        let (mut order, created) = self.create(number, terms, holds);
        self.post(&created);
        let report = paid(&order);
        let paid = self.command(&mut order, &report);
        self.post(&paid);
        let released = self.command(&mut order, &release());
        self.post(&released);
        order
    }
}

/// The channel's word that the order was paid.
///
/// # Panics
/// When the order has no attempt.
#[must_use]
pub fn paid(order: &Order) -> OrderCommand {
    let attempt = order.attempts.last().expect("an attempt");
    OrderCommand::Report(ChannelReport {
        channel: attempt.channel(),
        order: order.id,
        attempt: attempt.no,
        source: ReportSource::PayAnswer,
        outcome: Outcome::Succeeded { channel_no: "C-1".into(), amount: order.terms.payable(), fee: None },
    })
}

/// The release of all that is frozen.
#[must_use]
pub fn release() -> OrderCommand {
    OrderCommand::Release { release_no: "".into(), sub_order: None, amount: None, payees: Vec::new() }
}

/// The terms of order `number`: a coupon, two receivers of commission, a card.
#[must_use]
pub fn terms(number: u64) -> OrderTerms {
    let amount = Amount::from_minor(1_000 + number.wrapping_mul(7_919) % 400_000);
    let commission = AccountId::internal(AccountType::CommissionIncome, PLATFORM.0, Currency::Cny, 0);
    let sub_orders = [SubOrder { merchant: merchant(number), amount }];
    OrderTerms {
        platform: PLATFORM,
        order_no: format_smolstr!("P{number}"),
        payer: format_smolstr!("B{}", number % 100_000),
        payer_account: None,
        amount,
        currency: Currency::Cny,
        kind: PayKind::QuickPay,
        bank: Bank::from_code("ICBC"),
        card_type: Some(CardType::Debit),
        agreement_no: "AGREE1".into(),
        description: "tea".into(),
        expires_at: NOW + DurationMs::from_days(1),
        escrow: true,
        virtual_goods: false,
        coupons: uses(&[&campaign()], &sub_orders),
        sub_orders: sub_orders.into(),
        splits: [SplitRule::new(commission, Share::Bps(500)), SplitRule::new(agent(number), Share::Bps(200))]
            .into(),
        callback: "".into(),
        metadata: Vec::new(),
        attributes: None,
    }
}

/// 1.00 off every order, from the platform's coupon fund.
fn campaign() -> Campaign {
    let fund = AccountId::internal(AccountType::CouponFund, PLATFORM.0, Currency::Cny, 0);
    Campaign {
        id: CampaignId(1),
        platform: PLATFORM,
        currency: Currency::Cny,
        worth: Worth::Face(Amount::from_minor(100)),
        minimum_spend: Amount::ZERO,
        valid_from: TimestampMs(0),
        valid_until: TimestampMs::NEVER,
        funders: [Funder { account: fund, bps: 10_000 }].into(),
        merchants: Vec::new(),
        stock: None,
        per_customer: None,
        stackable: false,
        rank: 0,
        claimable: true,
    }
}
