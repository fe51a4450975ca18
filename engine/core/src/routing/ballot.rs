//! Choosing by what was learned: success rate, expected value, volume commitments.

use suanpan_model::{Candidate, CandidateVerdict, RouteRule, RouteTrace, Success};

use super::channels::ChannelSet;
use super::choice::Named;
use super::draw::draw;
use super::request::{RouteRequest, Standing};
use super::rules::RoutingRules;
use super::table::ChannelTable;

const PPM: i128 = 1_000_000;
/// What the draw for exploration is for.
const EXPLORE: u64 = 0x6578_706c_6f72_6521;

/// One decision under way.
pub(super) struct Ballot<'a, S: ?Sized> {
    pub request: &'a RouteRequest<'a>,
    pub table: &'a ChannelTable,
    pub standing: &'a S,
    /// The channels that can take the payment; at least one.
    pub capable: ChannelSet,
    /// The cheapest of them.
    pub cheapest: usize,
    /// Every channel's verdict and fee; what is looked at besides is noted here.
    pub because: &'a mut [Candidate],
}

impl<S: Standing + ?Sized> Ballot<'_, S> {
    /// The channel that succeeds most often. Of equals the faster one, then the cheaper, then the first declared.
    ///
    /// Nothing when nothing is known about any capable channel, or every one that is known succeeds too rarely: no data
    /// is not success.
    pub(super) fn by_success(&mut self, rules: &RoutingRules) -> Option<Named> {
        self.look_up_success();
        if let Some(explored) = self.explore(rules, RouteRule::SuccessRate) {
            return Some(explored);
        }
        let known = self.eliminate(rules.scoring.eliminate_ppm);
        let latency = |index: usize| {
            let known = self.standing.latency_ms(index, self.because[index].channel);
            known.unwrap_or(u32::MAX)
        };
        let rank = |index: &usize| {
            let success = self.because[*index].success.map_or(0, Success::ppm);
            let cost = self.table.cost(*index, self.request.amount, self.because[*index].fee);
            (std::cmp::Reverse(success), latency(*index), cost, *index)
        };
        let best = known.indices().min_by_key(rank)?;
        Some(Named::by(RouteRule::SuccessRate, best))
    }

    /// The channel with the highest success × (margin − cost), among those that succeed hardly less often than the best.
    pub(super) fn by_value(&mut self, rules: &RoutingRules) -> Option<Named> {
        self.look_up_success();
        if let Some(explored) = self.explore(rules, RouteRule::ExpectedValue) {
            return Some(explored);
        }
        let known = self.eliminate(rules.scoring.eliminate_ppm);
        let success = |because: &[Candidate], index: usize| because[index].success.map_or(0, Success::ppm);
        let best = known.indices().map(|index| success(self.because, index)).max()?;
        let floor = best.saturating_sub(rules.scoring.given_up_ppm);
        let amount = self.request.amount;
        let margin = amount.signed() * i128::from(rules.scoring.margin_ppm);
        let mut chosen: Option<(i128, usize)> = None;
        for index in known.indices() {
            let success = success(self.because, index);
            if success < floor {
                self.because[index].verdict = CandidateVerdict::SuccessTooLow;
                continue;
            }
            let cost = self.table.cost(index, amount, self.because[index].fee).signed() * PPM;
            let value = i128::from(success) * (margin - cost);
            if chosen.is_none_or(|(most, _)| value > most) {
                chosen = Some((value, index));
            }
        }
        chosen.map(|(_, index)| Named::by(RouteRule::ExpectedValue, index))
    }

    /// The channel that is furthest behind what was agreed about the month's volume, in proportion to it.
    pub(super) fn by_commitment(&self) -> Option<usize> {
        let (month, _) = self.request.now.beijing_month();
        let passed_ppm = month_passed_ppm(self.request.now);
        let behind = |index: usize| -> Option<(i128, usize)> {
            let minimum = self.table.minimum(index)?;
            let used = self.standing.month_used(index, self.because[index].channel, month).signed();
            let share = PPM - used * PPM / minimum.signed().max(1);
            // Behind the pace at which the minimum would be reached just in time.
            (used * PPM < minimum.signed() * passed_ppm).then_some((share, index))
        };
        let pick = |best: Option<(i128, usize)>, one: (i128, usize)| match best {
            Some(best) if best.0 >= one.0 => Some(best),
            Some(_) | None => Some(one),
        };
        (self.capable & self.table.with_minimum())
            .indices()
            .filter_map(behind)
            .fold(None, pick)
            .map(|(_, index)| index)
    }

    fn look_up_success(&mut self) {
        let (bank, card) = (self.request.bank, self.request.card_type);
        for index in self.capable.indices() {
            let candidate = &mut self.because[index];
            candidate.success = self.standing.success(index, candidate.channel, bank, card);
        }
    }

    /// The capable channels that are known to succeed often enough; the others that are known are marked.
    fn eliminate(&mut self, least_ppm: u32) -> ChannelSet {
        let mut known = ChannelSet::EMPTY;
        for index in self.capable.indices() {
            match self.because[index].success {
                Some(success) if success.ppm() >= least_ppm => known |= ChannelSet::one(index),
                Some(_) => self.because[index].verdict = CandidateVerdict::SuccessTooLow,
                None => {}
            }
        }
        known
    }

    /// Draws whether the order's first attempt goes to a channel at random, and to which.
    fn explore(&self, rules: &RoutingRules, rule: RouteRule) -> Option<Named> {
        if !self.request.tried.is_empty() {
            return None;
        }
        let number = draw(rules.seed, EXPLORE, self.request.facts.key);
        if number % 1_000_000 >= u64::from(rules.scoring.explore_ppm) {
            return None;
        }
        let count = self.capable.count();
        let place = usize::try_from((number / 1_000_000).checked_rem(count)?).ok()?;
        let index = self.capable.indices().nth(place)?;
        Some(Named { index, rule, trace: RouteTrace { explored: true, ..RouteTrace::default() } })
    }
}

/// How much of the month in Beijing has passed, in parts per million.
fn month_passed_ppm(now: suanpan_model::TimestampMs) -> i128 {
    let (month, day) = now.beijing_month();
    // The last day of the month is the one before the next month's first.
    let days = (28_u32..=31)
        .rev()
        .find(|last| {
            let ahead = suanpan_model::DurationMs::from_days(u64::from(last.saturating_sub(day)));
            (now + ahead).beijing_month().0 == month
        })
        .unwrap_or(31);
    let minutes = i128::from(day - 1) * 1_440 + i128::from(now.beijing_minute());
    minutes * PPM / (i128::from(days) * 1_440)
}
