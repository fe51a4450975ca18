//! How a run goes, how it stands, and what it came to.

use std::time::Duration;

use suanpan_model::OrderId;

use super::{Pacing, Tally};
use crate::latency::Percentiles;

/// How a run goes.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// When orders are sent.
    pub pacing: Pacing,
    /// Time before the measured window.
    pub warmup: Duration,
    /// The measured window.
    pub window: Duration,
    /// How many orders are sent at the most.
    pub orders_max: u64,
    /// How long after the window the last orders may take.
    pub patience: Duration,
    /// How often the run is told of.
    pub tick: Duration,
    /// Whether the target may be away for a while: what it refuses as unavailable is asked again, and a repeat is then no
    /// wonder.
    pub rides_out: bool,
}

/// How a run stands.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    /// Since the start.
    pub elapsed: Duration,
    /// Whether the measured window has begun.
    pub measuring: bool,
    /// Orders finished since the start.
    pub finished: u64,
    /// Orders finished a second since the last tick.
    pub per_second: f64,
    /// Latencies of whole orders since the last tick.
    pub latency: Percentiles,
    /// Orders under way.
    pub under_way: usize,
    /// The order that finished last.
    pub last: OrderId,
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// The counts.
    pub tally: Tally,
    /// Orders finished inside the measured window.
    pub orders: u64,
    /// How long the measured window was.
    pub window: Duration,
    /// From the first order to the acknowledgement of the last creation: how long the target took to accept the orders.
    pub acceptance: Duration,
    /// From the end of the sending until nothing was under way.
    pub drain: Duration,
    /// Orders still under way when patience ran out.
    pub unfinished: usize,
    /// Those of them that were acknowledged and whose payment was awaited.
    pub unpaid_left: Vec<OrderId>,
    /// Batches of requests that were submitted.
    pub batches: u64,
}
