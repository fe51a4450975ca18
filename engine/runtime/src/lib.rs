//! The shells of the engine: actors, journal, checkpoint, archive, timers; the in-process API [`Engine`].
//!
//! Rules live in `suanpan-core`. Here is what carries them: shards that own state ([`order_shard`],
//! [`balance_shard`]), the thread that owns the log ([`log_writer`]), the thread that feeds the archive ([`keeper`]),
//! and the actors between them ([`actors`]).

pub mod actors;
pub mod admission;
pub mod api;
pub mod balance_shard;
pub mod bell;
mod calls;
pub mod clock;
pub mod codec;
pub mod engine;
pub mod fault;
mod hand_out;
pub mod haste;
pub mod journal;
pub mod keeper;
pub mod learner;
pub mod limits;
pub mod log_writer;
pub mod messages;
pub mod options;
pub mod order_list;
pub mod order_shard;
pub mod recovery;
pub mod registry;
pub mod retention;
pub mod rulebook;
pub mod shared;
mod start;
pub mod statements;
pub mod store;
pub mod tally;
pub mod timers;

pub use api::{Answer, AnswerSink, Command, Reply, Request};
pub use engine::{AnnouncedQuery, CampaignState, CustomerCoupons, Engine, EngineStats, Listed, Page};
pub use fault::EngineFault;
pub use hand_out::shards as shards_of;
pub use limits::Limits;
pub use options::{EngineOptions, World};
pub use order_list::OrderQuery;
