//! Micro benches of the parts and comparisons with peers.

pub mod routing_world;
