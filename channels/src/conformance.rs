//! What every adapter and simulator must do.
