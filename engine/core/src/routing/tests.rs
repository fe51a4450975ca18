//! Tables and properties of routing.
