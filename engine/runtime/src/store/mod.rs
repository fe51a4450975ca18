//! The embedded store: archive of finished orders and entries, and the checkpoint.
