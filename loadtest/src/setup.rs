//! What stands before a run begins: accounts, campaigns, and money where orders will want it.

use anyhow::{Context, Result, anyhow};
use smol_str::{SmolStr, format_smolstr};
use suanpan_model::{AccountId, AccountType, Amount, Campaign};
use suanpan_runtime::Engine;
use suanpan_runtime::api::{OpenAccount, TopUp};

use crate::order_no::payer;
use crate::workload::{Cast, Spec};
use crate::world::{CURRENCY, FLASH_CAMPAIGNS, PLATFORM, campaigns, flash_campaign};

/// How many accounts are opened at once.
const BATCH: u64 = 10_000;

/// How many agents there are.
pub const AGENTS: u64 = 50;

/// How often the coupon fund is topped up with the largest amount there is.
const TOP_UPS: u64 = 4;

/// What every account that must have money gets, in minor units: no run spends it.
const FLOAT: Amount = Amount::MAX;

/// Opens `count` accounts of `kind`, named by `reference`.
///
/// # Errors
/// When the engine refuses one.
pub async fn open(
    engine: &Engine,
    kind: AccountType,
    count: u64,
    reference: impl Fn(u64) -> SmolStr,
) -> Result<Vec<AccountId>> {
    let mut ids = Vec::new();
    for begin in (0..count).step_by(usize::try_from(BATCH)?) {
        let accounts = (begin..count.min(begin + BATCH)).map(|number| OpenAccount {
            platform: PLATFORM,
            reference: reference(number),
            kind,
            currency: CURRENCY,
            parent: None,
            credit_limit: Amount::ZERO,
        });
        for opened in engine.open_accounts(accounts.collect()).await {
            ids.push(opened.with_context(|| format!("opening {} accounts", kind.name()))?);
        }
    }
    Ok(ids)
}

/// The platform's name of merchant `number`.
#[must_use]
pub fn merchant(number: u64) -> SmolStr {
    format_smolstr!("merchant-{number:07}")
}

/// The platform's name of agent `number`.
#[must_use]
pub fn agent(number: u64) -> SmolStr {
    format_smolstr!("agent-{number:07}")
}

/// The buyers', the merchants' and the agents' accounts, the campaigns, a coupon fund that never runs out, and money on the
/// accounts that [`float_of`] names.
///
/// # Errors
/// When the engine refuses something.
pub async fn cast(engine: &Engine, spec: &Spec) -> Result<Cast> {
    let cast = Cast {
        buyers: open(engine, AccountType::Cash, spec.parties.buyers, payer).await?,
        merchants: open(engine, AccountType::Settlement, spec.parties.merchants, merchant).await?,
        agents: open(engine, AccountType::Commission, AGENTS, agent).await?,
    };
    for campaign in campaigns_of(spec) {
        let recorded = engine.record_campaign(campaign).await;
        recorded.map_err(|reject| anyhow!("recording a campaign: {reject}"))?;
    }
    let fund = AccountId::internal(AccountType::CouponFund, PLATFORM.0, CURRENCY, 0);
    let mut wanted: Vec<AccountId> = (0..TOP_UPS).map(|_| fund).collect();
    for (kind, accounts) in [
        (AccountType::Cash, &cast.buyers),
        (AccountType::Settlement, &cast.merchants),
        (AccountType::Commission, &cast.agents),
    ] {
        if float_of(spec, kind) > 0 {
            wanted.extend(accounts);
        }
    }
    top_up(engine, &wanted).await?;
    Ok(cast)
}

/// The campaigns that orders of `spec` use.
#[must_use]
pub fn campaigns_of(spec: &Spec) -> Vec<Campaign> {
    match &spec.flash_sale {
        Some(sale) => (0..FLASH_CAMPAIGNS).map(|number| flash_campaign(sale, number)).collect(),
        None => campaigns(),
    }
}

/// Puts [`FLOAT`] on accounts, many at a time.
async fn top_up(engine: &Engine, accounts: &[AccountId]) -> Result<()> {
    const AT_ONCE: usize = 2_000;
    let mut number = 0_u64;
    for accounts in accounts.chunks(AT_ONCE) {
        let mut waiting = tokio::task::JoinSet::new();
        for account in accounts {
            number += 1;
            let reference = format_smolstr!("float-{number}");
            let top_up =
                TopUp { platform: PLATFORM, account: *account, amount: FLOAT, currency: CURRENCY, reference };
            let engine = engine.clone();
            waiting.spawn(async move { engine.top_up(top_up).await });
        }
        while let Some(done) = waiting.join_next().await {
            done?.map_err(|reject| anyhow!("putting money on an account: {reject}"))?;
        }
    }
    Ok(())
}

/// What each account of a type has before the first order, in minor units: buyers who pay out of it, receivers who may have
/// to give back more than they got.
#[must_use]
pub fn float_of(spec: &Spec, kind: AccountType) -> i128 {
    let has_float = match kind {
        AccountType::Cash => spec.orders.balance > 0,
        AccountType::Settlement | AccountType::Commission => spec.takes_back(),
        _ => false,
    };
    if has_float { FLOAT.signed() } else { 0 }
}

/// What the coupon fund has before the first order, in minor units.
#[must_use]
pub fn coupon_fund() -> i128 {
    FLOAT.signed() * i128::from(TOP_UPS)
}
