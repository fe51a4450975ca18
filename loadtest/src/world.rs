//! What the engine works with in a run: eight channels of the built-in file, instant and without faults unless the
//! workload says otherwise, and rules of every kind.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use suanpan_channels::{Adapter, BUILTIN_CHANNELS, Descriptor, Simulator, load_descriptors};
use suanpan_core::routing::{AmountBand, Designation, Router, RoutingRules, Strategy};
use suanpan_model::{
    AccountId, AccountType, Amount, Bank, Campaign, CampaignId, CardType, ChannelId, Currency, Funder,
    PlatformId, PlatformPolicy, TimestampMs, Worth,
};
use suanpan_runtime::World;

use crate::workload::{FlashSale, Spec};

mod outage;

pub use outage::{Interruptible, Switch};

/// The one platform.
pub const PLATFORM: PlatformId = PlatformId(7);

/// The currency of everything.
pub const CURRENCY: Currency = Currency::Cny;

/// How many channels take part.
pub const CHANNELS: usize = 8;

/// Banks that payers name; the card network reaches them all, four channels reach every bank.
pub const BANKS: [&str; 12] =
    ["ICBC", "CMB", "SPB", "ABC", "BOC", "CCB", "BCM", "CITIC", "CEB", "CMBC", "PAB", "PSBC"];

/// Face value and smallest order of each campaign in minor units; campaign numbers count from 1.
pub const CAMPAIGNS: [(u64, u64); 3] = [(50, 100), (500, 5_000), (2_000, 20_000)];

/// Number of the first campaign of a flash sale.
pub const FLASH_FIRST: u32 = 1_000;

/// How many campaigns a flash sale has; the last one goes on to the end.
pub const FLASH_CAMPAIGNS: u32 = 512;

/// More calls than a run can have under way: the bound is not what is measured.
const CALLS_MAX: usize = 1_000_000;

/// How long an answer of a channel is awaited where the workload does not say, in milliseconds.
const CALL_TIMEOUT_MS: u64 = 60_000;

/// The bank with this code.
///
/// # Errors
/// When `code` is no bank's code.
pub fn bank(code: &str) -> Result<Bank> {
    Bank::from_code(code).with_context(|| format!("{code} is no bank's code"))
}

/// The channels' file of a workload: those of the built-in file, instant, without faults, quotas and hours, so that a run
/// is the same at any hour; but for what the workload says of them.
///
/// # Errors
/// When the built-in file has fewer channels than a run needs, or the workload names others.
pub fn channels_file(spec: &Spec) -> Result<toml::Table> {
    let mut file: toml::Table = BUILTIN_CHANNELS.parse()?;
    let channels = file.get_mut("channel").and_then(toml::Value::as_array_mut);
    let channels = channels.context("the built-in file has no channels")?;
    channels.retain(|channel| {
        let currencies = channel.get("currencies").and_then(toml::Value::as_array);
        currencies.is_some_and(|codes| codes.iter().any(|code| code.as_str() == Some(CURRENCY.code())))
    });
    anyhow::ensure!(channels.len() >= CHANNELS, "the built-in file has fewer than {CHANNELS} channels");
    channels.truncate(CHANNELS);
    let mut known = Vec::new();
    for channel in channels.iter_mut().filter_map(toml::Value::as_table_mut) {
        let name = channel.get("name").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
        let mut simulator = spec.channels.get(&name).cloned().unwrap_or_default();
        simulator.insert("keep_lines".to_owned(), false.into());
        channel.insert("simulator".to_owned(), simulator.into());
        channel.insert("enabled".to_owned(), true.into());
        for key in ["daily_quota", "hours"] {
            channel.remove(key);
        }
        channel.insert("calls_max".to_owned(), i64::try_from(CALLS_MAX)?.into());
        let timeout_ms = spec.ends.call_timeout_ms.unwrap_or(CALL_TIMEOUT_MS);
        channel.insert("call_timeout_ms".to_owned(), i64::try_from(timeout_ms)?.into());
        if let Some(ladder) = &spec.ends.query_ladder_s {
            let ladder: Vec<i64> = ladder.iter().map(|pause| i64::from(*pause)).collect();
            channel.insert("query_ladder_s".to_owned(), toml::Value::from(ladder));
        }
        if name == "unionpay" {
            let mut banks = BANKS;
            banks.sort_unstable();
            channel.insert("banks".to_owned(), toml::Value::from(banks.to_vec()));
        }
        known.push(name);
    }
    let out = spec.outage.iter().flat_map(|outage| &outage.channels);
    for name in spec.channels.keys().chain(out) {
        anyhow::ensure!(known.contains(name), "no channel {name:?}; there are {}", known.join(", "));
    }
    Ok(file)
}

/// The channels of [`channels_file`].
///
/// # Errors
/// As there; and when the workload's behaviour is no behaviour.
pub fn descriptors(spec: &Spec) -> Result<Vec<Descriptor>> {
    Ok(load_descriptors(&toml::to_string(&channels_file(spec)?)?)?)
}

/// Routing over `descriptors`: by bank and card, by amount, by priority, and the cheapest for the rest.
///
/// # Errors
/// When a channel that the rules name is missing.
pub fn router(descriptors: &[Descriptor]) -> Result<Router> {
    let channel = |name: &str| -> Result<ChannelId> {
        let found = descriptors.iter().find(|descriptor| descriptor.capability.name == name);
        Ok(found.with_context(|| format!("the built-in file has no channel {name}"))?.capability.id)
    };
    let list = |names: &[&str]| names.iter().map(|name| channel(name)).collect::<Result<Vec<_>>>();
    let designation = |code: Option<&str>, card_type, names: &[&str]| -> Result<Designation> {
        Ok(Designation { bank: code.map(bank).transpose()?, card_type, channels: list(names)? })
    };
    let rules = RoutingRules {
        version: 1,
        order: vec![Strategy::Designated, Strategy::Amount, Strategy::Priority, Strategy::Cost],
        amount_bands: vec![
            AmountBand {
                from: Amount::from_minor(1),
                until: Some(Amount::from_minor(5_000)),
                channels: list(&["alipay", "wechat"])?,
            },
            AmountBand {
                from: Amount::from_minor(400_000),
                until: None,
                channels: list(&["unionpay", "cpcn"])?,
            },
        ],
        designations: vec![
            designation(Some("SPB"), None, &["own_bank"])?,
            designation(Some("ICBC"), Some(CardType::Debit), &["icbc", "unionpay"])?,
            designation(Some("CMB"), Some(CardType::Debit), &["cmb", "unionpay"])?,
            designation(Some("CCB"), None, &["cpcn"])?,
        ],
        priority: list(&["wechat"])?,
        ..RoutingRules::default()
    };
    let capabilities = descriptors.iter().map(|descriptor| descriptor.capability.clone()).collect();
    Ok(Router::new(capabilities, rules, Vec::new())?)
}

/// The world of a run, the channels in it, and the switch of those that can be taken out.
pub struct Stage {
    /// What the engine is started with.
    pub world: World,
    /// The channels.
    pub adapters: Vec<Arc<dyn Adapter>>,
    /// What they can do and how they behave.
    pub descriptors: Vec<Descriptor>,
    /// Takes out the channels that the workload names.
    pub outage: Switch,
}

/// The world of a run of `spec`.
///
/// With `books`, a folder, the channels keep their books in files there and go on where these end.
///
/// # Errors
/// As [`descriptors`] and [`router`]; trouble with the books.
pub fn stage(spec: &Spec, seed: u64, books: Option<&Path>) -> Result<Stage> {
    let descriptors = descriptors(spec)?;
    let router = router(&descriptors)?;
    let outage = Switch::default();
    let mut adapters: Vec<Arc<dyn Adapter>> = Vec::with_capacity(descriptors.len());
    for descriptor in descriptors.clone() {
        let name = descriptor.capability.name.clone();
        let simulator: Arc<dyn Adapter> = match books {
            None => Arc::new(Simulator::new(descriptor, seed)),
            Some(folder) => {
                Arc::new(Simulator::open(descriptor, seed, &folder.join(format!("{name}.book")))?)
            }
        };
        let goes_out = spec.outage.as_ref().is_some_and(|out| out.channels.iter().any(|one| *one == name));
        adapters.push(match goes_out {
            true => Arc::new(Interruptible::new(simulator, outage.clone())),
            false => simulator,
        });
    }
    let policies = vec![PlatformPolicy::defaults(PLATFORM)];
    let world = World { router, policies, adapters: adapters.clone() };
    Ok(Stage { world, adapters, descriptors, outage })
}

/// The campaigns, paid by the platform's coupon fund, without end.
#[must_use]
pub fn campaigns() -> Vec<Campaign> {
    (1..)
        .zip(CAMPAIGNS)
        .map(|(number, (face, minimum_spend))| campaign(number, face, minimum_spend))
        .collect()
}

/// Campaign `number` (from 0) of a flash sale: few coupons, one a customer.
#[must_use]
pub fn flash_campaign(sale: &FlashSale, number: u32) -> Campaign {
    let (face, minimum_spend) = CAMPAIGNS[0];
    Campaign {
        stock: Some(sale.stock),
        per_customer: Some(1),
        ..campaign(FLASH_FIRST + number, face, minimum_spend)
    }
}

fn campaign(number: u32, face: u64, minimum_spend: u64) -> Campaign {
    let fund = AccountId::internal(AccountType::CouponFund, PLATFORM.0, CURRENCY, 0);
    Campaign {
        id: CampaignId(number),
        platform: PLATFORM,
        currency: CURRENCY,
        worth: Worth::Face(Amount::from_minor(face)),
        minimum_spend: Amount::from_minor(minimum_spend),
        valid_from: TimestampMs(0),
        valid_until: TimestampMs::NEVER,
        funders: [Funder { account: fund, bps: 10_000 }].into(),
        merchants: Vec::new(),
        stock: None,
        per_customer: None,
        stackable: false,
        rank: 0,
        claimable: true,
    }
}
