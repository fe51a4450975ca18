//! Bytes of any kind as requests and configurations: they are refused in words or taken, and nothing else. `cargo test`
//! replays the corpora beside this file (`__fuzz__`) and goes on from there for a bounded number of inputs.

use suanpan_server::config::{BUILTIN, Config};
use suanpan_server::wire::{
    AccountIn, BatchIn, NotificationIn, OrderIn, RefundIn, ReleaseIn, SmsCodeIn, TopUpIn, WhatIfIn,
};

/// Inputs of each target in one run.
const INPUTS: usize = 2_000;

const ORDER: &str = r#"{"order_no":"A-1","payer":"b1","amount":"128.00","currency":"CNY","kind":"gateway","bank":"ICBC","card_type":"debit","description":"tea","expires_at":"2026-12-01T00:00:00Z","escrow":true,"coupon":{"campaign":1,"subsidy":"5.00"},"sub_orders":[{"merchant":"m1","amount":"128.00"}],"splits":[{"receiver":{"type":"commission_income"},"bps":500},{"receiver":{"type":"commission","reference":"a1"},"amount":"2.00"}],"callback":"https://mall.example/","metadata":{"a":"b"}}"#;

fn read(bytes: &[u8]) {
    drop(serde_json::from_slice::<OrderIn<'_>>(bytes));
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
