//! Static checks of the rules of a rule set: what cannot work, what can hardly be meant, over intervals and sets alike.

use std::collections::HashSet;

use suanpan_model::{Bank, Banks, Capability, CardType, ChannelId, Currency, Holder, PayKind};

use super::book::{Boxed, Layout};
use super::check::find;
use super::coverage::{self, Meets};
use super::fault::{RuleFinding, RuleSetFault};
use super::flat::{Entry, numbered};
use super::rule::{Condition, Key, Output, Rule, Test, Value, Values, Weight};
use super::rules::{Place, RoutingRules, Strategy};

/// Largest sum of the weights of one split.
const WEIGHTS_SUM_MAX: u64 = 1_000_000;
/// Overlaps that are listed one by one.
const OVERLAPS_LISTED: usize = 50;
const WHOLE_PPM: u32 = 1_000_000;

/// Faults of the rules, the weights and the scoring of a rule set.
pub(super) fn check(rules: &RoutingRules, channels: &[Capability]) -> Vec<RuleSetFault> {
    let mut faults = Vec::new();
    let scoring = rules.scoring;
    let shares = [scoring.explore_ppm, scoring.eliminate_ppm, scoring.given_up_ppm, scoring.margin_ppm];
    if shares.iter().any(|share| *share > WHOLE_PPM) {
        faults.push(RuleSetFault::ScoringOverWhole);
    }
    if !rules.weights.is_empty() {
        faults.extend(check_weights(Place::Weights, rules.weights.iter().map(|one| one.weight)));
    }
    let mut names = HashSet::new();
    for one in numbered(&rules.rules) {
        let rule = one.rule;
        if rule.name.is_empty() || !names.insert(&rule.name) {
            faults.push(RuleSetFault::RuleNameTaken(one.no));
        }
        if rule.output.is_none() && rule.rules.is_empty() {
            faults.push(RuleSetFault::RuleSaysNothing(one.no));
        }
        faults.extend(check_output(one.no, rule));
        for condition in rule.when.iter().flatten() {
            faults.extend(check_condition(one.no, condition, rules, channels));
        }
    }
    // What rules cover is looked at only where each of them makes sense.
    if faults.is_empty() {
        match Layout::new(&rules.rules) {
            None => faults.push(RuleSetFault::RulesTooMany),
            Some(layout) => faults.extend(check_cover(&layout, channels)),
        }
    }
    faults
}

fn check_weights(place: Place, weights: impl Iterator<Item = u32>) -> Option<RuleSetFault> {
    let sum: u64 = weights.map(u64::from).sum();
    (!(1..=WEIGHTS_SUM_MAX).contains(&sum)).then_some(RuleSetFault::WeightsOutOfRange(place))
}

fn check_output(no: usize, rule: &Rule) -> Option<RuleSetFault> {
    let place = Place::Rule(no);
    match rule.output.as_ref()? {
        Output::Split(weights) => check_weights(place, weights.iter().map(|one| one.weight)),
        Output::SplitLists(lists) => {
            if lists.iter().any(|list| list.channels.is_empty()) {
                return Some(RuleSetFault::NoChannels(place));
            }
            check_weights(place, lists.iter().map(|one| one.weight))
        }
        Output::Strategy(Strategy::Rules) => Some(RuleSetFault::RuleAsksRules(no)),
        Output::Strategy(_) | Output::Channel(_) | Output::Priority(_) => None,
    }
}

fn check_condition(
    no: usize,
    condition: &Condition,
    rules: &RoutingRules,
    channels: &[Capability],
) -> Option<RuleSetFault> {
    let values = match &condition.test {
        Test::In(values) | Test::NotIn(values) if values.is_empty() => {
            return Some(RuleSetFault::RuleNeverHolds(no));
        }
        Test::In(values) | Test::NotIn(values) => values.as_slice(),
        Test::Within { from, until } => {
            let below = match condition.key.values() {
                Values::Numbers(below) => below,
                Values::Texts => u64::MAX,
                Values::Banks | Values::Accounts => return Some(RuleSetFault::RuleTestUnfit(no)),
            };
            let is_empty = until.is_some_and(|until| until <= *from) || *from >= below;
            return is_empty.then_some(RuleSetFault::RuleNeverHolds(no));
        }
        Test::Present | Test::Absent => &[],
    };
    let compares_numbers = || {
        let mut all = numbered(&rules.rules).into_iter().flat_map(|one| one.rule.when.iter().flatten());
        all.any(|other| other.key == condition.key && matches!(other.test, Test::Within { .. }))
    };
    values.iter().find_map(|value| match (condition.key.values(), value) {
        (Values::Numbers(below), Value::Number(number)) => {
            (*number >= below).then_some(RuleSetFault::RuleTestUnfit(no))
        }
        (Values::Banks, Value::Bank(bank)) => {
            (!is_listed(*bank, channels)).then_some(RuleSetFault::RuleUnknownBank { rule: no, bank: *bank })
        }
        (Values::Accounts, Value::Account(..)) => None,
        (Values::Texts, Value::Text(text)) => {
            let unread = text.parse::<u64>().is_err() && compares_numbers();
            unread.then_some(RuleSetFault::RuleTextNotNumber(no))
        }
        (Values::Numbers(_) | Values::Banks | Values::Accounts | Values::Texts, _) => {
            Some(RuleSetFault::RuleTestUnfit(no))
        }
    })
}

fn is_listed(bank: Bank, channels: &[Capability]) -> bool {
    channels.iter().any(|channel| match &channel.banks {
        Banks::All => false,
        Banks::Only(banks) => banks.contains(&bank),
    })
}

/// Whether an output names a channel for every order that some channel can take.
fn always_decides(output: &Output) -> bool {
    matches!(output, Output::Strategy(Strategy::Cost))
}

fn check_cover(layout: &Layout<'_>, channels: &[Capability]) -> Vec<RuleSetFault> {
    let mut faults = Vec::new();
    for (entry, boxes) in layout.entries.iter().zip(&layout.boxes) {
        if boxes.iter().any(|used| used.iter().any(|(_, cells)| cells.is_empty())) {
            faults.push(RuleSetFault::RuleNeverHolds(entry.no));
            continue;
        }
        // Channels that are not configured are told by themselves.
        let mut named = channels_of(entry.output);
        named.retain(|channel| find(channels, *channel).is_some());
        if !named.is_empty()
            && !named.iter().any(|one| boxes.iter().any(|used| fits(layout, used, *one, channels)))
        {
            faults.push(RuleSetFault::ReachesNoChannel(Place::Rule(entry.no)));
        }
    }
    for (place, entry) in layout.entries.iter().enumerate() {
        let before = || layout.entries[..place].iter().zip(&layout.boxes);
        let deciding = before().filter(|(other, _)| always_decides(other.output));
        let deciding: Vec<(usize, &Boxed)> =
            deciding.flat_map(|(other, boxes)| boxes.iter().map(|used| (other.no, used))).collect();
        if let Some(by) = coverage::covered_by(&layout.axes, &layout.boxes[place], &deciding) {
            faults.push(RuleSetFault::RuleUnreachable { rule: entry.no, by });
        }
    }
    faults
}

/// What looks wrong in rules without faults.
pub(super) fn review(rules: &RoutingRules, channels: &[Capability]) -> Vec<RuleFinding> {
    let mut findings = Vec::new();
    let Some(layout) = Layout::new(&rules.rules) else { return findings };
    let weights = (Place::Weights, rules.weights.iter().map(|one| one.channel).collect());
    for (place, list) in std::iter::once(weights).chain(lists(&rules.rules)) {
        let is_off = |channel: &ChannelId| find(channels, *channel).is_some_and(|known| !known.enabled);
        let off = list.into_iter().filter(is_off);
        findings.extend(off.map(|channel| RuleFinding::SwitchedOff { place, channel }));
    }
    for (entry, boxes) in layout.entries.iter().zip(&layout.boxes) {
        for channel in channels_of(entry.output) {
            if !boxes.iter().any(|used| fits(&layout, used, channel, channels)) {
                findings.push(RuleFinding::RuleNeverFits { rule: entry.no, channel });
            }
        }
    }
    findings.extend(review_order(&layout));
    if rules.order.contains(&Strategy::Rules) && !layout.entries.is_empty() {
        let all: Vec<&Boxed> = layout.boxes.iter().flatten().collect();
        findings.extend(coverage::gaps(&layout.axes, &all).into_iter().map(RuleFinding::RulesGap));
    }
    findings
}

/// Rules in the shadow of earlier ones, and rules that overlap.
fn review_order(layout: &Layout<'_>) -> Vec<RuleFinding> {
    let mut findings = Vec::new();
    let mut overlaps = Vec::new();
    let is_nested = |outer: &Entry<'_>, inner: &Entry<'_>| {
        numbered(&outer.rule.rules).iter().any(|one| std::ptr::eq(one.rule, inner.rule))
    };
    for (place, entry) in layout.entries.iter().enumerate() {
        let mut shadowed = false;
        for (before, other) in layout.entries[..place].iter().enumerate() {
            if other.output == entry.output || is_nested(entry, other) {
                continue;
            }
            match coverage::meets(&layout.boxes[before], &layout.boxes[place]) {
                Meets::Covers if !shadowed => {
                    shadowed = true;
                    findings.push(RuleFinding::RuleShadowed { rule: entry.no, by: other.no });
                }
                Meets::Overlaps => {
                    overlaps.push(RuleFinding::RulesOverlap { first: other.no, second: entry.no });
                }
                Meets::Covers | Meets::Inside | Meets::Apart => {}
            }
        }
    }
    let more = overlaps.len().saturating_sub(OVERLAPS_LISTED);
    overlaps.truncate(OVERLAPS_LISTED);
    findings.extend(overlaps);
    findings.extend((more > 0).then_some(RuleFinding::MoreOverlaps(more)));
    findings
}

/// Whether the channel can take some payment for which the statement holds.
fn fits(layout: &Layout<'_>, used: &Boxed, channel: ChannelId, channels: &[Capability]) -> bool {
    let Some(channel) = find(channels, channel) else { return false };
    used.iter().all(|(place, cells)| {
        let axis = &layout.axes[*place];
        let one_of = |numbers: Vec<u64>| {
            cells.cells().any(|cell| match axis.interval(cell) {
                Some((from, until)) => {
                    numbers.iter().any(|number| from <= *number && until.is_none_or(|until| *number < until))
                }
                None => true,
            })
        };
        match &axis.key {
            Key::Amount => cells.cells().any(|cell| {
                axis.interval(cell).is_some_and(|(from, until)| {
                    channel.amount_max.minor() >= from
                        && until.is_none_or(|until| channel.amount_min.minor() < until)
                })
            }),
            Key::Kind => one_of(channel.kinds.iter().map(|kind: &PayKind| *kind as u64).collect()),
            Key::Currency => one_of(channel.currencies.iter().map(|one: &Currency| *one as u64).collect()),
            Key::CardType => one_of(channel.card_types.iter().map(|card: &CardType| *card as u64).collect()),
            Key::Holder => match channel.conditions.holders.as_slice() {
                [] => true,
                holders => one_of(holders.iter().map(|holder: &Holder| *holder as u64).collect()),
            },
            Key::Bank => match &channel.banks {
                Banks::All => true,
                Banks::Only(banks) => cells.cells().any(|cell| axis.is_bank_of(cell, banks)),
            },
            Key::Merchant
            | Key::Category
            | Key::Hour
            | Key::Weekday
            | Key::Payer
            | Key::PayerAttribute(_)
            | Key::Metadata(_) => true,
        }
    })
}

/// The channels that an output names; none of a strategy.
fn channels_of(output: &Output) -> Vec<ChannelId> {
    let weighted =
        |weights: &[Weight]| weights.iter().filter(|one| one.weight > 0).map(|one| one.channel).collect();
    match output {
        Output::Channel(channel) => vec![*channel],
        Output::Priority(channels) => channels.clone(),
        Output::Split(weights) => weighted(weights),
        Output::SplitLists(lists) => lists.iter().flat_map(|list| list.channels.iter().copied()).collect(),
        Output::Strategy(_) => Vec::new(),
    }
}

/// Every list of channels in rules.
pub(super) fn lists(rules: &[Rule]) -> Vec<(Place, Vec<ChannelId>)> {
    let mut found = Vec::new();
    for one in numbered(rules) {
        let place = Place::Rule(one.no);
        match &one.rule.output {
            Some(Output::Channel(channel)) => found.push((place, vec![*channel])),
            Some(Output::Priority(channels)) => found.push((place, channels.clone())),
            Some(Output::Split(weights)) => {
                found.push((place, weights.iter().map(|one| one.channel).collect()));
            }
            Some(Output::SplitLists(lists)) => {
                found.extend(lists.iter().map(|list| (place, list.channels.clone())));
            }
            Some(Output::Strategy(_)) | None => {}
        }
    }
    found
}

/// Whether some rule asks a strategy.
pub(super) fn asks(rules: &[Rule], strategy: Strategy) -> bool {
    numbered(rules).iter().any(|one| one.rule.output == Some(Output::Strategy(strategy)))
}
