//! Bytes of any kind as requests and configurations: they are refused in words or taken, and nothing else. `cargo test`
//! replays the corpora beside this file (`__fuzz__`) and goes on from there for a bounded number of inputs.
#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

use std::sync::Arc;

use suanpan_model::{AccountId, AccountType, Campaign, CampaignId, DurationMs, PlatformId, TimestampMs};
use suanpan_server::config::{BUILTIN, Config};
use suanpan_server::wire::{
    AccountIn, BatchIn, Lookup, NotificationIn, OrderContext, OrderIn, RefundIn, ReleaseIn, SmsCodeIn,
    TopUpIn, WhatIfIn, campaign, terms,
};

/// Inputs of each target in one run.
const INPUTS: usize = 2_000;

const ORDER: &str = r#"{"order_no":"A-1","payer":"b1","amount":"128.00","currency":"CNY","kind":"gateway","bank":"ICBC","card_type":"debit","description":"tea","expires_at":"2026-12-01T00:00:00Z","escrow":true,"coupon":{"campaign":1,"subsidy":"5.00"},"sub_orders":[{"merchant":"m1","amount":"128.00"}],"splits":[{"receiver":{"type":"commission_income"},"bps":500},{"receiver":{"type":"commission","reference":"a1"},"amount":"2.00"}],"callback":"https://mall.example/","metadata":{"a":"b"}}"#;

/// A mall on which every name leads to an account, and none to a campaign.
struct Everybody;

impl Lookup for Everybody {
    fn account(&self, kind: AccountType, reference: &str) -> Option<AccountId> {
        Some(AccountId::opened(kind, reference.len() as u64 + 1, 0))
    }

    fn campaign(&self, _id: CampaignId) -> Option<Arc<Campaign>> {
        None
    }
}

/// Reads an order as the API does, down to its terms; what is refused names what was expected.
fn read_order(order: &OrderIn<'_>) {
    let context = OrderContext {
        platform: PlatformId(9_001),
        now: TimestampMs(1_795_327_536_000),
        order_ttl: DurationMs::from_secs(1_800),
        lookup: &Everybody,
    };
    match terms(order, &context) {
        Ok(parsed) => assert!(!parsed.terms.amount.is_zero() && !parsed.terms.sub_orders.is_empty()),
        Err(refusal) => assert!(!refusal.expected.is_empty() && !refusal.field.is_empty()),
    }
}

fn read(bytes: &[u8]) {
    if let Ok(order) = serde_json::from_slice::<OrderIn<'_>>(bytes) {
        read_order(&order);
    }
    if let Ok(written) = serde_json::from_slice(bytes) {
        drop(campaign(&written, PlatformId(9_001)));
    }
    drop(serde_json::from_slice::<BatchIn<OrderIn<'_>>>(bytes));
    drop(serde_json::from_slice::<ReleaseIn<'_>>(bytes));
    drop(serde_json::from_slice::<RefundIn<'_>>(bytes));
    drop(serde_json::from_slice::<SmsCodeIn<'_>>(bytes));
    drop(serde_json::from_slice::<NotificationIn<'_>>(bytes));
    drop(serde_json::from_slice::<AccountIn<'_>>(bytes));
    drop(serde_json::from_slice::<TopUpIn<'_>>(bytes));
    drop(serde_json::from_slice::<WhatIfIn<'_>>(bytes));
}

/// As they come, and as changes of a request that is right: three bytes an edit.
#[test]
fn requests() {
    bolero::check!().with_iterations(INPUTS).for_each(|bytes: &[u8]| {
        read(bytes);
        let mut text = ORDER.as_bytes().to_vec();
        for [place, how, value] in bytes.as_chunks::<3>().0.iter().take(24) {
            let place = usize::from(*place) * 2 % text.len().max(1);
            match how % 4 {
                0 => text[place] = *value,
                1 => text.insert(place, *value),
                2 => drop(text.remove(place)),
                _ => text.truncate(place.max(2)),
            }
            if text.is_empty() {
                break;
            }
        }
        read(&text);
    });
}

/// Routing rules, platforms, channels: the whole configuration.
#[test]
fn configurations() {
    let lines: Vec<&str> = BUILTIN.lines().collect();
    bolero::check!().with_iterations(INPUTS / 4).for_each(|bytes: &[u8]| {
        drop(Config::parse(&String::from_utf8_lossy(bytes)));
        let mut text = String::new();
        for (place, line) in lines.iter().enumerate() {
            match bytes.get(place % bytes.len().max(1)).map(|byte| byte % 32) {
                Some(0) => {}
                Some(1) => text.push_str(&format!("{line}\n{line}\n")),
                Some(2) => text.push_str(&format!("{line}{}\n", String::from_utf8_lossy(bytes))),
                Some(_) | None => text.push_str(&format!("{line}\n")),
            }
        }
        drop(Config::parse(&text));
    });
}

/// Requests that are right, and some that came close in reviews and attacks: where fuzzing begins.
/// `cargo test -p suanpan-server --test fuzz -- --ignored write_corpora`.
#[test]
#[ignore = "writes the corpora"]
fn write_corpora() {
    let nested = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let requests: [(&str, &str); 16] = [
        ("order", ORDER),
        (
            "smallest-order",
            r#"{"order_no":"A","payer":"b","amount":"0.01","kind":"gateway","merchant":"M1"}"#,
        ),
        (
            "batch",
            r#"{"orders":[{"order_no":"A","payer":"b","amount":"1","kind":"balance","merchant":"M1"},{}]}"#,
        ),
        (
            "release",
            r#"{"release_no":"L-1","sub_order":0,"amount":"12.34","payees":[{"account":{"kind":"cash","reference":"U1"},"amount":"1.00"}]}"#,
        ),
        ("refund", r#"{"refund_no":"R-1","sub_order":1,"amount":"0.10","currency":"CNY"}"#),
        ("sms-code", r#"{"sms_code":"123456"}"#),
        ("account", r#"{"kind":"settlement","reference":"M1","currency":"USD"}"#),
        ("top-up", r#"{"reference":"T-1","amount":"100.00"}"#),
        (
            "campaign",
            r#"{"id":7,"percent":"10%","cap":"5.00","minimum_spend":"30.00","valid_from":"2026-01-01T00:00:00Z","valid_until":"2027-01-01T00:00:00Z","funders":[{"account":"platform","percent":"60%"},{"account":{"kind":"marketing","reference":"K1"},"percent":"40%"}],"stock":100}"#,
        ),
        (
            "question",
            r#"{"kind":"quick_pay","amount":"99.99","bank":"CMB","card_type":"credit","tried":["slow"]}"#,
        ),
        (
            "largest-amount",
            r#"{"order_no":"A","payer":"b","amount":"184467440737095516.15","kind":"gateway","merchant":"M1"}"#,
        ),
        ("number-for-text", r#"{"order_no":1,"payer":true,"amount":12.34,"kind":null,"merchant":[]}"#),
        (
            "field-twice",
            r#"{"order_no":"A","order_no":"B","payer":"b","amount":"1","kind":"gateway","merchant":"M1"}"#,
        ),
        ("escapes", "{\"order_no\":\"\\u0000\\ud83d\\ude00\\ud800\",\"payer\":\"\\u202e\",\"amount\":\"١\"}"),
        ("list-for-object", r#"["A","b","1.00","CNY","gateway"]"#),
        ("nested", &nested),
    ];
    for (name, text) in requests {
        write("requests", name, text);
    }
    write("configurations", "builtin", BUILTIN);
    write(
        "configurations",
        "platform-twice",
        "[[platform]]\nid = 1\nname = \"a\"\n[[platform]]\nid = 1\nname = \"b\"\n",
    );
}

fn write(target: &str, name: &str, text: &str) {
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/__fuzz__").join(target).join("corpus");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), text).unwrap();
}
