//! How large the body of a request may be: what the server takes, and less where a platform has limits of its own.

use std::collections::HashMap;
use std::fmt;

use suanpan_model::PlatformId;

use crate::budget::platform_of;
use crate::config::Config;
use crate::endpoint;

/// Limits of bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// Of a request.
    pub single_bytes: usize,
    /// Of a batch.
    pub batch_bytes: usize,
}

/// The limits in force.
#[derive(Debug)]
pub struct BodyLimitsInForce {
    server: BodyLimits,
    /// Those of platforms that have others.
    platforms: HashMap<PlatformId, BodyLimits>,
}

/// How much one request may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    pub(crate) bytes: usize,
    is_batch: bool,
}

impl BodyLimitsInForce {
    /// The limits of a configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let server = config.server.body_limits;
        let platforms = config.platforms.iter().map(|one| (one.policy.id, one.body_limits));
        Self { server, platforms: platforms.filter(|(_, limits)| *limits != server).collect() }
    }

    /// What a request to `path` may have. The platform is the one that the path names: whoever acts for it has no more.
    pub(crate) fn allowed(&self, path: &str) -> Allowed {
        // Most configurations have one limit for all.
        let platform = if self.platforms.is_empty() { None } else { platform_of(path) };
        let limits = platform.and_then(|platform| self.platforms.get(&platform)).unwrap_or(&self.server);
        let is_batch = is_large(path);
        Allowed { bytes: if is_batch { limits.batch_bytes } else { limits.single_bytes }, is_batch }
    }
}

/// Whether the path is that of an endpoint whose bodies are batches.
fn is_large(path: &str) -> bool {
    let own_part = |path: &'static str| path.strip_prefix("/v1/platforms/{platform}").unwrap_or(path);
    [endpoint::BATCH, endpoint::BACK_TEST].iter().any(|large| path.ends_with(own_part(large.path)))
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes;
        match (bytes % (1 << 20), bytes % (1 << 10)) {
            (0, _) => write!(f, "a body of at most {} MiB", bytes >> 20)?,
            (_, 0) => write!(f, "a body of at most {} KiB", bytes >> 10)?,
            (_, _) => write!(f, "a body of at most {bytes} bytes")?,
        }
        f.write_str(if self.is_batch { "; send fewer at once" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_limits_of_its_platform_and_of_what_is_sent() {
        let limits = |single_bytes: usize, batch_bytes: usize| BodyLimits { single_bytes, batch_bytes };
        let in_force = BodyLimitsInForce {
            server: limits(262_144, 16_777_216),
            platforms: [(PlatformId(2), limits(4_096, 1_048_576)), (PlatformId(3), limits(1_000, 2_000))]
                .into(),
        };
        let table = [
            ("/v1/platforms/1/orders", "a body of at most 256 KiB"),
            ("/v1/platforms/1/orders/batch", "a body of at most 16 MiB; send fewer at once"),
            ("/v1/platforms/2/orders", "a body of at most 4 KiB"),
            ("/v1/platforms/2/orders/5/refunds", "a body of at most 4 KiB"),
            ("/v1/platforms/2/orders/batch", "a body of at most 1 MiB; send fewer at once"),
            ("/v1/platforms/2/routing/back-test", "a body of at most 1 MiB; send fewer at once"),
            ("/v1/platforms/3/orders", "a body of at most 1000 bytes"),
            ("/v1/platforms/x/orders", "a body of at most 256 KiB"),
            ("/v1/channels/2/notifications", "a body of at most 256 KiB"),
        ];
        for (path, expected) in table {
            assert_eq!(in_force.allowed(path).to_string(), expected, "{path}");
        }
    }
}
