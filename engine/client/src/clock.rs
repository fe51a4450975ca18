//! The one place of the client that reads the clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in Unix seconds.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
