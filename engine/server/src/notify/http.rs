//! One call to a mall.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use smol_str::{SmolStr, ToSmolStr};
use suanpan_model::TimestampMs;

use super::address::Guard;
use super::delivery::Try;
use super::schedule::Verdict;

/// Names resolve to addresses that may be called, and to no others: a name that is public when the configuration is read
/// and private when it is called leads nowhere.
struct GuardedResolver {
    guard: Guard,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.guard;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| guard.allows(address.ip())).collect();
            if allowed.is_empty() {
                return Err("the name leads to no address on the public network".into());
            }
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

/// A client that follows no redirects, uses no proxy, and calls no address that is not allowed.
///
/// # Errors
/// When TLS cannot be set up.
pub(super) fn client(guard: Guard, timeout: Duration) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(GuardedResolver { guard }))
        .user_agent(concat!("suanpan/", env!("CARGO_PKG_VERSION")))
        .pool_max_idle_per_host(4)
        .build()
}

/// Tells a mall. Its answer's body is not read: the status says it all.
pub(super) async fn tell(
    client: &reqwest::Client,
    url: Url,
    headers: HeaderMap,
    body: Vec<u8>,
    at: TimestampMs,
) -> (Try, Verdict) {
    let began = Instant::now();
    let sent = client.post(url).headers(headers).header(CONTENT_TYPE, "application/json").body(body).send();
    let answer = sent.await;
    let took_ms = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
    match answer {
        Ok(answer) => {
            let status = answer.status().as_u16();
            let verdict = Verdict::of(status, retry_after(answer.headers(), at));
            (Try { at, took_ms, status, fault: SmolStr::default() }, verdict)
        }
        Err(fault) => (Try { at, took_ms, status: 0, fault: why(fault) }, Verdict::Again(None)),
    }
}

/// Why there was no answer, without the address, whose query may be a secret.
fn why(fault: reqwest::Error) -> SmolStr {
    if fault.is_timeout() {
        return SmolStr::new_static("no answer in time");
    }
    let fault = fault.without_url();
    let mut source: &dyn std::error::Error = &fault;
    while let Some(deeper) = source.source() {
        source = deeper;
    }
    source.to_smolstr()
}

/// How long the mall wants to be left alone: seconds, or a date of HTTP.
fn retry_after(headers: &HeaderMap, now: TimestampMs) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(until.saturating_sub(Duration::from_millis(now.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_read_as_seconds_or_as_a_date() {
        let now = TimestampMs(784_111_777_000);
        for (text, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
