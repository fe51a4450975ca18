//! Coupons: locked, used, given back, issued.

use suanpan_model::*;

use crate::exact::Cents;
use crate::life::{CUSTOMERS, Life};
use crate::world::PLATFORM;

impl Life {
    /// Coupons that an order locks, and where from.
    pub(super) fn lock_coupons(&mut self, terms: &OrderTerms) -> Vec<(CampaignId, bool)> {
        let mut locked = Vec::new();
        for coupon in terms.coupons.iter().filter(|coupon| coupon.counted) {
            let campaign =
                self.campaigns.iter().find(|campaign| campaign.id == coupon.campaign).cloned().unwrap();
            let limited = campaign.per_customer.is_some();
            let wallet = self.wallet(&campaign, &terms.payer);
            let from_wallet = wallet.0 - wallet.1 > 0;
            if from_wallet {
                wallet.1 += 1;
            } else {
                wallet.2 -= Cents::from(limited);
                self.pieces.get_mut(&campaign.id).unwrap().locked += 1;
            }
            locked.push((campaign.id, from_wallet));
        }
        locked
    }

    /// Locked coupons are used, or given back.
    pub(super) fn unlock_coupons(&mut self, place: usize, used: bool) {
        let case = self.cases[place].clone();
        for (id, from_wallet) in &case.coupons {
            let campaign = self.campaigns.iter().find(|campaign| campaign.id == *id).cloned().unwrap();
            let limited = campaign.per_customer.is_some();
            let wallet = self.wallet(&campaign, &case.terms.payer);
            if *from_wallet {
                wallet.1 -= 1;
                wallet.0 -= Cents::from(used);
            } else {
                wallet.2 += Cents::from(limited && !used);
                let pieces = self.pieces.get_mut(id).unwrap();
                pieces.locked -= 1;
                pieces.left -= Cents::from(used);
            }
        }
    }

    /// A whole refund gives the coupons back to where they came from: the customer's wallet, or the stock.
    pub(super) fn return_coupons(&mut self, place: usize) {
        let case = self.cases[place].clone();
        if case.coupons_back || !case.paid || case.refundable(None) > 0 || case.is_stuck() {
            return;
        }
        self.cases[place].coupons_back = true;
        if !case.coupons.is_empty() {
            self.see("coupons came back");
        }
        for (id, from_wallet) in &case.coupons {
            let campaign = self.campaigns.iter().find(|campaign| campaign.id == *id).cloned().unwrap();
            let wallet = self.wallet(&campaign, &case.terms.payer);
            if *from_wallet {
                wallet.0 += 1;
            } else {
                wallet.2 += Cents::from(campaign.per_customer.is_some());
                self.pieces.get_mut(id).unwrap().left += 1;
            }
        }
    }

    pub(super) async fn issue(&mut self) {
        let campaign = self.campaigns[self.dice.pick(&[1, 2, 2, 3])].clone();
        let customer = self.dice.pick(&CUSTOMERS);
        let count = self.dice.between(1, 2);
        let reference = self.number("I");
        self.tell(format!("issue {count} of {:?} to {customer}", campaign.id));
        let pieces = u32::try_from(count).unwrap();
        let told = self
            .mall()
            .engine
            .issue_coupons(PLATFORM, campaign.id, &customer.into(), pieces, &reference)
            .await;
        let left = self.pieces[&campaign.id].left - self.pieces[&campaign.id].locked;
        let allowed = self.wallet(&campaign, customer).2;
        let mut why = Vec::new();
        if campaign.stock.is_some() && left < count {
            why.push(RejectCode::CouponSoldOut);
        }
        if campaign.per_customer.is_some() && allowed < count {
            why.push(RejectCode::CouponLimit);
        }
        match told {
            Err(reject) => assert!(why.contains(&reject.code), "refused with {reject}, expected {why:?}"),
            Ok(()) => {
                assert!(why.is_empty(), "should have been refused: {why:?}");
                self.pieces.get_mut(&campaign.id).unwrap().left -= count;
                let limited = campaign.per_customer.is_some();
                let wallet = self.wallet(&campaign, customer);
                wallet.0 += count;
                wallet.2 -= if limited { count } else { 0 };
            }
        }
        let again = self
            .mall()
            .engine
            .issue_coupons(PLATFORM, campaign.id, &customer.into(), pieces, &reference)
            .await;
        // A repeat of what was done changes nothing; what was refused stays refused.
        assert_eq!(again.is_ok(), why.is_empty(), "{again:?}");
    }
}
