//! The shells of the engine: actors, journal, checkpoint, archive, timers; the in-process API `Engine`.

pub mod journal;
pub mod store;
