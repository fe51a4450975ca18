//! Deterministic simulation of the engine: one seed is one life.
//!
//! What is real: the core, the shards of orders and accounts, the log writer, the journal, the keeper, the store above
//! its tables, checkpoint and recovery. What is simulated: threads and mailboxes, the clock, the disks, the network, the
//! channels (with books of their own) and the malls (with a record of every answer).
//!
//! A life has two phases. Under *safety* the seed's faults are on: nothing that was acknowledged may be lost, and no
//! invariant of [`suanpan_core::invariants`] may break. Then the world heals, and under *liveness* everything must become
//! final. The [`oracle`] shares no code with the engine but the types.

pub mod dice;
pub mod life;
pub mod mall;
pub mod oracle;
pub mod plan;
pub mod process;
pub mod tap;

pub use life::{Report, live, live_plan};
pub use plan::Plan;
