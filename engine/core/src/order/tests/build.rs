//! Channels, accounts, terms and lives that the tests of orders share.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::smallvec;
use suanpan_model::channel::UnknownWhy;
use suanpan_model::command::RefundRequest;
use suanpan_model::order::OrderHold;
use suanpan_model::order::{AttemptState, ClosingStage};
use suanpan_model::{
    AccountId, AccountType, Amount, Announcement, AttemptNo, Bank, Banks, Campaign, CampaignId, Capability,
    CardType, ChannelId, ChannelReport, Currency, DurationMs, FailureKind, Funder, Order, OrderCommand,
    OrderEvent, OrderId, OrderTerms, Outcome, PayKind, PayerAction, PlatformId, PlatformPolicy, Reject,
    ReportSource, Share, SplitRule, SubOrder, Tariff, TariffBand, TimestampMs, Worth,
};

use crate::coupon::uses;
use crate::ledger::CouponAccounts;
use crate::order::{
    AccountFacts, Context, Decision, Directory, Events, Granted, HoldNeed, announce, create, decide,
    holds_needed,
};
use crate::routing::{AllOpen, Router, RoutingRules, Strategy};

pub(super) const PLATFORM: PlatformId = PlatformId(7);
/// 2026-11-22 14:05:36 in Beijing.
pub(super) const NOW: TimestampMs = TimestampMs(1_795_327_536_000);
pub(super) const ALPHA: ChannelId = ChannelId(1);
pub(super) const BETA: ChannelId = ChannelId(2);
pub(super) const COUPON: CampaignId = CampaignId(5);
/// A campaign whose coupons are counted.
pub(super) const STAMP: CampaignId = CampaignId(6);
pub(super) const TTL: DurationMs = DurationMs::from_secs(1_800);

pub(super) fn fen(minor: u64) -> Amount {
    Amount::from_minor(minor)
}

/// Numbers differ between types, as they do in the engine: debts are numbered like their debtors.
pub(super) fn merchant(number: u64) -> AccountId {
    AccountId::opened(AccountType::Settlement, number, 3)
}

pub(super) fn agent(number: u64) -> AccountId {
    AccountId::opened(AccountType::Commission, 100 + number, 3)
}

pub(super) fn buyer(number: u64) -> AccountId {
    AccountId::opened(AccountType::Cash, 200 + number, 3)
}

/// The platform's own commission account.
pub(super) fn house() -> AccountId {
    AccountId::internal(AccountType::CommissionIncome, PLATFORM.0, Currency::Cny, 0)
}

/// Takes gateway and quick payments of every bank at 0.6 %; asks on the default ladder.
fn channel(id: ChannelId, name: &str) -> Capability {
    let band = TariffBand { up_to: None, rate_ppm: 6_000, fixed: fen(0), floor: fen(0), cap: None };
    Capability {
        id,
        name: name.into(),
        title: name.into(),
        enabled: true,
        own_bank: false,
        kinds: vec![PayKind::Gateway, PayKind::QuickPay],
        currencies: vec![Currency::Cny],
        banks: Banks::All,
        card_types: vec![CardType::Debit, CardType::Credit],
        amount_min: fen(1),
        amount_max: Amount::MAX,
        daily_quota: None,
        hours: None,
        tariff: Tariff { debit: vec![band], credit: Vec::new() },
        query_ladder: suanpan_model::capability::QUERY_LADDER_SECS
            .iter()
            .map(|secs| DurationMs::from_secs(*secs))
            .collect(),
        call_timeout: DurationMs::from_secs(5),
        calls_max: 16,
        conditions: suanpan_model::Conditions::default(),
    }
}

/// What decisions look at: three channels asked in their order, one platform.
pub(super) struct Shop {
    pub(super) router: Router,
    pub(super) policy: PlatformPolicy,
    pub(super) town: Town,
}

impl Default for Shop {
    fn default() -> Self {
        let icbc = Banks::Only(vec![Bank::from_code("ICBC").unwrap()]);
        let gamma = Capability { banks: icbc, ..channel(ChannelId(3), "gamma") };
        let channels = vec![channel(ALPHA, "alpha"), channel(BETA, "beta"), gamma];
        let rules = RoutingRules {
            order: vec![Strategy::Priority],
            priority: vec![ALPHA, BETA, ChannelId(3)],
            ..RoutingRules::default()
        };
        let router = Router::new(channels, rules, Vec::new()).unwrap();
        Self { router, policy: PlatformPolicy::defaults(PLATFORM), town: Town::usual() }
    }
}

impl Shop {
    pub(super) fn context(&self, now: TimestampMs) -> Context<'_> {
        let (policy, router, directory) = (&self.policy, &self.router, &self.town);
        Context { now, policy, router, standing: &AllOpen, directory, granted: None }
    }
}

/// Accounts and campaigns that an order may name.
#[derive(Default)]
pub(super) struct Town {
    accounts: FxHashMap<AccountId, AccountFacts>,
    campaigns: FxHashMap<CampaignId, Arc<Campaign>>,
}

impl Town {
    /// Merchants, agents and buyers 1 to 3 of the platform in CNY, and the coupon of 10.00 from 50.00.
    pub(super) fn usual() -> Self {
        let mut town = Self::default();
        for number in 1..=3 {
            for account in [merchant(number), agent(number), buyer(number)] {
                town = town.with(account, PLATFORM, Currency::Cny);
            }
        }
        let marketing = (promoter(), PLATFORM, Currency::Cny);
        town.with(marketing.0, marketing.1, marketing.2).with_campaign(campaign()).with_campaign(stamp())
    }

    pub(super) fn with(mut self, account: AccountId, platform: PlatformId, currency: Currency) -> Self {
        self.accounts.insert(account, AccountFacts { platform, currency });
        self
    }

    pub(super) fn with_campaign(mut self, campaign: Campaign) -> Self {
        self.campaigns.insert(campaign.id, Arc::new(campaign));
        self
    }
}

impl Directory for Town {
    fn account(&self, id: AccountId) -> Option<AccountFacts> {
        self.accounts.get(&id).copied()
    }

    fn campaign(&self, id: CampaignId) -> Option<Arc<Campaign>> {
        self.campaigns.get(&id).cloned()
    }
}

/// 10.00 off from 50.00 on, valid for a day around now.
pub(super) fn campaign() -> Campaign {
    Campaign {
        id: COUPON,
        platform: PLATFORM,
        currency: Currency::Cny,
        worth: Worth::Face(fen(1_000)),
        minimum_spend: fen(5_000),
        valid_from: NOW - DurationMs::from_days(1),
        valid_until: NOW + DurationMs::from_days(1),
        funders: smallvec![Funder { account: fund(), bps: 10_000 }],
        merchants: Vec::new(),
        stock: None,
        per_customer: None,
        stackable: false,
        rank: 0,
        claimable: true,
    }
}

/// 7 % off, at most 3.33; 4 in stock, 2 for each customer; two thirds from the platform, one from a merchant.
pub(super) fn stamp() -> Campaign {
    Campaign {
        id: STAMP,
        worth: Worth::Percent { bps: 700, cap: Some(fen(333)) },
        minimum_spend: fen(0),
        funders: smallvec![
            Funder { account: fund(), bps: 6_667 },
            Funder { account: promoter(), bps: 3_333 },
        ],
        stock: Some(4),
        per_customer: Some(2),
        stackable: true,
        ..campaign()
    }
}

/// A merchant's marketing account.
pub(super) fn promoter() -> AccountId {
    AccountId::opened(AccountType::Marketing, 9, 3)
}

/// The accounts of a customer in [`stamp`], in the shard of its stock.
pub(super) fn coupon_accounts(customer: &str) -> CouponAccounts {
    let number = customer.bytes().map(u64::from).sum::<u64>();
    CouponAccounts {
        stock: AccountId::opened(AccountType::CouponStock, u64::from(STAMP.0), 3),
        wallet: AccountId::opened(AccountType::CouponWallet, number, 3),
        allowance: Some((AccountId::opened(AccountType::CouponAllowance, number, 3), 2)),
        platform: PLATFORM,
        reference: customer.into(),
    }
}

/// The platform's coupon fund.
pub(super) fn fund() -> AccountId {
    AccountId::internal(AccountType::CouponFund, PLATFORM.0, Currency::Cny, 0)
}

/// The terms with a coupon of [`campaign`] that is worth `subsidy`.
pub(super) fn less(subsidy: u64, terms: OrderTerms) -> OrderTerms {
    let campaign = Campaign { worth: Worth::Face(fen(subsidy)), ..campaign() };
    with_coupons(&[&campaign], terms)
}

pub(super) fn with_coupons(campaigns: &[&Campaign], terms: OrderTerms) -> OrderTerms {
    OrderTerms { coupons: uses(campaigns, &terms.sub_orders), ..terms }
}

pub(super) fn sold(number: u64, amount: u64) -> SubOrder {
    SubOrder { merchant: merchant(number), amount: fen(amount) }
}

pub(super) fn bps(receiver: AccountId, bps: u32) -> SplitRule {
    SplitRule::new(receiver, Share::Bps(bps))
}

pub(super) fn fixed(receiver: AccountId, amount: u64) -> SplitRule {
    SplitRule::new(receiver, Share::Fixed(fen(amount)))
}

/// One merchant, 100.00, gateway, escrow, no coupon, no splits.
pub(super) fn terms() -> OrderTerms {
    OrderTerms {
        platform: PLATFORM,
        order_no: "A-1".into(),
        payer: "alice".into(),
        payer_account: None,
        amount: fen(10_000),
        currency: Currency::Cny,
        kind: PayKind::Gateway,
        bank: None,
        card_type: None,
        agreement_no: "".into(),
        description: "".into(),
        expires_at: NOW + TTL,
        escrow: true,
        virtual_goods: false,
        coupons: Vec::new(),
        sub_orders: smallvec![sold(1, 10_000)],
        splits: smallvec![],
        callback: "".into(),
        metadata: Vec::new(),
        attributes: None,
    }
}

pub(super) fn paid_in_full(order: &Order) -> Outcome {
    Outcome::Succeeded { channel_no: "C-1".into(), amount: order.terms.payable(), fee: None }
}

pub(super) fn refused(kind: FailureKind) -> Outcome {
    Outcome::Failed { kind, code: "E1".into() }
}

pub(super) fn accepted(action: Option<PayerAction>) -> Outcome {
    Outcome::Accepted { channel_no: "C-1".into(), action }
}

pub(super) fn redirect() -> Option<PayerAction> {
    Some(PayerAction::Redirect("https://pay.example/1".into()))
}

/// An order and the time, driven by real decisions only.
pub(super) struct Life {
    pub(super) shop: Shop,
    pub(super) order: Order,
    pub(super) now: TimestampMs,
    /// What accounts have, where it is not enough for everything.
    pub(super) purses: BTreeMap<AccountId, u64>,
    /// Every event since the creation with its place in the order's life, and what the mall was told of it at once.
    pub(super) announced: Vec<(usize, OrderEvent, Option<Announcement>)>,
}

impl Life {
    pub(super) fn begin(terms: OrderTerms) -> Self {
        Self::begin_in(Shop::default(), terms)
    }

    pub(super) fn begin_in(shop: Shop, terms: OrderTerms) -> Self {
        let id = OrderId::following(OrderId(0), NOW, 3);
        let purses = BTreeMap::new();
        let holds = granted(&holds_needed(id, &terms), &purses).into_iter().collect();
        let (order, _) = create(id, Arc::new(terms), holds, &shop.context(NOW)).unwrap();
        Self { shop, order, now: NOW, purses, announced: Vec::new() }
    }

    /// Created, and the channel shows its page.
    pub(super) fn redirected(terms: OrderTerms) -> Self {
        let mut life = Self::begin(terms);
        life.hears(1, ReportSource::PayAnswer, accepted(redirect()));
        life
    }

    /// Created and paid on the first attempt.
    pub(super) fn paid(terms: OrderTerms) -> Self {
        let mut life = Self::redirected(terms);
        let outcome = paid_in_full(&life.order);
        life.hears(1, ReportSource::PayNotice, outcome);
        life
    }

    pub(super) fn decides(&self, command: &OrderCommand) -> Result<Decision, Reject> {
        let context = self.shop.context(self.now);
        let first = decide(&self.order, command, &context)?;
        let Decision::NeedsHolds(needed) = first else { return Ok(first) };
        let holds = granted(&needed, &self.purses);
        let whole = |need: &HoldNeed| matches!(need, HoldNeed::Money { whole: true, .. });
        let is_short = |need: &HoldNeed| match need {
            HoldNeed::Money { hold, .. } => !holds.contains(hold),
            HoldNeed::Coupon { .. } => false,
        };
        let refusal = Reject::new(suanpan_model::RejectCode::InsufficientFunds, "amount", "more");
        let refused = needed.iter().any(|need| whole(need) && is_short(need)).then_some(&refusal);
        let granted = Some(Granted { holds: &holds, refused });
        decide(&self.order, command, &Context { granted, ..context })
    }

    /// Carries a command out and tells what came of it, as [`told`].
    pub(super) fn does(&mut self, command: &OrderCommand) -> String {
        let answer = self.decides(command);
        if let Ok(Decision::Moved(events)) = &answer {
            for event in events {
                crate::order::apply(&mut self.order, self.now, event);
            }
            let from = self.order.steps.len() - events.len();
            let told = events
                .iter()
                .enumerate()
                .map(|(nth, event)| (from + nth, event.clone(), announce(&self.order, from + nth, event)));
            self.announced.extend(told);
        }
        told(&answer)
    }

    pub(super) fn hears(&mut self, attempt: u8, source: ReportSource, outcome: Outcome) -> String {
        let command = report(&self.order, attempt, source, outcome);
        self.does(&command)
    }

    /// Sleeps until the order wants to be woken, and wakes it.
    pub(super) fn wakes(&mut self) -> String {
        self.now = self.now.max(self.order.next_due());
        self.does(&OrderCommand::Wake)
    }

    pub(super) fn refunds(&mut self, refund_no: &str, amount: u64) -> String {
        self.does(&refund(refund_no, None, Some(amount)))
    }

    pub(super) fn hears_of_refund(&mut self, refund: u8, outcome: Outcome) -> String {
        let attempt = self.order.refund(refund).unwrap().attempt.0;
        self.hears(attempt, ReportSource::Refund { refund }, outcome)
    }

    pub(super) fn releases(&mut self, sub_order: Option<u8>, amount: Option<u64>) -> String {
        let whole = sub_order.is_none() && amount.is_none();
        let release_no = if whole { String::new() } else { format!("L-{}", self.order.releases.len() + 1) };
        self.does(&release(&release_no, sub_order, amount))
    }
}

pub(super) fn release(release_no: &str, sub_order: Option<u8>, amount: Option<u64>) -> OrderCommand {
    let (release_no, amount) = (release_no.into(), amount.map(fen));
    OrderCommand::Release { release_no, sub_order, amount, payees: Vec::new() }
}

pub(super) fn refund(refund_no: &str, sub_order: Option<u8>, amount: Option<u64>) -> OrderCommand {
    OrderCommand::Refund(wanted(refund_no, sub_order, amount))
}

pub(super) fn wanted(refund_no: &str, sub_order: Option<u8>, amount: Option<u64>) -> RefundRequest {
    RefundRequest { refund_no: refund_no.into(), sub_order, amount: amount.map(fen) }
}

/// Holds as accounts have the money: everything, where no purse says otherwise; coupons from stock.
pub(super) fn granted(needed: &[HoldNeed], purses: &BTreeMap<AccountId, u64>) -> Vec<OrderHold> {
    let grant = |need: &HoldNeed| match *need {
        HoldNeed::Money { hold, whole } => {
            let purse = purses.get(&hold.account).copied().map_or(hold.amount, fen);
            let amount = hold.amount.min(purse);
            let enough = amount == hold.amount || (!whole && !amount.is_zero());
            enough.then_some(OrderHold { amount, ..hold })
        }
        HoldNeed::Coupon { no, campaign } => {
            let account = AccountId::opened(AccountType::CouponStock, u64::from(campaign.0), 3);
            Some(OrderHold { no, account, amount: fen(1) })
        }
    };
    needed.iter().filter_map(grant).collect()
}

pub(super) fn report(order: &Order, attempt: u8, source: ReportSource, outcome: Outcome) -> OrderCommand {
    let attempt = AttemptNo(attempt);
    let channel = order.attempt(attempt).map_or(ALPHA, |known| known.channel());
    OrderCommand::Report(ChannelReport { channel, order: order.id, attempt, source, outcome })
}

/// An answer in one line: the kinds of the events, `repeat`, or the code of the reject.
pub(super) fn told(answer: &Result<Decision, Reject>) -> String {
    match answer {
        Ok(Decision::Moved(events)) => told_events(events),
        Ok(Decision::Repeat) => "repeat".to_owned(),
        Ok(Decision::NeedsHolds(needed)) => format!("needs {} holds", needed.len()),
        Err(reject) => format!("! {}", reject.code.code()),
    }
}

pub(super) fn told_events(events: &Events) -> String {
    events.iter().map(told_event).collect::<Vec<_>>().join(" + ")
}

fn told_event(event: &OrderEvent) -> String {
    let name = event.kind().name();
    match event {
        OrderEvent::AttemptStarted { route, .. } => format!("{name}({})", route.channel),
        OrderEvent::ClosingAdvanced { stage, .. } => {
            let stage = match stage {
                ClosingStage::AskFirst => "ask",
                ClosingStage::CloseThere => "close there",
                ClosingStage::AskAgain => "ask again",
            };
            format!("{name}({stage})")
        }
        OrderEvent::Failed { reason, .. } => format!("{name}({})", reason.name()),
        OrderEvent::Closed { reason, .. } => format!("{name}({})", reason.name()),
        OrderEvent::Contradicted { said, .. } => format!("{name}({said})"),
        OrderEvent::RefundQueried { resend: true, .. } => format!("{name}(resend)"),
        OrderEvent::Paid { attempt, .. } | OrderEvent::LatePaid { attempt, .. } => {
            format!("{name}({attempt})")
        }
        _ => name.to_owned(),
    }
}

/// Where an order stands, in one line.
pub(super) fn standing(order: &Order) -> String {
    let mut line = order.status.name().to_owned();
    for attempt in &order.attempts {
        let action = match &attempt.state {
            AttemptState::Waiting { action: Some(PayerAction::Redirect(_)) } => "(redirect)",
            AttemptState::Waiting { action: Some(PayerAction::SmsCode) } => "(sms)",
            AttemptState::InDoubt(UnknownWhy::Contradicted) => "(contradicted)",
            _ => "",
        };
        line += &format!(", attempt {} {}{action}", attempt.no, attempt.state.name());
    }
    for refund in &order.refunds {
        line += &format!(", refund {} {}", refund.no, refund.state.name());
    }
    if let Some(closing) = order.closing {
        line += &format!(", closing {:?}", closing.stage);
    }
    line
}

/// An account as tables name it: owner or number behind the type where there may be several, stripes as one.
pub(super) fn name(account: AccountId) -> String {
    match account.kind() {
        AccountType::Settlement => format!("merchant {}", account.number()),
        AccountType::Commission => format!("agent {}", account.number() - 100),
        AccountType::Cash => format!("buyer {}", account.number() - 200),
        AccountType::ChannelClearing => format!("clearing {}", account.owner()),
        AccountType::FeeExpense => format!("fee expense {}", account.owner()),
        AccountType::CommissionIncome => "house".to_owned(),
        AccountType::FeeIncome => "fees".to_owned(),
        AccountType::CouponFund => "fund".to_owned(),
        kind @ (AccountType::Marketing
        | AccountType::Wealth
        | AccountType::Deposit
        | AccountType::Escrow
        | AccountType::Suspense
        | AccountType::CouponStock
        | AccountType::CouponWallet
        | AccountType::CouponAllowance
        | AccountType::CouponPool
        | AccountType::Advance) => kind.name().to_owned(),
        AccountType::Receivable => format!("owed by {}", account.number()),
        AccountType::Advanced => format!("advanced for {}", account.number()),
    }
}

/// What an order's entries did to each account, in minor units on its normal side; zeros left out.
pub(super) fn books(order: &Order) -> BTreeMap<String, i128> {
    let mut books = BTreeMap::new();
    for entry in &order.entries {
        assert_eq!(entry.imbalance(), 0, "{entry:?}");
        for posting in &entry.postings {
            let change = posting.account.kind().sign(posting.side) * posting.amount.signed();
            *books.entry(name(posting.account)).or_insert(0) += change;
        }
    }
    books.retain(|_, balance| *balance != 0);
    books
}
