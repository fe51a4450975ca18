//! Coupon campaigns over HTTP: recorded, issued, locked, used, given back; exact also when many ask at once.
#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

mod common;

use common::{MALL, Shop, paid, waiting, with};
use serde_json::{Value, json};
use suanpan_model::TimestampMs;
use suanpan_server::text::time_text;
use suanpan_server::{Config, bootstrap, start_engine};

fn campaign(id: u32, changes: Value) -> Value {
    let plain = json!({
        "id": id, "face": "1.00", "valid_from": "2024-01-01T00:00:00Z", "valid_until": "2099-01-01T00:00:00Z",
    });
    with(plain, changes)
}

async fn record(shop: &Shop, id: u32, changes: Value) {
    let answer = shop.post(&format!("{MALL}/campaigns"), &campaign(id, changes)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
}

/// taken, locked, outstanding, left.
async fn state(shop: &Shop, id: u32) -> [Value; 4] {
    let state = shop.get(&format!("{MALL}/campaigns/{id}")).await.ok()["state"].clone();
    ["taken", "locked", "outstanding", "left"].map(|name| state[name].clone())
}

fn using(order: Value, campaigns: &[u32]) -> Value {
    let coupons: Vec<Value> = campaigns.iter().map(|id| json!({ "campaign": id })).collect();
    with(order, json!({ "coupons": coupons }))
}

#[actix_web::test]
async fn a_campaign_is_recorded_once_and_never_changes() {
    let shop = Shop::open().await;
    let path = format!("{MALL}/campaigns");
    let whole = json!({
        "face": null, "percent": "12.5", "cap": "30.00", "minimum_spend": "40.00", "merchants": ["M2"],
        "funders": [
            { "account": { "kind": "marketing", "reference": "K1" }, "percent": "40" },
            { "account": "platform", "percent": "60" },
        ],
        "stock": 10, "per_customer": 2, "stackable": true, "rank": 3, "claimable": false,
    });
    let first = shop.post(&path, &campaign(10, whole.clone())).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let told = first.json();
    assert_eq!(
        (&told["percent"], &told["cap"], &told["stock"]),
        (&json!("12.50"), &json!("30.00"), &json!(10))
    );
    assert_eq!(told["funders"][0]["account_kind"], "marketing");
    let again = shop.post(&path, &campaign(10, whole.clone())).await;
    assert_eq!((again.status, &again.text), (200, &first.text));
    let funders = |first: &str, second: &str| {
        json!({ "funders": [
            { "account": "platform", "percent": first },
            { "account": { "kind": "marketing", "reference": "K1" }, "percent": second },
        ] })
    };
    let table = [
        (campaign(10, with(whole.clone(), json!({ "stock": 11 }))), "campaign_exists", "id"),
        // A number of the configuration's.
        (campaign(1, json!({})), "campaign_exists", "id"),
        (campaign(11, json!({ "valid_until": "2024-01-01T00:00:00Z" })), "invalid_field", "valid_until"),
        (campaign(11, funders("60", "39.99")), "invalid_funder", "funders"),
        (campaign(11, funders("60", "40.01")), "invalid_funder", "funders"),
        (
            campaign(
                11,
                json!({ "funders": [{ "account": { "kind": "settlement", "reference": "M1" }, "percent": "100" }] }),
            ),
            "account_type_not_allowed",
            "funders",
        ),
        (
            campaign(
                11,
                json!({ "funders": [{ "account": { "kind": "marketing", "reference": "K9" }, "percent": "100" }] }),
            ),
            "unknown_account",
            "funders[0].account",
        ),
        (campaign(11, json!({ "currency": "USD", "merchants": ["M1"] })), "currency_mismatch", "merchants"),
        (campaign(11, json!({ "merchants": ["M1", "N1"] })), "unknown_account", "merchants[1]"),
        (campaign(11, json!({ "colour": "red" })), "invalid_field", "colour"),
    ];
    for (body, code, field) in table {
        let problem = shop.post(&path, &body).await.problem();
        assert_eq!((problem.1.as_str(), problem.2.as_str()), (code, field), "{body}");
    }
    let listed = shop.get(&path).await.ok();
    let ids: Vec<u64> =
        listed["campaigns"].as_array().unwrap().iter().map(|one| one["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [1, 2, 3, 10]);
    assert_eq!(listed["campaigns"][3], told);
    assert_eq!(state(&shop, 10).await, [json!(0), json!(0), json!(0), json!(10)]);
    assert_eq!(state(&shop, 1).await[3], Value::Null, "without a limit");
    for (path, code) in [
        (format!("{MALL}/campaigns/99"), "unknown_campaign"),
        (format!("{MALL}/campaigns/x"), "unknown_campaign"),
        ("/v1/platforms/9002/campaigns/10".to_owned(), "unknown_campaign"),
        ("/v1/platforms/9002/campaigns/10/customers/U1".to_owned(), "unknown_campaign"),
        ("/v1/platforms/7/campaigns".to_owned(), "unknown_platform"),
    ] {
        assert_eq!(shop.get(&path).await.problem().1, code, "{path}");
    }
    assert_eq!(shop.get("/v1/platforms/9002/campaigns").await.ok(), json!({ "campaigns": [] }));
    let answer = shop.request(reqwest::Method::PUT, &path).await;
    assert_eq!((answer.problem().0, answer.allow.as_deref()), (405, Some("GET, POST")));

    // It is all there after a restart, and a configuration that says otherwise is a fault of the start.
    let shop = Shop::open_in(shop.close().await).await;
    assert_eq!(shop.get(&path).await.ok(), listed);
    let dir = shop.close().await;
    let mut config = common::config(dir.path());
    let text = include_str!("common/shop.toml").replacen("face = \"5.00\"", "face = \"6.00\"", 1);
    config.campaigns = Config::parse(&text).unwrap().campaigns;
    let engine = start_engine(&config).unwrap();
    let fault = bootstrap(&engine, &config).await.unwrap_err().to_string();
    assert!(fault.contains("campaign 1") && fault.contains("recorded with other properties"), "{fault}");
    engine.shutdown().await.unwrap();
}

#[actix_web::test]
async fn stacked_coupons_are_paid_by_their_funders_and_come_back_with_the_money() {
    let shop = Shop::open().await;
    let top_up = json!({ "reference": "t1", "amount": "50.00" });
    shop.post(&format!("{MALL}/accounts/marketing/K1/top-ups"), &top_up).await.ok();
    let shared = json!({
        "face": "10.00", "stackable": true, "rank": 1, "stock": 3, "per_customer": 1,
        "funders": [
            { "account": "platform", "percent": "60" },
            { "account": { "kind": "marketing", "reference": "K1" }, "percent": "40" },
        ],
    });
    record(&shop, 11, shared).await;
    record(&shop, 12, json!({ "face": null, "percent": "10", "cap": "5.00", "stackable": true, "rank": 2 }))
        .await;
    record(&shop, 13, json!({ "stackable": true, "merchants": ["M2"] })).await;
    record(&shop, 14, json!({ "stackable": true, "minimum_spend": "100.01" })).await;

    let submit = |order: Value| {
        let shop = &shop;
        async move { shop.post(&format!("{MALL}/orders"), &order).await }
    };
    let table: [(&[u32], &str); 5] = [
        (&[11, 3], "coupon_not_stackable"),
        (&[11, 13], "coupon_merchant"),
        (&[13, 14], "coupon_merchant"),
        (&[11, 14], "coupon_minimum_spend"),
        (&[11, 11], "invalid_field"),
    ];
    for (campaigns, code) in table {
        let problem = submit(using(paid("S0"), campaigns)).await.problem();
        assert_eq!((problem.1.as_str(), problem.2.as_str()), (code, "coupons"), "{campaigns:?}");
    }
    assert_eq!(
        state(&shop, 11).await,
        [json!(0), json!(0), json!(0), json!(3)],
        "refused orders lock nothing"
    );

    // 10.00 off 100.00 (6.00 and 4.00), then 10 % of 90.00, at most 5.00: the payer pays 85.00, of which the channel
    // takes 0.85.
    let order = shop.frozen(&using(paid("S1"), &[12, 11])).await;
    let life = shop.life(&order).await;
    let coupons = life["terms"]["coupons"].as_array().unwrap();
    let used: Vec<(u64, &str)> = coupons
        .iter()
        .map(|one| (one["campaign"].as_u64().unwrap(), one["subsidy"].as_str().unwrap()))
        .collect();
    assert_eq!(used, [(11, "10.00"), (12, "5.00")]);
    assert_eq!(life["money"]["payable"], "85.00");
    let funders = |life: &Value| -> Vec<(u64, String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let all = life["money"]["funders"].as_array().unwrap().iter();
        all.map(|one| (one["campaign"].as_u64().unwrap(), text(&one["paid"]), text(&one["given_back"])))
            .collect()
    };
    let line = |campaign, paid: &str, back: &str| (campaign, paid.to_owned(), back.to_owned());
    let before = [line(11, "6.00", "0.00"), line(11, "4.00", "0.00"), line(12, "5.00", "0.00")];
    assert_eq!(funders(&life), before);
    let codes: Vec<&str> =
        life["entries"].as_array().unwrap().iter().map(|entry| entry["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["payment", "channel_fee", "coupon_used"]);
    assert_eq!(state(&shop, 11).await, [json!(1), json!(0), json!(0), json!(2)]);
    let customer = shop.get(&format!("{MALL}/campaigns/11/customers/U1")).await.ok();
    assert_eq!((&customer["held"], &customer["allowance"]), (&json!(0), &json!(0)), "{customer}");
    assert_eq!(submit(using(paid("S2"), &[11])).await.problem().1, "coupon_limit");

    // The seller gets the full price less the fee; half of it goes back with half of each funder's part.
    shop.post(&format!("{MALL}/orders/{order}/confirm"), &json!({})).await.ok();
    shop.until_balance("settlement", "M1", "99.15", "0.00").await;
    assert_eq!(shop.balance("marketing", "K1").await, "46.00");
    assert_eq!(shop.balance("coupon_fund", "CNY").await, "1589.00");
    let refunds = format!("{MALL}/orders/{order}/refunds");
    shop.post(&refunds, &json!({ "refund_no": "r1", "amount": "50.00" })).await.ok();
    let life = shop.until(&order, |life| life["refunds"][0]["state"] == "succeeded").await;
    assert_eq!(life["refunds"][0]["to_payer"], "42.50");
    let half = [line(11, "6.00", "3.00"), line(11, "4.00", "2.00"), line(12, "5.00", "2.50")];
    assert_eq!(funders(&life), half);
    assert_eq!(state(&shop, 11).await[0], json!(1), "part of it back: the coupon stays used");
    shop.post(&refunds, &json!({ "refund_no": "r2" })).await.ok();
    let life = shop.until(&order, |life| life["status"] == "refunded").await;
    let whole = [line(11, "6.00", "6.00"), line(11, "4.00", "4.00"), line(12, "5.00", "5.00")];
    assert_eq!(funders(&life), whole);
    assert_eq!(life["money"]["payer"], json!({ "paid": "85.00", "given_back": "85.00" }));
    shop.until_balance("marketing", "K1", "50.00", "0.00").await;
    assert_eq!(shop.balance("coupon_fund", "CNY").await, "1600.00");
    assert_eq!(state(&shop, 11).await, [json!(0), json!(0), json!(0), json!(3)], "the coupon is back");
    shop.assert_balanced().await;
    assert_eq!(shop.get("/v1/books").await.ok()["agree"], true);
    shop.close().await;
}

#[actix_web::test]
async fn an_issued_coupon_is_locked_used_and_given_back() {
    let shop = Shop::open().await;
    record(&shop, 21, json!({ "stock": 3, "per_customer": 2, "claimable": false })).await;
    let orders = format!("{MALL}/orders");
    let problem = shop.post(&orders, &using(paid("I1"), &[21])).await.problem();
    assert_eq!((problem.0, problem.1.as_str()), (422, "coupon_not_held"));
    let issue = format!("{MALL}/campaigns/21/coupons");
    let two = json!({ "customer": "U1", "count": 2, "reference": "g1" });
    let first = shop.post(&issue, &two).await;
    assert_eq!(first.ok(), json!({ "campaign": 21, "customer": "U1", "count": 2, "reference": "g1" }));
    let again = shop.post(&issue, &two).await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    let table = [
        (with(two.clone(), json!({ "count": 1 })), "idempotency_conflict", "reference"),
        (with(two.clone(), json!({ "customer": "U2" })), "idempotency_conflict", "reference"),
        (with(two.clone(), json!({ "reference": "g2", "count": 1 })), "coupon_limit", "coupons"),
        (with(two.clone(), json!({ "reference": "g2", "customer": "U2" })), "coupon_sold_out", "coupons"),
        (with(two.clone(), json!({ "reference": "g2", "count": 0 })), "amount_zero", "count"),
        (with(two.clone(), json!({ "reference": null })), "missing_field", "reference"),
        (with(two.clone(), json!({ "customer": "" })), "missing_field", "customer"),
        (with(two.clone(), json!({ "count": -1 })), "invalid_field", "count"),
    ];
    for (body, code, field) in table {
        let problem = shop.post(&issue, &body).await.problem();
        assert_eq!((problem.1.as_str(), problem.2.as_str()), (code, field), "{body}");
    }
    assert_eq!(
        shop.post(&format!("{MALL}/campaigns/99/coupons"), &two).await.problem().1,
        "unknown_campaign"
    );
    assert_eq!(shop.post(&format!("{MALL}/campaigns/2/coupons"), &two).await.problem().1, "coupon_expired");
    let customer = |held: u64, locked: u64| json!({ "campaign": 21, "customer": "U1", "held": held, "locked": locked, "allowance": 0 });
    let path = format!("{MALL}/campaigns/21/customers/U1");
    assert_eq!(shop.get(&path).await.ok(), customer(2, 0));
    assert_eq!(state(&shop, 21).await, [json!(2), json!(0), json!(2), json!(1)]);

    // Locked while the order waits for its payer, back when it is closed, gone when it is paid.
    let order = shop.order(&using(waiting("I2"), &[21])).await;
    assert_eq!(shop.get(&path).await.ok(), customer(2, 1));
    shop.post(&format!("{orders}/{order}/close"), &json!({})).await.ok();
    shop.until(&order, |life| life["status"] == "closed").await;
    for _ in 0..100 {
        if shop.get(&path).await.ok() == customer(2, 0) {
            break;
        }
        actix_rt::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(shop.get(&path).await.ok(), customer(2, 0));
    shop.frozen(&using(paid("I3"), &[21])).await;
    assert_eq!(shop.get(&path).await.ok(), customer(1, 0));
    assert_eq!(state(&shop, 21).await, [json!(2), json!(0), json!(1), json!(1)]);
    let nobody = shop.get(&format!("{MALL}/campaigns/21/customers/U9")).await.ok();
    assert_eq!((&nobody["held"], &nobody["allowance"]), (&json!(0), &json!(2)));
    shop.assert_balanced().await;
    shop.close().await;
}

#[actix_web::test]
async fn stock_and_limits_are_exact_when_many_ask_at_once() {
    let shop = Shop::open().await;
    record(&shop, 31, json!({ "stock": 5 })).await;
    record(&shop, 32, json!({ "per_customer": 2 })).await;
    let path = format!("{MALL}/orders");
    // The last coupons of a campaign, and the last but four.
    for (round, left) in [(0, 5), (1, 0)] {
        let all: Vec<(String, Value)> = (0..20)
            .map(|place| {
                let payer = json!({ "payer": format!("U{place}") });
                (path.clone(), using(with(waiting(&format!("L{round}-{place}")), payer), &[31]))
            })
            .collect();
        let answers = shop.post_all(&all).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), left);
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            assert_eq!(answer.problem().1, "coupon_sold_out");
        }
        assert_eq!(state(&shop, 31).await, [json!(0), json!(5), json!(0), json!(0)]);
    }
    // One customer, many orders.
    let all: Vec<(String, Value)> =
        (0..12).map(|place| (path.clone(), using(waiting(&format!("P{place}")), &[32]))).collect();
    let answers = shop.post_all(&all).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 2);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(answer.problem().1, "coupon_limit");
    }
    // The same order many times at once is one order with one coupon.
    record(&shop, 33, json!({ "stock": 2 })).await;
    let all = vec![(path.clone(), using(waiting("Q1"), &[33])); 6];
    for answer in shop.post_all(&all).await {
        let in_progress = answer.status == 409 && answer.problem().1 == "in_progress";
        assert!(in_progress || answer.status == 200 || answer.status == 201, "{}", answer.text);
    }
    assert_eq!(state(&shop, 33).await, [json!(0), json!(1), json!(0), json!(1)]);
    shop.assert_balanced().await;
    shop.close().await;
}

#[actix_web::test]
async fn a_repeat_is_a_repeat_also_after_the_campaign_ended() {
    let shop = Shop::open().await;
    let ends = TimestampMs(shop.engine.now().0 + 4_000);
    record(&shop, 41, json!({ "valid_until": time_text(ends), "stock": 9 })).await;
    let path = format!("{MALL}/orders");
    let first = shop.post(&path, &using(paid("T1"), &[41])).await;
    assert_eq!(first.status, 201, "{}", first.text);
    while shop.engine.now() < ends {
        actix_rt::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let again = shop.post(&path, &using(paid("T1"), &[41])).await;
    assert_eq!((again.status, &again.text), (200, &first.text));
    assert_eq!(shop.post(&path, &using(paid("T2"), &[41])).await.problem().1, "coupon_expired");
    // A whole refund gives the money back, and no coupon that cannot be used any more.
    shop.until("no:T1", |life| life["status"] == "frozen").await;
    shop.post(&format!("{path}/no:T1/refunds"), &json!({ "refund_no": "r1" })).await.ok();
    shop.until("no:T1", |life| life["status"] == "refunded").await;
    assert_eq!(state(&shop, 41).await[0], json!(1));
    shop.assert_balanced().await;
    shop.close().await;
}
