//! Coupon campaigns and the coupons that customers have.

use std::sync::Arc;

use smol_str::SmolStr;
use suanpan_core::coupon::check_campaign;
use suanpan_core::ledger::LedgerCommand;
use suanpan_core::order::Directory;
use suanpan_model::{AccountId, AccountType, Campaign, CampaignId, CauseId, PlatformId, Reject, RejectCode};

use super::{Engine, ended};
use crate::messages::AccountCommand;

/// Where a campaign's coupons are, in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CampaignState {
    /// Coupons that left the stock, and did not come back.
    pub taken: u64,
    /// Coupons of the stock that are locked for orders.
    pub locked: u64,
    /// Coupons in customers' wallets, locked ones included.
    pub outstanding: u64,
    /// Coupons that can still be taken; no limit when absent.
    pub left: Option<u64>,
}

/// The coupons of one customer in one campaign, in pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CustomerCoupons {
    /// Coupons in the wallet, locked ones included.
    pub held: u64,
    /// Coupons of the wallet that are locked for orders.
    pub locked: u64,
    /// Coupons that the customer may still get; no limit when absent.
    pub allowance: Option<u64>,
}

impl Engine {
    /// Records a coupon campaign; the same campaign again is a repeat.
    ///
    /// # Errors
    /// `unknown_platform`, `campaign_exists`, those of [`check_campaign`], `unknown_account` and `currency_mismatch` of
    /// funders and merchants, `busy`, `unavailable`.
    pub async fn record_campaign(&self, campaign: Campaign) -> Result<(), Reject> {
        if self.policy(campaign.platform).is_none() {
            let expected = "a platform of the configuration";
            return Err(Reject::new(RejectCode::UnknownPlatform, "platform", expected));
        }
        if let Some(known) = self.campaign(campaign.id) {
            return same_campaign(&known, &campaign);
        }
        check_campaign(&campaign)?;
        for funder in &campaign.funders {
            self.check_campaign_account(&campaign, funder.account, "funders")?;
        }
        for merchant in &campaign.merchants {
            self.check_campaign_account(&campaign, *merchant, "merchants")?;
        }
        let name = (campaign.platform, AccountType::CouponStock, campaign.id.to_string().into());
        // The shard follows from the campaign alone, so that two who record it at once meet there.
        let bucket = u8::try_from(campaign.id.0 & 0xff).unwrap_or_default();
        let stock = self.shared().registry.number_for(&name, Some(bucket));
        let campaign = Arc::new(campaign);
        let command = LedgerCommand::RecordCampaign { campaign: Arc::clone(&campaign), stock };
        let command = AccountCommand::Ledger(command);
        self.command(vec![(stock, command)]).await.pop().unwrap_or_else(|| Err(ended()))?;
        match self.campaign(campaign.id) {
            Some(known) => same_campaign(&known, &campaign),
            None => Err(ended()),
        }
    }

    fn check_campaign_account(
        &self,
        campaign: &Campaign,
        account: AccountId,
        field: &'static str,
    ) -> Result<(), Reject> {
        let known = match account.internal_currency() {
            Some(currency) => Some((PlatformId(account.owner()), currency)),
            None => self.shared().registry.account(account).map(|facts| (facts.platform, facts.currency)),
        };
        let Some((_, currency)) = known.filter(|(platform, _)| *platform == campaign.platform) else {
            let expected = "an account that was opened on this platform";
            return Err(Reject::new(RejectCode::UnknownAccount, field, expected));
        };
        if currency != campaign.currency {
            let expected = format!("an account in {}", campaign.currency);
            return Err(Reject::new(RejectCode::CurrencyMismatch, field, expected));
        }
        Ok(())
    }

    /// Issues `count` coupons of a campaign to a customer. Repeats are recognised by `reference`, the platform's own
    /// number for it.
    ///
    /// # Errors
    /// `unknown_campaign`, `coupon_expired`, `idempotency_conflict`, `amount_zero`, `coupon_sold_out`, `coupon_limit`,
    /// `busy`, `unavailable`.
    pub async fn issue_coupons(
        &self,
        platform: PlatformId,
        campaign: CampaignId,
        customer: &SmolStr,
        count: u32,
        reference: &SmolStr,
    ) -> Result<(), Reject> {
        let (campaign, stock) = self.own_campaign(platform, campaign)?;
        let reference: SmolStr = format!("{platform}/{}/{reference}", campaign.id).into();
        let cause = CauseId(xxhash_rust::xxh3::xxh3_64_with_seed(reference.as_bytes(), stock.raw()));
        if self.now() >= campaign.valid_until {
            let expected = "a campaign whose coupons can still be used";
            return Err(Reject::new(RejectCode::CouponExpired, "campaign", expected));
        }
        let customer = customer.clone();
        let command = AccountCommand::IssueCoupons { campaign, stock, customer, count, cause, reference };
        self.command(vec![(stock, command)]).await.pop().unwrap_or_else(|| Err(ended()))
    }

    /// Campaigns of a platform, by number.
    #[must_use]
    pub fn campaigns(&self, platform: PlatformId) -> Vec<Arc<Campaign>> {
        self.shared().registry.campaigns_of(platform)
    }

    /// Where a campaign's coupons are.
    ///
    /// # Errors
    /// `unknown_campaign`; `unavailable` when the engine is ending.
    pub async fn campaign_state(
        &self,
        platform: PlatformId,
        campaign: CampaignId,
    ) -> Result<CampaignState, Reject> {
        let (campaign, stock) = self.own_campaign(platform, campaign)?;
        let stock = self.balance(stock).await?;
        let pieces = |pieces: i128| u64::try_from(pieces).unwrap_or_default();
        Ok(CampaignState {
            taken: pieces(-stock.posted),
            locked: stock.held.minor(),
            outstanding: pieces(stock.rolled_up - stock.posted),
            left: campaign.stock.map(|_| pieces(stock.available)),
        })
    }

    /// The coupons of a customer in a campaign.
    ///
    /// # Errors
    /// `unknown_campaign`; `unavailable` when the engine is ending.
    pub async fn customer_coupons(
        &self,
        platform: PlatformId,
        campaign: CampaignId,
        customer: &SmolStr,
    ) -> Result<CustomerCoupons, Reject> {
        let (campaign, _) = self.own_campaign(platform, campaign)?;
        let name = format!("{}/{customer}", campaign.id);
        let mut found =
            CustomerCoupons { allowance: campaign.per_customer.map(u64::from), ..CustomerCoupons::default() };
        let pieces = |pieces: i128| u64::try_from(pieces).unwrap_or_default();
        if let Some(wallet) = self.account_by_reference(platform, AccountType::CouponWallet, &name) {
            let wallet = self.balance(wallet).await?;
            (found.held, found.locked) = (pieces(wallet.posted), wallet.held.minor());
        }
        if let Some(allowance) = self.account_by_reference(platform, AccountType::CouponAllowance, &name) {
            found.allowance = Some(pieces(self.balance(allowance).await?.available));
        }
        Ok(found)
    }

    fn own_campaign(
        &self,
        platform: PlatformId,
        campaign: CampaignId,
    ) -> Result<(Arc<Campaign>, AccountId), Reject> {
        let registry = &self.shared().registry;
        let known = registry.campaign(campaign).filter(|campaign| campaign.platform == platform);
        known.zip(registry.stock_of(campaign)).ok_or_else(|| {
            Reject::new(RejectCode::UnknownCampaign, "campaign", "a campaign of this platform")
        })
    }
}

fn same_campaign(known: &Campaign, campaign: &Campaign) -> Result<(), Reject> {
    if known == campaign {
        return Ok(());
    }
    let expected = "the properties of the campaign with this number, or another number";
    Err(Reject::new(RejectCode::CampaignExists, "id", expected))
}
