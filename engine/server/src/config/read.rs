//! From what is written to what is meant: every value is checked, every fault names its key.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use suanpan_model::policy::Agreement;
use suanpan_model::{AccountType, Amount, Currency, DurationMs, PlatformId, PlatformPolicy};

use super::raw::{
    RawAccount, RawCampaign, RawConfig, RawEngine, RawFunder, RawLog, RawPayer, RawPlatform, RawServer,
};
use super::read_security::Reader as SecurityReader;
use super::{
    AccountConfig, ChannelsConfig, Config, ConfigFault, EngineConfig, LogConfig, LogFormat, PlatformConfig,
    ServerConfig,
};
use super::{notifications, traces};
use crate::body_limits::BodyLimits;
use crate::budget::RequestRate;
use crate::notify::Guard;
use crate::rule_names::Unchecked;
use crate::text::parse_percent;
use crate::wire::{AccountRef, CampaignIn, FunderIn, NamedCampaign, Object, ReceiverIn, Text};

type Checked<T> = Result<T, ConfigFault>;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

pub(super) fn config(raw: RawConfig) -> Checked<Config> {
    if raw.data.dir.is_empty() {
        return Err(ConfigFault::value("data.dir", "the path of a directory", raw.data.dir));
    }
    let server = server(&raw.server)?;
    let notifications = notifications::options(raw.notifications)?;
    let mut security = SecurityReader::new(raw.security)?;
    let mut platforms: Vec<PlatformConfig> = Vec::with_capacity(raw.platform.len());
    for (place, mut platform) in raw.platform.into_iter().enumerate() {
        let key = format!("platform[{place}]");
        security.platform(&key, &mut platform)?;
        let platform = self::platform(&key, platform, server.body_limits, notifications.guard)?;
        if platforms.iter().any(|known| known.policy.id == platform.policy.id) {
            let expected = "a number that no earlier platform has";
            return Err(ConfigFault::value(format!("{key}.id"), expected, platform.policy.id));
        }
        platforms.push(platform);
    }
    for (place, operator) in raw.operator.into_iter().enumerate() {
        security.operator(&format!("operator[{place}]"), operator)?;
    }
    for (place, channel) in raw.channel_keys.into_iter().enumerate() {
        security.channel(&format!("channel_keys[{place}]"), channel)?;
    }
    let mut campaigns: Vec<NamedCampaign> = Vec::with_capacity(raw.campaign.len());
    for (place, campaign) in raw.campaign.iter().enumerate() {
        let key = format!("campaign[{place}]");
        let campaign = self::campaign(&key, campaign, &platforms)?;
        if campaigns.iter().any(|known| known.id() == campaign.id()) {
            let expected = "a number that no earlier campaign has";
            return Err(ConfigFault::value(format!("{key}.id"), expected, campaign.id()));
        }
        campaigns.push(campaign);
    }
    Ok(Config {
        server,
        security: security.finish()?,
        engine: engine(&raw.engine)?,
        data_dir: PathBuf::from(raw.data.dir),
        channels: ChannelsConfig {
            file: Some(raw.channels.file).filter(|file| !file.is_empty()).map(PathBuf::from),
            simulator_seed: raw.channels.simulator_seed,
        },
        log: log(raw.log)?,
        notifications,
        traces: traces::config(raw.traces)?,
        platforms,
        campaigns,
    })
}

fn server(raw: &RawServer) -> Checked<ServerConfig> {
    let listen = raw.listen.parse().map_err(|_| {
        ConfigFault::value("server.listen", "address and port such as 127.0.0.1:8080", &raw.listen)
    })?;
    within("server.body_limit_kib", raw.body_limit_kib, 1..=64 * KIB)?;
    within("server.batch_body_limit_mib", raw.batch_body_limit_mib, 1..=KIB)?;
    within("server.orders_per_batch_max", raw.orders_per_batch_max, 1..=100_000)?;
    within("server.workers", raw.workers, 0..=1_024)?;
    within("server.stop_patience_s", raw.stop_patience_s, 0..=3_600)?;
    within("server.header_timeout_s", raw.header_timeout_s, 1..=3_600)?;
    within("server.body_timeout_s", raw.body_timeout_s, 1..=3_600)?;
    within("server.connections_max", raw.connections_max, 1..=1_000_000)?;
    Ok(ServerConfig {
        listen,
        body_limits: BodyLimits {
            single_bytes: raw.body_limit_kib * KIB,
            batch_bytes: raw.batch_body_limit_mib * MIB,
        },
        orders_per_batch_max: raw.orders_per_batch_max,
        workers: raw.workers,
        stop_patience_s: raw.stop_patience_s,
        header_timeout_s: raw.header_timeout_s,
        body_timeout_s: raw.body_timeout_s,
        connections_max: raw.connections_max,
    })
}

fn engine(raw: &RawEngine) -> Checked<EngineConfig> {
    if !raw.shards.is_power_of_two() || raw.shards > 256 {
        return Err(ConfigFault::value("engine.shards", "a power of two, at most 256", raw.shards));
    }
    within("engine.in_flight_max", raw.in_flight_max, 1..=1 << 24)?;
    within("engine.live_orders_max", raw.live_orders_max, 1..=1 << 32)?;
    within("engine.checkpoint_every_mib", raw.checkpoint_every_mib, 1..=1 << 20)?;
    Ok(EngineConfig {
        shards: raw.shards,
        in_flight_max: raw.in_flight_max,
        live_orders_max: raw.live_orders_max,
        checkpoint_every_bytes: raw.checkpoint_every_mib << 20,
    })
}

pub(super) fn within<N: PartialOrd + Copy + ToString>(
    key: &str,
    value: N,
    range: RangeInclusive<N>,
) -> Checked<()> {
    if !range.contains(&value) {
        let (least, most) = (range.start().to_string(), range.end().to_string());
        let expected = format!("a number from {least} to {most}");
        return Err(ConfigFault::value(key, expected, value));
    }
    Ok(())
}

fn log(raw: RawLog) -> Checked<LogConfig> {
    let format = match raw.format.as_str() {
        "text" => LogFormat::Text,
        "json" => LogFormat::Json,
        other => return Err(ConfigFault::value("log.format", "text or json", other)),
    };
    if let Err(fault) = tracing_subscriber::EnvFilter::builder().parse(&raw.level) {
        let expected = format!("a level or directives ({fault})");
        return Err(ConfigFault::value("log.level", expected, raw.level));
    }
    Ok(LogConfig { level: raw.level, format })
}

fn platform(key: &str, raw: RawPlatform, server: BodyLimits, guard: Guard) -> Checked<PlatformConfig> {
    let key = |name: &str| format!("{key}.{name}");
    let mut policy = PlatformPolicy::defaults(PlatformId(raw.id));
    if raw.id == 0 {
        return Err(ConfigFault::value(key("id"), "a number above zero", raw.id));
    }
    if let Some(text) = raw.split_cap {
        policy.split_cap_bps = text.strip_suffix('%').and_then(parse_percent).ok_or_else(|| {
            ConfigFault::value(
                key("split_cap"),
                "a percentage from \"0%\" to \"100%\" with two decimals",
                &text,
            )
        })?;
    }
    if let Some(most) = raw.split_receivers_max {
        within(&key("split_receivers_max"), most, 0..=100)?;
        policy.split_receivers_max = most;
    }
    if let Some(days) = raw.auto_release_days {
        within(&key("auto_release_days"), days, 1..=3_650)?;
        policy.auto_release = DurationMs::from_days(days);
    }
    if let Some(days) = raw.auto_release_virtual_days {
        within(&key("auto_release_virtual_days"), days, 1..=3_650)?;
        policy.auto_release_virtual = DurationMs::from_days(days);
    }
    if let Some(minutes) = raw.order_ttl_minutes {
        within(&key("order_ttl_minutes"), minutes, 1..=90 * 24 * 60)?;
        policy.order_ttl = DurationMs::from_secs(minutes * 60);
    }
    if let Some(most) = raw.attempts_max {
        within(&key("attempts_max"), most, 1..=64)?;
        policy.attempts_max = most;
    }
    policy.agreement = Agreement {
        fee_bearer: raw.fee_bearer,
        late_payment: raw.late_payment,
        refunded_fee: raw.refunded_fee,
        shortfall: raw.shortfall,
    };
    policy.announces = raw.announces;
    let notify_url = notifications::url(key("notify_url"), raw.notify_url.as_deref(), guard)?;
    let coupon_fund = raw
        .coupon_fund
        .filter(|text| !text.is_empty())
        .map(|text| amount(&key("coupon_fund"), &text, Currency::Cny))
        .transpose()?
        .filter(|amount| !amount.is_zero());
    let accounts = raw
        .account
        .into_iter()
        .enumerate()
        .map(|(place, raw)| account(&key(&format!("account[{place}]")), raw))
        .collect::<Checked<_>>()?;
    let requests = requests(&key, raw.requests_per_second, raw.requests_burst)?;
    let body_limits = BodyLimits {
        single_bytes: body_limit(&key("body_limit_kib"), raw.body_limit_kib, server.single_bytes, KIB)?,
        batch_bytes: body_limit(
            &key("batch_body_limit_mib"),
            raw.batch_body_limit_mib,
            server.batch_bytes,
            MIB,
        )?,
    };
    // Names are looked up when channels and accounts are there.
    raw.routing.read(&key("routing"), &Unchecked)?;
    Ok(PlatformConfig {
        policy,
        name: raw.name,
        notify_url,
        coupon_fund,
        requests,
        body_limits,
        routing: raw.routing,
        accounts,
    })
}

/// The server's own when left out, never more: it is what memory and patience were given for.
fn body_limit(key: &str, own: Option<usize>, server_bytes: usize, unit_bytes: usize) -> Checked<usize> {
    let Some(own) = own else { return Ok(server_bytes) };
    let most = server_bytes / unit_bytes;
    if !(1..=most).contains(&own) {
        let expected = format!("a number from 1 to {most}, the limit of [server]");
        return Err(ConfigFault::value(key, expected, own));
    }
    Ok(own * unit_bytes)
}

/// A second's worth at once when the burst is left out.
fn requests(
    key: &dyn Fn(&str) -> String,
    per_second: Option<u32>,
    burst: Option<u32>,
) -> Checked<Option<RequestRate>> {
    let Some(per_second) = per_second else {
        return match burst {
            None => Ok(None),
            Some(burst) => {
                let expected = "nothing without requests_per_second";
                Err(ConfigFault::value(key("requests_burst"), expected, burst))
            }
        };
    };
    let burst = burst.unwrap_or(per_second);
    within(&key("requests_per_second"), per_second, 1..=1_000_000)?;
    within(&key("requests_burst"), burst, 1..=1_000_000)?;
    Ok(Some(RequestRate { per_second, burst }))
}

fn account(key: &str, raw: RawAccount) -> Checked<AccountConfig> {
    let kind = AccountType::from_name(&raw.kind).filter(|kind| kind.may_be_opened()).ok_or_else(|| {
        let expected = "cash, settlement, marketing, wealth, deposit or commission";
        ConfigFault::value(format!("{key}.kind"), expected, &raw.kind)
    })?;
    if !crate::wire::is_reference(&raw.reference) {
        let expected = "1 to 64 characters without control characters";
        return Err(ConfigFault::value(format!("{key}.reference"), expected, raw.reference));
    }
    let currency = currency(&format!("{key}.currency"), &raw.currency)?;
    Ok(AccountConfig { kind, reference: raw.reference.into(), currency })
}

/// The same form as in the API; names of accounts are looked up at the start.
fn campaign(key: &str, raw: &RawCampaign, platforms: &[PlatformConfig]) -> Checked<NamedCampaign> {
    let platform = PlatformId(raw.platform);
    if !platforms.iter().any(|known| known.policy.id == platform) {
        return Err(ConfigFault::value(format!("{key}.platform"), "the id of a [[platform]]", platform));
    }
    crate::wire::campaign(&written(raw), platform).map_err(|refusal| ConfigFault::Refused {
        key: format!("{key}.{}", refusal.field),
        expected: refusal.expected.into_owned(),
    })
}

fn written(raw: &RawCampaign) -> CampaignIn<'_> {
    fn text(text: &Option<String>) -> Option<Text<'_>> {
        text.as_deref().map(Text::from)
    }
    fn funder(raw: &RawFunder) -> Object<FunderIn<'_>> {
        let account = match &raw.account {
            RawPayer::Named(name) => ReceiverIn::Named(name.as_str().into()),
            RawPayer::Account { kind, reference } => ReceiverIn::Account(AccountRef {
                kind: kind.as_str().into(),
                reference: reference.as_str().into(),
            }),
        };
        Object(FunderIn { account, percent: raw.percent.as_str().into() })
    }
    CampaignIn {
        id: Some(raw.id),
        currency: text(&raw.currency),
        face: text(&raw.face),
        percent: text(&raw.percent),
        cap: text(&raw.cap),
        minimum_spend: text(&raw.minimum_spend),
        valid_from: Some(raw.valid_from.as_str().into()),
        valid_until: Some(raw.valid_until.as_str().into()),
        funders: raw.funders.as_ref().map(|funders| funders.iter().map(funder).collect()),
        merchants: raw
            .merchants
            .as_ref()
            .map(|merchants| merchants.iter().map(|name| name.as_str().into()).collect()),
        stock: raw.stock,
        per_customer: raw.per_customer,
        stackable: raw.stackable,
        rank: raw.rank,
        claimable: raw.claimable,
    }
}

fn currency(key: &str, code: &str) -> Checked<Currency> {
    let known = || Currency::ALL.map(Currency::code).join(", ");
    Currency::from_code(code).ok_or_else(|| ConfigFault::value(key, format!("one of {}", known()), code))
}

fn amount(key: &str, text: &str, currency: Currency) -> Checked<Amount> {
    Amount::parse(text, currency).map_err(|fault| {
        ConfigFault::value(key, format!("an amount in {currency} such as 12.34 ({fault})"), text)
    })
}
