//! Payment channels: the adapter trait, capability descriptors, and simulators that keep their own books.
//!
//! The engine calls a channel through [`Adapter`] and hears back through [`ReportSink`]; routing reads only the
//! channel's [`Capability`](suanpan_model::Capability), which comes from a TOML file ([`load_descriptors`]).
//! A [`Simulator`] stands for the outside world in tests, load runs and the demo: it keeps a book that the engine
//! cannot see into while it works, so a run ends by comparing the engine's ledger with the channels' books.
//! Nothing here reads a clock: time and seeds are arguments.

mod adapter;
mod behaviour;
mod book;
mod book_file;
pub mod conformance;
mod descriptor;
mod fate;
mod random;
mod simulator;

pub use adapter::{Adapter, BookTotals, CurrencyTotals, ReportSink};
pub use behaviour::{Behaviour, FAILURE_KINDS, Latency, Rate};
pub use book::{BookLine, LineStatus, RefundLine, RefundStatus};
pub use book_file::{BookFile, BookFileFault};
pub use descriptor::{Descriptor, DescriptorFault, load_descriptors};
pub use simulator::{SMS_CODE_REFUSED, Simulator, SimulatorFault, simulators, simulators_with_books};

/// Descriptors of the channels that come with the program: simulated ones, with assumed tariffs and latencies.
pub const BUILTIN_CHANNELS: &str = include_str!("../channels.toml");
