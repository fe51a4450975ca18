//! Behaviour of the simulator.
