//! Routing.

use suanpan_model::RejectCode::*;

use super::operation::{Content, Operation, Tag};
use crate::endpoint;
use crate::routes::back_test::BackTestIn;
use crate::wire::{ChannelHealthsOut, RouteOut, RulesIn, RulesPutOut, WhatIfIn};

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(endpoint::RULES, "getRoutingRules", Tag::Routing)
            .answers::<RulesIn>(200, "The rules, as they can be put."),
        Operation::new(endpoint::RULES_PUT, "putRoutingRules", Tag::Routing)
            .about(
                "The rules are checked, made durable, and in force for the next order. `version` must be above the one in force; the \
                 same rules under the same version are a repeat. What cannot work is refused with `faults`, in words.",
            )
            .body::<RulesIn>()
            .answers::<RulesPutOut>(200, "They are in force.")
            .refuses(&[RulesVersion, InvalidRules]),
        Operation::new(endpoint::WHAT_IF, "askRoute", Tag::Routing)
            .about("Takes nothing: no order, no quota, no probe.")
            .body::<WhatIfIn<'_>>()
            .answers::<RouteOut>(200, "The channel that the payment would take, every candidate, and why.")
            .refuses(&[
                UnknownCurrency,
                UnknownBank,
                UnknownChannel,
                UnknownAccount,
                AmountZero,
                AmountDecimals,
                AmountTooLarge,
                NoChannel,
            ]),
        Operation::new(endpoint::BACK_TEST, "backTestRules", Tag::Routing)
            .about(
                "The answer grows line by line: `warnings`, then `change` for each order that would go elsewhere and `progress`, at \
                 the end `summary`. A `problem` says that the archive could not be read to its end.",
            )
            .body::<BackTestIn>()
            .answers_other(200, "Lines of JSON objects.", Content::Lines)
            .refuses(&[InvalidRules]),
        Operation::new(endpoint::CHANNEL_HEALTH, "listChannelHealth", Tag::Routing)
            .answers::<ChannelHealthsOut>(200, "Circuit, latency and success of every channel."),
    ]
}
