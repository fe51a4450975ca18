//! Times and nonces of signed messages.

/// How far the time of a message may be from the reader's clock, in seconds.
pub const WINDOW_S: u64 = 300;

/// Longest nonce in characters.
pub const NONCE_CHARS_MAX: usize = 64;

/// Why the time of a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StampFault {
    /// Signed too long ago.
    #[error("signed {age_s} s ago, more than {WINDOW_S} s")]
    Stale {
        /// How long ago in seconds.
        age_s: u64,
    },
    /// Signed by a clock that is ahead.
    #[error("signed {ahead_s} s ahead of the reader's clock, more than {WINDOW_S} s")]
    Future {
        /// How far ahead in seconds.
        ahead_s: u64,
    },
}

/// Whether a message of this time is still, and already, to be believed.
///
/// # Errors
/// More than [`WINDOW_S`] away in either direction.
pub const fn check_stamp(now_s: u64, timestamp_s: u64) -> Result<(), StampFault> {
    let age_s = now_s.saturating_sub(timestamp_s);
    let ahead_s = timestamp_s.saturating_sub(now_s);
    if age_s > WINDOW_S {
        return Err(StampFault::Stale { age_s });
    }
    if ahead_s > WINDOW_S {
        return Err(StampFault::Future { ahead_s });
    }
    Ok(())
}

/// Whether a text can be a nonce: 1 to 64 visible characters of ASCII.
#[must_use]
pub fn is_nonce(text: &str) -> bool {
    (1..=NONCE_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
