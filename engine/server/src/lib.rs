//! The program `suanpan`: HTTP API, configuration, start and stop around the in-process engine.
//!
//! [`Config`] → [`start_engine`] → [`bootstrap`] → [`run`] gives a [`ServerHandle`]; [`ServerHandle::stop`], then
//! `Engine::shutdown`, end it.

mod answer;
pub mod answers;
pub mod back_test;
pub mod back_test_file;
mod body;
pub mod body_limits;
pub mod budget;
pub mod certificates;
pub mod config;
pub mod demo;
pub mod endpoint;
pub mod idempotency;
pub mod identity;
mod intake;
mod json_path;
pub mod key_files;
pub mod log;
mod metrics;
pub mod notify;
pub mod openapi;
pub mod problem;
pub mod query;
pub mod reload;
mod routes;
pub mod rule_names;
pub mod secret_file;
pub mod security;
mod server;
pub mod signals;
mod start;
mod state;
mod submission;
pub mod text;
pub mod traces;
pub mod verify;
pub mod wire;

pub use config::{Config, ConfigFault};
pub use problem::Problem;
pub use server::{ServerFault, ServerHandle, check, run};
pub use start::{StartFault, bootstrap, start_engine, world};
