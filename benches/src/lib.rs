//! Micro benches of the parts and comparisons with peers.

pub mod core_world;
pub mod engine_world;
pub mod routing_world;
pub mod twin;
