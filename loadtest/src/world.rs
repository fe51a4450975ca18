//! What the engine works with in a run: eight channels of the built-in file, instant and without faults, and rules
//! of every kind.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use suanpan_channels::{Adapter, BUILTIN_CHANNELS, Behaviour, Descriptor, Simulator, load_descriptors};
use suanpan_core::routing::{AmountBand, Designation, Router, RoutingRules, Strategy};
use suanpan_model::{
    AccountId, AccountType, Amount, Bank, Banks, Campaign, CampaignId, CardType, ChannelId, Currency,
    DurationMs, Funder, PlatformId, PlatformPolicy, TimestampMs, Worth,
};
use suanpan_runtime::World;

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

/// More calls than a run can have under way: the bound is not what is measured.
const CALLS_MAX: usize = 1 << 20;

/// The bank with this code.
///
/// # Errors
/// When `code` is no bank's code.
pub fn bank(code: &str) -> Result<Bank> {
    Bank::from_code(code).with_context(|| format!("{code} is no bank's code"))
}

/// The channels: instant, without faults, quotas and hours, so that a run is the same at any hour.
///
/// # Errors
/// When the built-in file has fewer channels than a run needs.
pub fn descriptors() -> Result<Vec<Descriptor>> {
    let mut descriptors = load_descriptors(BUILTIN_CHANNELS)?;
    descriptors.retain(|descriptor| descriptor.capability.currencies.contains(&CURRENCY));
    anyhow::ensure!(descriptors.len() >= CHANNELS, "the built-in file has fewer than {CHANNELS} channels");
    descriptors.truncate(CHANNELS);
    for descriptor in &mut descriptors {
        descriptor.behaviour = Behaviour { keep_lines: false, ..Behaviour::instant() };
        let capability = &mut descriptor.capability;
        capability.enabled = true;
        capability.daily_quota = None;
        capability.hours = None;
        capability.calls_max = CALLS_MAX;
        capability.call_timeout = DurationMs::from_secs(60);
        if capability.name == "unionpay" {
            let mut banks = BANKS.into_iter().map(bank).collect::<Result<Vec<_>>>()?;
            banks.sort_unstable();
            capability.banks = Banks::Only(banks);
        }
    }
    Ok(descriptors)
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

/// The world of a run, and the channels in it.
///
/// With `books`, a folder, the channels keep their books in files there and go on where these end.
///
/// # Errors
/// As [`descriptors`] and [`router`]; trouble with the books.
pub fn world(seed: u64, books: Option<&Path>) -> Result<(World, Vec<Arc<dyn Adapter>>)> {
    let descriptors = descriptors()?;
    let router = router(&descriptors)?;
    let mut adapters: Vec<Arc<dyn Adapter>> = Vec::with_capacity(descriptors.len());
    for descriptor in descriptors {
        let simulator = match books {
            None => Simulator::new(descriptor, seed),
            Some(folder) => {
                let path = folder.join(format!("{}.book", descriptor.capability.name));
                Simulator::open(descriptor, seed, &path)?
            }
        };
        adapters.push(Arc::new(simulator));
    }
    let world =
        World { router, policies: vec![PlatformPolicy::defaults(PLATFORM)], adapters: adapters.clone() };
    Ok((world, adapters))
}

/// The campaigns, paid by the platform's coupon fund, without end.
#[must_use]
pub fn campaigns() -> Vec<Campaign> {
    let fund = AccountId::internal(AccountType::CouponFund, PLATFORM.0, CURRENCY, 0);
    let mut campaigns = Vec::with_capacity(CAMPAIGNS.len());
    for (number, (face, minimum_spend)) in (1..).zip(CAMPAIGNS) {
        campaigns.push(Campaign {
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
        });
    }
    campaigns
}
