//! The shells of the engine: actors, journal, checkpoint, archive, timers; the in-process API `Engine`.

pub mod api;
pub mod engine;
pub mod journal;
pub mod store;

pub use api::{Answer, AnswerSink, Command, Reply, Request};
pub use engine::{Engine, EngineFault, EngineOptions, EngineStats, World};
