//! Load on the engine: a driver that is cheaper than what it drives, latencies measured from the planned start, and
//! books that are checked after each run.
//!
//! A run is a [`workload`] played by a [`driver`] against a [`target`]; [`verify`] then compares what the engine says
//! with sums that the driver made itself. A figure from a run with a difference is worth nothing, so such a run
//! fails.

pub mod chaos;
pub mod cli;
pub mod clock;
pub mod disk;
pub mod driver;
pub mod expected;
pub mod http;
pub mod latency;
pub mod machine;
pub mod memory;
pub mod operation;
pub mod order_no;
pub mod peers;
pub mod random;
pub mod reading;
pub mod recovery;
pub mod report;
pub mod run;
pub mod runs;
pub mod search;
pub mod series;
pub mod setup;
pub mod signatures;
pub mod target;
pub mod timer;
pub mod verify;
pub mod workload;
pub mod world;
