//! The channels as bit sets: every filter is an intersection, and only what it removes is looked at one by one.

use rustc_hash::FxHashMap;
use suanpan_model::{
    Amount, Bank, Banks, Candidate, CandidateVerdict, Capability, CardType, ChannelId, Currency, PayKind,
    ServiceHours,
};

use super::channels::{ChannelSet, Steps};
use super::request::{RouteRequest, Standing};

const MINUTES_OF_DAY: u16 = 1_440;

#[derive(Clone, Debug)]
pub(super) struct ChannelTable {
    capabilities: Vec<Capability>,
    by_id: FxHashMap<ChannelId, usize>,
    /// Every channel as a candidate that no filter has removed yet.
    candidates: Vec<Candidate>,
    all: ChannelSet,
    enabled: ChannelSet,
    of_kind: [ChannelSet; 3],
    of_currency: [ChannelSet; Currency::ALL.len()],
    /// Channels that reach a bank which somebody lists, those of [`Banks::All`] included.
    reaching: FxHashMap<Bank, ChannelSet>,
    /// Channels of [`Banks::All`]: what is left for a bank that nobody lists, and for none.
    reaching_all: ChannelSet,
    of_card: [ChannelSet; 2],
    above_minimum: Steps<Amount>,
    below_maximum: Steps<Amount>,
    open: Steps<u16>,
    /// Channels with a daily quota, and the quota by index.
    with_quota: ChannelSet,
    quotas: Vec<Amount>,
}

impl ChannelTable {
    /// Tabulates channels that [`super::check`] has found in order.
    pub(super) fn new(mut capabilities: Vec<Capability>) -> Self {
        for capability in &mut capabilities {
            // `Banks::reach` searches a sorted list; whoever wrote the configuration need not know.
            if let Banks::Only(banks) = &mut capability.banks {
                banks.sort_unstable();
                banks.dedup();
            }
        }
        let channels = capabilities.as_slice();
        let set = |holds: &dyn Fn(&Capability) -> bool| -> ChannelSet {
            (0..channels.len()).filter(|index| holds(&channels[*index])).collect()
        };
        let reaching_all = set(&|channel| matches!(channel.banks, Banks::All));
        let mut reaching = FxHashMap::default();
        for (index, channel) in channels.iter().enumerate() {
            if let Banks::Only(banks) = &channel.banks {
                for bank in banks {
                    *reaching.entry(*bank).or_insert(reaching_all) |= ChannelSet::one(index);
                }
            }
        }
        let minima = channels.iter().map(|channel| channel.amount_min);
        let beyond = |channel: &Capability| channel.amount_max.checked_add(Amount::from_minor(1));
        let maxima = channels.iter().filter_map(beyond);
        let hours = channels.iter().filter_map(|channel| channel.hours);
        Self {
            by_id: channels.iter().enumerate().map(|(index, channel)| (channel.id, index)).collect(),
            candidates: channels.iter().map(|channel| open_candidate(channel.id)).collect(),
            all: ChannelSet::first(channels.len()),
            enabled: set(&|channel| channel.enabled),
            of_kind: [PayKind::Gateway, PayKind::QuickPay, PayKind::Balance]
                .map(|kind| set(&|channel| channel.kinds.contains(&kind))),
            of_currency: Currency::ALL.map(|currency| set(&|channel| channel.currencies.contains(&currency))),
            reaching,
            reaching_all,
            of_card: [CardType::Debit, CardType::Credit]
                .map(|card| set(&|channel| channel.card_types.contains(&card))),
            above_minimum: Steps::new(minima, |amount| set(&|channel| channel.amount_min <= amount)),
            below_maximum: Steps::new(maxima, |amount| set(&|channel| amount <= channel.amount_max)),
            open: Steps::new(hours.flat_map(thresholds), |minute| {
                set(&|channel| channel.hours.is_none_or(|hours| hours.contain(minute)))
            }),
            with_quota: set(&|channel| channel.daily_quota.is_some()),
            quotas: channels.iter().map(|channel| channel.daily_quota.unwrap_or_default()).collect(),
            capabilities,
        }
    }

    pub(super) fn capabilities(&self) -> &[Capability] {
        &self.capabilities
    }

    pub(super) fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    pub(super) fn index(&self, channel: ChannelId) -> Option<usize> {
        self.by_id.get(&channel).copied()
    }

    pub(super) fn knows_bank(&self, bank: Bank) -> bool {
        self.reaching.contains_key(&bank)
    }

    /// The channels that can take the payment. In `because`, a copy of [`Self::candidates`], each of the
    /// others gets the first filter that it failed; the order of the filters is the precedence of verdicts.
    pub(super) fn filter<S: Standing + ?Sized>(
        &self,
        request: &RouteRequest<'_>,
        standing: &S,
        because: &mut [Candidate],
    ) -> ChannelSet {
        let mut left = self.all;
        let mut keep = |allowed: ChannelSet, verdict: CandidateVerdict| -> ChannelSet {
            for index in left.without(allowed).indices() {
                because[index].verdict = verdict;
            }
            left = left & allowed;
            left
        };
        keep(self.enabled, CandidateVerdict::Disabled);
        if !request.tried.is_empty() {
            let tried = request.tried.iter().filter_map(|channel| self.index(*channel)).collect();
            keep(self.all.without(tried), CandidateVerdict::AlreadyTried);
        }
        keep(self.of_kind[request.kind as usize], CandidateVerdict::Kind);
        keep(self.of_currency[request.currency as usize], CandidateVerdict::Currency);
        keep(self.reach(request.bank), CandidateVerdict::Bank);
        if let Some(card) = request.card_type {
            keep(self.of_card[card as usize], CandidateVerdict::CardType);
        }
        keep(self.above_minimum.at(request.amount), CandidateVerdict::BelowMinimum);
        keep(self.below_maximum.at(request.amount), CandidateVerdict::AboveMaximum);
        let working = keep(self.open.at(request.now.beijing_minute()), CandidateVerdict::Hours);
        let spent = self.spent(working & self.with_quota, request, standing);
        let affordable = keep(self.all.without(spent), CandidateVerdict::Quota);
        let sick = affordable
            .indices()
            .filter(|index| !standing.is_healthy(*index, self.candidates[*index].channel, request.now))
            .collect();
        keep(self.all.without(sick), CandidateVerdict::Unhealthy)
    }

    fn reach(&self, bank: Option<Bank>) -> ChannelSet {
        bank.and_then(|bank| self.reaching.get(&bank).copied()).unwrap_or(self.reaching_all)
    }

    /// Those of `channels` whose daily quota has no room for the amount.
    fn spent<S: Standing + ?Sized>(
        &self,
        channels: ChannelSet,
        request: &RouteRequest<'_>,
        standing: &S,
    ) -> ChannelSet {
        let day = request.now.beijing_day();
        let has_no_room = |index: &usize| {
            let used = standing.quota_used(*index, self.candidates[*index].channel, day);
            used.checked_add(request.amount).is_none_or(|total| total > self.quotas[*index])
        };
        channels.indices().filter(has_no_room).collect()
    }

    /// Records the fee of every capable channel and returns the cheapest; of equals, the first declared.
    pub(super) fn price(
        &self,
        request: &RouteRequest<'_>,
        capable: ChannelSet,
        because: &mut [Candidate],
    ) -> Option<usize> {
        let mut cheapest: Option<(Amount, usize)> = None;
        for index in capable.indices() {
            let fee = self.capabilities[index].tariff.fee(request.amount, request.card_type);
            because[index].fee = fee;
            if cheapest.is_none_or(|(least, _)| fee < least) {
                cheapest = Some((fee, index));
            }
        }
        cheapest.map(|(_, index)| index)
    }
}

const fn open_candidate(channel: ChannelId) -> Candidate {
    Candidate { channel, verdict: CandidateVerdict::Ranked, fee: Amount::ZERO }
}

/// Minutes at which a channel with these hours may open or close.
fn thresholds(hours: ServiceHours) -> impl Iterator<Item = u16> {
    [hours.from_minute, hours.until_minute].into_iter().filter(|minute| *minute < MINUTES_OF_DAY)
}
