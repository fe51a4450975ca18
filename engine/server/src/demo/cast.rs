//! Who takes part: the mall's merchants, agents and buyers, and the configuration that they make.

use suanpan_model::{AccountType, Currency, DurationMs, PlatformId};

use crate::config::{AccountConfig, Config, ConfigFault};

/// The demo's mall, see `mall.toml`.
pub const PLATFORM: PlatformId = PlatformId(9001);
/// Merchants with an account in CNY.
pub const MERCHANTS: u64 = 40;
/// The first so many of them also sell in US dollars.
pub const MERCHANTS_USD: u64 = 8;
/// Agents.
pub const AGENTS: u64 = 6;
/// Buyers.
pub const BUYERS: u64 = 2_000;
/// The first so many of them have a funded e-account.
pub const BUYERS_WITH_ACCOUNT: u64 = 200;
/// What is put on each e-account once.
pub const E_ACCOUNT_FUNDS: &str = "50000.00";

/// Whose marketing money pays a part of one campaign's coupons.
pub const SPONSOR: &str = "K01";
/// What is put on the sponsor's account once.
pub const SPONSOR_FUNDS: &str = "2000000.00";
/// Who lives on shares of orders, and spends them: see the story.
pub const PROMOTER: &str = "PROMOTER";

const MALL: &str = include_str!("mall.toml");
/// Descriptors of the demo's channels.
pub const CHANNELS: &str = include_str!("channels.toml");

/// Reference of a merchant's account.
#[must_use]
pub fn merchant(number: u64) -> String {
    format!("M{number:02}")
}

/// Reference of a merchant's account in US dollars.
#[must_use]
pub fn merchant_usd(number: u64) -> String {
    format!("M{number:02}-USD")
}

/// Reference of an agent's account.
#[must_use]
pub fn agent(number: u64) -> String {
    format!("A{number}")
}

/// A buyer's name, and the reference of the e-account.
#[must_use]
pub fn buyer(number: u64) -> String {
    format!("B{number:04}")
}

/// The configuration of the demo, with the accounts of everybody.
///
/// # Errors
/// Never, as a test shows; the type is that of [`Config::parse`].
pub fn config(order_ttl_s: u64) -> Result<Config, ConfigFault> {
    let mut config = Config::parse(MALL)?;
    let account =
        |kind, reference: String, currency| AccountConfig { kind, reference: reference.into(), currency };
    for platform in &mut config.platforms {
        // Shorter than a configuration allows: who never pays is to be closed before the spectator leaves.
        platform.policy.order_ttl = DurationMs::from_secs(order_ttl_s);
        let accounts = &mut platform.accounts;
        let cny = Currency::Cny;
        accounts.extend((1..=MERCHANTS).map(|no| account(AccountType::Settlement, merchant(no), cny)));
        let usd = |no| account(AccountType::Settlement, merchant_usd(no), Currency::Usd);
        accounts.extend((1..=MERCHANTS_USD).map(usd));
        accounts.extend((1..=AGENTS).map(|no| account(AccountType::Commission, agent(no), cny)));
        accounts.push(account(AccountType::Marketing, SPONSOR.to_owned(), cny));
        accounts.push(account(AccountType::Cash, PROMOTER.to_owned(), cny));
        accounts.extend((1..=BUYERS_WITH_ACCOUNT).map(|no| account(AccountType::Cash, buyer(no), cny)));
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mall_and_its_channels_are_sound() {
        let config = config(20).unwrap();
        assert_eq!(config.platforms.len(), 1);
        assert_eq!(config.platforms[0].policy.id, PLATFORM);
        let channels = suanpan_channels::load_descriptors(CHANNELS).unwrap();
        assert!(channels.len() >= 8);
        for channel in channels {
            let behaviour = channel.behaviour;
            let silent = [behaviour.notice_lost, behaviour.notice_delayed, behaviour.lie_amount];
            let late_payers = behaviour.paid_after_close != suanpan_channels::Rate::NEVER;
            let all_tell = silent.iter().all(|rate| *rate == suanpan_channels::Rate::NEVER);
            assert!(!late_payers || all_tell, "{}: late payments must be told", channel.capability.name);
        }
    }
}
