//! The canonical workload: mall orders from submission to release.
//!
//! What an order asks for is drawn once, for a pool of *templates*; a run takes them in turn and gives each order a
//! number and a buyer of its own. So an order costs the driver little, and what a run must come to is a sum over
//! the pool.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use smallvec::{SmallVec, smallvec};
use smol_str::SmolStr;
use suanpan_channels::Descriptor;
use suanpan_core::coupon::uses;
use suanpan_core::routing::{AllOpen, RouteRequest, Router};
use suanpan_model::{
    AccountId, AccountType, Amount, CardType, ChannelId, DurationMs, OrderTerms, PayKind, Share, SplitRule,
    SubOrder, TimestampMs,
};

use crate::cli::WorkloadName;
use crate::expected::{self, AGENT_BPS, COMMISSION_BPS, Parts};
use crate::order_no::{OrderNumbers, payer};
use crate::random::Random;
use crate::world::{BANKS, CAMPAIGNS, CURRENCY, PLATFORM, bank, campaigns};

/// How many templates there are.
pub const TEMPLATES: usize = 16_384;

/// Smallest and largest price in minor units.
const PRICES: (u64, u64) = (100, 500_000);

/// Accounts that take part.
#[derive(Clone, Debug)]
pub struct Cast {
    /// The merchants'.
    pub merchants: Vec<AccountId>,
    /// The agents'.
    pub agents: Vec<AccountId>,
    /// How many buyers there are.
    pub buyers: u64,
}

/// What an order asks for, and what it must come to.
#[derive(Clone, Debug)]
pub struct Template {
    /// The terms, with neither number nor buyer.
    pub terms: OrderTerms,
    /// The channel that must take it.
    pub channel: ChannelId,
    /// Place of its merchant in the cast.
    pub merchant: usize,
    /// Place of its agent in the cast.
    pub agent: usize,
    /// Who gets what.
    pub parts: Parts,
}

/// Orders without end.
#[derive(Debug)]
pub struct Workload {
    templates: Vec<Template>,
    numbers: OrderNumbers,
    buyers: u64,
}

impl Workload {
    /// The canonical workload of a run that begins at `now`.
    ///
    /// # Errors
    /// When some order would find no channel, or the cast is empty.
    pub fn canonical(
        cast: &Cast,
        descriptors: &[Descriptor],
        router: &Router,
        now: TimestampMs,
        seed: u64,
    ) -> Result<Self> {
        Self::of(WorkloadName::Canonical, cast, descriptors, router, now, seed)
    }

    /// The named workload of a run that begins at `now`.
    ///
    /// # Errors
    /// When some order would find no channel, or the cast is empty.
    pub fn of(
        name: WorkloadName,
        cast: &Cast,
        descriptors: &[Descriptor],
        router: &Router,
        now: TimestampMs,
        seed: u64,
    ) -> Result<Self> {
        ensure!(
            !cast.merchants.is_empty() && !cast.agents.is_empty() && cast.buyers > 0,
            "a run needs merchants, agents and buyers"
        );
        let mut random = Random::new(seed);
        let templates = (0..TEMPLATES)
            .map(|_| {
                let (terms, merchant, agent) = terms(cast, now, &mut random)?;
                let terms = match name {
                    WorkloadName::Canonical => terms,
                    WorkloadName::Plain => {
                        OrderTerms { coupons: Vec::new(), splits: SmallVec::new(), ..terms }
                    }
                };
                expect(terms, merchant, agent, descriptors, router, now)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { templates, numbers: OrderNumbers::new(now.0, seed), buyers: cast.buyers })
    }

    /// The templates.
    #[must_use]
    pub fn templates(&self) -> &[Template] {
        &self.templates
    }

    /// Which template order number `count` follows.
    #[must_use]
    pub const fn template_of(&self, count: u64) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "below the number of templates")]
        {
            (count % TEMPLATES as u64) as usize
        }
    }

    /// The mall's number of order `count`.
    #[must_use]
    pub fn order_no(&self, count: u64) -> SmolStr {
        self.numbers.text(count)
    }

    /// The terms of order `count`; asked again, they are the same.
    #[must_use]
    pub fn terms(&self, count: u64) -> Arc<OrderTerms> {
        /// A prime, so that neighbours in time are not neighbours in name.
        const STRIDE: u64 = 7_919;
        let mut terms = self.templates[self.template_of(count)].terms.clone();
        terms.order_no = self.order_no(count);
        terms.payer = payer(count.wrapping_mul(STRIDE) % self.buyers);
        Arc::new(terms)
    }
}

fn terms(cast: &Cast, now: TimestampMs, random: &mut Random) -> Result<(OrderTerms, usize, usize)> {
    // As many small orders as large ones: the logarithm of the price is even.
    let (least, most) = PRICES;
    let magnitude = least << random.below(13);
    let amount = magnitude + random.below(magnitude.min(most - magnitude + 1));
    let affordable = CAMPAIGNS.iter().filter(|(_, minimum)| *minimum <= amount).count();
    let campaign = random.place(affordable);
    let (merchant, agent) = (random.place(cast.merchants.len()), random.place(cast.agents.len()));
    let kind = if random.below(2) == 0 { PayKind::Gateway } else { PayKind::QuickPay };
    let card_type = if random.below(3) == 0 { CardType::Credit } else { CardType::Debit };
    // Three in ten do not name a bank; of the others a third have one of the three with channels of their own.
    let bank_code = match random.below(10) {
        0..3 => None,
        3..6 => Some(BANKS[random.place(3)]),
        _ => Some(BANKS[3 + random.place(BANKS.len() - 3)]),
    };
    let receiver = AccountId::internal(AccountType::CommissionIncome, PLATFORM.0, CURRENCY, 0);
    let sub_orders: SmallVec<[SubOrder; 1]> =
        smallvec![SubOrder { merchant: cast.merchants[merchant], amount: Amount::from_minor(amount) }];
    let terms = OrderTerms {
        platform: PLATFORM,
        order_no: SmolStr::default(),
        payer: SmolStr::default(),
        payer_account: None,
        amount: Amount::from_minor(amount),
        currency: CURRENCY,
        kind,
        bank: bank_code.map(bank).transpose()?,
        card_type: Some(card_type),
        agreement_no: match kind {
            PayKind::QuickPay => SmolStr::new_static("agreement-0001"),
            PayKind::Gateway | PayKind::Balance => SmolStr::default(),
        },
        description: SmolStr::new_static("load-test order"),
        expires_at: now + DurationMs::from_days(30),
        escrow: true,
        virtual_goods: false,
        coupons: uses(&[&campaigns()[campaign]], &sub_orders),
        sub_orders,
        splits: smallvec![
            SplitRule::new(receiver, Share::Bps(COMMISSION_BPS)),
            SplitRule::new(cast.agents[agent], Share::Bps(AGENT_BPS)),
        ],
        callback: SmolStr::default(),
        metadata: Vec::new(),
        attributes: None,
    };
    Ok((terms, merchant, agent))
}

fn expect(
    terms: OrderTerms,
    merchant: usize,
    agent: usize,
    descriptors: &[Descriptor],
    router: &Router,
    now: TimestampMs,
) -> Result<Template> {
    let request = RouteRequest::of(&terms, now, &[]);
    let route = router.decide(&request, &AllOpen)?;
    let channel = route.channel;
    let taking = descriptors.iter().find(|descriptor| descriptor.capability.id == channel);
    let tariff = &taking.context("routed to a channel that is not there")?.capability.tariff;
    let fee = expected::fee(tariff, terms.payable().minor(), terms.card_type);
    ensure!(
        fee == route.fee.minor(),
        "the router expects a fee of {}, the tariff says {fee}",
        route.fee.minor()
    );
    let bps = if terms.splits.is_empty() { [0, 0] } else { [COMMISSION_BPS, AGENT_BPS] };
    let parts = expected::parts(terms.amount.minor(), terms.subsidy().minor(), fee, bps);
    Ok(Template { terms, channel, merchant, agent, parts })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use suanpan_core::routing::AllOpen;

    use super::*;
    use crate::world;

    /// A cast that no engine has opened.
    fn cast() -> Cast {
        let open = |kind, count: u64| (0..count).map(|number| AccountId::opened(kind, number, 3)).collect();
        Cast {
            merchants: open(AccountType::Settlement, 1_000),
            agents: open(AccountType::Commission, 50),
            buyers: 100_000,
        }
    }

    #[test]
    fn every_channel_rule_kind_and_price_takes_part() {
        let descriptors = world::descriptors().unwrap();
        let router = world::router(&descriptors).unwrap();
        let now = TimestampMs(1_795_327_536_000);
        let workload = Workload::canonical(&cast(), &descriptors, &router, now, 1).unwrap();
        let mut rules = BTreeSet::new();
        for template in workload.templates() {
            let terms = &template.terms;
            let request = RouteRequest::of(terms, now, &[]);
            rules.insert(router.decide(&request, &AllOpen).unwrap().rule.name());
            assert!((PRICES.0..=PRICES.1).contains(&terms.amount.minor()));
        }
        let channels: BTreeSet<_> = workload.templates().iter().map(|template| template.channel).collect();
        assert_eq!(channels.len(), world::CHANNELS);
        assert_eq!(rules.into_iter().collect::<Vec<_>>(), ["amount", "cost", "designated", "priority"]);
        let first = workload.terms(0);
        assert_eq!(first.amount, workload.templates()[0].terms.amount);
        assert_ne!(first.order_no, workload.terms(TEMPLATES as u64).order_no);
        assert!(!first.order_no.is_heap_allocated() && !first.payer.is_heap_allocated());
    }
}
