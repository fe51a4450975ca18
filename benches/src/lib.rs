//! Micro benches of the parts and comparisons with peers.
