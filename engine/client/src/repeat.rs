//! When a request is sent again, each time signed anew.

use std::time::Duration;

use crate::fault::ClientFault;

/// Whether a request may be performed twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// A second one changes nothing: it only asks, or the engine knows it again by a number of the caller's.
    Safe,
    /// Only what was certainly not performed is sent again.
    IfNotPerformed,
}

/// How often, and after which pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepeatPolicy {
    /// Most requests for one call.
    pub attempts_max: u32,
    /// Pause after the first; it doubles each time.
    pub pause: Duration,
    /// Longest pause.
    pub pause_max: Duration,
}

impl Default for RepeatPolicy {
    fn default() -> Self {
        Self { attempts_max: 6, pause: Duration::from_millis(100), pause_max: Duration::from_secs(3) }
    }
}

impl RepeatPolicy {
    /// Every request is sent once.
    pub const NEVER: Self = Self { attempts_max: 1, pause: Duration::ZERO, pause_max: Duration::ZERO };

    /// The pause before attempt `attempt` (the second is 1), not shorter than the engine asks for.
    pub(crate) fn pause(&self, attempt: u32, asked_for: Option<Duration>) -> Duration {
        let grown = self.pause.saturating_mul(1 << (attempt - 1).min(16)).min(self.pause_max);
        grown.max(asked_for.unwrap_or_default().min(self.pause_max))
    }
}

/// Whether a fault passes by itself, and the request may be sent again.
pub(crate) fn may_repeat(fault: &ClientFault, repeat: Repeat) -> bool {
    match fault {
        ClientFault::Refused(problem) => is_passing(problem.status, &problem.code),
        // Nothing is performed before the engine knows who asks; a forged one costs a request and no more.
        ClientFault::Unverified { code: Some(code), .. } if code == "signed_before_start" => true,
        ClientFault::Transport(_) | ClientFault::Unverified { .. } => repeat == Repeat::Safe,
        ClientFault::Options(_) | ClientFault::Sign(_) | ClientFault::Write(_) | ClientFault::Form { .. } => {
            false
        }
    }
}

/// Refusals that are gone a moment later.
fn is_passing(status: u16, code: &str) -> bool {
    status == 503 || status == 429 || matches!(code, "in_progress" | "signed_before_start")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

    use super::*;
    use crate::fault::Problem;

    fn refused(status: u16, code: &str) -> ClientFault {
        let more = serde_json::Map::new();
        let (code, field, detail) = (code.to_owned(), String::new(), String::new());
        ClientFault::Refused(Box::new(Problem { status, code, field, detail, more }))
    }

    fn unverified(code: Option<&str>) -> ClientFault {
        ClientFault::Unverified { status: 500, code: code.map(str::to_owned), why: "" }
    }

    #[test]
    fn what_may_have_been_performed_is_repeated_only_where_that_is_safe() {
        let table = [
            // fault, repeated when safe, repeated when not
            (refused(503, "busy"), true, true),
            (refused(429, "rate_limited"), true, true),
            (refused(409, "in_progress"), true, true),
            (refused(401, "signed_before_start"), true, true),
            (refused(401, "signature_invalid"), false, false),
            (refused(409, "idempotency_conflict"), false, false),
            (refused(500, "internal"), false, false),
            (unverified(None), true, false),
            (unverified(Some("signed_before_start")), true, true),
        ];
        for (fault, safe, unsafe_) in table {
            assert_eq!(may_repeat(&fault, Repeat::Safe), safe, "{fault}");
            assert_eq!(may_repeat(&fault, Repeat::IfNotPerformed), unsafe_, "{fault}");
        }
    }

    #[test]
    fn pauses_grow_up_to_the_longest_and_heed_what_the_engine_asks_for() {
        let policy = RepeatPolicy::default();
        let pauses: Vec<u128> = (1..8).map(|attempt| policy.pause(attempt, None).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1_600, 3_000, 3_000]);
        assert_eq!(policy.pause(1, Some(Duration::from_secs(1))).as_millis(), 1_000);
        assert_eq!(policy.pause(1, Some(Duration::from_secs(900))).as_millis(), 3_000);
    }
}
