//! Every refusal that HTTP can reach, and the accounts, statements and operator's pages.
#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

mod common;

use common::{MALL, Shop, paid, waiting, with};
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use suanpan_server::body_limits::BodyLimits;
use tempfile::TempDir;

const JSON: &str = "application/json";

#[actix_web::test]
async fn paths_methods_and_bodies_that_are_not_taken() {
    let shop = Shop::open().await;
    assert_eq!(shop.get("/nowhere").await.problem().1, "not_found");
    assert_eq!(shop.get("/v1/platforms/9001/orders/1/nothing").await.problem().0, 404);
    let answer = shop.get(&format!("{MALL}/orders/1/confirm")).await;
    assert_eq!((answer.problem().1.as_str(), answer.allow.as_deref()), ("method_not_allowed", Some("POST")));
    let answer = shop.request(Method::DELETE, &format!("{MALL}/orders")).await;
    assert_eq!((answer.problem().0, answer.allow.as_deref()), (405, Some("GET, POST")));
    let answer = shop.request(Method::DELETE, "/health/live").await;
    assert_eq!((answer.problem().0, answer.allow.as_deref()), (405, Some("GET")));

    let path = format!("{MALL}/orders");
    let table: [(&str, Vec<u8>, u16, &str, &str); 11] = [
        ("", b"{}".to_vec(), 415, "unsupported_media_type", ""),
        ("text/plain", b"{}".to_vec(), 415, "unsupported_media_type", ""),
        ("application/x-www-form-urlencoded", b"a=b".to_vec(), 415, "unsupported_media_type", ""),
        (JSON, b"".to_vec(), 400, "malformed", ""),
        (JSON, b"{\"order_no\": ".to_vec(), 400, "malformed", ""),
        (JSON, b"{\"order_no\": \"\xff\"}".to_vec(), 400, "malformed", ""),
        (JSON, b"null".to_vec(), 400, "invalid_field", ""),
        (JSON, b"[\"a\"]".to_vec(), 400, "invalid_field", ""),
        (JSON, b"{\"amount\": 1.5}".to_vec(), 400, "invalid_field", "amount"),
        (JSON, vec![b'['; 10_000], 400, "invalid_field", ""),
        (JSON, [b"{\"metadata\":".as_slice(), &[b'['; 9_000]].concat(), 400, "invalid_field", "metadata"),
    ];
    for (content_type, body, status, code, field) in table {
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        let problem = shop.post_text(&path, content_type, body).await.problem();
        assert_eq!(problem, (status, code.to_owned(), field.to_owned()), "{shown}");
    }
    let huge = format!("{{\"order_no\": \"{}\"}}", "x".repeat(17 * 1_024));
    assert_eq!(shop.post_text(&path, JSON, huge.clone()).await.problem().1, "too_large");
    // A batch may be larger, up to its own limit.
    let batch = format!("{{\"orders\": [{huge}]}}");
    let answer = shop.post_text(&format!("{path}/batch"), JSON, batch).await.ok();
    assert_eq!(answer["results"][0]["problem"]["field"], "order_no");
    let batch = format!("{{\"orders\": [\"{}\"]}}", "x".repeat(1 << 20));
    assert_eq!(shop.post_text(&format!("{path}/batch"), JSON, batch).await.problem().0, 413);
    assert_eq!(shop.get("/health/live").await.status, 200);
    for (query, field) in [("wait=5", "wait"), ("wait_ms=-5", "wait_ms"), ("wait_ms=5001", "wait_ms")] {
        let problem = shop.post(&format!("{path}?{query}"), &waiting("X")).await.problem();
        assert_eq!((problem.1.as_str(), problem.2.as_str()), ("invalid_field", field), "{query}");
    }
    // A list of the fields' values is no object, at any depth.
    let lists = [
        ("orders/batch", json!({ "orders": [["A", "alice", "1.00"]] })),
        ("routing/rules", json!({ "version": 9, "rules": [["name"]] })),
        ("routing/rules", json!({ "version": 9, "amount_bands": [["1.00", "2.00", ["slow"]]] })),
        (
            "routing/rules",
            json!({ "version": 9, "rules": [{ "name": "a", "when": [[["amount", "1.00"]]] }] }),
        ),
        ("routing/rules", json!({ "version": 9, "rules": [{ "name": "a", "split": [["slow", 1]] }] })),
        ("routing/rules", json!({ "version": 9, "scoring": ["5%"] })),
        ("routing/back-test", json!({ "rules": [1] })),
        ("routing/back-test", json!({ "rules": {}, "orders": [["2026-01-01T00:00:00Z"]] })),
    ];
    for (path, body) in lists {
        let method = if path == "routing/rules" { Method::PUT } else { Method::POST };
        let answer = shop.call(method, &format!("{MALL}/{path}"), Some(&body)).await;
        let said =
            if path == "orders/batch" { answer.ok()["results"][0]["problem"].clone() } else { answer.json() };
        assert_eq!(said["code"], "invalid_field", "{body}: {}", answer.text);
    }
    shop.close().await;
}

#[actix_web::test]
async fn a_platform_with_smaller_bodies_is_told_what_it_may_send() {
    let small = BodyLimits { single_bytes: 4 << 10, batch_bytes: 9_000 };
    let shop =
        Shop::open_with(TempDir::new().unwrap(), |config| config.platforms[1].body_limits = small).await;
    let bodies = [json!({ "description": "x".repeat(5_000) }), json!({ "orders": ["x".repeat(10_000)] })];
    let table = [
        // platform, below it, what is refused for its size
        ("9001", ["orders", "orders/batch"], [None, None]),
        (
            "9002",
            ["orders", "orders/batch"],
            [Some("a body of at most 4 KiB"), Some("a body of at most 9000 bytes; send fewer at once")],
        ),
    ];
    for (platform, paths, expected) in table {
        for ((path, body), expected) in paths.iter().zip(&bodies).zip(expected) {
            let path = format!("/v1/platforms/{platform}/{path}");
            let answer = shop.post(&path, body).await;
            let is_refused = answer.status == 413 && answer.problem().1 == "too_large";
            let told = is_refused.then(|| answer.json()["detail"].as_str().unwrap().to_owned());
            assert_eq!(told.as_deref(), expected, "{path}: {}", answer.text);
        }
    }
    // What the smaller limit allows is taken, also under a key.
    let order = with(waiting("S1"), json!({ "merchant": "N1", "description": "x".repeat(200) }));
    let key = HeaderValue::from_static("S1");
    let request = shop.client().post(shop.url("/v1/platforms/9002/orders")).json(&order);
    assert_eq!(shop.send(request.header("Idempotency-Key", key)).await.status, 201);
}

#[actix_web::test]
async fn every_code_of_an_order_that_is_refused() {
    let shop = Shop::open().await;
    let many: Vec<Value> = (0..51).map(|_| json!({ "receiver": "platform", "percent": "0.1" })).collect();
    let table = [
        (json!({ "order_no": null }), "missing_field"),
        (json!({ "amount": "1e3" }), "invalid_field"),
        (json!({ "amount": "0" }), "amount_zero"),
        (json!({ "amount": "0.001" }), "amount_decimals"),
        (json!({ "amount": "99999999999" }), "amount_too_large"),
        (json!({ "amount": "200000" }), "no_channel"),
        (json!({ "currency": "XAU" }), "unknown_currency"),
        (json!({ "currency": "USD" }), "currency_mismatch"),
        (json!({ "bank": "BOC" }), "unknown_bank"),
        (json!({ "merchant": "M9" }), "unknown_account"),
        (json!({ "coupons": [{ "campaign": 9 }] }), "unknown_campaign"),
        (json!({ "coupons": [{ "campaign": 2 }] }), "coupon_expired"),
        (json!({ "coupons": [{ "campaign": 1 }], "amount": "29.99" }), "coupon_minimum_spend"),
        (json!({ "coupons": [{ "campaign": 3 }], "amount": "50.00" }), "coupon_over_price"),
        (json!({ "coupons": [{ "campaign": 1 }, { "campaign": 3 }] }), "coupon_not_stackable"),
        (json!({ "coupons": [{ "campaign": 1 }, { "campaign": 1 }] }), "invalid_field"),
        (json!({ "expires_at": "2024-01-01T00:00:00Z" }), "invalid_expiry"),
        (json!({ "kind": "quick_pay" }), "missing_field"),
        (
            json!({ "splits": [{ "receiver": { "kind": "deposit", "reference": "D1" }, "percent": "1" }] }),
            "account_type_not_allowed",
        ),
        (json!({ "splits": [{ "receiver": "platform", "percent": "30.01" }] }), "split_over_cap"),
        (json!({ "splits": [{ "receiver": "platform", "fixed": "100.01" }] }), "split_over_whole"),
        (json!({ "splits": many }), "split_too_many"),
        (json!({ "splits": [{ "receiver": "platform", "remainder": true }] }), "split_over_cap"),
        (
            json!({ "splits": [
                { "receiver": "platform", "remainder": true }, { "receiver": "platform", "remainder": true },
            ] }),
            "invalid_field",
        ),
        (
            json!({ "splits": [
                { "receiver": "platform", "percent": "10" },
                { "receiver": "platform", "fixed": "10.01", "within": 0 },
            ] }),
            "split_over_whole",
        ),
        (
            json!({ "merchant": null, "sub_orders": [{ "merchant": "M1", "amount": "1.00" }] }),
            "amount_mismatch",
        ),
    ];
    for (place, (changes, code)) in table.into_iter().enumerate() {
        let body = with(waiting(&format!("F{place}")), changes);
        let problem = shop.post(&format!("{MALL}/orders"), &body).await.problem();
        assert_eq!(problem.1, code, "{body}");
    }
    assert_eq!(shop.engine.stats().created, 0);
    let unknown = ["/v1/platforms/7/orders", "/v1/platforms/x/orders", "/v1/platforms/99999999999/orders"];
    for path in unknown {
        assert_eq!(shop.post(path, &waiting("A")).await.problem().1, "unknown_platform");
    }
    shop.close().await;
}

#[actix_web::test]
async fn more_than_the_engine_can_hold_is_busy_and_can_be_sent_again() {
    let few = |config: &mut suanpan_server::Config| config.engine.in_flight_max = 6;
    let shop = Shop::open_with(tempfile::TempDir::new().unwrap(), few).await;
    let orders: Vec<Value> = (0..10).map(|place| waiting(&format!("Z{place}"))).collect();
    let answer = shop.post(&format!("{MALL}/orders/batch"), &json!({ "orders": orders })).await.ok();
    let results = answer["results"].as_array().unwrap();
    // A quarter of the places, here one, is kept for commands to orders that exist.
    assert_eq!(results.iter().filter(|result| result["status"] == 201).count(), 5, "{answer}");
    let busy: Vec<&Value> = results.iter().filter(|result| result["status"] == 503).collect();
    assert_eq!(busy.len(), 5, "{answer}");
    assert_eq!(busy[0]["problem"]["code"], "busy");
    for (order, result) in orders.iter().zip(results) {
        let expected = if result["status"] == 201 { 200 } else { 201 };
        assert_eq!(shop.post(&format!("{MALL}/orders"), order).await.status, expected);
    }
    shop.close().await;
}

#[actix_web::test]
async fn an_order_belongs_to_its_platform() {
    let shop = Shop::open().await;
    let foreign = |changes: Value| with(with(waiting("Y1"), json!({ "merchant": "N1" })), changes);
    let two = json!([{ "receiver": "platform", "percent": "1" }, { "receiver": "platform", "percent": "1" }]);
    for (changes, code) in [
        (json!({ "merchant": "M1" }), "unknown_account"),
        (json!({ "coupons": [{ "campaign": 1 }] }), "unknown_campaign"),
        (json!({ "splits": two }), "split_too_many"),
    ] {
        let body = foreign(changes);
        assert_eq!(shop.post("/v1/platforms/9002/orders", &body).await.problem().1, code, "{body}");
    }
    let order = shop.order(&waiting("Q1")).await;
    for path in [
        format!("{MALL}/orders/1"),
        format!("{MALL}/orders/x"),
        format!("{MALL}/orders/-1"),
        format!("{MALL}/orders/no:Q9"),
        format!("{MALL}/orders/99999999999999999999999"),
        format!("/v1/platforms/9002/orders/{order}"),
        "/v1/platforms/9002/orders/no:Q1".to_owned(),
    ] {
        assert_eq!(shop.get(&path).await.problem().1, "unknown_order", "{path}");
    }
    let close = format!("/v1/platforms/9002/orders/{order}/close");
    assert_eq!(shop.post(&close, &json!({})).await.problem().1, "unknown_order");
    let foreign = "/v1/platforms/9002/accounts/settlement/M1";
    assert_eq!(shop.get(foreign).await.problem().1, "unknown_account");
    let confirm = format!("{MALL}/orders/{order}/confirm");
    assert_eq!(shop.post(&confirm, &json!({})).await.problem().1, "illegal_state");
    shop.close().await;
}

#[actix_web::test]
async fn accounts_are_opened_topped_up_and_told() {
    let shop = Shop::open().await;
    let path = format!("{MALL}/accounts");
    let wanted = json!({ "kind": "cash", "reference": "U 7/8", "currency": "CNY" });
    let opened = shop.post(&path, &wanted).await;
    assert_eq!(opened.status, 201, "{}", opened.text);
    let again = shop.post(&path, &wanted).await;
    assert_eq!((again.status, &again.text), (200, &opened.text));
    let table = [
        (json!({ "kind": "cash", "reference": "U 7/8", "currency": "USD" }), "account_exists"),
        (json!({ "kind": "purse", "reference": "a" }), "invalid_field"),
        (json!({ "kind": "escrow", "reference": "a" }), "account_type_not_allowed"),
        (json!({ "kind": "coupon_stock", "reference": "a" }), "account_type_not_allowed"),
        (json!({ "kind": "cash", "reference": "a", "parent": ["cash", "U1"] }), "invalid_field"),
        (json!({ "kind": "cash", "reference": "" }), "missing_field"),
        (json!({ "kind": "cash", "reference": "a\nb" }), "invalid_field"),
        (json!({ "kind": "cash" }), "missing_field"),
        (json!({ "kind": "cash", "reference": "a", "currency": "XXX" }), "unknown_currency"),
        (
            json!({ "kind": "cash", "reference": "a", "parent": { "kind": "cash", "reference": "zz" } }),
            "invalid_parent",
        ),
    ];
    for (body, code) in table {
        assert_eq!(shop.post(&path, &body).await.problem().1, code, "{body}");
    }
    let top_ups = format!("{path}/cash/U%207%2F8/top-ups");
    let top_up = json!({ "reference": "t1", "amount": "12.30" });
    let first = shop.post(&top_ups, &top_up).await;
    let second = shop.post(&top_ups, &top_up).await;
    assert_eq!((first.status, &first.text), (second.status, &second.text));
    let table = [
        (json!({ "reference": "t1", "amount": "12.31" }), "idempotency_conflict"),
        (json!({ "reference": "t2", "amount": "0" }), "amount_zero"),
        (json!({ "reference": "t2", "amount": "1", "currency": "USD" }), "currency_mismatch"),
        (json!({ "amount": "1" }), "missing_field"),
    ];
    for (body, code) in table {
        assert_eq!(shop.post(&top_ups, &body).await.problem().1, code, "{body}");
    }
    let escrow = format!("{path}/escrow/CNY/top-ups");
    assert_eq!(shop.post(&escrow, &top_up).await.problem().1, "account_type_not_allowed");

    let balance = shop.get(&format!("{path}/cash/U%207%2F8")).await.ok();
    assert_eq!((&balance["balance"], &balance["reference"]), (&json!("12.30"), &json!("U 7/8")));
    let by_id = shop.get(&format!("/v1/accounts/{}", balance["account"].as_str().unwrap())).await.ok();
    assert_eq!(by_id, balance);
    for path in ["/v1/accounts/0", "/v1/accounts/x", "/v1/accounts/72057594037927999"] {
        assert_eq!(shop.get(path).await.problem().1, "unknown_account", "{path}");
    }
    for name in ["cash/nobody", "purse/U1", "escrow/XXX", "channel_clearing/CNY"] {
        assert_eq!(shop.get(&format!("{path}/{name}")).await.problem().1, "unknown_account", "{name}");
    }
    shop.close().await;
}

#[actix_web::test]
async fn a_statement_is_read_page_by_page_without_loss_or_repeat() {
    let shop = Shop::open().await;
    for place in 1..=7 {
        let top_up = json!({ "reference": format!("t{place}"), "amount": format!("{place}.00") });
        shop.post(&format!("{MALL}/accounts/cash/U1/top-ups"), &top_up).await.ok();
    }
    for path in
        [format!("{MALL}/accounts/cash/U1/entries"), format!("{MALL}/accounts/coupon_fund/CNY/entries")]
    {
        let whole = shop.get(&path).await.ok();
        let whole = whole["entries"].as_array().unwrap();
        for limit in 1..=4 {
            let mut read = Vec::new();
            let mut after = "0".to_owned();
            loop {
                let page = shop.get(&format!("{path}?limit={limit}&after={after}")).await.ok();
                read.extend(page["entries"].as_array().unwrap().clone());
                let Some(next) = page["next"].as_str() else { break };
                after = next.to_owned();
            }
            assert_eq!(&read, whole, "{path} {limit}");
        }
    }
    let path = format!("{MALL}/accounts/cash/U1/entries");
    let whole = shop.get(&path).await.ok();
    assert_eq!(whole["entries"].as_array().unwrap().len(), 7);
    assert_eq!(whole["entries"][6]["balance"], "28.00");
    let none = shop.get(&format!("{path}?until=2024-01-01T00:00:00Z")).await.ok();
    assert_eq!(none["entries"], json!([]));
    let all = shop.get(&format!("{path}?from=2024-01-01T00:00:00Z")).await.ok();
    assert_eq!(all, whole);
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("from=today", "from"),
        ("after=x", "after"),
        ("cursor=1", "cursor"),
        ("limit=1&limit=2", "limit"),
    ] {
        let problem = shop.get(&format!("{path}?{query}")).await.problem();
        assert_eq!((problem.1.as_str(), problem.2.as_str()), ("invalid_field", field), "{query}");
    }
    shop.close().await;
}

#[actix_web::test]
async fn a_route_is_told_without_an_order() {
    let shop = Shop::open().await;
    let path = format!("{MALL}/routing/what-if");
    let question = json!({ "kind": "gateway", "amount": "100.00", "bank": "CMB", "card_type": "debit" });
    let route = shop.post(&path, &question).await.ok();
    assert_eq!(
        (&route["channel"], &route["rule"], &route["fee"]),
        (&json!("fast"), &json!("designated"), &json!("1.00"))
    );
    assert_eq!(route["candidates"][2], json!({ "channel": "shut", "verdict": "disabled", "fee": null }));
    let answer = shop.post(&path, &with(question.clone(), json!({ "amount": "100000.01" }))).await;
    assert_eq!(answer.problem().1, "no_channel");
    let because = answer.json()["because"].to_string();
    assert!(because.contains("slow does not take so large an amount"), "{because}");
    let table = [
        (json!({ "bank": "BOC" }), "unknown_bank"),
        (json!({ "card_type": "gold" }), "invalid_field"),
        (json!({ "kind": "cheque" }), "invalid_field"),
        (json!({ "amount": "-1" }), "invalid_field"),
        (json!({ "amount": null }), "missing_field"),
        (json!({ "kind": "balance" }), "no_channel"),
    ];
    for (changes, code) in table {
        let body = with(question.clone(), changes);
        assert_eq!(shop.post(&path, &body).await.problem().1, code, "{body}");
    }
    assert_eq!(shop.engine.stats().created, 0);
    shop.close().await;
}

#[actix_web::test]
async fn the_operators_pages() {
    let shop = Shop::open().await;
    let order = shop.order(&paid("O1")).await;
    shop.until(&order, |life| life["status"] == "frozen").await;
    assert_eq!(shop.get("/health/ready").await.ok()["status"], "ready");
    let channels = shop.get("/v1/channels").await.ok();
    assert_eq!(channels["channels"][0]["tariff"]["debit"][0]["rate_percent"], "1.0000");
    let trial = shop.get("/v1/trial-balance").await.ok();
    assert_eq!((&trial["balanced"], &trial["sums"]["CNY"]), (&json!(true), &json!("0.00")), "{trial}");
    let metrics = shop.get("/metrics").await;
    assert!(metrics.content_type.starts_with("text/plain"));
    assert!(metrics.text.contains("suanpan_orders_created_total 1"), "{}", metrics.text);
    let posted = "suanpan_http_requests_total{method=\"POST\",route=\"/v1/platforms/{platform}/orders\",status=\"201\"} 1";
    assert!(metrics.text.contains(posted), "{}", metrics.text);
    for expected in [
        "suanpan_commit_seconds_bucket{le=\"+Inf\"}",
        "suanpan_orders_ended_total{status=\"settled\"} 0",
        "suanpan_http_request_seconds_bucket{method=\"POST\"",
        "suanpan_channel_healthy{channel=\"fast\"} 1",
        "suanpan_requests_in_flight",
        "process_cpu_seconds_total ",
        "process_resident_memory_bytes ",
        "process_start_time_seconds ",
    ] {
        assert!(metrics.text.contains(expected), "no {expected} in {}", metrics.text);
    }
    let home = shop.get("/").await;
    assert!(home.text.contains("POST /v1/platforms/{platform}/orders\n"), "{}", home.text);
    // An engine that is ending says so, and that one may come back.
    shop.engine.shutdown().await.unwrap();
    let problem = shop.post(&format!("{MALL}/orders"), &waiting("O2")).await.problem();
    assert_eq!((problem.0, problem.1.as_str()), (503, "unavailable"));
    assert_eq!(shop.get("/health/ready").await.problem().1, "unavailable");
}
