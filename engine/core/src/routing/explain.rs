//! A decision in plain sentences.

use suanpan_model::{Candidate, CandidateVerdict, Currency, Route, RouteRule, Success};

use super::flat::numbered;
use super::{Key, NoRoute, Router, RoutingRules};

/// What became of each candidate, one sentence each, in the configuration's order: the chosen channel with the
/// rule that chose it, fees as decimal text of `currency`, the currency of the payment.
#[must_use]
pub fn explain(router: &Router, route: &Route, currency: Currency) -> Vec<String> {
    let sentence = |candidate: &Candidate| {
        let name = name(router, candidate);
        let fee = || format!("{} {currency}", candidate.fee.to_text(currency));
        match candidate.verdict {
            CandidateVerdict::Chosen => {
                let success = success(candidate.success);
                format!("{name} takes the payment: chosen by {}, fee {}{success}", reason(route.rule), fee())
            }
            CandidateVerdict::Ranked => {
                let success = success(candidate.success);
                format!(
                    "{name} could take the payment, fee {}{success}, but another channel came before it",
                    fee()
                )
            }
            CandidateVerdict::SuccessTooLow => {
                let success = success(candidate.success);
                format!("{name} could take the payment, fee {}{success}, but that is too rarely", fee())
            }
            removed => format!("{name} {}", obstacle(removed)),
        }
    };
    route.because.iter().map(sentence).collect()
}

/// What the decision looked at beside the channels, one sentence each: the rule that decided, what was drawn, and what
/// the order lacks. `rules` and `keys` are the platform's of the version that was in force; without them the rule is told
/// by its number and what is missing is only counted.
#[must_use]
pub fn explain_trace(route: &Route, known: Option<(&RoutingRules, &[Key])>) -> Vec<String> {
    let trace = &route.trace;
    let mut told = Vec::new();
    if trace.rule_no > 0 {
        let rules = known.map(|(rules, _)| numbered(&rules.rules)).unwrap_or_default();
        let named = rules.iter().find(|one| one.no == usize::from(trace.rule_no));
        told.push(match named {
            Some(one) => format!("rule {} ({}) decided", trace.rule_no, one.rule.name),
            None => format!("rule {} of version {} decided", trace.rule_no, route.rules_version),
        });
    }
    if let Some((drawn, below)) = trace.drawn {
        told.push(format!("the order drew {drawn} of {below}, the same for each of its attempts"));
    }
    if trace.explored {
        told.push(
            "the channel was drawn among all that could take the payment, to learn about it".to_owned(),
        );
    }
    match known {
        Some((_, keys)) => {
            let lacks = |(place, _): &(usize, &Key)| trace.missing >> place & 1 == 1;
            let lacking = keys.iter().enumerate().filter(lacks);
            told.extend(lacking.map(|(_, key)| format!("the order has no {key}, which a rule asks for")));
        }
        None if trace.missing != 0 => {
            told.push(format!("the order lacks {} keys that rules ask for", trace.missing.count_ones()));
        }
        None => {}
    }
    told
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
        RouteRule::Channel => "a rule that names it",
        RouteRule::List => "a rule's list",
        RouteRule::Weights => "its share of the volume",
        RouteRule::ListSplit => "its list's share of the volume",
        RouteRule::SuccessRate => "the highest success rate",
        RouteRule::ExpectedValue => "the highest expected value",
        RouteRule::Commitment => "the volume agreed with it",
    }
}

const fn obstacle(verdict: CandidateVerdict) -> &'static str {
    match verdict {
        CandidateVerdict::Chosen | CandidateVerdict::Ranked | CandidateVerdict::SuccessTooLow => {
            "could take the payment"
        }
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
        CandidateVerdict::Holder => "does not take payments from this kind of holder",
        CandidateVerdict::Maintenance => "is under maintenance",
        CandidateVerdict::MonthlyQuota => "has too little left of its monthly quota",
        CandidateVerdict::CommitmentReached => "has reached the month's volume agreed with it",
        CandidateVerdict::RateLimited => "is called as often as it may be just now",
        CandidateVerdict::Contended => "had its last room taken by another payment at the same instant",
    }
}

/// How often a channel succeeds, where the decision looked at it.
fn success(known: Option<Success>) -> String {
    known.map_or_else(String::new, |success| {
        let ppm = success.ppm();
        format!(", succeeds {}.{:02} % at the least", ppm / 10_000, ppm % 10_000 / 100)
    })
}
