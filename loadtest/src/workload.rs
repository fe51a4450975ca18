//! Orders without end, as a workload describes them.
//!
//! What an order asks for is drawn once, for a pool of *templates*; a run takes them in turn and gives each order a
//! number and a buyer of its own. So an order costs the driver little, and what a run must come to is a sum over
//! the pool.

use std::sync::Arc;

use anyhow::{Result, ensure};
use smol_str::SmolStr;
use suanpan_channels::Descriptor;
use suanpan_core::routing::Router;
use suanpan_model::command::{OrderRef, RefundRequest};
use suanpan_model::{
    AccountId, CampaignId, ChannelId, OrderCommand, OrderId, OrderTerms, PayKind, RejectCode, TimestampMs,
};
use suanpan_runtime::Command;

use crate::expected::Parts;
use crate::operation::{Action, Course};
use crate::order_no::{OrderNumbers, payer};
use crate::random::Random;
use crate::world::{FLASH_CAMPAIGNS, FLASH_FIRST, PLATFORM};

mod draw;
mod spec;
#[cfg(test)]
mod tests;

pub use spec::{BUILTIN, Courses, FlashSale, Outage, Reading, Spec};

/// How many templates there are.
pub const TEMPLATES: usize = 16_384;

/// Accounts that take part.
#[derive(Clone, Debug)]
pub struct Cast {
    /// Settlement accounts of the merchants.
    pub merchants: Vec<AccountId>,
    /// Commission accounts of the agents.
    pub agents: Vec<AccountId>,
    /// E-accounts of the buyers.
    pub buyers: Vec<AccountId>,
}

/// What an order asks for, and what it must come to.
#[derive(Clone, Debug)]
pub struct Template {
    /// The terms, with neither number nor buyer.
    pub terms: OrderTerms,
    /// The channel that takes it when none fails; nothing for an e-account payment.
    pub channel: Option<ChannelId>,
    /// Place of its merchant in the cast.
    pub merchant: usize,
    /// Place of its agent in the cast.
    pub agent: usize,
    /// Whether the hot buyer pays.
    pub hot_buyer: bool,
    /// Who gets what of a release, when no channel fails.
    pub parts: Parts,
    /// What is done with it once it is paid.
    pub course: Course,
}

/// What templates are drawn from.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// Accounts that take part.
    pub cast: &'a Cast,
    /// The channels.
    pub descriptors: &'a [Descriptor],
    /// How payments are routed over them.
    pub router: &'a Router,
    /// When the run begins.
    pub now: TimestampMs,
    /// Seed of the run.
    pub seed: u64,
}

/// Orders without end.
#[derive(Debug)]
pub struct Workload {
    spec: Spec,
    templates: Vec<Template>,
    numbers: OrderNumbers,
    buyers: Vec<AccountId>,
}

impl Workload {
    /// The orders of `spec`.
    ///
    /// # Errors
    /// When some order would find no channel, or the cast is empty.
    pub fn new(spec: &Spec, ground: Ground<'_>) -> Result<Self> {
        let cast = ground.cast;
        ensure!(
            !cast.merchants.is_empty() && !cast.agents.is_empty() && !cast.buyers.is_empty(),
            "a run needs merchants, agents and buyers"
        );
        let mut random = Random::new(ground.seed);
        let templates =
            (0..TEMPLATES).map(|_| draw::template(spec, ground, &mut random)).collect::<Result<_>>()?;
        Ok(Self {
            spec: spec.clone(),
            templates,
            numbers: OrderNumbers::new(ground.now.0, ground.seed),
            buyers: cast.buyers.clone(),
        })
    }

    /// As it was written.
    #[must_use]
    pub const fn spec(&self) -> &Spec {
        &self.spec
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

    /// What is done with order number `count` once it is paid.
    #[must_use]
    pub fn course_of(&self, count: u64) -> Course {
        self.templates[self.template_of(count)].course
    }

    /// The mall's number of order `count`.
    #[must_use]
    pub fn order_no(&self, count: u64) -> SmolStr {
        self.numbers.text(count)
    }

    /// Place of the buyer of order `count` in the cast.
    #[must_use]
    pub fn buyer_of(&self, count: u64) -> usize {
        /// A prime, so that neighbours in time are not neighbours in name.
        const STRIDE: u64 = 7_919;
        let everybody = self.buyers.len() as u64;
        let mixed = count.wrapping_mul(STRIDE);
        let buyer = match self.spec.flash_sale {
            Some(sale) if mixed % 100 < u64::from(sale.hoarders_share) => count % sale.hoarders,
            Some(_) | None if self.templates[self.template_of(count)].hot_buyer => 0,
            Some(_) | None => mixed % everybody,
        };
        usize::try_from(buyer).unwrap_or(0)
    }

    /// The campaign that order `count` asks a coupon of, in a flash sale.
    #[must_use]
    pub fn campaign_of(&self, count: u64) -> Option<CampaignId> {
        let sale = self.spec.flash_sale?;
        let turn = (count / u64::from(sale.orders_per_campaign)).min(u64::from(FLASH_CAMPAIGNS) - 1);
        Some(CampaignId(FLASH_FIRST + u32::try_from(turn).unwrap_or(0)))
    }

    /// The terms of order `count`; asked again, they are the same.
    #[must_use]
    pub fn terms(&self, count: u64) -> Arc<OrderTerms> {
        let mut terms = self.templates[self.template_of(count)].terms.clone();
        let buyer = self.buyer_of(count);
        terms.order_no = self.order_no(count);
        terms.payer = payer(buyer as u64);
        if terms.kind == PayKind::Balance {
            terms.payer_account = Some(self.buyers[buyer]);
        }
        if let Some(campaign) = self.campaign_of(count) {
            terms.coupons.iter_mut().for_each(|coupon| coupon.campaign = campaign);
        }
        Arc::new(terms)
    }

    /// The command of a step.
    #[must_use]
    pub fn command(&self, order: OrderId, action: Action) -> Command {
        let command = match action {
            Action::Release(amount) => OrderCommand::Release {
                release_no: amount.map_or_else(SmolStr::default, |_| SmolStr::new_static("part-1")),
                sub_order: None,
                amount,
                payees: Vec::new(),
            },
            Action::Refund(amount) => OrderCommand::Refund(RefundRequest {
                refund_no: SmolStr::new_static("refund-1"),
                sub_order: None,
                amount,
            }),
        };
        Command::Order { platform: Some(PLATFORM), order: OrderRef::Id(order), command }
    }

    /// Whether a creation may be refused with this code: that is what the workload is about.
    #[must_use]
    pub const fn expects(&self, code: RejectCode) -> bool {
        self.spec.flash_sale.is_some() && matches!(code, RejectCode::CouponSoldOut | RejectCode::CouponLimit)
    }

    /// Whether orders may fail or be closed because of their channels.
    #[must_use]
    pub const fn may_end_unpaid(&self) -> bool {
        self.spec.ends.unpaid
    }
}
