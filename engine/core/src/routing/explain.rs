//! A decision in plain sentences.

use suanpan_model::{Candidate, CandidateVerdict, Currency, Route, RouteRule};

use super::{NoRoute, Router};

/// What became of each candidate, one sentence each, in the configuration's order: the chosen channel with the
/// rule that chose it, fees as decimal text of `currency`, the currency of the payment.
#[must_use]
pub fn explain(router: &Router, route: &Route, currency: Currency) -> Vec<String> {
    let sentence = |candidate: &Candidate| {
        let name = name(router, candidate);
        let fee = || format!("{} {currency}", candidate.fee.to_text(currency));
        match candidate.verdict {
            CandidateVerdict::Chosen => {
                format!("{name} takes the payment: chosen by {}, fee {}", reason(route.rule), fee())
            }
            CandidateVerdict::Ranked => {
                format!("{name} could take the payment, fee {}, but another channel came before it", fee())
            }
            removed => format!("{name} {}", obstacle(removed)),
        }
    };
    route.because.iter().map(sentence).collect()
}

/// Why no channel could take the payment, one sentence for each, in the configuration's order.
#[must_use]
pub fn explain_none(router: &Router, none: &NoRoute) -> Vec<String> {
    none.because
        .iter()
        .map(|candidate| format!("{} {}", name(router, candidate), obstacle(candidate.verdict)))
        .collect()
}

/// The channel's name; its number when a later configuration no longer has it.
fn name(router: &Router, candidate: &Candidate) -> String {
    match router.capability(candidate.channel) {
        Some(capability) => capability.name.to_string(),
        None => format!("channel {}", candidate.channel),
    }
}

const fn reason(rule: RouteRule) -> &'static str {
    match rule {
        RouteRule::AmountBand => "the band of the amount",
        RouteRule::LowestCost => "the lowest fee",
        RouteRule::Designated => "the designation for bank and card type",
        RouteRule::Priority => "the priority list",
    }
}

const fn obstacle(verdict: CandidateVerdict) -> &'static str {
    match verdict {
        CandidateVerdict::Chosen | CandidateVerdict::Ranked => "could take the payment",
        CandidateVerdict::Disabled => "is switched off",
        CandidateVerdict::Unhealthy => "is not healthy: its circuit is open",
        CandidateVerdict::Kind => "does not offer this kind of payment",
        CandidateVerdict::Currency => "does not take the currency",
        CandidateVerdict::Bank => "does not reach the bank",
        CandidateVerdict::CardType => "does not take the card type",
        CandidateVerdict::BelowMinimum => "does not take so small an amount",
        CandidateVerdict::AboveMaximum => "does not take so large an amount",
        CandidateVerdict::Quota => "has too little left of its daily quota",
        CandidateVerdict::Hours => "is outside its service hours",
        CandidateVerdict::AlreadyTried => "was tried before for this order",
    }
}
