//! The coupons of a flash sale: none too many, none too few.

use rustc_hash::{FxHashMap, FxHashSet};
use suanpan_model::CampaignId;

use super::{Audit, Verdict};
use crate::order_no::payer;
use crate::world::PLATFORM;

/// How many customers' coupons are looked up.
const CUSTOMERS: u64 = 200;

pub(super) async fn check(verdict: &mut Verdict, audit: &Audit<'_>) {
    let Some(sale) = audit.workload.spec().flash_sale else { return };
    let tally = &audit.outcome.tally;
    // Every buyer who asks gets one, until there are none.
    let mut wanted: FxHashMap<CampaignId, FxHashSet<usize>> = FxHashMap::default();
    for count in 0..tally.sent {
        if let Some(campaign) = audit.workload.campaign_of(count) {
            wanted.entry(campaign).or_default().insert(audit.workload.buyer_of(count));
        }
    }
    let mut taken = 0;
    for (campaign, buyers) in &wanted {
        match audit.engine.campaign_state(PLATFORM, *campaign).await {
            Ok(state) => {
                taken += state.taken;
                let due = u64::from(sale.stock).min(buyers.len() as u64);
                verdict.expect(|| format!("campaign {campaign}: locked"), &0, &state.locked);
                verdict.expect(|| format!("campaign {campaign}: taken"), &due, &state.taken);
            }
            Err(reject) => verdict.differ(|| format!("campaign {campaign}: {reject}")),
        }
    }
    verdict.expect(|| "coupons taken, one an order".to_owned(), &tally.acknowledged, &taken);
    let refused: u64 = tally.planned_rejects.values().sum();
    let what = || "orders that got a coupon, and that were refused one".to_owned();
    verdict.expect(what, &tally.sent, &(tally.acknowledged + refused));
    for campaign in wanted.keys().take(3) {
        for customer in 0..CUSTOMERS {
            match audit.engine.customer_coupons(PLATFORM, *campaign, &payer(customer)).await {
                Ok(coupons) => {
                    let what = || format!("coupons left to customer {customer} of campaign {campaign}");
                    verdict.expect(what, &true, &(coupons.allowance.unwrap_or(0) <= 1 && coupons.held == 0));
                }
                Err(reject) => verdict.differ(|| format!("coupons of customer {customer}: {reject}")),
            }
        }
    }
}
