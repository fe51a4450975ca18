//! An order as transfers of TigerBeetle, in two durable steps.
//!
//! Creation holds what the payer pays and what the coupon fund adds, as pending transfers into escrow: nothing is
//! released that is not held. Release posts both and divides them: merchant, commission, agent, channel's fee. So an order
//! is six transfers and two postings of pending ones, eight events; each step is one linked chain, done as a whole or not
//! at all.

use anyhow::{Context, Result};
use smallvec::SmallVec;
use suanpan_model::ChannelId;

use crate::expected::Parts;
use crate::workload::{Cast, Workload};

/// The most events of a step.
pub const STEP_EVENTS_MAX: usize = 6;

/// What is frozen for orders.
pub const ESCROW: u128 = 1;
/// What the platform earns.
pub const COMMISSION: u128 = 2;
/// Out of which coupons are paid.
pub const COUPON_FUND: u128 = 3;
/// What channels cost.
pub const FEES: u128 = 4;
/// Where the money of e-accounts comes from.
pub const FUNDING: u128 = 5;
const CLEARING: u128 = 1_000;
pub(super) const MERCHANTS: u128 = 1_000_000;
pub(super) const AGENTS: u128 = 2_000_000;
const BUYERS: u128 = 10_000_000;
/// Transfers of orders have numbers above all those that stand before them.
const FIRST_ORDER: u128 = 1 << 40;

/// What a channel owes.
#[must_use]
pub fn clearing(channel: ChannelId) -> u128 {
    CLEARING + u128::from(channel.0)
}

/// Account of merchant number `place`.
#[must_use]
pub const fn merchant(place: usize) -> u128 {
    MERCHANTS + place as u128
}

/// Account of agent number `place`.
#[must_use]
pub const fn agent(place: usize) -> u128 {
    AGENTS + place as u128
}

/// Account of buyer number `place`.
#[must_use]
pub const fn buyer(place: usize) -> u128 {
    BUYERS + place as u128
}

/// Clearing accounts of the channels that take orders of `workload`.
#[must_use]
pub fn clearings(workload: &Workload) -> Vec<u128> {
    let mut channels: Vec<ChannelId> = workload.templates().iter().filter_map(|one| one.channel).collect();
    channels.sort_unstable();
    channels.dedup();
    channels.into_iter().map(clearing).collect()
}

/// Every account.
#[must_use]
pub fn accounts(workload: &Workload, cast: &Cast) -> Vec<u128> {
    let mut all = vec![ESCROW, COMMISSION, COUPON_FUND, FEES, FUNDING];
    all.extend(clearings(workload));
    all.extend((0..cast.merchants.len()).map(merchant));
    all.extend((0..cast.agents.len()).map(agent));
    all.extend((0..cast.buyers.len()).map(buyer));
    all
}

/// What a transfer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Moves the money at once.
    Direct,
    /// Holds it.
    Pending,
    /// Moves what the transfer of this number holds.
    Post(u128),
}

/// What a transfer is for; TigerBeetle keeps it as `code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The payer's part of the price.
    Payment = 1,
    /// The coupon's part of it.
    Subsidy = 2,
    /// What the merchant gets.
    Release = 3,
    /// What the platform gets.
    Commission = 4,
    /// What the agent gets.
    AgentShare = 5,
    /// What the channel costs.
    Fee = 6,
    /// Money on an e-account.
    Funding = 7,
}

/// One transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Its number: unique, growing with the orders.
    pub id: u128,
    /// Account that is debited.
    pub debit: u128,
    /// Account that is credited.
    pub credit: u128,
    /// Minor units.
    pub amount: u64,
    /// What it does.
    pub kind: Kind,
    /// What it is for.
    pub purpose: Purpose,
    /// Whether it stands or falls with the next one.
    pub linked: bool,
}

/// The transfers of one step, a linked chain.
pub type Chain = SmallVec<[Move; STEP_EVENTS_MAX]>;

/// A step of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The money is held in escrow.
    Create,
    /// It is divided.
    Release,
}

/// The chain of `step` of order `count`.
///
/// # Errors
/// When an order names a payer that is neither a channel's nor an e-account.
pub fn chain(workload: &Workload, count: u64, step: Step) -> Result<Chain> {
    let template = &workload.templates()[workload.template_of(count)];
    let payer = match template.channel {
        Some(channel) => clearing(channel),
        None => buyer(workload.buyer_of(count)),
    };
    let parties = Parties { payer, merchant: merchant(template.merchant), agent: agent(template.agent) };
    of(&template.parts, parties, count, step).with_context(|| format!("order {count}"))
}

/// Accounts of an order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parties {
    pub payer: u128,
    pub merchant: u128,
    pub agent: u128,
}

pub(super) fn of(parts: &Parts, parties: Parties, count: u64, step: Step) -> Result<Chain> {
    let Parties { payer, merchant, agent } = parties;
    let id = |number: u128| (FIRST_ORDER + u128::from(count)) << 3 | number;
    let (payment, subsidy) = (id(0), id(1));
    use Kind::{Direct, Pending, Post};
    use Purpose::{AgentShare, Commission, Fee, Payment, Release, Subsidy};
    let all = match step {
        Step::Create => vec![
            (payment, payer, ESCROW, parts.payable, Pending, Payment),
            (subsidy, COUPON_FUND, ESCROW, parts.subsidy, Pending, Subsidy),
        ],
        Step::Release => vec![
            (id(2), payer, ESCROW, parts.payable, Post(payment), Payment),
            (id(3), COUPON_FUND, ESCROW, parts.subsidy, Post(subsidy), Subsidy),
            (id(4), ESCROW, merchant, parts.merchant, Direct, Release),
            (id(5), ESCROW, COMMISSION, parts.commission, Direct, Commission),
            (id(6), ESCROW, agent, parts.agent, Direct, AgentShare),
            (id(7), ESCROW, FEES, parts.fee, Direct, Fee),
        ],
    };
    let mut chain: Chain = all
        .into_iter()
        .filter(|(_, _, _, amount, ..)| *amount > 0)
        .map(|(id, debit, credit, amount, kind, purpose)| Move {
            id,
            debit,
            credit,
            amount,
            kind,
            purpose,
            linked: true,
        })
        .collect();
    chain.last_mut().context("nothing is paid")?.linked = false;
    Ok(chain)
}
