//! Channels, accounts, terms and lives that the tests of orders share.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::smallvec;
use suanpan_model::order::{AttemptState, ClosingStage};
use suanpan_model::{
    AccountId, AccountType, Amount, AttemptNo, Bank, Banks, Campaign, CampaignId, Capability, CardType,
    ChannelId, ChannelReport, CouponUse, Currency, DurationMs, FailureKind, Order, OrderCommand, OrderEvent,
    OrderId, OrderTerms, Outcome, PayKind, PayerAction, PlatformId, PlatformPolicy, Reject, ReportSource,
    Share, SplitRule, SubOrder, Tariff, TariffBand, TimestampMs,
};

use crate::order::{AccountFacts, Context, Decision, Directory, Events, create, decide, holds_needed};
use crate::routing::{AllOpen, Router, RoutingRules, Strategy};

pub(super) const PLATFORM: PlatformId = PlatformId(7);
/// 2026-11-22 14:05:36 in Beijing.
pub(super) const NOW: TimestampMs = TimestampMs(1_795_327_536_000);
pub(super) const ALPHA: ChannelId = ChannelId(1);
pub(super) const BETA: ChannelId = ChannelId(2);
pub(super) const COUPON: CampaignId = CampaignId(5);
pub(super) const TTL: DurationMs = DurationMs::from_secs(1_800);

pub(super) fn fen(minor: u64) -> Amount {
    Amount::from_minor(minor)
}

pub(super) fn merchant(number: u64) -> AccountId {
    AccountId::opened(AccountType::Settlement, number, 3)
}

pub(super) fn agent(number: u64) -> AccountId {
    AccountId::opened(AccountType::Commission, number, 3)
}

pub(super) fn buyer(number: u64) -> AccountId {
    AccountId::opened(AccountType::Cash, number, 3)
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
        Self { router, policy: PlatformPolicy::defaults(PLATFORM) }
    }
}

impl Shop {
    pub(super) fn context(&self, now: TimestampMs) -> Context<'_> {
        Context { now, policy: &self.policy, router: &self.router, standing: &AllOpen }
    }
}

/// Accounts and campaigns that an order may name.
#[derive(Default)]
pub(super) struct Town {
    accounts: FxHashMap<AccountId, AccountFacts>,
    campaigns: FxHashMap<CampaignId, Campaign>,
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
        town.with_campaign(campaign())
    }

    pub(super) fn with(mut self, account: AccountId, platform: PlatformId, currency: Currency) -> Self {
        self.accounts.insert(account, AccountFacts { platform, currency });
        self
    }

    pub(super) fn with_campaign(mut self, campaign: Campaign) -> Self {
        self.campaigns.insert(campaign.id, campaign);
        self
    }
}

impl Directory for Town {
    fn account(&self, id: AccountId) -> Option<AccountFacts> {
        self.accounts.get(&id).copied()
    }

    fn campaign(&self, id: CampaignId) -> Option<Campaign> {
        self.campaigns.get(&id).cloned()
    }
}

/// 10.00 off from 50.00 on, valid for a day around now.
pub(super) fn campaign() -> Campaign {
    Campaign {
        id: COUPON,
        platform: PLATFORM,
        currency: Currency::Cny,
        face: fen(1_000),
        minimum_spend: fen(5_000),
        valid_from: NOW - DurationMs::from_days(1),
        valid_until: NOW + DurationMs::from_days(1),
    }
}

pub(super) fn sold(number: u64, amount: u64) -> SubOrder {
    SubOrder { merchant: merchant(number), amount: fen(amount) }
}

pub(super) fn bps(receiver: AccountId, bps: u32) -> SplitRule {
    SplitRule { receiver, share: Share::Bps(bps) }
}

pub(super) fn fixed(receiver: AccountId, amount: u64) -> SplitRule {
    SplitRule { receiver, share: Share::Fixed(fen(amount)) }
}

pub(super) fn coupon(subsidy: u64) -> Option<CouponUse> {
    Some(CouponUse { campaign: COUPON, subsidy: fen(subsidy) })
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
        coupon: None,
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
}

impl Life {
    pub(super) fn begin(terms: OrderTerms) -> Self {
        Self::begin_in(Shop::default(), terms)
    }

    pub(super) fn begin_in(shop: Shop, terms: OrderTerms) -> Self {
        let id = OrderId::following(OrderId(0), NOW, 3);
        let holds = holds_needed(id, &terms);
        let (order, _) = create(id, Arc::new(terms), holds, &shop.context(NOW)).unwrap();
        Self { shop, order, now: NOW }
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
        decide(&self.order, command, &self.shop.context(self.now))
    }

    /// Carries a command out and tells what came of it, as [`told`].
    pub(super) fn does(&mut self, command: &OrderCommand) -> String {
        let answer = self.decides(command);
        if let Ok(Decision::Moved(events)) = &answer {
            for event in events {
                crate::order::apply(&mut self.order, self.now, event);
            }
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
        self.does(&OrderCommand::Refund { refund_no: refund_no.into(), amount: Some(fen(amount)) })
    }

    pub(super) fn hears_of_refund(&mut self, refund: u8, outcome: Outcome) -> String {
        let attempt = self.order.refund(refund).unwrap().attempt.0;
        self.hears(attempt, ReportSource::Refund { refund }, outcome)
    }

    pub(super) fn releases(&mut self, sub_order: Option<u8>, amount: Option<u64>) -> String {
        self.does(&OrderCommand::Release { sub_order, amount: amount.map(fen) })
    }
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
        AccountType::Commission => format!("agent {}", account.number()),
        AccountType::Cash => format!("buyer {}", account.number()),
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
        | AccountType::Receivable) => kind.name().to_owned(),
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
