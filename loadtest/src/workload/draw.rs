//! Drawing one template.

use anyhow::{Context, Result, ensure};
use smallvec::{SmallVec, smallvec};
use smol_str::SmolStr;
use suanpan_core::coupon::uses;
use suanpan_core::routing::{AllOpen, RouteRequest};
use suanpan_model::{
    AccountId, AccountType, Amount, CardType, DurationMs, OrderTerms, PayKind, Share, SplitRule, SubOrder,
};

use super::{Courses, Ground, Spec, Template};
use crate::expected::{self, AGENT_BPS, COMMISSION_BPS};
use crate::operation::Course;
use crate::random::Random;
use crate::world::{BANKS, CAMPAIGNS, CURRENCY, PLATFORM, bank, campaigns, flash_campaign};

pub(super) fn template(spec: &Spec, ground: Ground<'_>, random: &mut Random) -> Result<Template> {
    let cast = ground.cast;
    // As many small orders as large ones: the logarithm of the price is even.
    let (least, most) = (spec.orders.price_min, spec.orders.price_max);
    let doublings = u64::from((most / least).ilog2()) + 1;
    let magnitude = least << random.below(doublings);
    let amount = magnitude + random.below(magnitude.min(most - magnitude + 1));
    let merchant = match random.below(100) < u64::from(spec.parties.hot_merchant) {
        true => 0,
        false => random.place(cast.merchants.len()),
    };
    let agent = random.place(cast.agents.len());
    let kind = kind(spec, random);
    let sub_orders: SmallVec<[SubOrder; 1]> =
        smallvec![SubOrder { merchant: cast.merchants[merchant], amount: Amount::from_minor(amount) }];
    let affordable = CAMPAIGNS.iter().filter(|(_, minimum)| *minimum <= amount).count();
    let campaign = random.place(affordable.max(1));
    let coupons = match spec.flash_sale {
        Some(sale) => uses(&[&flash_campaign(&sale, 0)], &sub_orders),
        None if spec.orders.coupon => uses(&[&campaigns()[campaign]], &sub_orders),
        None => Vec::new(),
    };
    let receiver = AccountId::internal(AccountType::CommissionIncome, PLATFORM.0, CURRENCY, 0);
    let splits: SmallVec<[SplitRule; 2]> = match spec.orders.commission {
        true => smallvec![
            SplitRule::new(receiver, Share::Bps(COMMISSION_BPS)),
            SplitRule::new(cast.agents[agent], Share::Bps(AGENT_BPS)),
        ],
        false => SmallVec::new(),
    };
    let card_type = if random.below(3) == 0 { CardType::Credit } else { CardType::Debit };
    // Three in ten do not name a bank; of the others a third have one of the three with channels of their own.
    let bank_code = match random.below(10) {
        0..3 => None,
        3..6 => Some(BANKS[random.place(3)]),
        _ => Some(BANKS[3 + random.place(BANKS.len() - 3)]),
    };
    let is_card = kind != PayKind::Balance;
    let terms = OrderTerms {
        platform: PLATFORM,
        order_no: SmolStr::default(),
        payer: SmolStr::default(),
        payer_account: None,
        amount: Amount::from_minor(amount),
        currency: CURRENCY,
        kind,
        bank: bank_code.filter(|_| is_card).map(bank).transpose()?,
        card_type: is_card.then_some(card_type),
        agreement_no: match kind {
            PayKind::QuickPay => SmolStr::new_static("agreement-0001"),
            PayKind::Gateway | PayKind::Balance => SmolStr::default(),
        },
        description: SmolStr::new_static("load-test order"),
        expires_at: ground.now + DurationMs::from_days(30),
        escrow: true,
        virtual_goods: false,
        coupons,
        sub_orders,
        splits: splits.into_iter().collect(),
        callback: SmolStr::default(),
        metadata: Vec::new(),
        attributes: None,
    };
    let course = course(&spec.course, amount, random);
    let hot_buyer = random.below(100) < u64::from(spec.parties.hot_buyer);
    expect(terms, merchant, agent, hot_buyer, course, ground)
}

fn kind(spec: &Spec, random: &mut Random) -> PayKind {
    let draw = random.below(100);
    let gateway = u64::from(spec.orders.gateway);
    match draw {
        _ if draw < gateway => PayKind::Gateway,
        _ if draw < gateway + u64::from(spec.orders.quick_pay) => PayKind::QuickPay,
        _ => PayKind::Balance,
    }
}

fn course(courses: &Courses, amount: u64, random: &mut Random) -> Course {
    // A part is neither nothing nor all.
    let part = Amount::from_minor(1 + random.below(amount - 1));
    let Courses { release, milestones, refund_frozen, refund_released, refund_part: _ } = *courses;
    let mut draw = random.below(100);
    for (share, course) in [
        (release, Course::Release),
        (milestones, Course::Milestones { first: part }),
        (refund_frozen, Course::RefundFrozen),
        (refund_released, Course::RefundReleased { part: None }),
    ] {
        match draw.checked_sub(u64::from(share)) {
            None => return course,
            Some(left) => draw = left,
        }
    }
    Course::RefundReleased { part: Some(part) }
}

fn expect(
    terms: OrderTerms,
    merchant: usize,
    agent: usize,
    hot_buyer: bool,
    course: Course,
    ground: Ground<'_>,
) -> Result<Template> {
    let (mut channel, mut fee) = (None, 0);
    if terms.kind != PayKind::Balance {
        let request = RouteRequest::of(&terms, ground.now, &[]);
        let route = ground.router.decide(&request, &AllOpen)?;
        let taking = ground.descriptors.iter().find(|one| one.capability.id == route.channel);
        let tariff = &taking.context("routed to a channel that is not there")?.capability.tariff;
        fee = expected::fee(tariff, terms.payable().minor(), terms.card_type);
        ensure!(
            fee == route.fee.minor(),
            "the router expects a fee of {}, the tariff says {fee}",
            route.fee.minor()
        );
        channel = Some(route.channel);
    }
    let bps = if terms.splits.is_empty() { [0, 0] } else { [COMMISSION_BPS, AGENT_BPS] };
    let parts = expected::parts(terms.amount.minor(), terms.subsidy().minor(), fee, bps);
    Ok(Template { terms, channel, merchant, agent, hot_buyer, parts, course })
}
