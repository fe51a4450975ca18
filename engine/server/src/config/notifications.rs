//! How malls are told what happens to their orders.

use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;
use suanpan_model::DurationMs;

use super::ConfigFault;
use super::read::within;
use crate::notify::{Guard, NotifierOptions, Schedule};

/// Waits between tries that a schedule may have.
const WAITS_MAX: usize = 64;
/// Longest wait in seconds.
const WAIT_MAX_S: u64 = 7 * 24 * 3_600;
/// Longest time that events are kept, unless it is for good.
const KEPT_MAX_DAYS: u64 = 36_500;
/// Events are kept for days: some minutes more are as good.
const EXPIRES_EVERY: Duration = Duration::from_secs(600);

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawNotifications {
    schedule_s: Option<Vec<u64>>,
    timeout_ms: u64,
    in_flight_max: usize,
    allow_internal_addresses: bool,
    events_kept_days: u64,
}

impl Default for RawNotifications {
    fn default() -> Self {
        Self {
            schedule_s: None,
            timeout_ms: 5_000,
            in_flight_max: 16,
            allow_internal_addresses: false,
            events_kept_days: 90,
        }
    }
}

pub(super) fn options(raw: RawNotifications) -> Result<NotifierOptions, ConfigFault> {
    within("notifications.timeout_ms", raw.timeout_ms, 1..=60_000)?;
    within("notifications.in_flight_max", raw.in_flight_max, 1..=256)?;
    within("notifications.events_kept_days", raw.events_kept_days, 0..=KEPT_MAX_DAYS)?;
    let schedule = match raw.schedule_s {
        None => Schedule::default(),
        Some(waits) => {
            within("notifications.schedule_s", waits.len(), 0..=WAITS_MAX)?;
            for (place, wait) in waits.iter().enumerate() {
                within(&format!("notifications.schedule_s[{place}]"), *wait, 0..=WAIT_MAX_S)?;
            }
            Schedule::new(waits.into_iter().map(Duration::from_secs).collect())
        }
    };
    Ok(NotifierOptions {
        schedule,
        guard: Guard { allow_internal: raw.allow_internal_addresses },
        timeout: Duration::from_millis(raw.timeout_ms),
        in_flight_max: raw.in_flight_max,
        events_kept: (raw.events_kept_days > 0).then(|| DurationMs::from_days(raw.events_kept_days)),
        expires_every: EXPIRES_EVERY,
    })
}

/// Reads where a mall is told. The address is not repeated in the fault: its query may be a secret.
pub(super) fn url(key: String, text: Option<&str>, guard: Guard) -> Result<Option<Url>, ConfigFault> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    guard.read(text).map(Some).map_err(|fault| ConfigFault::Refused { key, expected: fault.to_string() })
}
