//! Static checks: what cannot work is refused, what can hardly be meant is listed, before any payment comes.

use std::collections::HashSet;

use suanpan_model::{Amount, Banks, Capability, CardType, ChannelId, PayKind, PlatformId, TariffBand};

use super::channels::CHANNELS_MAX;
use super::fault::{ChannelFault, RuleFault, RuleFinding, RuleSetFault, RuleWarning};
use super::rules::{AmountBand, Designation, Place, RoutingRules, RuleSet, Strategy};

/// The smallest sum that is ever paid; bands need not cover less.
const LEAST: Amount = Amount::from_minor(1);

/// Faults of the channels themselves.
pub(super) fn check_channels(channels: &[Capability]) -> Vec<RuleFault> {
    let mut faults = Vec::new();
    if channels.len() > CHANNELS_MAX {
        faults.push(RuleFault::TooManyChannels(channels.len()));
    }
    let (mut ids, mut names) = (HashSet::new(), HashSet::new());
    for channel in channels {
        if !ids.insert(channel.id) {
            faults.push(RuleFault::RepeatedId(channel.id));
        }
        if !names.insert(&channel.name) {
            faults.push(RuleFault::RepeatedName(channel.name.clone()));
        }
        let of_channel = |fault| RuleFault::Channel { channel: channel.id, fault };
        faults.extend(check_channel(channel).into_iter().map(of_channel));
    }
    faults
}

fn check_channel(channel: &Capability) -> Vec<ChannelFault> {
    let mut faults = Vec::new();
    if channel.kinds.contains(&PayKind::Balance) {
        faults.push(ChannelFault::OffersBalance);
    }
    if channel.amount_min > channel.amount_max {
        faults.push(ChannelFault::LimitsInverted);
    }
    if channel.hours.is_some_and(|hours| hours.from_minute >= 1_440 || hours.until_minute > 1_440) {
        faults.push(ChannelFault::HoursOutOfDay);
    }
    faults.extend(check_tariff(CardType::Debit, &channel.tariff.debit));
    faults.extend(check_tariff(CardType::Credit, &channel.tariff.credit));
    faults
}

fn check_tariff(card: CardType, bands: &[TariffBand]) -> Option<ChannelFault> {
    for (before, pair) in bands.windows(2).enumerate() {
        let ascends = match (pair[0].up_to, pair[1].up_to) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(lower), Some(upper)) => lower < upper,
        };
        if !ascends {
            return Some(ChannelFault::TariffNotAscending { card, band: before + 1 });
        }
    }
    None
}

/// What looks wrong in channels without faults.
pub(super) fn review_channels(channels: &[Capability]) -> Vec<RuleWarning> {
    let mut warnings = Vec::new();
    for channel in channels {
        if channel.tariff.debit.is_empty() {
            warnings.push(RuleWarning::NoTariff(channel.id));
        }
        let tariffs = [(CardType::Debit, &channel.tariff.debit), (CardType::Credit, &channel.tariff.credit)];
        for (card, bands) in tariffs {
            let last = bands.last().and_then(|band| band.up_to);
            if last.is_some_and(|up_to| up_to < channel.amount_max) {
                warnings.push(RuleWarning::TariffEnds { channel: channel.id, card });
            }
        }
    }
    warnings
}

/// Platforms that have more than one rule set.
pub(super) fn check_platforms(platforms: impl Iterator<Item = PlatformId>) -> Vec<RuleFault> {
    let mut seen = HashSet::new();
    platforms.filter(|platform| !seen.insert(*platform)).map(RuleFault::RepeatedPlatform).collect()
}

/// Faults of one rule set.
pub(super) fn check_rules(set: RuleSet, rules: &RoutingRules, channels: &[Capability]) -> Vec<RuleFault> {
    let mut faults = Vec::new();
    for (index, strategy) in rules.order.iter().enumerate() {
        if rules.order[..index].contains(strategy) {
            faults.push(RuleSetFault::RepeatedStrategy(*strategy));
        }
    }
    for (place, list) in lists(rules) {
        if list.is_empty() && !matches!(place, Place::Priority | Place::Weights) {
            faults.push(RuleSetFault::NoChannels(place));
        }
        for (index, channel) in list.iter().enumerate() {
            if find(channels, *channel).is_none() {
                faults.push(RuleSetFault::UnknownChannel { place, channel: *channel });
            } else if list[..index].contains(channel) {
                faults.push(RuleSetFault::RepeatedChannel { place, channel: *channel });
            }
        }
    }
    faults.extend(check_bands(rules));
    faults.extend(check_designations(&rules.designations, channels));
    faults.extend(super::check_rules::check(rules, channels));
    faults.into_iter().map(|fault| RuleFault::Rules { set, fault }).collect()
}

fn check_bands(rules: &RoutingRules) -> Vec<RuleSetFault> {
    let mut faults = Vec::new();
    let mut sound = Vec::new();
    for (index, band) in rules.amount_bands.iter().enumerate() {
        match band.until {
            Some(until) if until == band.from => faults.push(RuleSetFault::BandEmpty(index)),
            Some(until) if until < band.from => faults.push(RuleSetFault::BandInverted(index)),
            Some(_) | None => sound.push((index, band)),
        }
    }
    sound.sort_by_key(|(_, band)| band.from);
    // The band that reaches highest so far, against each that begins after it.
    let mut highest: Option<(usize, &AmountBand)> = None;
    for (index, band) in sound {
        if let Some((lower, below)) = highest
            && below.until.is_none_or(|until| until > band.from)
        {
            faults.push(RuleSetFault::BandsOverlap(lower.min(index), lower.max(index)));
        }
        let reaches_higher = |(_, below): (usize, &AmountBand)| match (below.until, band.until) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(lower), Some(upper)) => lower < upper,
        };
        if highest.is_none_or(reaches_higher) {
            highest = Some((index, band));
        }
    }
    faults
}

fn check_designations(designations: &[Designation], channels: &[Capability]) -> Vec<RuleSetFault> {
    let mut faults = Vec::new();
    for (index, designation) in designations.iter().enumerate() {
        if designation.bank.is_none() && designation.card_type.is_none() {
            faults.push(RuleSetFault::DesignationOfAll(index));
        }
        let same =
            |other: &Designation| (other.bank, other.card_type) == (designation.bank, designation.card_type);
        if let Some(first) = designations[..index].iter().position(same) {
            faults.push(RuleSetFault::RepeatedDesignation(first, index));
        }
        if let Some(bank) = designation.bank {
            let lists = |channel: &Capability| match &channel.banks {
                Banks::All => false,
                Banks::Only(banks) => banks.contains(&bank),
            };
            if !channels.iter().any(lists) {
                faults.push(RuleSetFault::UnknownBank { designation: index, bank });
            }
        }
    }
    faults
}

/// What looks wrong in a rule set without faults.
pub(super) fn review_rules(rules: &RoutingRules, channels: &[Capability]) -> Vec<RuleFinding> {
    let mut findings = gaps(rules);
    for strategy in Strategy::ALL {
        let configured = match strategy {
            Strategy::Amount => Some(!rules.amount_bands.is_empty()),
            Strategy::Cost => None,
            Strategy::Designated => Some(!rules.designations.is_empty()),
            Strategy::Priority => Some(!rules.priority.is_empty()),
            Strategy::Rules => Some(!rules.rules.is_empty()),
            Strategy::Weights => Some(!rules.weights.is_empty()),
            Strategy::Success | Strategy::Value => None,
            Strategy::Commitment => {
                let agreed = |channel: &Capability| channel.conditions.commitment;
                Some(channels.iter().filter_map(agreed).any(|agreed| !agreed.minimum.is_zero()))
            }
        };
        let is_asked = rules.order.contains(&strategy) || super::check_rules::asks(&rules.rules, strategy);
        // What is agreed with a channel binds no platform.
        let configured = configured.filter(|known| !(*known && strategy == Strategy::Commitment));
        match (configured, is_asked) {
            (Some(false), true) => findings.push(RuleFinding::NothingConfigured(strategy)),
            (Some(true), false) => findings.push(RuleFinding::NeverAsked(strategy)),
            (Some(true), true) | (Some(false), false) | (None, _) => {}
        }
    }
    for (place, list) in lists(rules).into_iter().filter(|(place, _)| !matches!(place, Place::Rule(_))) {
        for channel in &list {
            if find(channels, *channel).is_some_and(|capability| !fits(rules, place, capability)) {
                findings.push(RuleFinding::NeverFits { place, channel: *channel });
            }
        }
    }
    findings.extend(super::check_rules::review(rules, channels));
    findings
}

fn gaps(rules: &RoutingRules) -> Vec<RuleFinding> {
    let mut findings = Vec::new();
    let mut bands: Vec<_> = rules.amount_bands.iter().map(|band| (band.from, band.until)).collect();
    if bands.is_empty() {
        return findings;
    }
    bands.sort_unstable();
    // First amount above everything that is covered so far; nothing once a band without end has come.
    let mut covered_below = Some(LEAST);
    for (from, until) in bands {
        if let Some(gap) = covered_below.filter(|covered| *covered < from) {
            findings.push(RuleFinding::BandGap { from: gap, until: Some(from) });
        }
        covered_below = until;
    }
    if let Some(gap) = covered_below.filter(|covered| *covered <= Amount::MAX) {
        findings.push(RuleFinding::BandGap { from: gap, until: None });
    }
    findings
}

/// Whether the channel can take some payment for which the list at `place` is read.
fn fits(rules: &RoutingRules, place: Place, channel: &Capability) -> bool {
    match place {
        Place::AmountBand(index) => rules.amount_bands.get(index).is_some_and(|band| {
            channel.amount_max >= band.from && band.until.is_none_or(|until| channel.amount_min < until)
        }),
        Place::Designation(index) => rules.designations.get(index).is_some_and(|designation| {
            let reaches = match (&channel.banks, designation.bank) {
                (Banks::All, _) | (Banks::Only(_), None) => true,
                (Banks::Only(banks), Some(bank)) => banks.contains(&bank),
            };
            reaches && designation.card_type.is_none_or(|card| channel.card_types.contains(&card))
        }),
        Place::Priority | Place::Weights | Place::Rule(_) => true,
    }
}

/// Every list of channels in a rule set.
fn lists(rules: &RoutingRules) -> Vec<(Place, Vec<ChannelId>)> {
    let bands = rules.amount_bands.iter().enumerate();
    let bands = bands.map(|(index, band)| (Place::AmountBand(index), band.channels.clone()));
    let designations = rules.designations.iter().enumerate();
    let designations = designations.map(|(index, entry)| (Place::Designation(index), entry.channels.clone()));
    let weights = rules.weights.iter().map(|one| one.channel).collect();
    let named = [(Place::Priority, rules.priority.clone()), (Place::Weights, weights)];
    let outputs = super::check_rules::lists(&rules.rules);
    bands.chain(designations).chain(named).chain(outputs).collect()
}

pub(super) fn find(channels: &[Capability], id: ChannelId) -> Option<&Capability> {
    channels.iter().find(|channel| channel.id == id)
}
