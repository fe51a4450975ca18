//! The mall: places orders, repeats, reorders and abandons requests, and remembers every answer.
//!
//! A new kind of command is a variant of [`Intent`], its line in [`Intent::draw`] and in [`Intent::command`], and what its
//! answer promises in [`crate::oracle::answers`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smallvec::smallvec;
use smol_str::{SmolStr, format_smolstr};
use suanpan_core::coupon;
use suanpan_model::command::{OrderRef, RefundRequest};
use suanpan_model::refund::FinishWay;
use suanpan_model::{
    AccountId, AccountType, Amount, AttemptNo, Bank, Campaign, CampaignId, CardType, Currency, Funder,
    OrderCommand, OrderId, OrderTerms, PayKind, Share, SplitRule, SubOrder, Tier, TimestampMs, Worth,
};
use suanpan_runtime::Command;

use crate::dice::Dice;
use crate::plan::{PLATFORM, Plan};

/// Coupons that there are of each campaign with a stock.
pub const STOCK: u32 = 5;
/// Coupons of the campaign with a limit that one customer can get.
pub const PER_CUSTOMER: u32 = 2;
/// The campaign whose coupons are counted and taken straight from the stock.
pub const COUNTED: CampaignId = CampaignId(2);
/// The campaign whose coupons are issued to customers.
pub const ISSUED: CampaignId = CampaignId(4);
/// Those who buy.
pub const CUSTOMERS: [&str; 3] = ["alpha", "beta", "gamma"];

/// The campaigns of all lives: one without a count, one for whose last coupon orders race, one with two funders for
/// some merchants only, one whose coupons are issued and expire at `until`.
#[must_use]
pub fn campaigns(cast: &Cast, until: TimestampMs) -> Vec<Campaign> {
    let fund = AccountId::internal(AccountType::CouponFund, PLATFORM.0, Currency::Cny, 0);
    let all_of = |account| smallvec![Funder { account, bps: 10_000 }];
    let fen = Amount::from_minor;
    let first = Campaign {
        id: CampaignId(1),
        platform: PLATFORM,
        currency: Currency::Cny,
        worth: Worth::Face(fen(500)),
        minimum_spend: fen(1_000),
        valid_from: TimestampMs(0),
        valid_until: TimestampMs::NEVER,
        funders: all_of(fund),
        merchants: Vec::new(),
        stock: None,
        per_customer: None,
        stackable: true,
        rank: 0,
        claimable: true,
    };
    let counted = Campaign {
        id: COUNTED,
        worth: Worth::Percent { bps: 1_000, cap: Some(fen(777)) },
        minimum_spend: fen(10),
        funders: all_of(cast.marketing),
        stock: Some(STOCK),
        per_customer: Some(PER_CUSTOMER),
        rank: 1,
        ..first.clone()
    };
    let shared = Campaign {
        id: CampaignId(3),
        worth: Worth::Face(fen(301)),
        minimum_spend: fen(500),
        funders: smallvec![
            Funder { account: fund, bps: 6_667 },
            Funder { account: cast.marketing, bps: 3_333 }
        ],
        merchants: cast.merchants[..2].to_vec(),
        rank: 2,
        ..first
    };
    let issued = Campaign {
        id: ISSUED,
        worth: Worth::Face(fen(199)),
        minimum_spend: fen(200),
        valid_until: until,
        stock: Some(STOCK),
        stackable: false,
        claimable: false,
        ..first.clone()
    };
    vec![first, counted, shared, issued]
}

/// Something that the mall wants of one of its orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Record it.
    Create,
    /// Record another one under the same number.
    CreateOther,
    /// Tell its life.
    Query,
    /// The payer typed a code.
    ConfirmSms(SmolStr),
    /// The buyer confirmed all or part, under a number, to named payees if there are any.
    Release(SmolStr, Option<u8>, Option<Amount>, Vec<SplitRule>),
    /// Give money back, under a number.
    Refund(RefundRequest),
    /// Stop waiting for the payment.
    Close,
    /// Stop the clock.
    OpenDispute,
    /// Let it go on, after a refund if there is one.
    ResolveDispute(Option<RefundRequest>),
    /// An operator gives a parked payment back.
    ReturnParked(AttemptNo),
    /// An operator takes a parked payment into the order.
    Reopen(AttemptNo),
    /// An operator ends a refund that its channel cannot finish.
    FinishRefund(u8, FinishWay),
}

impl Intent {
    /// Draws something that a mall might want of `placed`.
    pub fn draw(dice: &mut Dice, placed: &Placed, cast: &Cast) -> Self {
        let attempt = |dice: &mut Dice| AttemptNo(u8::try_from(dice.between(1, 3)).unwrap_or(1));
        match dice.below(100) {
            0..12 => Self::Create,
            12..14 => Self::CreateOther,
            14..24 => Self::Query,
            24..36 => Self::ConfirmSms(dice.pick(&["123456", "123456", "123456", "000000"]).into()),
            36..42 => Self::Release(SmolStr::default(), None, None, Vec::new()),
            42..60 => {
                let no = format_smolstr!("L-{}", dice.below(5));
                let amount = if dice.below(3) == 0 { None } else { Some(part(dice, placed)) };
                Self::Release(no, sub_order(dice), amount, payees(dice, cast))
            }
            60..77 => Self::Refund(refund(dice, placed)),
            77..81 => Self::Close,
            81..88 => Self::OpenDispute,
            88..92 => Self::ResolveDispute(None),
            92..96 => Self::ResolveDispute(Some(refund(dice, placed))),
            96 => Self::ReturnParked(attempt(dice)),
            97 => Self::Reopen(attempt(dice)),
            _ => {
                let way = dice.below(4);
                Self::FinishRefund(u8::try_from(dice.between(1, 3)).unwrap_or(1), finish_way(way, dice, cast))
            }
        }
    }

    /// The request.
    #[must_use]
    pub fn command(&self, placed: &Placed) -> Command {
        let command = match self {
            Self::Create => return Command::Create(Arc::clone(&placed.terms)),
            Self::CreateOther => return Command::Create(Arc::clone(&placed.other)),
            Self::Query => return Command::Query { platform: Some(PLATFORM), order: placed.named() },
            Self::ConfirmSms(code) => OrderCommand::ConfirmSms { sms_code: code.clone() },
            Self::Release(no, sub_order, amount, payees) => OrderCommand::Release {
                release_no: no.clone(),
                sub_order: *sub_order,
                amount: *amount,
                payees: payees.clone(),
            },
            Self::Refund(request) => OrderCommand::Refund(request.clone()),
            Self::Close => OrderCommand::Close,
            Self::OpenDispute => OrderCommand::OpenDispute,
            Self::ResolveDispute(refund) => OrderCommand::ResolveDispute { refund: refund.clone() },
            Self::ReturnParked(attempt) => OrderCommand::ReturnParked { attempt: *attempt },
            Self::Reopen(attempt) => OrderCommand::Reopen { attempt: *attempt },
            Self::FinishRefund(refund, way) => {
                OrderCommand::FinishRefund { refund: *refund, way: way.clone(), note: SmolStr::default() }
            }
        };
        Command::Order { platform: Some(PLATFORM), order: placed.named(), command }
    }

    /// The mall's number of the refund that it asks for, if it asks for one.
    #[must_use]
    pub fn refund_no(&self) -> Option<&SmolStr> {
        match self {
            Self::Refund(request) | Self::ResolveDispute(Some(request)) => Some(&request.refund_no),
            _ => None,
        }
    }

    /// The mall's number of the release that it asks for, if it asks for one under a number.
    #[must_use]
    pub fn release_no(&self) -> Option<&SmolStr> {
        match self {
            Self::Release(no, ..) if !no.is_empty() => Some(no),
            _ => None,
        }
    }
}

fn part(dice: &mut Dice, placed: &Placed) -> Amount {
    let whole = placed.terms.amount.minor();
    Amount::from_minor(match dice.below(4) {
        0 => dice.between(1, 20),
        1 => whole,
        2 => whole / 2 + 1,
        _ => dice.below(whole + 2),
    })
}

fn sub_order(dice: &mut Dice) -> Option<u8> {
    if dice.below(2) == 0 { None } else { u8::try_from(dice.below(3)).ok() }
}

/// Asks for some of an order back, or for all that is left.
pub fn refund(dice: &mut Dice, placed: &Placed) -> RefundRequest {
    RefundRequest {
        refund_no: format_smolstr!("R-{}", dice.below(5)),
        sub_order: sub_order(dice),
        amount: if dice.below(3) == 0 { None } else { Some(part(dice, placed)) },
    }
}

/// One of the ways in which an operator ends a refund.
pub fn finish_way(way: u64, dice: &mut Dice, cast: &Cast) -> FinishWay {
    match way {
        0 => FinishWay::ToAccount(dice.pick(&cast.buyers)),
        1 => FinishWay::Outside,
        2 => FinishWay::Resend,
        _ => FinishWay::GiveUp,
    }
}

fn payees(dice: &mut Dice, cast: &Cast) -> Vec<SplitRule> {
    let within = |rule: SplitRule| SplitRule { within: Some(0), ..rule };
    match dice.below(8) {
        0 => vec![SplitRule::new(cast.agents[0], Share::Bps(1_111))],
        1 => vec![
            SplitRule::new(cast.agents[0], Share::Bps(2_000)),
            within(SplitRule::new(cast.agents[1], Share::Bps(3_333))),
        ],
        2 => vec![SplitRule::new(dice.pick(&cast.merchants), Share::Fixed(Amount::from_minor(7)))],
        _ => Vec::new(),
    }
}

/// How often something reached the engine, and what it answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Requests that reached the engine.
    pub delivered: u32,
    /// Answers that refused it.
    pub refused: u32,
    /// Answers that promised it.
    pub promised: u32,
}

/// An order as the mall remembers it.
#[derive(Clone, Debug)]
pub struct Placed {
    /// What it asks for.
    pub terms: Arc<OrderTerms>,
    /// What it asks for when it uses the number a second time.
    pub other: Arc<OrderTerms>,
    /// The engine's number, once an answer told it.
    pub id: Option<OrderId>,
    /// The terms that were acknowledged.
    pub acknowledged: Option<Arc<OrderTerms>>,
    /// Creations.
    pub creations: Tally,
    /// Refunds by number.
    pub refunds: BTreeMap<SmolStr, Tally>,
    /// Releases by number.
    pub releases: BTreeMap<SmolStr, Tally>,
    /// Whether the mall was told that all was released, that it closes.
    pub released: bool,
    /// See `released`.
    pub closing: bool,
    /// Parked payments that the operator was told are on their way back, and one that was taken into the order.
    pub returned: BTreeSet<AttemptNo>,
    /// See `returned`.
    pub reopened: Option<AttemptNo>,
    /// Refunds that the operator was told are finished another way.
    pub finished: BTreeSet<u8>,
}

impl Placed {
    /// How the mall names it: by the engine's number when it knows it.
    #[must_use]
    pub fn named(&self) -> OrderRef {
        self.id.map_or(OrderRef::Key(self.terms.key()), OrderRef::Id)
    }
}

/// A request that was sent.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Which order.
    pub order: usize,
    /// What was wanted.
    pub intent: Intent,
}

/// Everybody who has an account.
#[derive(Clone, Debug)]
pub struct Cast {
    /// Merchants.
    pub merchants: Vec<AccountId>,
    /// Agents.
    pub agents: Vec<AccountId>,
    /// Buyers with e-accounts.
    pub buyers: Vec<AccountId>,
    /// Marketing money that funds coupons.
    pub marketing: AccountId,
    /// The campaigns.
    pub campaigns: Vec<Campaign>,
}

impl Default for Cast {
    fn default() -> Self {
        Self {
            merchants: Vec::new(),
            agents: Vec::new(),
            buyers: Vec::new(),
            marketing: AccountId::opened(AccountType::Marketing, 0, 0),
            campaigns: Vec::new(),
        }
    }
}

/// What a mall asks for.
pub fn draw_terms(dice: &mut Dice, plan: &Plan, cast: &Cast, number: usize, now: TimestampMs) -> OrderTerms {
    let parts = dice.pick(&[1_usize, 1, 1, 2, 3]);
    let sub_orders: Vec<SubOrder> = (0..parts)
        .map(|_| {
            let minor = match dice.below(5) {
                0 => dice.between(1, 9),
                1 => 997,
                2 => dice.between(1_000, 1_010),
                _ => dice.between(1, 20_000),
            };
            SubOrder { merchant: dice.pick(&cast.merchants), amount: Amount::from_minor(minor) }
        })
        .collect();
    let amount = sub_orders.iter().fold(Amount::ZERO, |sum, part| sum.plus(part.amount));
    let commission = AccountId::internal(AccountType::CommissionIncome, PLATFORM.0, Currency::Cny, 0);
    let bps = |receiver, bps| SplitRule::new(receiver, Share::Bps(bps));
    let fixed = |receiver, minor| SplitRule::new(receiver, Share::Fixed(Amount::from_minor(minor)));
    let within = |rule: SplitRule| SplitRule { within: Some(0), ..rule };
    let tier = |from, bps| Tier { from: Amount::from_minor(from), bps };
    let splits = match dice.below(7) {
        0 => vec![],
        1 => vec![bps(commission, 600)],
        2 => vec![bps(commission, 777), fixed(cast.agents[0], amount.minor() / 10)],
        3 => vec![bps(cast.agents[0], 999), bps(cast.agents[1], 999), bps(commission, 333)],
        4 => vec![
            bps(cast.agents[0], 2_500),
            within(bps(cast.agents[1], 3_333)),
            within(SplitRule::new(commission, Share::Remainder)),
        ],
        5 => {
            let tiers = [tier(100, 100), tier(1_000, 500), tier(10_000, 1_234)];
            vec![SplitRule::new(cast.agents[0], Share::Tiered(tiers.into()))]
        }
        _ => vec![fixed(cast.agents[1], amount.minor() / 7), bps(commission, 1)],
    };
    let kind = dice.pick(&[
        PayKind::Gateway,
        PayKind::Gateway,
        PayKind::QuickPay,
        PayKind::QuickPay,
        PayKind::Balance,
    ]);
    let used: &[u32] =
        dice.pick(&[&[][..], &[], &[], &[1], &[2], &[2], &[1, 2], &[1, 3], &[2, 3], &[1, 2, 3], &[4], &[4]]);
    let used: Vec<&Campaign> = cast.campaigns.iter().filter(|known| used.contains(&known.id.0)).collect();
    let coupons = coupon::uses(&used, &sub_orders);
    let bank = if kind == PayKind::Balance {
        None
    } else {
        dice.pick(&[Some("ICBC"), Some("CMB"), Some("SPB"), None])
    };
    let card_type = dice.pick(&[CardType::Debit, CardType::Debit, CardType::Credit]);
    OrderTerms {
        platform: PLATFORM,
        order_no: format_smolstr!("A-{number}"),
        payer: dice.pick(&CUSTOMERS).into(),
        payer_account: Some(dice.pick(&cast.buyers)),
        amount,
        currency: Currency::Cny,
        kind,
        bank: bank.and_then(Bank::from_code),
        card_type: if kind == PayKind::Balance { None } else { Some(card_type) },
        agreement_no: if kind == PayKind::QuickPay { "AG-1".into() } else { "".into() },
        description: "tea".into(),
        expires_at: now + plan.policy.order_ttl,
        escrow: dice.below(5) != 0,
        virtual_goods: dice.below(4) == 0,
        coupons,
        sub_orders: sub_orders.into_iter().collect(),
        splits: splits.into_iter().collect(),
        callback: "".into(),
        metadata: vec![],
        attributes: None,
    }
}

/// The mall.
#[derive(Default)]
pub struct Mall {
    /// Its orders.
    pub orders: Vec<Placed>,
    /// Its requests, by ticket.
    pub asked: Vec<Asked>,
}

impl Mall {
    /// Places an order.
    pub fn place(&mut self, terms: OrderTerms) -> usize {
        let other = OrderTerms { description: "coffee".into(), ..terms.clone() };
        self.orders.push(Placed {
            terms: Arc::new(terms),
            other: Arc::new(other),
            id: None,
            acknowledged: None,
            creations: Tally::default(),
            refunds: BTreeMap::new(),
            releases: BTreeMap::new(),
            released: false,
            closing: false,
            returned: BTreeSet::new(),
            reopened: None,
            finished: BTreeSet::new(),
        });
        self.orders.len() - 1
    }

    /// Notes a request; its ticket.
    pub fn asks(&mut self, order: usize, intent: Intent) -> u64 {
        self.asked.push(Asked { order, intent });
        self.asked.len() as u64 - 1
    }
}
