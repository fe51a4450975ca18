//! Routing over HTTP: rules put while orders flow, explained decisions, what-if, back-test, and a channel that sickens
//! and comes back.
#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

mod common;

use std::time::{Duration, Instant};

use common::{Answer, MALL, Shop, paid, with};
use serde_json::{Value, json};
use suanpan_server::text::time_text;
use tempfile::TempDir;

async fn put(shop: &Shop, rules: &Value) -> Answer {
    let client = reqwest::Client::new();
    shop.send(client.put(shop.url(&format!("{MALL}/routing/rules"))).json(rules)).await
}

async fn rules(shop: &Shop) -> Value {
    shop.get(&format!("{MALL}/routing/rules")).await.ok()
}

/// Food goes to fast, whatever the amount; everything else to slow.
fn by_category(version: u32) -> Value {
    json!({
        "version": version,
        "order": ["rules", "priority"],
        "priority": ["slow"],
        "rules": [{
            "name": "food",
            "when": [[{ "key": "category", "in": ["food"] }, { "key": "amount", "from": "1.00", "until": "500.00" }]],
            "channels": ["fast", "slow"],
        }],
    })
}

#[actix_web::test]
async fn rules_are_put_without_a_restart_explain_themselves_and_survive_one() {
    let shop = Shop::open().await;
    assert_eq!(rules(&shop).await["order"], json!(["designated", "priority"]));
    let answer = put(&shop, &by_category(5)).await.ok();
    assert_eq!((&answer["result"], &answer["version"]), (&json!("moved"), &json!(5)));
    assert!(answer["warnings"].to_string().contains("no rule decides"), "{answer}");
    assert_eq!(put(&shop, &by_category(5)).await.ok()["result"], "repeat");
    // What was put reads back, and putting that again changes nothing.
    assert_eq!(put(&shop, &rules(&shop).await).await.ok()["result"], "repeat");

    let food = shop.order(&with(paid("A1"), json!({ "category": "food", "holder": "person" }))).await;
    let told = shop.get(&format!("{MALL}/orders/{food}/explain")).await.ok();
    let decision = &told["attempts"][0]["decision"];
    assert_eq!((&decision["channel"], &decision["rule"]), (&json!("fast"), &json!("list")));
    assert_eq!((&decision["rules_version"], &decision["rule_no"]), (&json!(5), &json!(1)));
    assert!(decision["because"].to_string().contains("rule 1 (food) decided"), "{decision}");
    assert_eq!(decision["candidates"].as_array().unwrap().len(), 4);
    // A missing key is said, not silently false.
    let bare = shop.order(&paid("A2")).await;
    let told = shop.get(&format!("{MALL}/orders/{bare}/explain")).await.ok();
    let decision = &told["attempts"][0]["decision"];
    assert_eq!((&decision["channel"], &decision["missing"]), (&json!("slow"), &json!(["category"])));

    // What was in force for an order is told, whatever came after it; and after a restart.
    put(&shop, &json!({ "version": 6, "order": ["cost"] })).await.ok();
    let shop = Shop::open_in(shop.close().await).await;
    assert_eq!(rules(&shop).await["version"], 6);
    let told = shop.get(&format!("{MALL}/orders/{food}/explain")).await.ok();
    assert!(told.to_string().contains("rule 1 (food) decided"), "{told}");
}

#[actix_web::test]
async fn rules_that_cannot_work_are_refused_and_what_is_in_force_stays() {
    let shop = Shop::open().await;
    let before = rules(&shop).await;
    let rule = |rule: Value| json!({ "version": 9, "order": ["rules"], "rules": [rule] });
    let when = |condition: Value| rule(json!({ "name": "r", "channel": "fast", "when": [[condition]] }));
    let unreachable = json!({ "version": 9, "order": ["rules"], "rules": [
        { "name": "small", "strategy": "cost", "when": [[{ "key": "amount", "until": "100.00" }]] },
        { "name": "large", "strategy": "cost", "when": [[{ "key": "amount", "from": "100.00" }]] },
        { "name": "late", "channel": "fast", "when": [[{ "key": "amount", "from": "50.00", "until": "150.00" }]] },
    ] });
    let table = [
        (rule(json!({ "name": "r", "channel": "swift" })), 400, "invalid_field", "rules[0].channel"),
        (
            rule(json!({ "name": "r", "channel": "fast", "strategy": "cost" })),
            400,
            "invalid_field",
            "rules[0]",
        ),
        (when(json!({ "key": "luck", "in": ["x"] })), 400, "invalid_field", "rules[0].when[0][0].key"),
        (when(json!({ "key": "amount", "from": "1.001" })), 400, "invalid_field", "rules[0].when[0][0].from"),
        (
            when(json!({ "key": "merchant", "in": ["nobody"] })),
            400,
            "invalid_field",
            "rules[0].when[0][0].in[0]",
        ),
        (when(json!({ "key": "bank", "in": ["NOBANK"] })), 422, "invalid_rules", ""),
        (when(json!({ "key": "amount", "from": "5.00", "until": "5.00" })), 422, "invalid_rules", ""),
        (when(json!({ "key": "amount", "from": "200000.00" })), 422, "invalid_rules", ""),
        (
            rule(json!({ "name": "r", "split": [{ "channel": "fast", "weight": 0 }] })),
            422,
            "invalid_rules",
            "",
        ),
        (rule(json!({ "name": "r" })), 422, "invalid_rules", ""),
        (unreachable, 422, "invalid_rules", ""),
        (json!({ "version": 1, "order": ["cost"] }), 409, "rules_version", "version"),
        (json!({ "version": 9, "order": ["luck"] }), 400, "invalid_field", "order[0]"),
        (json!({ "version": 9, "rank": [] }), 400, "invalid_field", "rank"),
    ];
    for (body, status, code, field) in table {
        let answer = put(&shop, &body).await;
        let told = answer.problem();
        assert_eq!((told.0, told.1.as_str()), (status, code), "{body} {}", answer.text);
        if field != "rank" {
            assert_eq!(told.2, field, "{body}");
        }
        assert_eq!(rules(&shop).await, before);
    }
    let merchant = when(json!({ "key": "merchant", "in": ["M1"] }));
    put(&shop, &merchant).await.ok();
    let order = shop.order(&paid("A1")).await;
    assert_eq!(shop.life(&order).await["attempts"][0]["channel"], "fast");
}

#[actix_web::test]
async fn a_question_without_an_order_and_a_draft_on_recorded_orders() {
    let shop = Shop::open().await;
    put(&shop, &by_category(2)).await.ok();
    let question = json!({ "kind": "gateway", "amount": "100.00", "bank": "ICBC", "category": "food" });
    let told = shop.post(&format!("{MALL}/routing/what-if"), &question).await.ok();
    assert_eq!((&told["channel"], &told["rule_no"]), (&json!("fast"), &json!(1)));
    let tried = with(question.clone(), json!({ "tried": ["fast"] }));
    let told = shop.post(&format!("{MALL}/routing/what-if"), &tried).await.ok();
    assert_eq!(told["channel"], "slow");
    let later = with(question, json!({ "tried": ["nowhere"] }));
    let told = shop.post(&format!("{MALL}/routing/what-if"), &later).await;
    assert_eq!(told.problem(), (404, "unknown_channel".into(), "tried".into()));

    // Two orders that end, one of them food: the archive has them.
    for (order_no, category) in [("A1", "food"), ("A2", "food"), ("A3", "toys")] {
        let order = with(paid(order_no), json!({ "category": category, "escrow": false }));
        let id = shop.order(&order).await;
        if category == "food" {
            shop.until(&id, |life| life["status"] == "settled").await;
        } else {
            shop.post(&format!("{MALL}/orders/{id}/close"), &json!({})).await;
        }
    }
    let began = Instant::now();
    while shop.engine.stats().archive_lag > 0 || shop.engine.stats().live_orders > 1 {
        assert!(began.elapsed() < Duration::from_secs(20), "the archive takes too long");
        actix_rt::time::sleep(Duration::from_millis(20)).await;
    }
    let draft = json!({ "rules": { "version": 3, "order": ["priority"], "priority": ["slow"] } });
    let lines = lines(&shop.post(&format!("{MALL}/routing/back-test"), &draft).await);
    let changes: Vec<&Value> = lines.iter().filter_map(|line| line.get("change")).collect();
    assert_eq!(changes.len(), 2, "{lines:?}");
    assert_eq!((&changes[0]["order_no"], &changes[0]["was"]["channel"]), (&json!("A1"), &json!("fast")));
    assert_eq!(changes[0]["draft"]["channel"], "slow");
    let summary = &lines.last().unwrap()["summary"];
    assert_eq!((&summary["changed"], &summary["lost"]), (&json!(2), &json!(0)), "{summary}");

    // The same from lines that the caller brings.
    let order = json!({
        "at": "2026-11-22T06:05:36Z", "order_no": "B1", "amount": "10.00", "kind": "gateway", "bank": "CMB",
        "channel": "fast", "fee": "0.10", "outcome": "paid",
    });
    let brought = with(draft, json!({ "orders": [order] }));
    let told = self::lines(&shop.post(&format!("{MALL}/routing/back-test"), &brought).await);
    assert_eq!(told.last().unwrap()["summary"]["channels"][0]["draft_orders"], 1, "{told:?}");
    // A draft changes nothing.
    assert_eq!(rules(&shop).await["version"], 2);
}

fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(
        (answer.status, answer.content_type.as_str()),
        (200, "application/x-ndjson"),
        "{}",
        answer.text
    );
    answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// One metric of a channel.
async fn metric(shop: &Shop, name: &str, channel: &str) -> String {
    let text = shop.get("/metrics").await.text;
    let start = format!("suanpan_channel_{name}{{channel=\"{channel}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned);
    line.unwrap_or_else(|| panic!("no {start} in\n{text}"))
}

#[actix_web::test]
async fn a_channel_sickens_traffic_leaves_it_and_probes_bring_it_back() {
    const OUT_FOR: Duration = Duration::from_secs(6);
    let dir = TempDir::new().unwrap();
    let descriptors = dir.path().join("sick.toml");
    let from = suanpan_model::TimestampMs(1_000);
    let clock = suanpan_runtime::clock::SystemClock::default();
    let now = suanpan_runtime::clock::Clock::now(&clock);
    let until = now + suanpan_model::DurationMs(u64::try_from(OUT_FOR.as_millis()).unwrap());
    let outage = format!(
        "[channel.simulator]\noutage = {{ from = {}, until = {} }}\n",
        time_text(from),
        time_text(until)
    );
    let health = "[channel.conditions.health]\nwindow = 8\nfaults_min = 4\nopen_ms = 1500\nprobes = 2\n";
    // The second channel, `fast`, is the one that is out.
    let text = include_str!("common/channels.toml");
    let (first, rest) = text.split_once("name = \"fast\"").unwrap();
    let (second, third) = rest.split_once("\n[[channel]]").unwrap();
    let text = format!("{first}name = \"fast\"{second}\n{health}{outage}\n[[channel]]{third}");
    std::fs::write(&descriptors, text).unwrap();
    let open = |dir: TempDir| {
        let descriptors = descriptors.clone();
        Shop::open_with(dir, move |config| config.channels.file = Some(descriptors.clone()))
    };
    let shop = open(dir).await;
    put(&shop, &json!({ "version": 2, "order": ["priority"], "priority": ["fast", "slow"] })).await.ok();
    assert_eq!(metric(&shop, "circuit_closed", "fast").await, "1");

    // It sickens: each order fails there and goes on to the other, until nobody is sent there any more.
    let mut first_channels = Vec::new();
    for n in 0..6 {
        let order = shop.order(&paid(&format!("A{n}"))).await;
        let life = shop.until(&order, |life| life["status"] == "pending").await;
        first_channels.push(life["attempts"][0]["channel"].as_str().unwrap().to_owned());
        actix_rt::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(&first_channels[..4], ["fast"; 4], "the circuit opens with the fourth fault");
    assert_eq!(first_channels[5], "slow", "traffic has left it: {first_channels:?}");
    assert_eq!(metric(&shop, "circuit_closed", "fast").await, "0");
    assert_eq!(metric(&shop, "circuit_opened_total", "fast").await, "1");
    let told = shop.get(&format!("{MALL}/orders/no:A5/explain")).await.ok();
    assert!(told.to_string().contains("fast is not healthy: its circuit is open"), "{told}");

    // A restart does not forget that.
    let shop = open(shop.close().await).await;
    assert_eq!(metric(&shop, "circuit_closed", "fast").await, "0");
    let channels = shop.get("/v1/channels").await.ok();
    assert_eq!(channels["channels"][1]["standing"]["circuit"], "open", "{channels}");

    // Probes go there again and again; when the outage is over they bring the channel back.
    let began = Instant::now();
    let mut n = 100;
    while metric(&shop, "circuit_closed", "fast").await == "0" {
        assert!(began.elapsed() < Duration::from_secs(40), "it never comes back");
        shop.order(&paid(&format!("A{n}"))).await;
        n += 1;
        actix_rt::time::sleep(Duration::from_millis(100)).await;
    }
    let order = shop.order(&paid("B1")).await;
    let life = shop.until(&order, |life| life["status"] == "frozen").await;
    assert_eq!(life["attempts"][0]["channel"], "fast");
    let opened: u32 = metric(&shop, "circuit_opened_total", "fast").await.parse().unwrap();
    assert!(opened >= 2, "a probe that failed opened it again");
    shop.assert_balanced().await;
}
