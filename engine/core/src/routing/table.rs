//! The channels as bit sets: every filter is an intersection, and only what it removes is looked at one by one.

use rustc_hash::FxHashMap;
use suanpan_model::{
    Amount, Bank, Banks, Candidate, CandidateVerdict, Capability, CardType, ChannelId, Currency, Holder,
    PayKind, ServiceHours,
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
    of_holder: [ChannelSet; 2],
    /// Channels with maintenance windows.
    with_maintenance: ChannelSet,
    /// Channels with a monthly quota, and with a volume that they may not pass.
    with_month_quota: ChannelSet,
    with_maximum: ChannelSet,
    /// Channels with a volume to reach.
    with_minimum: ChannelSet,
    with_rate_limit: ChannelSet,
    /// Channels whose fee depends on more than amount and card.
    with_special_tariff: ChannelSet,
    with_own_cost: ChannelSet,
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
            of_holder: Holder::ALL.map(|holder| {
                set(&|channel| {
                    let holders = &channel.conditions.holders;
                    holders.is_empty() || holders.contains(&holder)
                })
            }),
            with_maintenance: set(&|channel| !channel.conditions.maintenance.is_empty()),
            with_month_quota: set(&|channel| channel.conditions.monthly_quota.is_some()),
            with_maximum: set(&|channel| maximum(channel).is_some()),
            with_minimum: set(&|channel| {
                channel.conditions.commitment.is_some_and(|agreed| !agreed.minimum.is_zero())
            }),
            with_rate_limit: set(&|channel| channel.conditions.rate_limit.is_some()),
            with_special_tariff: set(&|channel| !channel.conditions.special_tariffs.is_empty()),
            with_own_cost: set(&|channel| channel.conditions.own_cost.is_some()),
            capabilities,
        }
    }

    /// Channels with a volume to reach in the month.
    pub(super) const fn with_minimum(&self) -> ChannelSet {
        self.with_minimum
    }

    /// The volume that a channel is to reach in the month.
    pub(super) fn minimum(&self, index: usize) -> Option<Amount> {
        self.capabilities[index].conditions.commitment.map(|agreed| agreed.minimum)
    }

    /// What a payment costs on a channel: its fee, and what it costs the operator beside it.
    pub(super) fn cost(&self, index: usize, amount: Amount, fee: Amount) -> Amount {
        if !self.with_own_cost.has(index) {
            return fee;
        }
        let own = self.capabilities[index].conditions.own_cost.map_or(Amount::ZERO, |band| band.fee(amount));
        fee.checked_add(own).unwrap_or(fee)
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
        if let Some(holder) = request.facts.holder {
            keep(self.of_holder[holder as usize], CandidateVerdict::Holder);
        }
        keep(self.above_minimum.at(request.amount), CandidateVerdict::BelowMinimum);
        keep(self.below_maximum.at(request.amount), CandidateVerdict::AboveMaximum);
        let mut working = keep(self.open.at(request.now.beijing_minute()), CandidateVerdict::Hours);
        if !(working & self.with_maintenance).is_empty() {
            let down =
                (working & self.with_maintenance).indices().filter(|index| self.is_down(*index, request));
            working = keep(self.all.without(down.collect()), CandidateVerdict::Maintenance);
        }
        let spent = self.spent(working & self.with_quota, request, standing);
        let mut affordable = keep(self.all.without(spent), CandidateVerdict::Quota);
        if !(affordable & (self.with_month_quota | self.with_maximum)).is_empty() {
            let quota = |channel: &Capability| channel.conditions.monthly_quota;
            let spent = self.spent_in_month(affordable & self.with_month_quota, request, standing, &quota);
            affordable = keep(self.all.without(spent), CandidateVerdict::MonthlyQuota);
            let spent = self.spent_in_month(affordable & self.with_maximum, request, standing, &maximum);
            affordable = keep(self.all.without(spent), CandidateVerdict::CommitmentReached);
        }
        let sick = affordable
            .indices()
            .filter(|index| !standing.is_healthy(*index, self.candidates[*index].channel, request.now))
            .collect();
        let healthy = keep(self.all.without(sick), CandidateVerdict::Unhealthy);
        let limited = healthy & self.with_rate_limit;
        if limited.is_empty() {
            return healthy;
        }
        let has_no_token =
            |index: &usize| !standing.has_token(*index, self.candidates[*index].channel, request.now);
        keep(
            self.all.without(limited.indices().filter(has_no_token).collect()),
            CandidateVerdict::RateLimited,
        )
    }

    fn is_down(&self, index: usize, request: &RouteRequest<'_>) -> bool {
        self.capabilities[index].conditions.maintenance.iter().any(|window| window.contains(request.now))
    }

    /// Those of `channels` whose limit of the month has no room for the amount.
    fn spent_in_month<S: Standing + ?Sized>(
        &self,
        channels: ChannelSet,
        request: &RouteRequest<'_>,
        standing: &S,
        limit: &dyn Fn(&Capability) -> Option<Amount>,
    ) -> ChannelSet {
        let (month, _) = request.now.beijing_month();
        let has_no_room = |index: &usize| {
            let used = standing.month_used(*index, self.candidates[*index].channel, month);
            let total = used.checked_add(request.amount);
            limit(&self.capabilities[*index]).is_some_and(|limit| total.is_none_or(|total| total > limit))
        };
        channels.indices().filter(has_no_room).collect()
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
    pub(super) fn price<S: Standing + ?Sized>(
        &self,
        request: &RouteRequest<'_>,
        standing: &S,
        capable: ChannelSet,
        because: &mut [Candidate],
    ) -> Option<usize> {
        let mut cheapest: Option<(Amount, usize)> = None;
        for index in capable.indices() {
            let channel = &self.capabilities[index];
            let fee = if self.with_special_tariff.has(index) {
                let volume = standing.month_used(index, channel.id, request.now.beijing_month().0);
                channel.fee(request.amount, request.bank, request.card_type, volume)
            } else {
                channel.tariff.fee(request.amount, request.card_type)
            };
            because[index].fee = fee;
            let cost = self.cost(index, request.amount, fee);
            if cheapest.is_none_or(|(least, _)| cost < least) {
                cheapest = Some((cost, index));
            }
        }
        cheapest.map(|(_, index)| index)
    }
}

const fn open_candidate(channel: ChannelId) -> Candidate {
    Candidate { channel, verdict: CandidateVerdict::Ranked, fee: Amount::ZERO, success: None }
}

/// The month's volume that a channel may not pass.
fn maximum(channel: &Capability) -> Option<Amount> {
    channel.conditions.commitment.and_then(|agreed| agreed.maximum)
}

/// Minutes at which a channel with these hours may open or close.
fn thresholds(hours: ServiceHours) -> impl Iterator<Item = u16> {
    [hours.from_minute, hours.until_minute].into_iter().filter(|minute| *minute < MINUTES_OF_DAY)
}
