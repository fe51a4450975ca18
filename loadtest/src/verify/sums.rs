//! What a run must have come to: a sum over its templates, worked out by the driver's side alone.

use std::collections::BTreeMap;

use suanpan_model::{ChannelId, PayKind};

use crate::expected::{Net, net};
use crate::workload::{Cast, Workload};

/// What a channel's book must say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelSums {
    /// Payments.
    pub payments: u64,
    /// What payers paid.
    pub paid: i128,
    /// What the channel keeps.
    pub fees: i128,
    /// Refunds.
    pub refunds: u64,
    /// What payers got back.
    pub refunded: i128,
}

/// What a run must have come to, in minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Of each merchant.
    pub merchants: Vec<i128>,
    /// Of each agent.
    pub agents: Vec<i128>,
    /// The platform's commission.
    pub commission: i128,
    /// What merchants paid for channels.
    pub fee_income: i128,
    /// Subsidies of the coupon fund.
    pub fund: i128,
    /// What buyers paid out of their e-accounts, less what they got back.
    pub cash: i128,
    /// Each channel's book.
    pub channels: BTreeMap<ChannelId, ChannelSums>,
}

impl Sums {
    /// Of the orders that a run has finished.
    #[must_use]
    pub fn of(workload: &Workload, cast: &Cast, by_template: &[u64]) -> Self {
        let mut sums = Self {
            merchants: vec![0; cast.merchants.len()],
            agents: vec![0; cast.agents.len()],
            ..Self::default()
        };
        for (template, count) in workload.templates().iter().zip(by_template) {
            let times = i128::from(*count);
            let Net { merchant, agent, commission, fee_income, fund, refunded } =
                net(template.parts, template.course);
            sums.merchants[template.merchant] += times * merchant;
            sums.agents[template.agent] += times * agent;
            sums.commission += times * commission;
            sums.fee_income += times * fee_income;
            sums.fund += times * fund;
            let (paid, back) = (i128::from(template.parts.payable), i128::from(refunded.unwrap_or(0)));
            if template.terms.kind == PayKind::Balance {
                sums.cash += times * (paid - back);
            } else if let Some(channel) = template.channel {
                let book = sums.channels.entry(channel).or_default();
                book.payments += count;
                book.paid += times * paid;
                book.fees += times * i128::from(template.parts.fee);
                book.refunds += if refunded.is_some() { *count } else { 0 };
                book.refunded += times * back;
            }
        }
        sums
    }

    /// All channels together.
    #[must_use]
    pub fn all_channels(&self) -> ChannelSums {
        self.channels.values().fold(ChannelSums::default(), |sum, one| ChannelSums {
            payments: sum.payments + one.payments,
            paid: sum.paid + one.paid,
            fees: sum.fees + one.fees,
            refunds: sum.refunds + one.refunds,
            refunded: sum.refunded + one.refunded,
        })
    }
}
