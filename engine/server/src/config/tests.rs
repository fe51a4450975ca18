//! The builtin file is sound and says what the defaults are; every fault names its key.

use super::raw::{RawChannels, RawConfig, RawData, RawEngine, RawLog, RawServer};
use super::traces::RawTraces;
use super::{BUILTIN, Config};
use crate::body_limits::BodyLimits;

#[test]
fn the_builtin_file_is_sound_and_shows_the_defaults() {
    let config = Config::builtin().unwrap();
    assert_eq!(config.platforms.len(), 1);
    assert_eq!(config.campaigns.len(), 1);
    assert_eq!(config.platforms[0].accounts.len(), 4);
    let raw: RawConfig = toml::from_str(BUILTIN).unwrap();
    assert_eq!(raw.server, RawServer::default());
    assert_eq!(raw.engine, RawEngine::default());
    assert_eq!(raw.data, RawData::default());
    assert_eq!(raw.channels, RawChannels::default());
    assert_eq!(raw.log, RawLog::default());
    assert_eq!(raw.traces, RawTraces::default());
    assert_eq!(config.traces, None);
    assert_eq!(raw.platform[0].routing.version, crate::wire::RulesIn::default().version);
    let policy = &config.platforms[0].policy;
    assert_eq!(*policy, suanpan_model::PlatformPolicy::defaults(policy.id));
}

#[test]
fn an_empty_file_is_a_configuration_without_platforms() {
    assert!(Config::parse("").unwrap().platforms.is_empty());
}

#[test]
fn events_are_kept_for_ninety_days_for_as_many_as_it_says_or_for_good() {
    let kept = |text: &str| Config::parse(text).unwrap().notifications.events_kept;
    let days = |days| Some(suanpan_model::DurationMs::from_days(days));
    let said = |days: u32| kept(&format!("[notifications]\nevents_kept_days = {days}"));
    assert_eq!((kept(""), Config::builtin().unwrap().notifications.events_kept), (days(90), days(90)));
    assert_eq!((said(1), said(36_500), said(0)), (days(1), days(36_500), None));
}

#[test]
fn every_fault_names_its_key_and_what_was_expected() {
    let platform = "[[platform]]\nid = 1\nname = \"p\"\n";
    let table: [(String, &[&str]); 39] = [
        ("[server]\nlisten = \"nowhere\"".into(), &["server.listen", "127.0.0.1:8080", "nowhere"]),
        ("[server]\nlisten = 5".into(), &["listen", "string"]),
        ("[server]\nbody_limit_kib = 0".into(), &["server.body_limit_kib", "from 1"]),
        ("[server]\nporridge = 1".into(), &["porridge", "expected", "listen"]),
        ("[engine]\nshards = 3".into(), &["engine.shards", "power of two"]),
        ("[engine]\nin_flight_max = 0".into(), &["engine.in_flight_max", "from 1"]),
        ("[traces]\ncollector = \"collector\"".into(), &["traces.collector", "http://127.0.0.1:4318"]),
        ("[traces]\ncollector = \"http://a:b@c\"".into(), &["traces.collector", "without user"]),
        ("[traces]\nsample_percent = 101".into(), &["traces.sample_percent", "from 0 to 100"]),
        ("[notifications]\nevents_kept_days = 36501".into(), &["events_kept_days", "from 0 to 36500"]),
        ("[data]\ndir = \"\"".into(), &["data.dir", "directory"]),
        ("[log]\nformat = \"xml\"".into(), &["log.format", "text or json"]),
        ("[log]\nlevel = \"a=b=c\"".into(), &["log.level", "directives"]),
        ("[[platform]]\nname = \"p\"".into(), &["id", "missing"]),
        ("[[platform]]\nid = 0\nname = \"p\"".into(), &["platform[0].id", "above zero"]),
        (format!("{platform}{platform}"), &["platform[1].id", "no earlier platform"]),
        (format!("{platform}split_cap = \"101%\""), &["platform[0].split_cap", "100%"]),
        (format!("{platform}split_cap = \"30\""), &["platform[0].split_cap", "percentage"]),
        (format!("{platform}fee_bearer = \"nobody\""), &["fee_bearer", "merchant", "platform"]),
        (format!("{platform}refunded_fee = \"burn\""), &["refunded_fee", "keep", "return"]),
        (format!("{platform}shortfall = \"forget\""), &["shortfall", "debt", "advance", "refuse"]),
        (format!("{platform}late_payment = \"keep\""), &["late_payment", "refund", "park", "reopen"]),
        (format!("{platform}auto_release_virtual_days = 0"), &["platform[0].auto_release_virtual_days", "1"]),
        (format!("{platform}coupon_fund = \"-1\""), &["platform[0].coupon_fund", "12.34"]),
        (format!("{platform}routing.order = [\"luck\"]"), &["routing.order[0]", "priority", "luck"]),
        (
            format!("{platform}routing.designations = [{{ bank = \"x\", channels = [] }}]"),
            &["routing.designations[0].bank", "capital letters"],
        ),
        (
            format!("{platform}routing.amount_bands = [{{ from = \"1.001\", channels = [] }}]"),
            &["routing.amount_bands[0].from", "more decimals"],
        ),
        (
            format!("{platform}account = [{{ kind = \"escrow\", reference = \"x\" }}]"),
            &["platform[0].account[0].kind", "settlement"],
        ),
        (
            format!("{platform}account = [{{ kind = \"cash\", reference = \"\" }}]"),
            &["platform[0].account[0].reference", "1 to 64"],
        ),
        (
            format!("{platform}body_limit_kib = 0"),
            &["platform[0].body_limit_kib", "from 1 to 256", "[server]"],
        ),
        (format!("{platform}body_limit_kib = 257"), &["platform[0].body_limit_kib", "from 1 to 256", "257"]),
        (
            format!("[server]\nbody_limit_kib = 8\n{platform}body_limit_kib = 9"),
            &["platform[0].body_limit_kib", "from 1 to 8"],
        ),
        (
            format!("{platform}batch_body_limit_mib = 17"),
            &["platform[0].batch_body_limit_mib", "from 1 to 16", "[server]"],
        ),
        (campaign("platform = 2"), &["campaign[0].platform", "[[platform]]"]),
        (format!("{platform}{}", campaign("platform = 1")), &["campaign[0].valid_until", "after valid_from"]),
        (format!("{platform}{}", campaign("platform = 1\ncap = \"1\"")), &["campaign[0].cap", "percent"]),
        (
            format!("{platform}{}", campaign("platform = 1\nfunders = [{ account = 5, percent = \"1\" }]")),
            &["account", "platform", "kind and reference"],
        ),
        (
            format!("{platform}account = [{{ kind = \"receivable\", reference = \"x\" }}]"),
            &["platform[0].account[0].kind", "settlement"],
        ),
        (format!("{platform}{}", campaign("platform = 1\nstock = -1")), &["stock", "u32"]),
    ];
    for (text, expected) in table {
        let fault = Config::parse(&text).expect_err(&text).to_string();
        for part in expected {
            assert!(fault.contains(part), "{fault:?} does not name {part:?}");
        }
    }
}

#[test]
fn a_platform_has_the_servers_limits_or_lower_ones_of_its_own() {
    let text = "[server]\nbody_limit_kib = 64\nbatch_body_limit_mib = 8\n\
                [[platform]]\nid = 1\nname = \"p\"\n\
                [[platform]]\nid = 2\nname = \"q\"\nbody_limit_kib = 64\nbatch_body_limit_mib = 3\n";
    let limits = |single_kib: usize, batch_mib: usize| BodyLimits {
        single_bytes: single_kib << 10,
        batch_bytes: batch_mib << 20,
    };
    let config = Config::parse(text).unwrap();
    assert_eq!(config.server.body_limits, limits(64, 8));
    let own: Vec<_> = config.platforms.iter().map(|platform| platform.body_limits).collect();
    assert_eq!(own, [limits(64, 8), limits(64, 3)]);
}

fn campaign(line: &str) -> String {
    let amounts = "face = \"5.00\"\nminimum_spend = \"30.00\"";
    let times = "valid_from = \"2026-01-01T00:00:00Z\"\nvalid_until = \"2026-01-01T00:00:00Z\"";
    format!("[[campaign]]\nid = 1\n{line}\n{amounts}\n{times}\n")
}

#[test]
fn what_a_platform_agreed_is_read() {
    let text = "[[platform]]\nid = 1\nname = \"p\"\nauto_release_virtual_days = 1\nrefunded_fee = \"return\"\n\
                shortfall = \"advance\"\nlate_payment = \"reopen\"";
    let policy = &Config::parse(text).unwrap().platforms[0].policy;
    assert_eq!(policy.auto_release_virtual, suanpan_model::DurationMs::from_days(1));
    let agreement = policy.agreement;
    assert_eq!(agreement.refunded_fee, suanpan_model::policy::RefundedFee::Return);
    assert_eq!(agreement.shortfall, suanpan_model::policy::Shortfall::Advance);
    assert_eq!(agreement.late_payment, suanpan_model::policy::LatePayment::Reopen);
}
