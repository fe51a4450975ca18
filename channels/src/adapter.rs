//! The seam between the engine and a channel.

use std::sync::Arc;

use suanpan_model::{Capability, ChannelReport, ChannelRequest, Currency, TimestampMs};

/// Where reports go.
pub trait ReportSink: Send + Sync {
    /// Takes a batch of reports, in the order in which the channel said them. Must not block for long.
    fn deliver(&self, reports: Vec<ChannelReport>);
}

/// An adapter to one channel.
pub trait Adapter: Send + Sync {
    /// What the channel can do and what it costs.
    fn capability(&self) -> &Capability;

    /// Takes a batch of calls and returns at once.
    ///
    /// Each call's answer arrives at the sink, as does every notification; what can be answered at once arrives from
    /// inside `perform`, in one batch. An answer may never come: the engine turns a missing one into
    /// `Unknown(Timeout)`. An answer may also come after its deadline.
    fn perform(&self, now: TimestampMs, calls: Vec<ChannelRequest>, sink: &Arc<dyn ReportSink>);

    /// Moves delayed answers and notifications whose time has come to the sink; returns when it wants to be called
    /// next. The runtime calls it from a timer (once at start, too: a restored book may hold payments under way),
    /// tests call it with a virtual clock.
    fn advance(&self, now: TimestampMs, sink: &Arc<dyn ReportSink>) -> Option<TimestampMs>;

    /// The channel's own book, when it can be asked.
    fn book(&self) -> Option<BookTotals>;
}

/// Sums of a channel's book in one currency, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CurrencyTotals {
    /// How many payments were made.
    pub payments: u64,
    /// What payers paid.
    pub paid: i128,
    /// How many refunds were made and did not come back.
    pub refunds: u64,
    /// What payers got back.
    pub refunded: i128,
    /// What the channel keeps; a refund does not give it back.
    pub fees: i128,
}

impl CurrencyTotals {
    /// What the channel owes the engine's operator: `paid − refunded − fees`.
    #[must_use]
    pub const fn net(&self) -> i128 {
        self.paid - self.refunded - self.fees
    }
}

/// Sums of a channel's book.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookTotals {
    /// Per currency in which money moved, in the order of [`Currency::ALL`].
    pub currencies: Vec<(Currency, CurrencyTotals)>,
}

impl BookTotals {
    /// The sums in `currency`; zeros when no money moved in it.
    #[must_use]
    pub fn of(&self, currency: Currency) -> CurrencyTotals {
        self.currencies
            .iter()
            .find(|(named, _)| *named == currency)
            .map_or_else(Default::default, |(_, sums)| *sums)
    }
}
