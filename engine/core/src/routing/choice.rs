//! A rule set made ready to choose: lists by channel index, bands by binary search, designations and rules by look-up.

use rustc_hash::FxHashMap;
use suanpan_model::{Amount, Bank, CardType, ChannelId, RouteRule, RouteTrace};

use super::ballot::Ballot;
use super::book::{Book, Layout};
use super::channels::ChannelSet;
use super::draw::{draw, purpose};
use super::request::{RouteRequest, Standing};
use super::rule::{Key, Output};
use super::rules::{RoutingRules, Strategy};
use super::split::Split;
use super::table::ChannelTable;

/// Number of random draws beside those of rules, which are told apart by the rules' names.
const WEIGHTS: &str = "\u{0}weights";

/// A list of channels in order of preference.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranking {
    pub channels: ChannelSet,
    order: Vec<usize>,
}

impl Ranking {
    fn new(table: &ChannelTable, channels: &[ChannelId]) -> Self {
        let order: Vec<usize> = channels.iter().filter_map(|channel| table.index(*channel)).collect();
        Self { channels: order.iter().copied().collect(), order }
    }

    fn first(&self, capable: ChannelSet) -> Option<usize> {
        if (self.channels & capable).is_empty() {
            return None;
        }
        self.order.iter().copied().find(|index| capable.has(*index))
    }
}

#[derive(Clone, Debug)]
struct Band {
    from: Amount,
    until: Option<Amount>,
    ranking: Ranking,
}

/// What a rule says, by channel index.
#[derive(Clone, Debug)]
enum Says {
    One(usize),
    List(Ranking),
    Split(Split<usize>),
    Lists(Split<Ranking>),
    Strategy(Strategy),
}

/// A rule's output with what its decisions are recorded under.
#[derive(Clone, Debug)]
struct Saying {
    rule_no: u16,
    /// What draws of this rule are for.
    purpose: u64,
    says: Says,
}

#[derive(Clone, Debug)]
pub(super) struct Choice {
    rules: RoutingRules,
    /// Ascending and without overlap.
    bands: Vec<Band>,
    designations: FxHashMap<(Option<Bank>, Option<CardType>), Ranking>,
    priority: Ranking,
    weights: Split<usize>,
    weights_purpose: u64,
    book: Book,
    sayings: Vec<Saying>,
    keys: Vec<Key>,
}

/// A channel, and what named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub index: usize,
    pub rule: RouteRule,
    pub trace: RouteTrace,
}

impl Named {
    pub(super) fn by(rule: RouteRule, index: usize) -> Self {
        Self { index, rule, trace: RouteTrace::default() }
    }
}

impl Choice {
    /// Prepares rules that [`super::check`] has found in order.
    pub(super) fn new(table: &ChannelTable, rules: RoutingRules) -> Self {
        let mut bands: Vec<Band> = rules
            .amount_bands
            .iter()
            .map(|band| Band {
                from: band.from,
                until: band.until,
                ranking: Ranking::new(table, &band.channels),
            })
            .collect();
        bands.sort_unstable_by_key(|band| band.from);
        let designations = rules
            .designations
            .iter()
            .map(|designation| {
                let key = (designation.bank, designation.card_type);
                (key, Ranking::new(table, &designation.channels))
            })
            .collect();
        let priority = Ranking::new(table, &rules.priority);
        let index = |channel: ChannelId, weight: u32| table.index(channel).map(|index| (index, weight));
        let shares = rules.weights.iter().filter_map(|one| index(one.channel, one.weight));
        let weights = Split::new(shares.collect());
        let (book, sayings, keys) = Layout::new(&rules.rules).map_or_else(Default::default, |layout| {
            let says = |output: &Output| match output {
                Output::Channel(channel) => table.index(*channel).map(Says::One),
                Output::Priority(channels) => Some(Says::List(Ranking::new(table, channels))),
                Output::Split(weights) => {
                    let shares = weights.iter().filter_map(|one| index(one.channel, one.weight));
                    Some(Says::Split(Split::new(shares.collect())))
                }
                Output::SplitLists(lists) => {
                    let shares = lists.iter().map(|one| (Ranking::new(table, &one.channels), one.weight));
                    Some(Says::Lists(Split::new(shares.collect())))
                }
                Output::Strategy(strategy) => Some(Says::Strategy(*strategy)),
            };
            let saying = |entry: &super::flat::Entry<'_>| Saying {
                rule_no: u16::try_from(entry.no).unwrap_or(u16::MAX),
                purpose: purpose(&entry.rule.name),
                says: says(entry.output).unwrap_or(Says::List(Ranking::default())),
            };
            let sayings = layout.entries.iter().map(saying).collect();
            let keys = layout.axes.iter().map(|axis| axis.key.clone()).collect();
            (Book::new(&layout), sayings, keys)
        });
        let weights_purpose = purpose(WEIGHTS);
        Self { rules, bands, designations, priority, weights, weights_purpose, book, sayings, keys }
    }

    pub(super) fn rules(&self) -> &RoutingRules {
        &self.rules
    }

    /// Keys of the rules by the bits of [`RouteTrace::missing`].
    pub(super) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The channel that the first strategy with a capable one names; the cheapest when none has.
    pub(super) fn choose<S: Standing + ?Sized>(&self, ballot: &mut Ballot<'_, S>) -> Named {
        let mut missing = 0;
        let named = self.rules.order.iter().find_map(|strategy| self.ask(*strategy, ballot, &mut missing));
        let mut named = named.unwrap_or_else(|| Named::by(RouteRule::LowestCost, ballot.cheapest));
        named.trace.missing = missing;
        named
    }

    fn ask<S: Standing + ?Sized>(
        &self,
        strategy: Strategy,
        ballot: &mut Ballot<'_, S>,
        missing: &mut u64,
    ) -> Option<Named> {
        let (request, capable) = (ballot.request, ballot.capable);
        let by = |rule| move |index| Named::by(rule, index);
        match strategy {
            Strategy::Amount => self.by_amount(request.amount, capable).map(by(RouteRule::AmountBand)),
            Strategy::Cost => Some(Named::by(RouteRule::LowestCost, ballot.cheapest)),
            Strategy::Designated => self.by_designation(request, capable).map(by(RouteRule::Designated)),
            Strategy::Priority => self.priority.first(capable).map(by(RouteRule::Priority)),
            Strategy::Weights => self.by_weights(&self.weights, self.weights_purpose, ballot),
            Strategy::Success => ballot.by_success(&self.rules),
            Strategy::Value => ballot.by_value(&self.rules),
            Strategy::Commitment => ballot.by_commitment().map(by(RouteRule::Commitment)),
            Strategy::Rules => {
                let (named, lacking) = self.book.first(request, |entry| self.say(entry, ballot));
                *missing |= lacking;
                named
            }
        }
    }

    fn say<S: Standing + ?Sized>(&self, entry: usize, ballot: &mut Ballot<'_, S>) -> Option<Named> {
        let saying = &self.sayings[entry];
        let capable = ballot.capable;
        let named = match &saying.says {
            Says::One(index) => capable.has(*index).then(|| Named::by(RouteRule::Channel, *index)),
            Says::List(ranking) => ranking.first(capable).map(|index| Named::by(RouteRule::List, index)),
            Says::Split(split) => self.by_weights(split, saying.purpose, ballot),
            Says::Lists(split) => {
                let number = draw(self.rules.seed, saying.purpose, ballot.request.facts.key);
                let share = split.pick(number, |ranking| ranking.channels, capable)?;
                let index = share.of.first(capable)?;
                let trace = RouteTrace { drawn: Some(share.drawn), ..RouteTrace::default() };
                Some(Named { index, rule: RouteRule::ListSplit, trace })
            }
            // Rules that ask themselves are refused.
            Says::Strategy(Strategy::Rules) => None,
            Says::Strategy(strategy) => self.ask(*strategy, ballot, &mut 0),
        };
        named.map(|named| Named { trace: RouteTrace { rule_no: saying.rule_no, ..named.trace }, ..named })
    }

    fn by_weights<S: Standing + ?Sized>(
        &self,
        split: &Split<usize>,
        purpose: u64,
        ballot: &Ballot<'_, S>,
    ) -> Option<Named> {
        let number = draw(self.rules.seed, purpose, ballot.request.facts.key);
        let share = split.pick(number, |index| ChannelSet::one(*index), ballot.capable)?;
        let trace = RouteTrace { drawn: Some(share.drawn), ..RouteTrace::default() };
        Some(Named { index: *share.of, rule: RouteRule::Weights, trace })
    }

    fn by_amount(&self, amount: Amount, capable: ChannelSet) -> Option<usize> {
        let after = self.bands.partition_point(|band| band.from <= amount);
        let band = self.bands.get(after.checked_sub(1)?)?;
        if band.until.is_some_and(|until| until <= amount) {
            return None;
        }
        band.ranking.first(capable)
    }

    fn by_designation(&self, request: &RouteRequest<'_>, capable: ChannelSet) -> Option<usize> {
        let (bank, card) = (request.bank, request.card_type);
        let both = bank.and(card).map(|_| (bank, card));
        let bank_alone = bank.map(|_| (bank, None));
        let card_alone = card.map(|_| (None, card));
        [both, bank_alone, card_alone]
            .into_iter()
            .flatten()
            .find_map(|key| self.designations.get(&key)?.first(capable))
    }
}
