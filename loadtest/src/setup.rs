//! What stands before a run begins: accounts, and money in the coupon fund.

use anyhow::{Context, Result, anyhow};
use smol_str::{SmolStr, format_smolstr};
use suanpan_model::{AccountId, AccountType, Amount};
use suanpan_runtime::Engine;
use suanpan_runtime::api::{OpenAccount, TopUp};

use crate::order_no::payer;
use crate::workload::Cast;
use crate::world::{CURRENCY, PLATFORM, campaigns};

/// How many accounts are opened at once.
const BATCH: u64 = 10_000;

/// How many agents there are.
pub const AGENTS: u64 = 50;

/// How often the coupon fund is topped up with the largest amount there is.
const TOP_UPS: u64 = 4;

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

/// The buyers' e-accounts, the merchants' and the agents' accounts, and a coupon fund that never runs out.
///
/// # Errors
/// When the engine refuses something.
pub async fn cast(engine: &Engine, buyers: u64, merchants: u64) -> Result<Cast> {
    open(engine, AccountType::Cash, buyers, payer).await?;
    let merchant = |number| format_smolstr!("merchant-{number:07}");
    let agent = |number| format_smolstr!("agent-{number:07}");
    let cast = Cast {
        merchants: open(engine, AccountType::Settlement, merchants, merchant).await?,
        agents: open(engine, AccountType::Commission, AGENTS, agent).await?,
        buyers,
    };
    for campaign in campaigns() {
        let recorded = engine.record_campaign(campaign).await;
        recorded.map_err(|reject| anyhow!("recording a campaign: {reject}"))?;
    }
    for number in 0..TOP_UPS {
        let top_up = TopUp {
            platform: PLATFORM,
            account: AccountId::internal(AccountType::CouponFund, PLATFORM.0, CURRENCY, 0),
            amount: Amount::MAX,
            currency: CURRENCY,
            reference: format_smolstr!("coupons-{number}"),
        };
        engine.top_up(top_up).await.map_err(|reject| anyhow!("topping up the coupon fund: {reject}"))?;
    }
    Ok(cast)
}

/// What the coupon fund has before the first order, in minor units.
#[must_use]
pub fn coupon_fund() -> i128 {
    Amount::MAX.signed() * i128::from(TOP_UPS)
}
