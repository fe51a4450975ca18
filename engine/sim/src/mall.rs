//! The mall: places orders, repeats, reorders and abandons requests, and remembers every answer.
//!
//! A new kind of command is a variant of [`Intent`], its line in [`Intent::draw`] and in [`Intent::command`], and what its
//! answer promises in [`crate::oracle::answers`].

use std::collections::BTreeMap;
use std::sync::Arc;

use smol_str::{SmolStr, format_smolstr};
use suanpan_model::command::OrderRef;
use suanpan_model::{
    AccountId, AccountType, Amount, Bank, CampaignId, CardType, CouponUse, Currency, OrderCommand, OrderId,
    OrderTerms, PayKind, Share, SplitRule, SubOrder, TimestampMs,
};
use suanpan_runtime::Command;

use crate::dice::Dice;
use crate::plan::{PLATFORM, Plan};

/// The coupon campaign of all lives.
pub const CAMPAIGN: CampaignId = CampaignId(1);
/// What its coupon is worth, in minor units.
pub const FACE: Amount = Amount::from_minor(500);
/// Smallest order that it can be used on.
pub const MINIMUM_SPEND: Amount = Amount::from_minor(1_000);

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
    /// The buyer confirmed all or part.
    Release(Option<u8>, Option<Amount>),
    /// Give money back, under a number.
    Refund(SmolStr, Option<Amount>),
    /// Stop waiting for the payment.
    Close,
    /// Stop the clock.
    OpenDispute,
    /// Let it go on.
    ResolveDispute,
}

impl Intent {
    /// Draws something that a mall might want of `placed`.
    pub fn draw(dice: &mut Dice, placed: &Placed) -> Self {
        let part = |dice: &mut Dice| {
            let whole = placed.terms.amount.minor();
            Some(Amount::from_minor(match dice.below(4) {
                0 => dice.between(1, 20),
                1 => whole,
                2 => whole / 2 + 1,
                _ => dice.below(whole + 2),
            }))
        };
        match dice.below(100) {
            0..15 => Self::Create,
            15..18 => Self::CreateOther,
            18..32 => Self::Query,
            32..46 => Self::ConfirmSms(dice.pick(&["123456", "123456", "123456", "000000"]).into()),
            46..56 => Self::Release(None, None),
            56..68 => {
                let sub_order = if dice.below(2) == 0 { None } else { Some(dice.pick(&[0, 1, 2])) };
                Self::Release(sub_order, if dice.below(3) == 0 { None } else { part(dice) })
            }
            68..80 => {
                let no = format_smolstr!("R-{}", dice.below(4));
                Self::Refund(no, if dice.below(3) == 0 { None } else { part(dice) })
            }
            80..86 => Self::Close,
            86..92 => Self::OpenDispute,
            _ => Self::ResolveDispute,
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
            Self::Release(sub_order, amount) => {
                OrderCommand::Release { sub_order: *sub_order, amount: *amount }
            }
            Self::Refund(no, amount) => OrderCommand::Refund { refund_no: no.clone(), amount: *amount },
            Self::Close => OrderCommand::Close,
            Self::OpenDispute => OrderCommand::OpenDispute,
            Self::ResolveDispute => OrderCommand::ResolveDispute,
        };
        Command::Order { platform: Some(PLATFORM), order: placed.named(), command }
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
    /// Whether the mall was told that all was released, that it closes, that it is disputed.
    pub released: bool,
    /// See `released`.
    pub closing: bool,
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
#[derive(Clone, Debug, Default)]
pub struct Cast {
    /// Merchants.
    pub merchants: Vec<AccountId>,
    /// Agents.
    pub agents: Vec<AccountId>,
    /// Buyers with e-accounts.
    pub buyers: Vec<AccountId>,
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
    let bps = |receiver, bps| SplitRule { receiver, share: Share::Bps(bps) };
    let fixed = |receiver, minor| SplitRule { receiver, share: Share::Fixed(Amount::from_minor(minor)) };
    let splits = match dice.below(5) {
        0 => vec![],
        1 => vec![bps(commission, 600)],
        2 => vec![bps(commission, 777), fixed(cast.agents[0], amount.minor() / 10)],
        3 => vec![bps(cast.agents[0], 999), bps(cast.agents[1], 999), bps(commission, 333)],
        _ => vec![fixed(cast.agents[1], amount.minor() / 7), bps(commission, 1)],
    };
    let kind = dice.pick(&[
        PayKind::Gateway,
        PayKind::Gateway,
        PayKind::QuickPay,
        PayKind::QuickPay,
        PayKind::Balance,
    ]);
    let with_coupon = amount > MINIMUM_SPEND && dice.below(3) == 0;
    let bank = if kind == PayKind::Balance {
        None
    } else {
        dice.pick(&[Some("ICBC"), Some("CMB"), Some("SPB"), None])
    };
    let card_type = dice.pick(&[CardType::Debit, CardType::Debit, CardType::Credit]);
    OrderTerms {
        platform: PLATFORM,
        order_no: format_smolstr!("A-{number}"),
        payer: "buyer".into(),
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
        coupon: with_coupon.then_some(CouponUse { campaign: CAMPAIGN, subsidy: FACE }),
        sub_orders: sub_orders.into_iter().collect(),
        splits: splits.into_iter().collect(),
        callback: "".into(),
        metadata: vec![],
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
            released: false,
            closing: false,
        });
        self.orders.len() - 1
    }

    /// Notes a request; its ticket.
    pub fn asks(&mut self, order: usize, intent: Intent) -> u64 {
        self.asked.push(Asked { order, intent });
        self.asked.len() as u64 - 1
    }
}
