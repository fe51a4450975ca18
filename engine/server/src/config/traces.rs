//! Where traces go.

use reqwest::Url;
use serde::Deserialize;

use super::ConfigFault;
use super::read::within;
use crate::traces::TraceConfig;

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTraces {
    collector: String,
    service: String,
    sample_percent: u8,
}

impl Default for RawTraces {
    fn default() -> Self {
        Self { collector: String::new(), service: "suanpan".to_owned(), sample_percent: 100 }
    }
}

pub(super) fn config(raw: RawTraces) -> Result<Option<TraceConfig>, ConfigFault> {
    within("traces.sample_percent", raw.sample_percent, 0..=100)?;
    if raw.collector.is_empty() {
        return Ok(None);
    }
    // The address is not repeated: it may hold a secret.
    let refused = || ConfigFault::Refused {
        key: "traces.collector".to_owned(),
        expected: "an address such as http://127.0.0.1:4318, without user, query or fragment".to_owned(),
    };
    let mut url: Url = raw.collector.parse().map_err(|_| refused())?;
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.has_host();
    if !matches!(url.scheme(), "http" | "https") || !is_plain {
        return Err(refused());
    }
    let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(Some(TraceConfig { url, service: raw.service, sample_percent: raw.sample_percent }))
}
