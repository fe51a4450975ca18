//! The rules of the engine: pure, deterministic state machines.
//!
//! No IO, no clock, no randomness, no async. `decide` looks at a state and a command and answers with events or a
//! reject, changing nothing; `apply` folds an event into the state and cannot fail. Live run, recovery and
//! simulation use the same two.

pub mod coupon;
pub mod invariants;
pub mod ledger;
pub mod order;
pub mod routing;
pub mod split;
