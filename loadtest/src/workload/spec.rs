//! Workloads as they are written in TOML.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

/// The workloads that come with the program, by name.
pub const BUILTIN: [(&str, &str); 14] = [
    ("canonical", include_str!("../../workloads/canonical.toml")),
    ("plain", include_str!("../../workloads/plain.toml")),
    ("payers_later", include_str!("../../workloads/payers_later.toml")),
    ("hot_merchant", include_str!("../../workloads/hot_merchant.toml")),
    ("hot_buyer", include_str!("../../workloads/hot_buyer.toml")),
    ("gateway_only", include_str!("../../workloads/gateway_only.toml")),
    ("quick_pay_only", include_str!("../../workloads/quick_pay_only.toml")),
    ("balance_only", include_str!("../../workloads/balance_only.toml")),
    ("refund_storm", include_str!("../../workloads/refund_storm.toml")),
    ("flash_sale_coupons", include_str!("../../workloads/flash_sale_coupons.toml")),
    ("channel_outage", include_str!("../../workloads/channel_outage.toml")),
    ("slow_channel", include_str!("../../workloads/slow_channel.toml")),
    ("lying_channel", include_str!("../../workloads/lying_channel.toml")),
    ("month_end", include_str!("../../workloads/month_end.toml")),
];

/// A workload. Shares are in percent.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name; that of the file.
    #[serde(default)]
    pub name: String,
    /// What it is, in a sentence.
    pub about: String,
    /// What orders are like.
    pub orders: Orders,
    /// Who takes part.
    #[serde(default)]
    pub parties: Parties,
    /// What is done with orders once they are paid.
    #[serde(default)]
    pub course: Courses,
    /// Coupons of small stocks instead of plentiful ones.
    pub flash_sale: Option<FlashSale>,
    /// Behaviour of simulated channels, by name, in the grammar of the channels' file (`[channel.simulator]`).
    /// Channels that are not named are instant and without faults.
    #[serde(default, rename = "channel")]
    pub channels: BTreeMap<String, toml::Table>,
    /// Channels that fail for a while.
    pub outage: Option<Outage>,
    /// How orders may end.
    #[serde(default)]
    pub ends: Ends,
    /// What is read while orders come.
    #[serde(default)]
    pub reading: Reading,
    /// When orders are sent, where the command line does not say.
    #[serde(default)]
    pub pace: Pace,
}

/// What orders are like.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Orders {
    /// Share of gateway payments.
    #[serde(default)]
    pub gateway: u8,
    /// Share of quick payments.
    #[serde(default)]
    pub quick_pay: u8,
    /// Share of e-account payments.
    #[serde(default)]
    pub balance: u8,
    /// Whether each uses a coupon.
    #[serde(default)]
    pub coupon: bool,
    /// Whether platform and agent receive commission.
    #[serde(default)]
    pub commission: bool,
    /// Smallest price in minor units.
    #[serde(default = "least")]
    pub price_min: u64,
    /// Largest price in minor units.
    #[serde(default = "most")]
    pub price_max: u64,
}

const fn least() -> u64 {
    100
}

const fn most() -> u64 {
    500_000
}

/// Who takes part.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parties {
    /// Buyers.
    pub buyers: u64,
    /// Merchants.
    pub merchants: u64,
    /// Share of orders at the first merchant, beside its even part of the rest.
    pub hot_merchant: u8,
    /// Share of orders of the first buyer, beside its even part of the rest.
    pub hot_buyer: u8,
}

impl Default for Parties {
    fn default() -> Self {
        Self { buyers: 100_000, merchants: 1_000, hot_merchant: 0, hot_buyer: 0 }
    }
}

/// Shares of what is done with paid orders.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Courses {
    /// Released.
    #[serde(default)]
    pub release: u8,
    /// Released in two parts.
    #[serde(default)]
    pub milestones: u8,
    /// Given back before the release.
    #[serde(default)]
    pub refund_frozen: u8,
    /// Released and given back.
    #[serde(default)]
    pub refund_released: u8,
    /// Released and given back in part.
    #[serde(default)]
    pub refund_part: u8,
}

impl Default for Courses {
    fn default() -> Self {
        Self { release: 100, milestones: 0, refund_frozen: 0, refund_released: 0, refund_part: 0 }
    }
}

/// Campaigns that follow each other, each for a number of orders, with fewer coupons than these.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FlashSale {
    /// Coupons of a campaign.
    pub stock: u32,
    /// Orders that ask for a coupon of a campaign before the next begins.
    pub orders_per_campaign: u32,
    /// Buyers who ask again and again, although everybody may have one.
    pub hoarders: u64,
    /// Share of the orders that are theirs.
    pub hoarders_share: u8,
}

/// Channels that fail every payment for a while.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// Their names.
    pub channels: Vec<String>,
    /// When it begins, in seconds after the first order.
    pub after_s: f64,
    /// How long it lasts, in seconds.
    pub for_s: f64,
}

/// How orders may end.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ends {
    /// Whether orders may fail or be closed because of their channels.
    pub unpaid: bool,
    /// How long the engine waits for a channel's answer, in milliseconds; a minute when absent.
    pub call_timeout_ms: Option<u64>,
    /// After how many seconds channels are asked what became of a payment, again and again; those of the built-in channels
    /// when absent.
    pub query_ladder_s: Option<Vec<u32>>,
}

/// What is read while orders come.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reading {
    /// Statements of merchants a second.
    pub statements_per_s: f64,
    /// Trial balances a second.
    pub trial_balances_per_s: f64,
}

/// When orders are sent.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pace {
    /// Orders kept under way.
    pub in_flight: Option<usize>,
    /// Orders offered a second.
    pub rate: Option<u64>,
}

impl Spec {
    /// The workload of this name, or in the file of this path.
    ///
    /// # Errors
    /// When there is no such workload, or it cannot be read.
    pub fn find(name: &str) -> Result<Self> {
        if let Some((name, text)) = BUILTIN.iter().find(|(known, _)| *known == name) {
            return Self::read(name, text);
        }
        let path = Path::new(name);
        let known = || BUILTIN.map(|(name, _)| name).join(", ");
        let text = std::fs::read_to_string(path).with_context(|| {
            format!("{name:?} is neither a workload ({}) nor a file that can be read", known())
        })?;
        let stem = path.file_stem().map_or_else(|| name.into(), |stem| stem.to_string_lossy());
        Self::read(&stem, &text)
    }

    /// Reads a workload.
    ///
    /// # Errors
    /// When it is not TOML, has unknown or missing keys, or shares that do not make a whole.
    pub fn read(name: &str, text: &str) -> Result<Self> {
        let mut spec: Self = toml::from_str(text).with_context(|| format!("workload {name}"))?;
        name.clone_into(&mut spec.name);
        spec.check().with_context(|| format!("workload {name}"))?;
        Ok(spec)
    }

    fn check(&self) -> Result<()> {
        let Orders { gateway, quick_pay, balance, price_min, price_max, .. } = self.orders;
        let whole = |what: &str, parts: &[u8]| {
            let sum: u32 = parts.iter().map(|part| u32::from(*part)).sum();
            ensure!(sum == 100, "{what}: the shares must make 100, they make {sum}");
            Ok(())
        };
        whole("orders.gateway, quick_pay, balance", &[gateway, quick_pay, balance])?;
        let Courses { release, milestones, refund_frozen, refund_released, refund_part } = self.course;
        whole("course", &[release, milestones, refund_frozen, refund_released, refund_part])?;
        ensure!(
            100 <= price_min && price_min < price_max && price_max <= 500_000,
            "orders.price_min and price_max: 100 ≤ min < max ≤ 500000, in minor units"
        );
        let Parties { buyers, merchants, hot_merchant, hot_buyer } = self.parties;
        ensure!(buyers > 0 && merchants > 0, "parties: at least one buyer and one merchant");
        ensure!(hot_merchant <= 100 && hot_buyer <= 100, "parties: hot shares are at most 100");
        if let Some(FlashSale { stock, orders_per_campaign, hoarders, hoarders_share }) = self.flash_sale {
            ensure!(!self.orders.coupon, "flash_sale brings its own coupons: orders.coupon must be false");
            ensure!(
                stock > 0 && orders_per_campaign > 0,
                "flash_sale: stock and orders_per_campaign above 0"
            );
            ensure!(hoarders > 0 && hoarders <= buyers, "flash_sale.hoarders: from 1 to parties.buyers");
            ensure!(hoarders_share <= 100, "flash_sale.hoarders_share: at most 100");
        }
        if let Some(outage) = &self.outage {
            ensure!(outage.after_s >= 0.0 && outage.for_s > 0.0, "outage: after_s ≥ 0 and for_s > 0");
        }
        ensure!(self.pace.in_flight != Some(0) && self.pace.rate != Some(0), "pace: above 0");
        ensure!(
            self.pace.in_flight.is_none() || self.pace.rate.is_none(),
            "pace: in_flight or rate, not both"
        );
        Ok(())
    }

    /// Whether the channel of an order follows from its terms alone: no channel fails or is slow.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.channels.is_empty() && self.outage.is_none()
    }

    /// Whether money of receivers comes back.
    #[must_use]
    pub const fn takes_back(&self) -> bool {
        self.course.refund_released > 0 || self.course.refund_part > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_builtin_is_whole_and_says_what_it_is() {
        for (name, _) in BUILTIN {
            let spec = Spec::find(name).unwrap();
            assert_eq!(spec.name, name);
            assert!(!spec.about.is_empty());
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_key() {
        let whole = "about = \"\"\n[orders]\nquick_pay = 100\n";
        assert!(Spec::read("x", whole).is_ok());
        let table = [
            ("about = \"\"\n[orders]\nquick_pay = 90\n".to_owned(), "orders.gateway"),
            (format!("{whole}tea = 1\n"), "tea"),
            (format!("{whole}price_min = 1\n"), "price_min"),
            (format!("{whole}[course]\nrelease = 99\n"), "course"),
            (format!("{whole}[parties]\nbuyers = 0\n"), "parties"),
            (format!("{whole}[pace]\nrate = 0\n"), "pace"),
            (format!("{whole}[outage]\nchannels = []\nafter_s = 1\nfor_s = 0\n"), "outage"),
            ("about =".to_owned(), "workload x"),
        ];
        for (text, told) in table {
            let fault = format!("{:#}", Spec::read("x", &text).unwrap_err());
            assert!(fault.contains(told), "{told} in {fault}");
        }
        let fault = format!("{:#}", Spec::find("canonica").unwrap_err());
        assert!(fault.contains("canonical, plain"), "{fault}");
    }
}
