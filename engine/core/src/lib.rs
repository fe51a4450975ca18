//! The rules of the engine: pure state machines without IO, clock or randomness.
