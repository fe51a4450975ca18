//! A configuration that is read again while the program runs: all of it takes effect, or none.

use std::path::PathBuf;

use suanpan_core::routing::RoutingRules;
use suanpan_model::PlatformId;
use suanpan_runtime::Engine;
use suanpan_runtime::rulebook::PutFault;

use crate::body_limits::BodyLimitsInForce;
use crate::budget::Budgets;
use crate::config::{CertificateConfig, Config, KeyConfig, PlatformConfig, SecurityConfig, TlsConfig};
use crate::log::{LogFault, LogLevel};
use crate::rule_names::PlatformNames;
use crate::security::SecurityFault;
use crate::server::ServerHandle;
use crate::start::{StartFault, record};

/// Why nothing of a configuration took effect.
#[derive(Debug, thiserror::Error)]
pub enum ReloadFault {
    /// Something else than before where only a start can change it.
    #[error("{} cannot change while the program runs: put back what stood there, or start it again", .0.join(", "))]
    Fixed(Vec<String>),
    /// Rules that are other ones under the version in force, or a lower one.
    #[error(
        "platform {platform}: routing.version: expected a version above {current}, which is in force, for other rules"
    )]
    RulesVersion {
        /// Whose rules.
        platform: PlatformId,
        /// The version in force.
        current: u32,
    },
    /// What the start would refuse too.
    #[error(transparent)]
    Start(#[from] StartFault),
    /// A key or certificate cannot be used.
    #[error(transparent)]
    Keys(#[from] SecurityFault),
    /// The level of logs cannot be changed.
    #[error(transparent)]
    Log(#[from] LogFault),
}

/// Puts `next` in force in the place of `now`, and says in words what changed.
///
/// Keys and certificates of callers, the files of TLS, rules, agreements, request rates and sizes of bodies of platforms,
/// the level of logs, new accounts and new campaigns can change. An order keeps what was agreed when it came.
///
/// # Errors
/// What cannot change; rules without a higher version; then whatever the start would refuse.
pub async fn reload(
    now: &Config,
    next: &Config,
    engine: &Engine,
    server: &ServerHandle,
    log: &LogLevel,
) -> Result<Vec<String>, ReloadFault> {
    let fixed = fixed(now, next);
    if !fixed.is_empty() {
        return Err(ReloadFault::Fixed(fixed));
    }
    let pairs = || next.platforms.iter().enumerate().zip(&now.platforms);
    for ((_, platform), before) in pairs() {
        check_version(engine, before, platform)?;
    }
    // Accounts come before whatever names them. They stay when something below is refused: nobody is the worse for it.
    record(engine, next).await?;
    let mut rules = Vec::new();
    for ((place, platform), before) in pairs() {
        if before.routing != platform.routing {
            rules.push((platform.policy.id, read_rules(engine, place, platform)?));
        }
    }
    let mut changed: Vec<String> = pairs().flat_map(|((_, next), now)| differences(now, next)).collect();
    // Files of keys may have changed where the configuration has not.
    if server.reload_keys(next)? {
        changed.push("the server's certificate".to_owned());
    }
    if who_calls(now) != who_calls(next) {
        changed.push("keys and certificates of callers".to_owned());
    }
    for (platform, read) in rules {
        changed.push(format!("platform {platform}: routing rules, version {}", read.version));
        // They were tried above, and what is configured is not written, so that only other faults of rules are left.
        if let Err(PutFault::Rules(faults)) = engine.configure_rules(platform, read) {
            return Err(StartFault::Rules(faults).into());
        }
    }
    engine.set_policies(next.platforms.iter().map(|platform| platform.policy.clone()).collect());
    server.set_budgets(Budgets::of(next));
    server.set_body_limits(BodyLimitsInForce::of(next));
    if now.log.level != next.log.level {
        log.set(&next.log.level)?;
        changed.push(format!("log.level: {}", next.log.level));
    }
    Ok(changed)
}

/// Other rules have a higher version than those in force.
fn check_version(engine: &Engine, now: &PlatformConfig, next: &PlatformConfig) -> Result<(), ReloadFault> {
    let platform = next.policy.id;
    let current = engine.router().rules(platform).version;
    if now.routing == next.routing || next.routing.version > current {
        return Ok(());
    }
    Err(ReloadFault::RulesVersion { platform, current })
}

/// Reads rules and tries whether they can work.
fn read_rules(engine: &Engine, place: usize, next: &PlatformConfig) -> Result<RoutingRules, StartFault> {
    let (router, platform) = (engine.router(), next.policy.id);
    let names = PlatformNames { engine, router: &router, platform };
    let rules = next.routing.read(&format!("platform[{place}].routing"), &names)?;
    router.with_rules(platform, rules.clone())?;
    Ok(rules)
}

/// What is other about a platform, in words.
fn differences(now: &PlatformConfig, next: &PlatformConfig) -> Vec<String> {
    let parts = [
        ("what it agreed to", now.policy == next.policy),
        ("name", now.name == next.name),
        ("requests", now.requests == next.requests),
        ("sizes of bodies", now.body_limits == next.body_limits),
        ("accounts", now.accounts == next.accounts),
    ];
    let other = parts.into_iter().filter(|(_, same)| !same);
    other.map(|(what, _)| format!("platform {}: {what}", next.policy.id)).collect()
}

/// What of the security is the engine's own: who may call changes while the program runs, and so does what stands in the
/// files of TLS, under whatever names. Whether there is TLS, and whether clients have certificates, does not.
fn own_part(config: &Config) -> SecurityConfig {
    let (keys, certificates, both_required) = (Vec::new(), Vec::new(), Vec::new());
    let tls = config.security.tls.as_ref().map(|tls| TlsConfig {
        certificate_file: PathBuf::new(),
        key_file: PathBuf::new(),
        client_ca_file: tls.client_ca_file.as_ref().map(|_| PathBuf::new()),
    });
    SecurityConfig { keys, certificates, both_required, tls, ..config.security.clone() }
}

/// What of the security says who may call.
fn who_calls(config: &Config) -> (&[KeyConfig], &[CertificateConfig], &[PlatformId]) {
    let SecurityConfig { keys, certificates, both_required, .. } = &config.security;
    (keys, certificates, both_required)
}

/// Keys of what is other than before and must not be.
fn fixed(now: &Config, next: &Config) -> Vec<String> {
    let mut keys = Vec::new();
    let mut check = |key: &str, same: bool| {
        if !same {
            keys.push(key.to_owned());
        }
    };
    check("server", now.server == next.server);
    check("engine", now.engine == next.engine);
    check("data.dir", now.data_dir == next.data_dir);
    check("channels", now.channels == next.channels);
    check("security, other than keys, certificates and the files of TLS", own_part(now) == own_part(next));
    check("traces", now.traces == next.traces);
    check("notifications", now.notifications == next.notifications);
    check("log.format", now.log.format == next.log.format);
    let urls =
        |config: &Config| config.platforms.iter().map(|one| one.notify_url.clone()).collect::<Vec<_>>();
    check("platform.notify_url", urls(now) == urls(next));
    let ids = |config: &Config| config.platforms.iter().map(|one| one.policy.id).collect::<Vec<_>>();
    check("the platforms that there are", ids(now) == ids(next));
    keys
}
