//! The rules of `domain.md` about shares and coupons, in the plainest words.

use suanpan_model::{AccountId, Campaign, CouponUse, Share, SplitRule, SubOrder, Worth};

use super::exact::{Cents, amount, largest_remainder};

/// Basis points of the sum, where the share is a percentage.
fn bps(share: &Share, sum: Cents) -> Option<Cents> {
    match share {
        Share::Bps(bps) => Some(Cents::from(*bps)),
        Share::Tiered(tiers) => {
            let reached = tiers.iter().rev().find(|tier| tier.from.signed() <= sum);
            Some(reached.map_or(0, |tier| Cents::from(tier.bps)))
        }
        Share::Fixed(_) | Share::Remainder => None,
    }
}

/// What each rule takes of `sum`, less what others take within it. The last one is what the rules leave.
/// Percentages go by largest remainder against the rest, fixed sums come out of the rest, a remainder takes it all.
pub fn divide(sum: Cents, rules: &[SplitRule]) -> Option<Vec<Cents>> {
    let mut own = vec![0; rules.len() + 1];
    own[rules.len()] = sum;
    // A rule stands after the one that it divides: level by level.
    let levels = std::iter::once(None).chain((0..rules.len()).map(Some));
    for level in levels {
        let above = level.unwrap_or(rules.len());
        let sum = own[above];
        let members: Vec<usize> =
            (0..rules.len()).filter(|place| rules[*place].within.map(usize::from) == level).collect();
        if members.is_empty() {
            continue;
        }
        let mut weights: Vec<Cents> =
            members.iter().map(|place| bps(&rules[*place].share, sum).unwrap_or(0)).collect();
        let taken: Cents = weights.iter().sum();
        if taken > 10_000 {
            return None;
        }
        weights.push(10_000 - taken);
        let parts = largest_remainder(sum, &weights);
        let mut rest = parts[members.len()];
        for (member, part) in members.iter().zip(&parts) {
            own[*member] = match rules[*member].share {
                Share::Fixed(fixed) => {
                    rest -= fixed.signed();
                    fixed.signed()
                }
                Share::Bps(_) | Share::Tiered(_) => *part,
                Share::Remainder => 0,
            };
        }
        if rest < 0 {
            return None;
        }
        match members.iter().find(|member| rules[**member].share == Share::Remainder) {
            Some(member) => {
                own[*member] = rest;
                own[above] = 0;
            }
            None => own[above] = rest,
        }
    }
    Some(own)
}

/// Whether the rules of the first level ask for at most `cap` basis points of `sum`.
pub fn within_cap(sum: Cents, rules: &[SplitRule], cap: Cents) -> bool {
    let first: Vec<_> = rules.iter().filter(|rule| rule.within.is_none()).collect();
    let asked: Cents = if first.iter().any(|rule| rule.share == Share::Remainder) {
        sum * 10_000
    } else {
        let of = |rule: &&SplitRule| match &rule.share {
            Share::Fixed(fixed) => fixed.signed() * 10_000,
            share => bps(share, sum).unwrap_or(0) * sum,
        };
        first.iter().map(of).sum()
    };
    asked <= sum * cap
}

/// The coupons of an order: by rank and number, each on what the earlier ones left. `None` where one cannot be used.
pub fn use_coupons(campaigns: &[Campaign], sub_orders: &[SubOrder]) -> Option<Vec<CouponUse>> {
    let mut sorted: Vec<&Campaign> = campaigns.iter().collect();
    sorted.sort_by_key(|campaign| (campaign.rank, campaign.id));
    let mut left: Vec<Cents> = sub_orders.iter().map(|sub_order| sub_order.amount.signed()).collect();
    let mut uses = Vec::new();
    for campaign in sorted {
        let counts =
            |merchant: AccountId| campaign.merchants.is_empty() || campaign.merchants.contains(&merchant);
        let only = |values: &[Cents]| -> Vec<Cents> {
            let each = sub_orders.iter().zip(values);
            each.map(|(sub_order, value)| if counts(sub_order.merchant) { *value } else { 0 }).collect()
        };
        let prices: Vec<Cents> = sub_orders.iter().map(|sub_order| sub_order.amount.signed()).collect();
        let price: Cents = only(&prices).iter().sum();
        let weights = only(&left);
        let remaining: Cents = weights.iter().sum();
        let subsidy = match campaign.worth {
            Worth::Face(face) => face.signed(),
            Worth::Percent { bps, cap } => {
                let percent = remaining * Cents::from(bps) / 10_000;
                cap.map_or(percent, |cap| percent.min(cap.signed()))
            }
        };
        if price < campaign.minimum_spend.signed().max(1) || subsidy == 0 || subsidy > remaining {
            return None;
        }
        if campaigns.len() > 1 && !campaign.stackable {
            return None;
        }
        let shares = largest_remainder(subsidy, &weights);
        left.iter_mut().zip(&shares).for_each(|(left, share)| *left -= share);
        let ratio: Vec<Cents> = campaign.funders.iter().map(|funder| Cents::from(funder.bps)).collect();
        let parts = largest_remainder(subsidy, &ratio);
        uses.push(CouponUse {
            campaign: campaign.id,
            subsidy: amount(subsidy),
            funders: campaign
                .funders
                .iter()
                .zip(parts)
                .map(|(one, part)| (one.account, amount(part)))
                .collect(),
            shares: shares.into_iter().map(amount).collect(),
            valid_until: campaign.valid_until,
            counted: campaign.stock.is_some() || campaign.per_customer.is_some() || !campaign.claimable,
        });
    }
    // A price of nothing needs no payment, and no order.
    (left.iter().sum::<Cents>() > 0).then_some(uses)
}
