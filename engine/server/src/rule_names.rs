//! Names in routing rules: channels of the router, merchants of the engine.

use suanpan_core::routing::Router;
use suanpan_model::{AccountId, AccountType, Capability, ChannelId, PlatformId};
use suanpan_runtime::Engine;

use crate::wire::RuleNames;

/// Names while a configuration is only checked: every name is taken.
pub struct Unchecked;

/// Names of channels before there is an engine: a merchant is not known yet, and no order names this one.
pub struct ChannelsOnly<'a>(pub &'a [Capability]);

/// Names of a platform.
pub struct PlatformNames<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// The channels.
    pub router: &'a Router,
    /// Whose merchants.
    pub platform: PlatformId,
}

/// An account that no order names.
fn nobody() -> AccountId {
    AccountId::opened(AccountType::Settlement, 0, 0)
}

fn by_name(channels: &[Capability], name: &str) -> Option<ChannelId> {
    channels.iter().find(|known| known.name == name).map(|known| known.id)
}

fn all_names(channels: &[Capability]) -> String {
    channels.iter().map(|known| known.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn name_of(channels: &[Capability], channel: ChannelId) -> String {
    let known = channels.iter().find(|known| known.id == channel);
    known.map_or_else(|| channel.to_string(), |known| known.name.to_string())
}

impl RuleNames for Unchecked {
    fn channel(&self, _name: &str) -> Option<ChannelId> {
        Some(ChannelId(0))
    }

    fn channels(&self) -> String {
        String::new()
    }

    fn channel_name(&self, channel: ChannelId) -> String {
        channel.to_string()
    }

    fn merchant(&self, _reference: &str) -> Option<AccountId> {
        Some(nobody())
    }
}

impl RuleNames for ChannelsOnly<'_> {
    fn channel(&self, name: &str) -> Option<ChannelId> {
        by_name(self.0, name)
    }

    fn channels(&self) -> String {
        all_names(self.0)
    }

    fn channel_name(&self, channel: ChannelId) -> String {
        name_of(self.0, channel)
    }

    fn merchant(&self, _reference: &str) -> Option<AccountId> {
        Some(nobody())
    }
}

impl RuleNames for PlatformNames<'_> {
    fn channel(&self, name: &str) -> Option<ChannelId> {
        by_name(self.router.capabilities(), name)
    }

    fn channels(&self) -> String {
        all_names(self.router.capabilities())
    }

    fn channel_name(&self, channel: ChannelId) -> String {
        name_of(self.router.capabilities(), channel)
    }

    fn merchant(&self, reference: &str) -> Option<AccountId> {
        self.engine.account_by_reference(self.platform, AccountType::Settlement, reference)
    }
}
