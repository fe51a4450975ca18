//! How many requests a platform may send: a token bucket each, without a lock.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_web::ResponseError;
use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use arc_swap::ArcSwap;
use suanpan_model::PlatformId;

use crate::config::Config;
use crate::problem::Problem;

/// How many requests the bucket holds.
pub const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
/// How many are left of them now.
pub const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");

const NANOS: u64 = 1_000_000_000;

/// What a platform may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRate {
    /// Requests a second in the long run.
    pub per_second: u32,
    /// Requests at once, when none came before.
    pub burst: u32,
}

/// What is left of a budget, or how long to wait for the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Left(u32),
    Wait(Duration),
}

/// A bucket. It knows only at which instant it will be full: everything else follows.
#[derive(Debug)]
struct Bucket {
    rate: RequestRate,
    full_at_ns: AtomicU64,
}

impl Bucket {
    /// Takes one request at `now_ns`.
    fn take(&self, now_ns: u64) -> Taken {
        let each_ns = NANOS / u64::from(self.rate.per_second.max(1));
        let whole_ns = each_ns * u64::from(self.rate.burst.max(1));
        let mut full_at_ns = self.full_at_ns.load(Ordering::Relaxed);
        loop {
            let then_ns = full_at_ns.max(now_ns) + each_ns;
            let owed_ns = then_ns - now_ns;
            if owed_ns > whole_ns {
                return Taken::Wait(Duration::from_nanos(owed_ns - whole_ns));
            }
            let swapped = self.full_at_ns.compare_exchange_weak(
                full_at_ns,
                then_ns,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match swapped {
                Ok(_) => {
                    let left = (whole_ns - owed_ns) / each_ns;
                    return Taken::Left(u32::try_from(left).unwrap_or(u32::MAX));
                }
                Err(other_ns) => full_at_ns = other_ns,
            }
        }
    }
}

/// The buckets of all platforms that have a limit.
#[derive(Debug)]
pub struct Budgets {
    began: Instant,
    buckets: HashMap<PlatformId, Bucket>,
}

impl Budgets {
    /// Full buckets.
    #[must_use]
    pub fn new(rates: impl IntoIterator<Item = (PlatformId, RequestRate)>) -> Self {
        let bucket = |(platform, rate)| (platform, Bucket { rate, full_at_ns: AtomicU64::new(0) });
        Self { began: Instant::now(), buckets: rates.into_iter().map(bucket).collect() }
    }

    /// The buckets of a configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self::new(config.platforms.iter().filter_map(|one| Some((one.policy.id, one.requests?))))
    }

    fn take(&self, platform: PlatformId) -> Option<(RequestRate, Taken)> {
        let bucket = self.buckets.get(&platform)?;
        let now_ns = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX / 2);
        Some((bucket.rate, bucket.take(now_ns)))
    }
}

/// The platform that a path names.
pub fn platform_of(path: &str) -> Option<PlatformId> {
    let rest = path.strip_prefix("/v1/platforms/")?;
    rest.split('/').next()?.parse().ok().map(PlatformId)
}

/// Lets a request through while its platform has some left, and says how many. Stands behind whatever makes sure that the
/// caller is that platform, so that nobody uses up the budget of another.
///
/// # Errors
/// As the handler.
pub async fn spend<B: MessageBody>(
    budgets: Arc<ArcSwap<Budgets>>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, actix_web::Error> {
    let Some((rate, taken)) = platform_of(request.path()).and_then(|platform| budgets.load().take(platform))
    else {
        return next.call(request).await.map(ServiceResponse::map_into_left_body);
    };
    let (mut response, left) = match taken {
        Taken::Left(left) => (next.call(request).await?.map_into_left_body(), left),
        Taken::Wait(wait) => {
            let refused = Problem::rate_limited(wait).error_response();
            (request.into_response(refused).map_into_right_body(), 0)
        }
    };
    let headers = response.headers_mut();
    headers.insert(LIMIT, HeaderValue::from(rate.burst));
    headers.insert(REMAINING, HeaderValue::from(left));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills() {
        let rate = RequestRate { per_second: 10, burst: 3 };
        let bucket = Bucket { rate, full_at_ns: AtomicU64::new(0) };
        let ms = 1_000_000;
        let table = [
            // at, what comes of it
            (0, Taken::Left(2)),
            (0, Taken::Left(1)),
            (0, Taken::Left(0)),
            (0, Taken::Wait(Duration::from_millis(100))),
            (60, Taken::Wait(Duration::from_millis(40))),
            (100, Taken::Left(0)),
            (100, Taken::Wait(Duration::from_millis(100))),
            (1_000, Taken::Left(2)),
            (1_050, Taken::Left(1)),
        ];
        for (place, (at_ms, expected)) in table.into_iter().enumerate() {
            assert_eq!(bucket.take(at_ms * ms), expected, "line {place}");
        }
    }

    #[test]
    fn the_platform_stands_in_the_path() {
        let table = [
            ("/v1/platforms/9001/orders", Some(9001)),
            ("/v1/platforms/9001", Some(9001)),
            ("/v1/platforms/x/orders", None),
            ("/v1/platforms", None),
            ("/metrics", None),
        ];
        for (path, expected) in table {
            assert_eq!(platform_of(path), expected.map(PlatformId), "{path}");
        }
    }
}
