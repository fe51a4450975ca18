//! A rule set made ready to choose: lists by channel index, bands by binary search, designations by key.

use rustc_hash::FxHashMap;
use suanpan_model::{Amount, Bank, CardType, ChannelId, RouteRule};

use super::channels::ChannelSet;
use super::request::RouteRequest;
use super::rules::{RoutingRules, Strategy};
use super::table::ChannelTable;

/// A list of channels in order of preference.
#[derive(Clone, Debug, Default)]
struct Ranking {
    channels: ChannelSet,
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

#[derive(Clone, Debug)]
pub(super) struct Choice {
    rules: RoutingRules,
    /// Ascending and without overlap.
    bands: Vec<Band>,
    designations: FxHashMap<(Option<Bank>, Option<CardType>), Ranking>,
    priority: Ranking,
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
        Self { rules, bands, designations, priority }
    }

    pub(super) fn rules(&self) -> &RoutingRules {
        &self.rules
    }

    /// The channel that the first strategy with a capable one names; `cheapest` when none has.
    pub(super) fn choose(
        &self,
        request: &RouteRequest<'_>,
        capable: ChannelSet,
        cheapest: usize,
    ) -> (usize, RouteRule) {
        let named = |strategy: &Strategy| {
            let channel = match strategy {
                Strategy::Amount => self.by_amount(request.amount, capable),
                Strategy::Cost => Some(cheapest),
                Strategy::Designated => self.by_designation(request, capable),
                Strategy::Priority => self.priority.first(capable),
            };
            channel.map(|index| (index, strategy.rule()))
        };
        self.rules.order.iter().find_map(named).unwrap_or((cheapest, RouteRule::LowestCost))
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
