//! Accounts, platforms and campaigns by number and name: written when one is opened or changed, read by every order.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use dashmap::DashMap;
use rustc_hash::{FxBuildHasher, FxHashMap};
use smol_str::SmolStr;
use suanpan_core::ledger::CouponAccounts;
use suanpan_core::order::{AccountFacts, Directory};
use suanpan_model::{AccountId, AccountType, Campaign, CampaignId, PlatformId, PlatformPolicy};

/// The name under which a platform knows an account.
pub type AccountName = (PlatformId, AccountType, SmolStr);

/// What platforms have agreed.
pub type Policies = FxHashMap<PlatformId, Arc<PlatformPolicy>>;

/// Campaigns, with the accounts of their stocks.
pub type Campaigns = FxHashMap<CampaignId, (Arc<Campaign>, AccountId)>;

/// Accounts, platforms and campaigns, as orders look them up.
#[derive(Default)]
pub struct Registry {
    accounts: DashMap<AccountId, AccountFacts, FxBuildHasher>,
    /// Platforms choose the names, so their hash has a seed of its own in each process.
    names: DashMap<AccountName, AccountId, foldhash::quality::RandomState>,
    /// Accounts that were opened, by number, for their lists.
    opened: DashMap<(PlatformId, AccountType), BTreeSet<AccountId>, FxBuildHasher>,
    policies: ArcSwap<Policies>,
    campaigns: ArcSwap<Campaigns>,
    next_number: AtomicU64,
}

impl Registry {
    /// A registry of these platforms, without accounts and campaigns.
    #[must_use]
    pub fn new(policies: Vec<PlatformPolicy>) -> Self {
        let registry = Self { next_number: AtomicU64::new(1), ..Self::default() };
        registry.set_policies(policies);
        registry
    }

    /// Replaces the settings of all platforms.
    pub fn set_policies(&self, policies: Vec<PlatformPolicy>) {
        let policies = policies.into_iter().map(|policy| (policy.id, Arc::new(policy))).collect();
        self.policies.store(Arc::new(policies));
    }

    /// Settings of a platform.
    #[must_use]
    pub fn policy(&self, platform: PlatformId) -> Option<Arc<PlatformPolicy>> {
        self.policies.load().get(&platform).cloned()
    }

    /// Settings of all platforms, without counting references: for the hot path.
    #[must_use]
    pub fn policies(&self) -> arc_swap::Guard<Arc<Policies>> {
        self.policies.load()
    }

    /// The account that a platform knows under a name.
    #[must_use]
    pub fn account_by_name(&self, name: &AccountName) -> Option<AccountId> {
        self.names.get(name).map(|account| *account)
    }

    /// The account known under `name`, or a number for one that is to be opened. `bucket` is that of the tree's
    /// root; without a tree the number chooses. A number is given out once, whatever the type.
    pub fn number_for(&self, name: &AccountName, bucket: Option<u8>) -> AccountId {
        *self.names.entry(name.clone()).or_insert_with(|| {
            let number = self.next_number.fetch_add(1, Ordering::Relaxed);
            AccountId::opened(name.1, number, bucket.unwrap_or((number & 0xff) as u8))
        })
    }

    /// The first `limit` accounts that a platform opened with numbers after `after`, of one type or of all, by number.
    #[must_use]
    pub fn opened_by(
        &self,
        platform: PlatformId,
        kind: Option<AccountType>,
        after: u64,
        limit: usize,
    ) -> Vec<AccountId> {
        if after >= AccountId::NUMBERS {
            return Vec::new();
        }
        let mut first: Vec<AccountId> = Vec::new();
        for kind in AccountType::ALL
            .into_iter()
            .filter(|is| is.may_be_opened() && kind.is_none_or(|kind| kind == *is))
        {
            if let Some(opened) = self.opened.get(&(platform, kind)) {
                let last_before = AccountId::opened(kind, after, u8::MAX);
                first.extend(opened.range((Excluded(last_before), Unbounded)).take(limit));
            }
        }
        first.sort_unstable_by_key(|id| id.number());
        first.truncate(limit);
        first
    }

    /// Forgets a name whose account was not opened after all.
    pub fn forget_unopened(&self, name: &AccountName) {
        self.names.remove_if(name, |_, account| !self.accounts.contains_key(account));
    }

    /// Forgets a name that only the caller gives out.
    pub fn forget(&self, name: &AccountName) {
        self.names.remove(name);
    }

    /// A customer's accounts in a campaign; those that do not exist yet get numbers beside the campaign's stock.
    pub fn coupon_accounts(
        &self,
        campaign: &Campaign,
        stock: AccountId,
        customer: &SmolStr,
    ) -> CouponAccounts {
        let reference = smol_str::format_smolstr!("{}/{customer}", campaign.id);
        let bucket = Some(stock.bucket());
        let account = |kind| self.number_for(&(campaign.platform, kind, reference.clone()), bucket);
        CouponAccounts {
            stock,
            wallet: account(AccountType::CouponWallet),
            allowance: campaign.per_customer.map(|limit| (account(AccountType::CouponAllowance), limit)),
            platform: campaign.platform,
            reference,
        }
    }

    /// All campaigns as they are now.
    #[must_use]
    pub fn campaigns(&self) -> arc_swap::Guard<Arc<Campaigns>> {
        self.campaigns.load()
    }

    /// The account of a campaign's stock.
    #[must_use]
    pub fn stock_of(&self, campaign: CampaignId) -> Option<AccountId> {
        self.campaigns.load().get(&campaign).map(|(_, stock)| *stock)
    }

    /// Campaigns of a platform, by number.
    #[must_use]
    pub fn campaigns_of(&self, platform: PlatformId) -> Vec<Arc<Campaign>> {
        let campaigns = self.campaigns.load();
        let own = campaigns.values().map(|(campaign, _)| campaign);
        let mut own: Vec<_> = own.filter(|campaign| campaign.platform == platform).cloned().collect();
        own.sort_by_key(|campaign| campaign.id);
        own
    }

    /// Makes a recorded campaign known.
    pub fn insert_campaign(&self, campaign: &Arc<Campaign>, stock: AccountId) {
        self.campaigns.rcu(|known| {
            let mut known = FxHashMap::clone(known);
            known.insert(campaign.id, (Arc::clone(campaign), stock));
            known
        });
    }

    /// Makes an opened account known.
    pub fn insert(&self, id: AccountId, name: AccountName, facts: AccountFacts) {
        self.next_number.fetch_max(id.number() + 1, Ordering::Relaxed);
        if id.kind().may_be_opened() {
            self.opened.entry((facts.platform, id.kind())).or_default().insert(id);
        }
        self.names.entry(name).or_insert(id);
        self.accounts.insert(id, facts);
    }
}

impl Directory for Registry {
    fn account(&self, id: AccountId) -> Option<AccountFacts> {
        self.accounts.get(&id).map(|facts| *facts)
    }

    fn campaign(&self, id: CampaignId) -> Option<Arc<Campaign>> {
        self.campaigns.load().get(&id).map(|(campaign, _)| Arc::clone(campaign))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use suanpan_model::Currency;

    use super::*;

    const KINDS: [AccountType; 3] = [AccountType::Cash, AccountType::Settlement, AccountType::CouponWallet];

    proptest! {
        /// Accounts come in any order, as they do from the shards after a restart.
        #[test]
        fn lists_are_all_opened_accounts_of_a_platform_by_number_page_by_page(
            accounts in proptest::collection::btree_map(1_u64..400, (1_u32..3, 0_usize..3, any::<u8>()), 0..80)
                .prop_flat_map(|accounts| Just(accounts.into_iter().collect::<Vec<_>>()).prop_shuffle()),
            kind in proptest::option::of(0_usize..3),
            limit in 1_usize..9,
        ) {
            let registry = Registry::new(Vec::new());
            for (number, (platform, kind, bucket)) in &accounts {
                let (platform, kind) = (PlatformId(*platform), KINDS[*kind]);
                let name = (platform, kind, smol_str::format_smolstr!("{number}"));
                let facts = AccountFacts { platform, currency: Currency::Cny };
                registry.insert(AccountId::opened(kind, *number, *bucket), name, facts);
            }
            let platform = PlatformId(1);
            let kind = kind.map(|kind| KINDS[kind]);
            let mut expected: Vec<u64> = accounts
                .iter()
                .filter(|(_, (of, is, _))| {
                    // A customer's coupons are no account of theirs to the platform.
                    *of == 1 && KINDS[*is] != AccountType::CouponWallet && kind.is_none_or(|kind| kind == KINDS[*is])
                })
                .map(|(number, _)| *number)
                .collect();
            expected.sort_unstable();
            let (mut listed, mut after) = (Vec::new(), 0);
            loop {
                let page = registry.opened_by(platform, kind, after, limit);
                prop_assert!(page.len() <= limit);
                let Some(last) = page.last() else { break };
                after = last.number();
                listed.extend(page.iter().map(|account| account.number()));
            }
            prop_assert_eq!(listed, expected);
        }
    }

    #[test]
    fn no_number_of_a_cursor_is_too_large() {
        let registry = Registry::new(Vec::new());
        let id = AccountId::opened(AccountType::Cash, AccountId::NUMBERS - 1, 7);
        let platform = PlatformId(1);
        let facts = AccountFacts { platform, currency: Currency::Cny };
        registry.insert(id, (platform, AccountType::Cash, "last".into()), facts);
        assert_eq!(registry.opened_by(platform, None, AccountId::NUMBERS - 2, 5), [id]);
        for after in [AccountId::NUMBERS - 1, AccountId::NUMBERS, u64::MAX] {
            assert_eq!(registry.opened_by(platform, None, after, 5), []);
        }
    }
}
