//! Routing (路由): which channel takes a payment, and why.
//!
//! A capability filter leaves the channels that can take the payment; the platform's strategies, in the
//! platform's order, name one of them. A [`Router`] is an immutable snapshot of channels and rules: a change
//! makes a new one, which the runtime swaps in whole. What changes from moment to moment (quota used, health)
//! is read through [`Standing`]. Same snapshot, same request, same standing: same [`Route`].
//!
//! What was learned about channels is a fold over what happened to orders ([`learning`]); a draft rule set is tried
//! against recorded orders by [`backtest`].

mod axis;
pub mod backtest;
mod ballot;
mod book;
mod channels;
mod check;
mod check_rules;
mod choice;
mod coverage;
mod draw;
mod explain;
mod fault;
mod flat;
pub mod learning;
mod request;
mod rule;
mod rules;
mod split;
mod table;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use suanpan_model::{Bank, Candidate, CandidateVerdict, Capability, ChannelId, PlatformId, Route};

pub use book::{KEYS_MAX, STATEMENTS_MAX};
pub use channels::CHANNELS_MAX;
pub use explain::{explain, explain_none, explain_trace};
pub use fault::{ChannelFault, RuleFault, RuleFaults, RuleFinding, RuleSetFault, RuleWarning};
pub use request::{AllOpen, NoRoute, OrderFacts, RouteRequest, Standing};
pub use rule::{Condition, Key, Output, Rule, Test, Value, Values, Weight, WeightedList};
pub use rules::{AmountBand, Designation, Place, RoutingRules, RuleSet, Scoring, Strategy};

use ballot::Ballot;
use channels::ChannelSet;
use choice::Choice;
use table::ChannelTable;

/// Channels and rules, checked and made ready to decide. Never changes; a copy shares what it holds.
#[derive(Clone, Debug)]
pub struct Router {
    table: Arc<ChannelTable>,
    default_choice: Arc<Choice>,
    platform_choices: FxHashMap<PlatformId, Arc<Choice>>,
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
            warnings.extend(review(set, rules, &capabilities));
        }
        let table = ChannelTable::new(capabilities);
        let default_choice = Arc::new(Choice::new(&table, default_rules));
        let platform_choices = platform_rules
            .into_iter()
            .map(|(platform, rules)| (platform, Arc::new(Choice::new(&table, rules))))
            .collect();
        Ok(Self { table: Arc::new(table), default_choice, platform_choices, warnings })
    }

    /// The same channels with other rules for one platform, and what looks wrong in these.
    ///
    /// # Errors
    /// Every fault of the rules.
    pub fn with_rules(
        &self,
        platform: PlatformId,
        rules: RoutingRules,
    ) -> Result<(Self, Vec<RuleWarning>), RuleFaults> {
        let set = RuleSet::Platform(platform);
        let faults = check::check_rules(set, &rules, self.capabilities());
        if !faults.is_empty() {
            return Err(RuleFaults(faults));
        }
        let warnings = review(set, &rules, self.capabilities());
        let mut router = self.clone();
        let is_of_set =
            |warning: &RuleWarning| matches!(warning, RuleWarning::Rules { set: of, .. } if *of == set);
        router.warnings.retain(|warning| !is_of_set(warning));
        router.warnings.extend(warnings.iter().cloned());
        router.platform_choices.insert(platform, Arc::new(Choice::new(&self.table, rules)));
        Ok((router, warnings))
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
        self.decide_without(request, standing, ChannelSet::EMPTY).map(|(_, route)| route)
    }

    /// Chooses a channel as [`Router::decide`] does and takes the room that the payment needs there. When another
    /// payment took the last of it in between, the next channel is chosen: limits are never exceeded.
    ///
    /// # Errors
    /// As [`Router::decide`].
    #[expect(clippy::result_large_err, reason = "both sides carry the candidates inline; no allocation")]
    pub fn take<S: Standing + ?Sized>(
        &self,
        request: &RouteRequest<'_>,
        standing: &S,
    ) -> Result<Route, NoRoute> {
        let mut contended = ChannelSet::EMPTY;
        loop {
            let (index, route) = self.decide_without(request, standing, contended)?;
            if standing.claim(index, route.channel, request.amount, request.now) {
                return Ok(route);
            }
            contended |= ChannelSet::one(index);
        }
    }

    #[expect(clippy::result_large_err, reason = "both sides carry the candidates inline; no allocation")]
    fn decide_without<S: Standing + ?Sized>(
        &self,
        request: &RouteRequest<'_>,
        standing: &S,
        contended: ChannelSet,
    ) -> Result<(usize, Route), NoRoute> {
        let choice = self.choice(request.platform);
        let rules_version = choice.rules().version;
        let mut because: SmallVec<[Candidate; 16]> = SmallVec::from_slice(self.table.candidates());
        let mut capable = self.table.filter(request, standing, &mut because);
        for index in (capable & contended).indices() {
            because[index].verdict = CandidateVerdict::Contended;
        }
        capable = capable.without(contended);
        let Some(cheapest) = self.table.price(request, standing, capable, &mut because) else {
            return Err(NoRoute { because, rules_version });
        };
        let table = &*self.table;
        let mut ballot = Ballot { request, table, standing, capable, cheapest, because: &mut because };
        let named = choice.choose(&mut ballot);
        let chosen = &mut because[named.index];
        chosen.verdict = CandidateVerdict::Chosen;
        let (channel, fee) = (chosen.channel, chosen.fee);
        Ok((
            named.index,
            Route { channel, fee, rule: named.rule, rules_version, because, trace: named.trace },
        ))
    }

    /// The descriptor of a channel.
    #[must_use]
    pub fn capability(&self, channel: ChannelId) -> Option<&Capability> {
        self.table.capabilities().get(self.table.index(channel)?)
    }

    /// The place of a channel among [`Router::capabilities`].
    #[must_use]
    pub fn index(&self, channel: ChannelId) -> Option<usize> {
        self.table.index(channel)
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

    /// What rules look at, by the bits of [`RouteTrace::missing`](suanpan_model::RouteTrace::missing) of their decisions.
    #[must_use]
    pub fn keys_of(rules: &RoutingRules) -> Vec<Key> {
        let layout = book::Layout::new(&rules.rules);
        layout.map_or_else(Vec::new, |layout| layout.axes.into_iter().map(|axis| axis.key).collect())
    }

    /// What the rules of a platform look at, by the bits of [`RouteTrace::missing`](suanpan_model::RouteTrace::missing).
    #[must_use]
    pub fn keys(&self, platform: PlatformId) -> &[Key] {
        self.choice(platform).keys()
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

fn review(set: RuleSet, rules: &RoutingRules, channels: &[Capability]) -> Vec<RuleWarning> {
    let findings = check::review_rules(rules, channels);
    findings.into_iter().map(|finding| RuleWarning::Rules { set, finding }).collect()
}
