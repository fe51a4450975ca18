//! From a configuration to a running engine.

use std::path::PathBuf;
use std::sync::Arc;

use suanpan_channels::{Adapter, BUILTIN_CHANNELS, SimulatorFault, simulators_with_books};
use suanpan_core::routing::{Router, RoutingRules, RuleFaults, RuleFinding, RuleWarning, Strategy};
use suanpan_model::{
    AccountId, AccountType, Amount, CampaignId, Capability, Currency, PlatformId, Reject, RejectCode,
};
use suanpan_runtime::api::{OpenAccount, TopUp};
use suanpan_runtime::rulebook::PutFault;
use suanpan_runtime::{Engine, EngineFault, EngineOptions, World};

use crate::config::{AccountConfig, Config, ConfigFault, PlatformConfig};
use crate::rule_names::{ChannelsOnly, PlatformNames};
use crate::state::Names;
use crate::wire::NamedCampaign;

/// Under which number a coupon fund is topped up at the first start.
const COUPON_FUND_REFERENCE: &str = "start:coupon-fund";

/// Why the program cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// The configuration names something that does not exist.
    #[error(transparent)]
    Config(#[from] ConfigFault),
    /// The file of descriptors cannot be read.
    #[error("channels.file {}: {source}", path.display())]
    Descriptors {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The channels cannot be set up.
    #[error(transparent)]
    Channels(#[from] SimulatorFault),
    /// The routing rules cannot work.
    #[error("routing: {0}")]
    Rules(#[from] RuleFaults),
    /// The engine cannot start.
    #[error(transparent)]
    Engine(#[from] EngineFault),
    /// An account of the configuration cannot be opened or topped up.
    #[error("{what}: {reject}")]
    Account {
        /// Which one.
        what: String,
        /// Why.
        reject: Reject,
    },
    /// A campaign of the configuration cannot be recorded.
    #[error("campaign {id}: {field}: {why}")]
    Campaign {
        /// Its number.
        id: CampaignId,
        /// The property that is at fault.
        field: String,
        /// Why.
        why: String,
    },
}

/// Starts the engine over the directory of the configuration. Blocks while the log is replayed.
///
/// # Errors
/// Channels, then routing rules, then the engine.
pub fn start_engine(config: &Config) -> Result<Engine, StartFault> {
    let mut options = EngineOptions::new(&config.data_dir);
    options.shards = config.engine.shards;
    options.in_flight_max = config.engine.in_flight_max;
    options.live_orders_max = config.engine.live_orders_max;
    options.checkpoint_every_bytes = config.engine.checkpoint_every_bytes;
    Ok(Engine::start(options, world(config)?)?)
}

/// Channels, rules and agreements of a configuration.
///
/// # Errors
/// Channels, then routing rules.
pub fn world(config: &Config) -> Result<World, StartFault> {
    let descriptors = match &config.channels.file {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|source| StartFault::Descriptors { path: path.clone(), source })?,
        None => BUILTIN_CHANNELS.to_owned(),
    };
    let books = config.data_dir.join("channels");
    let adapters = simulators_with_books(&descriptors, config.channels.simulator_seed, &books)?;
    let router = router(config, &adapters)?;
    for warning in router.warnings() {
        match warning {
            // Meant more often than not: above the bands, or below them, the next strategy decides.
            RuleWarning::Rules {
                finding: RuleFinding::BandGap { .. } | RuleFinding::RulesGap(_), ..
            } => {
                tracing::debug!(%warning, "routing rules");
            }
            RuleWarning::Rules { .. } | RuleWarning::NoTariff(_) | RuleWarning::TariffEnds { .. } => {
                tracing::warn!(%warning, "routing rules");
            }
        }
    }
    Ok(World {
        router,
        policies: config.platforms.iter().map(|platform| platform.policy.clone()).collect(),
        adapters,
    })
}

fn router(config: &Config, adapters: &[Arc<dyn Adapter>]) -> Result<Router, StartFault> {
    let capabilities: Vec<Capability> = adapters.iter().map(|adapter| adapter.capability().clone()).collect();
    let mut platform_rules: Vec<(PlatformId, RoutingRules)> = Vec::with_capacity(config.platforms.len());
    for (place, platform) in config.platforms.iter().enumerate() {
        let key = format!("platform[{place}].routing");
        platform_rules.push((platform.policy.id, platform.routing.read(&key, &ChannelsOnly(&capabilities))?));
    }
    let default_rules = RoutingRules { version: 1, order: vec![Strategy::Cost], ..RoutingRules::default() };
    Ok(Router::new(capabilities, default_rules, platform_rules)?)
}

/// Opens the accounts of the configuration, tops up coupon funds and records campaigns. Safe to repeat: what exists
/// stays as it is.
///
/// # Errors
/// The first account that cannot be opened or topped up; then the first campaign that cannot be recorded, or was
/// recorded with other properties; then rules that name a merchant without an account.
pub async fn bootstrap(engine: &Engine, config: &Config) -> Result<(), StartFault> {
    record(engine, config).await?;
    for (place, platform) in config.platforms.iter().enumerate() {
        if platform.routing.names_merchants() {
            name_merchants(engine, place, platform)?;
        }
    }
    Ok(())
}

/// Opens accounts, tops up coupon funds and records campaigns.
///
/// # Errors
/// As [`bootstrap`].
pub(crate) async fn record(engine: &Engine, config: &Config) -> Result<(), StartFault> {
    for platform in &config.platforms {
        // Not more at once than the engine takes.
        for accounts in platform.accounts.chunks(config.engine.in_flight_max) {
            open_accounts(engine, platform, accounts).await?;
        }
        if let Some(amount) = platform.coupon_fund {
            top_up_coupon_fund(engine, platform, amount).await?;
        }
    }
    for campaign in &config.campaigns {
        record_campaign(engine, campaign).await?;
    }
    Ok(())
}

/// Reads rules that name merchants once more, now that these have accounts; unless other rules were put meanwhile.
fn name_merchants(engine: &Engine, place: usize, platform: &PlatformConfig) -> Result<(), StartFault> {
    let (router, id) = (engine.router(), platform.policy.id);
    if engine.rules_version(id, router.rules(id).version).is_some() {
        return Ok(());
    }
    let names = PlatformNames { engine, router: &router, platform: id };
    let rules = platform.routing.read(&format!("platform[{place}].routing"), &names)?;
    match engine.configure_rules(id, rules) {
        Ok(()) => Ok(()),
        Err(PutFault::Rules(faults)) => Err(faults.into()),
        Err(PutFault::Version { .. } | PutFault::Disk(_)) => Ok(()),
    }
}

async fn record_campaign(engine: &Engine, named: &NamedCampaign) -> Result<(), StartFault> {
    let id = named.id();
    let lookup = Names { engine, platform: named.platform() };
    let campaign = named.resolve(&lookup).map_err(|refusal| StartFault::Campaign {
        id,
        field: refusal.field.into_owned(),
        why: format!("expected {}", refusal.expected),
    })?;
    let refused = |reject: Reject| {
        let why = match reject.code {
            RejectCode::CampaignExists => "it was recorded with other properties, which never change: \
                write them as they were, or give the new campaign another number"
                .to_owned(),
            _ => format!("expected {}", reject.expected),
        };
        StartFault::Campaign { id, field: reject.field.to_owned(), why }
    };
    engine.record_campaign(campaign).await.map_err(refused)
}

async fn open_accounts(
    engine: &Engine,
    platform: &PlatformConfig,
    accounts: &[AccountConfig],
) -> Result<(), StartFault> {
    let request = |account: &AccountConfig| OpenAccount {
        platform: platform.policy.id,
        reference: account.reference.clone(),
        kind: account.kind,
        currency: account.currency,
        parent: None,
        credit_limit: Amount::ZERO,
    };
    let results = engine.open_accounts(accounts.iter().map(request).collect()).await;
    for (account, result) in accounts.iter().zip(results) {
        if let Err(reject) = result {
            let kind = account.kind.name();
            let what = format!("platform {}: {kind} account {}", platform.policy.id, account.reference);
            return Err(StartFault::Account { what, reject });
        }
    }
    Ok(())
}

async fn top_up_coupon_fund(
    engine: &Engine,
    platform: &PlatformConfig,
    amount: Amount,
) -> Result<(), StartFault> {
    let id = platform.policy.id;
    let top_up = TopUp {
        platform: id,
        account: AccountId::internal(AccountType::CouponFund, id.0, Currency::Cny, 0),
        amount,
        currency: Currency::Cny,
        reference: COUPON_FUND_REFERENCE.into(),
    };
    let refused = |reject| StartFault::Account { what: format!("platform {id}: coupon_fund"), reject };
    engine.top_up(top_up).await.map_err(refused)
}
