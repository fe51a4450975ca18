//! The ordered, durable log of a partition.
