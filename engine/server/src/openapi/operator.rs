//! The operator's pages, what channels notify, and the service itself.

use suanpan_model::RejectCode::*;

use super::operation::{Content, Operation, Tag};
use crate::endpoint;
use crate::query::{PAGE, TIMED_PAGE};
use crate::wire::{
    AuditPageForm, BooksOut, ChannelsOut, EngineKeyOut, ExceptionsOut, HealthOut, NotificationIn,
    NotifiedOut, TrialBalanceOut,
};

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(endpoint::ALL_EXCEPTIONS, "listAllExceptions", Tag::Operator)
            .query(TIMED_PAGE)
            .answers::<ExceptionsOut<'_>>(200, "What waits on all platforms, oldest order first."),
        Operation::new(endpoint::CHANNELS, "listChannels", Tag::Operator)
            .answers::<ChannelsOut>(200, "The channels, with tariffs, agreements and what was learned."),
        Operation::new(endpoint::TRIAL_BALANCE, "getTrialBalance", Tag::Operator)
            .answers::<TrialBalanceOut>(200, "The trial balance of all shards at one position of the log."),
        Operation::new(endpoint::BOOKS, "compareBooks", Tag::Operator)
            .about("They agree when nothing is under way.")
            .answers::<BooksOut>(200, "Both sides, channel by channel."),
        Operation::new(endpoint::NOTIFICATIONS, "notifyPayment", Tag::Operator)
            .about("What a simulated channel says by itself; a real channel's notification is read by its adapter.")
            .body::<NotificationIn<'_>>()
            .answers::<NotifiedOut>(200, "It was taken.")
            .refuses(&[
                UnknownChannel,
                UnknownOrder,
                UnknownAttempt,
                UnknownCurrency,
                CurrencyMismatch,
                AmountZero,
                AmountDecimals,
                AmountTooLarge,
                IllegalState,
                InProgress,
            ]),
        Operation::new(endpoint::AUDIT, "listAudit", Tag::Operator)
            .query(PAGE)
            .answers::<AuditPageForm>(200, "What operators did, oldest first."),
        Operation::new(endpoint::ENGINE_KEY, "getEngineKey", Tag::Service)
            .answers::<EngineKeyOut<'_>>(200, "The public key."),
        Operation::new(endpoint::LIVE, "isLive", Tag::Service).answers::<HealthOut>(200, "The process runs."),
        Operation::new(endpoint::READY, "isReady", Tag::Service)
            .answers::<HealthOut>(200, "Orders can be taken.")
            .refuses(&[Busy, Unavailable]),
        Operation::new(endpoint::METRICS, "getMetrics", Tag::Service).answers_other(
            200,
            "Counters, gauges and histograms.",
            Content::Text(crate::metrics::CONTENT_TYPE),
        ),
        Operation::new(endpoint::OPENAPI, "getDescription", Tag::Service).answers_other(
            200,
            "This document.",
            Content::Json(|_| schemars::json_schema!({ "type": "object" })),
        ),
        Operation::new(endpoint::DOCS, "readDescription", Tag::Service).answers_other(
            200,
            "A page.",
            Content::Text("text/html; charset=utf-8"),
        ),
        Operation::new(endpoint::HOME, "listPaths", Tag::Service).answers_other(
            200,
            "A line for each path.",
            Content::Text("text/plain; charset=utf-8"),
        ),
    ]
}
