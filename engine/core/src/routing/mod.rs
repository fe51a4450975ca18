//! Routing (路由): which channel takes a payment, and why.
//!
//! A capability filter leaves the channels that can take the payment; the platform's strategies, in the
//! platform's order, name one of them. A [`Router`] is an immutable snapshot of channels and rules: a change
//! makes a new one, which the runtime swaps in whole. What changes from moment to moment (quota used, health)
//! is read through [`Standing`]. Same snapshot, same request, same standing: same [`Route`].

mod channels;
mod check;
mod choice;
mod explain;
mod fault;
mod request;
mod rules;
mod table;

#[cfg(test)]
mod tests;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use suanpan_model::{Bank, Candidate, CandidateVerdict, Capability, ChannelId, PlatformId, Route};

pub use channels::CHANNELS_MAX;
pub use explain::{explain, explain_none};
pub use fault::{ChannelFault, RuleFault, RuleFaults, RuleFinding, RuleSetFault, RuleWarning};
pub use request::{AllOpen, NoRoute, RouteRequest, Standing};
pub use rules::{AmountBand, Designation, Place, RoutingRules, RuleSet, Strategy};

use choice::Choice;
use table::ChannelTable;

/// Channels and rules, checked and made ready to decide. Never changes.
#[derive(Clone, Debug)]
pub struct Router {
    table: ChannelTable,
    default_choice: Choice,
    platform_choices: FxHashMap<PlatformId, Choice>,
    warnings: Vec<RuleWarning>,
}

impl Router {
    /// Checks channels and rules. Platforms without rules of their own get `default_rules`.
    ///
    /// # Errors
    /// Every fault of channels, then of platforms, then of rule sets in the given order. What is only
    /// suspicious is in [`Router::warnings`].
    pub fn new(
        capabilities: Vec<Capability>,
        default_rules: RoutingRules,
        platform_rules: Vec<(PlatformId, RoutingRules)>,
    ) -> Result<Self, RuleFaults> {
        let sets = || {
            let own = platform_rules.iter().map(|(platform, rules)| (RuleSet::Platform(*platform), rules));
            std::iter::once((RuleSet::Default, &default_rules)).chain(own)
        };
        let mut faults = check::check_channels(&capabilities);
        faults.extend(check::check_platforms(platform_rules.iter().map(|(platform, _)| *platform)));
        faults.extend(sets().flat_map(|(set, rules)| check::check_rules(set, rules, &capabilities)));
        if !faults.is_empty() {
            return Err(RuleFaults(faults));
        }
        let mut warnings = check::review_channels(&capabilities);
        for (set, rules) in sets() {
            let findings = check::review_rules(rules, &capabilities);
            warnings.extend(findings.into_iter().map(|finding| RuleWarning::Rules { set, finding }));
        }
        let table = ChannelTable::new(capabilities);
        let default_choice = Choice::new(&table, default_rules);
        let platform_choices = platform_rules
            .into_iter()
            .map(|(platform, rules)| (platform, Choice::new(&table, rules)))
            .collect();
        Ok(Self { table, default_choice, platform_choices, warnings })
    }

    /// Chooses a channel and says what became of every other.
    ///
    /// # Errors
    /// When no channel can take the payment; the answer names the first filter that each one failed.
    #[expect(clippy::result_large_err, reason = "both sides carry the candidates inline; no allocation")]
    pub fn decide<S: Standing + ?Sized>(
        &self,
        request: &RouteRequest<'_>,
        standing: &S,
    ) -> Result<Route, NoRoute> {
        let choice = self.choice(request.platform);
        let rules_version = choice.rules().version;
        let mut because: SmallVec<[Candidate; 8]> = SmallVec::from_slice(self.table.candidates());
        let capable = self.table.filter(request, standing, &mut because);
        let Some(cheapest) = self.table.price(request, capable, &mut because) else {
            return Err(NoRoute { because, rules_version });
        };
        let (index, rule) = choice.choose(request, capable, cheapest);
        let chosen = &mut because[index];
        chosen.verdict = CandidateVerdict::Chosen;
        let (channel, fee) = (chosen.channel, chosen.fee);
        Ok(Route { channel, fee, rule, rules_version, because })
    }

    /// The descriptor of a channel.
    #[must_use]
    pub fn capability(&self, channel: ChannelId) -> Option<&Capability> {
        self.table.capabilities().get(self.table.index(channel)?)
    }

    /// The channel with this name in the configuration.
    #[must_use]
    pub fn channel_by_name(&self, name: &str) -> Option<ChannelId> {
        self.capabilities().iter().find(|capability| capability.name == name).map(|capability| capability.id)
    }

    /// Every channel, in the configuration's order: the indices of [`Standing`].
    #[must_use]
    pub fn capabilities(&self) -> &[Capability] {
        self.table.capabilities()
    }

    /// Whether some channel lists the bank. A channel that reaches every bank does not make a code known.
    #[must_use]
    pub fn knows_bank(&self, bank: Bank) -> bool {
        self.table.knows_bank(bank)
    }

    /// The rules in force for a platform: its own, or the default ones.
    #[must_use]
    pub fn rules(&self, platform: PlatformId) -> &RoutingRules {
        self.choice(platform).rules()
    }

    /// What works but is probably not meant: first of channels, then of rule sets.
    #[must_use]
    pub fn warnings(&self) -> &[RuleWarning] {
        &self.warnings
    }

    fn choice(&self, platform: PlatformId) -> &Choice {
        self.platform_choices.get(&platform).unwrap_or(&self.default_choice)
    }
}
