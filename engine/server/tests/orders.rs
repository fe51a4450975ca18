//! An order's life over HTTP, to the cent.
#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

mod common;

use common::{MALL, Shop, paid, waiting, with};
use serde_json::{Value, json};

/// 100.00 with a coupon of 5.00, 5 % to an agent and 3.00 to the platform; the channel takes 1 % of 95.00.
fn full(order_no: &str) -> Value {
    let splits = json!([
        { "receiver": { "kind": "commission", "reference": "A1" }, "percent": "5.00" },
        { "receiver": "platform", "fixed": "3.00" },
    ]);
    let sub_orders =
        json!([{ "merchant": "M1", "amount": "60.00" }, { "merchant": "M2", "amount": "40.00" }]);
    let more = json!({
        "merchant": null, "sub_orders": sub_orders, "splits": splits, "coupons": [{ "campaign": 1 }],
        "card_type": "debit", "description": "tea", "callback": "https://mall.example/cb",
        "metadata": { "cart": "7" },
    });
    with(waiting(order_no), more)
}

async fn notify(shop: &Shop, channel: &str, body: &Value) -> common::Answer {
    shop.post(&format!("/v1/channels/{channel}/notifications"), body).await
}

fn notification(life: &Value, amount: &str) -> Value {
    json!({
        "payment_no": life["attempts"][0]["payment_no"], "channel_no": life["attempts"][0]["channel_no"],
        "status": "succeeded", "amount": amount, "currency": "CNY",
    })
}

#[actix_web::test]
async fn an_order_is_created_paid_by_notification_confirmed_and_settled_to_the_cent() {
    let shop = Shop::open().await;
    let answer = shop.post(&format!("{MALL}/orders?wait_ms=5000"), &full("A1")).await;
    assert_eq!(answer.status, 201);
    let receipt = answer.json();
    assert_eq!(receipt["now"]["status"], "pending", "{receipt}");
    assert!(receipt["now"]["action"]["url"].as_str().unwrap().starts_with("http"), "{receipt}");
    assert_eq!((&receipt["payable"], &receipt["subsidy"]), (&json!("95.00"), &json!("5.00")));
    let order = receipt["order"].as_str().unwrap();

    let life = shop.life("no:A1").await;
    assert_eq!(life["order"], order);
    assert_eq!(life["attempts"][0]["channel"], "slow");
    let because = life["attempts"][0]["because"].to_string();
    assert!(
        because.contains("slow takes the payment: chosen by the priority list, fee 0.95 CNY"),
        "{because}"
    );
    assert!(because.contains("shut is switched off"), "{because}");
    assert_eq!(life["terms"]["splits"][0]["percent"], "5.00");
    assert_eq!(life["terms"]["metadata"]["cart"], "7");

    assert_eq!(notify(&shop, "slow", &notification(&life, "95.00")).await.ok()["result"], "moved");
    assert_eq!(notify(&shop, "slow", &notification(&life, "95.00")).await.ok()["result"], "repeat");
    let life = shop.life(order).await;
    assert_eq!((&life["status"], &life["money"]["frozen"]), (&json!("frozen"), &json!("100.00")));
    assert_eq!(shop.balance("escrow", "CNY").await, "100.00");

    let part = json!({ "release_no": "m1", "sub_order": 1, "amount": "10.00", "currency": "CNY" });
    let answer = shop.post(&format!("{MALL}/orders/{order}/releases"), &part).await.ok();
    assert_eq!((&answer["status"], &answer["result"]), (&json!("part_released"), &json!("moved")));
    assert_eq!(shop.post(&format!("{MALL}/orders/{order}/confirm"), &part).await.problem().2, "amount");
    let answer = shop.post(&format!("{MALL}/orders/{order}/confirm"), &json!({})).await.ok();
    assert_eq!(answer["status"], "settled");
    let answer = shop.post_text(&format!("{MALL}/orders/{order}/confirm"), "application/json", "").await;
    assert_eq!(answer.ok()["result"], "repeat");

    // 95.00 paid + 5.00 coupon = 100.00: 5.00 agent, 3.00 platform, 0.95 fee, the rest 60:40 by what each sold.
    let life = shop.life(order).await;
    assert_eq!(life["money"]["released"], "100.00", "{life}");
    assert_eq!(life["money"]["fee_taken_from_merchants"], "0.95");
    // Of the 8.00 split M1 bears 4.80 and M2 3.20, of the fee 0.57 and 0.38.
    assert_eq!(shop.balance("settlement", "M1").await, "54.63");
    assert_eq!(shop.balance("settlement", "M2").await, "36.42");
    assert_eq!(shop.balance("commission", "A1").await, "5.00");
    assert_eq!(shop.balance("commission_income", "CNY").await, "3.00");
    assert_eq!(shop.balance("fee_income", "CNY").await, "0.95");
    assert_eq!(shop.balance("coupon_fund", "CNY").await, "1595.00");
    assert_eq!(shop.balance("escrow", "CNY").await, "0.00");
    for entry in life["entries"].as_array().unwrap() {
        let sum: i64 = entry["postings"].as_array().unwrap().iter().map(signed_cents).sum();
        assert_eq!(sum, 0, "{entry}");
    }
    shop.assert_balanced().await;
    shop.close().await;
}

fn signed_cents(posting: &Value) -> i64 {
    let cents: i64 = posting["amount"].as_str().unwrap().replace('.', "").parse().unwrap();
    if posting["side"] == "debit" { cents } else { -cents }
}

#[actix_web::test]
async fn an_order_that_is_paid_at_once_agrees_with_the_channels_book_and_survives_a_restart() {
    let shop = Shop::open().await;
    let order = shop.order(&paid("P1")).await;
    shop.until(&order, |life| life["status"] == "frozen").await;
    let books = shop.get("/v1/books").await.ok();
    assert_eq!(books["agree"], true, "{books}");
    assert_eq!(books["channels"][0]["ours"], "99.00", "{books}");

    let shop = Shop::open_in(shop.close().await).await;
    let life = shop.life(&order).await;
    assert_eq!(life["status"], "frozen");
    // The coupon fund of the configuration is not topped up again.
    assert_eq!(shop.balance("coupon_fund", "CNY").await, "1600.00");
    assert_eq!(shop.get("/v1/books").await.ok()["agree"], true);
    shop.close().await;
}

#[actix_web::test]
async fn a_repeat_gets_the_same_bytes_even_after_the_order_moved_on() {
    let shop = Shop::open().await;
    let path = format!("{MALL}/orders");
    let explicit = with(paid("R1"), json!({ "expires_at": "2099-01-01T00:00:00Z" }));
    // Too far ahead: refused, and nothing is recorded under the number.
    assert_eq!(shop.post(&path, &explicit).await.problem().1, "invalid_expiry");
    let first = shop.post(&path, &paid("R1")).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let order = first.json()["order"].as_str().unwrap().to_owned();
    shop.until(&order, |life| life["status"] == "frozen").await;
    // The repeat comes later, so its default expiry would be another one.
    let second = shop.post(&path, &paid("R1")).await;
    assert_eq!((second.status, &second.text), (200, &first.text));
    // An expiry that is written is part of the content.
    let written = with(paid("R1"), json!({ "expires_at": first.json()["expires_at"] }));
    let third = shop.post(&path, &written).await;
    assert_eq!((third.status, &third.text), (200, &first.text));
    let other = with(paid("R1"), json!({ "expires_at": in_an_hour(&shop) }));
    assert_eq!(shop.post(&path, &other).await.problem().1, "idempotency_conflict");
    for changes in [json!({ "amount": "100.01" }), json!({ "payer": "U2" }), json!({ "bank": "ICBC" })] {
        let problem = shop.post(&path, &with(paid("R1"), changes)).await.problem();
        assert_eq!(problem, (409, "idempotency_conflict".to_owned(), "order_no".to_owned()));
    }
    assert_eq!(shop.engine.stats().created, 1);
    shop.close().await;
}

fn in_an_hour(shop: &Shop) -> String {
    suanpan_server::text::time_text(suanpan_model::TimestampMs(shop.engine.now().0 + 3_600_000))
}

#[actix_web::test]
async fn every_order_of_a_batch_has_its_own_result() {
    let shop = Shop::open().await;
    let path = format!("{MALL}/orders/batch");
    let first = shop.post(&format!("{MALL}/orders"), &waiting("B0")).await;
    actix_rt::time::sleep(std::time::Duration::from_millis(20)).await;
    let orders = json!([
        waiting("B0"),
        waiting("B1"),
        with(waiting("B2"), json!({ "amount": "-1" })),
        with(waiting("B0"), json!({ "amount": "7.00" })),
        waiting("B3"),
        with(waiting("B4"), json!({ "merchant": "M9" })),
    ]);
    let answer = shop.post(&path, &json!({ "orders": orders })).await.ok();
    let results = answer["results"].as_array().unwrap();
    let statuses: Vec<u64> = results.iter().map(|result| result["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 201, 400, 409, 201, 404], "{answer}");
    assert_eq!(results[0]["receipt"], first.json());
    assert_eq!(results[1]["receipt"]["order_no"], "B1");
    assert_eq!(results[2]["problem"]["code"], "invalid_field");
    assert_eq!(results[2]["problem"]["field"], "amount");

    // One order that is not even an order does not take the others with it.
    let orders =
        json!([waiting("B5"), { "order_no": 5 }, "porridge", with(waiting("B6"), json!({ "x": 1 }))]);
    let answer = shop.post(&path, &json!({ "orders": orders })).await.ok();
    let results = answer["results"].as_array().unwrap();
    let statuses: Vec<u64> = results.iter().map(|result| result["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 400, 400, 400], "{answer}");
    assert_eq!(results[3]["problem"]["field"], "x");

    let many: Vec<Value> = (0..51).map(|place| waiting(&format!("C{place}"))).collect();
    assert_eq!(shop.post(&path, &json!({ "orders": many })).await.problem().1, "too_large");
    let answer = shop.post(&path, &json!({ "orders": many[..50] })).await.ok();
    assert!(answer["results"].as_array().unwrap().iter().all(|result| result["status"] == 201));
    assert_eq!(shop.post(&path, &json!({ "orders": [] })).await.problem().1, "missing_field");
    assert_eq!(shop.post(&path, &json!({ "orders": {} })).await.problem().2, "orders");
    shop.close().await;
}

#[actix_web::test]
async fn a_notification_can_repeat_or_contradict_and_never_moves_another_order() {
    let shop = Shop::open().await;
    let order = shop.order(&waiting("N1")).await;
    let life = shop.life(&order).await;
    let good = notification(&life, "100.00");
    let table = [
        (with(good.clone(), json!({ "payment_no": "zz" })), "slow", "unknown_order"),
        (with(good.clone(), json!({ "payment_no": "ffffffffffffffff01" })), "slow", "unknown_order"),
        (with(good.clone(), json!({ "currency": "USD" })), "slow", "currency_mismatch"),
        (with(good.clone(), json!({ "status": "perhaps" })), "slow", "invalid_field"),
        (with(good.clone(), json!({ "amount": "0" })), "slow", "amount_zero"),
        (with(good.clone(), json!({ "sign": "x" })), "slow", "invalid_field"),
        (good.clone(), "fast", "unknown_attempt"),
        (good.clone(), "nobody", "unknown_channel"),
    ];
    for (body, channel, code) in table {
        assert_eq!(notify(&shop, channel, &body).await.problem().1, code, "{body}");
    }
    let other_attempt = format!("{:016x}02", order.parse::<u64>().unwrap());
    let body = with(good.clone(), json!({ "payment_no": other_attempt }));
    assert_eq!(notify(&shop, "slow", &body).await.problem().1, "unknown_attempt");
    assert_eq!(shop.life(&order).await, life, "nothing changed");

    let lie = notification(&life, "1.00");
    assert_eq!(notify(&shop, "slow", &lie).await.ok()["result"], "contradiction");
    let after = shop.life(&order).await;
    assert_eq!((&after["status"], &after["contradictions"]), (&json!("pending"), &json!(1)));
    assert_eq!(notify(&shop, "slow", &good).await.ok()["result"], "moved");
    let failed = with(good.clone(), json!({ "status": "failed" }));
    assert_eq!(notify(&shop, "slow", &failed).await.ok()["result"], "contradiction");
    assert_eq!(shop.life(&order).await["status"], "frozen");

    let order = shop.order(&waiting("N2")).await;
    let closed = with(notification(&shop.life(&order).await, "100.00"), json!({ "status": "closed" }));
    assert_eq!(notify(&shop, "slow", &closed).await.ok()["result"], "moved");
    assert!(shop.life(&order).await["status"] != "pending");
    shop.assert_balanced().await;
    shop.close().await;
}

#[actix_web::test]
async fn money_goes_back_and_an_unpaid_order_is_closed() {
    let shop = Shop::open().await;
    let order = shop.order(&paid("G1")).await;
    shop.until(&order, |life| life["status"] == "frozen").await;
    let path = format!("{MALL}/orders/{order}/refunds");
    let part = json!({ "refund_no": "r1", "amount": "40.00" });
    let first = shop.post(&path, &part).await;
    assert_eq!(first.ok()["result"], "moved");
    shop.until(&order, |life| life["money"]["refunded"] == "40.00").await;
    shop.post(&path, &part).await.assert_again(&first);
    let other = json!({ "refund_no": "r1", "amount": "41.00" });
    assert_eq!(shop.post(&path, &other).await.problem().1, "idempotency_conflict");
    let too_much = json!({ "refund_no": "r2", "amount": "60.01" });
    assert_eq!(shop.post(&path, &too_much).await.problem().1, "exceeds_paid");
    assert_eq!(shop.post(&path, &json!({ "amount": "1" })).await.problem().1, "missing_field");
    let foreign = json!({ "refund_no": "r3", "amount": "1", "currency": "USD" });
    assert_eq!(shop.post(&path, &foreign).await.problem().1, "currency_mismatch");
    let foreign = json!({ "refund_no": "r3", "currency": "USD" });
    assert_eq!(shop.post(&path, &foreign).await.problem().1, "currency_mismatch");
    shop.post(&path, &json!({ "refund_no": "r2" })).await.ok();
    let life = shop.until(&order, |life| life["status"] == "refunded").await;
    assert_eq!(life["money"]["refunded_to_payer"], "100.00");
    assert_eq!(shop.get("/v1/books").await.ok()["agree"], true);

    let order = shop.order(&waiting("G2")).await;
    shop.post(&format!("{MALL}/orders/{order}/close"), &json!({})).await.ok();
    let life = shop.until(&order, |life| life["status"] == "closed").await;
    assert_eq!(life["closed"], "cancelled");
    shop.assert_balanced().await;
    shop.close().await;
}

#[actix_web::test]
async fn a_dispute_stops_the_clock_and_a_code_finishes_a_quick_payment() {
    let shop = Shop::open().await;
    let order = shop.order(&paid("D1")).await;
    shop.until(&order, |life| life["status"] == "frozen").await;
    let base = format!("{MALL}/orders/{order}");
    assert_eq!(shop.post(&format!("{base}/dispute"), &json!({})).await.ok()["status"], "disputed");
    assert_eq!(shop.post(&format!("{base}/confirm"), &json!({})).await.problem().1, "illegal_state");
    assert_eq!(shop.post(&format!("{base}/dispute/resolve"), &json!({})).await.ok()["status"], "frozen");
    assert_eq!(shop.post(&format!("{base}/dispute"), &json!({ "why": "x" })).await.problem().2, "why");

    let quick = with(waiting("D2"), json!({ "kind": "quick_pay", "agreement_no": "AG1" }));
    let answer = shop.post(&format!("{MALL}/orders?wait_ms=5000"), &quick).await.ok();
    assert_eq!(answer["now"]["action"]["kind"], "sms_code", "{answer}");
    let order = answer["order"].as_str().unwrap();
    let path = format!("{MALL}/orders/{order}/sms-code");
    assert_eq!(shop.post(&path, &json!({ "sms_code": "" })).await.problem().1, "invalid_field");
    shop.post(&path, &json!({ "sms_code": "123456" })).await.ok();
    shop.until(order, |life| life["status"] == "frozen").await;
    assert_eq!(shop.post(&path, &json!({ "sms_code": "123456" })).await.problem().1, "illegal_state");
    shop.close().await;
}

#[actix_web::test]
async fn a_balance_order_is_paid_at_once_from_the_e_account() {
    let shop = Shop::open().await;
    let balance = with(waiting("E1"), json!({ "kind": "balance", "bank": null, "escrow": false }));
    let path = format!("{MALL}/orders?wait_ms=0");
    assert_eq!(shop.post(&path, &balance).await.problem().1, "insufficient_funds");
    let top_up = json!({ "reference": "t1", "amount": "250.00" });
    shop.post(&format!("{MALL}/accounts/cash/U1/top-ups"), &top_up).await.ok();
    let answer = shop.post(&path, &balance).await;
    assert_eq!((answer.status, &answer.json()["now"]["status"]), (201, &json!("settled")), "{}", answer.text);
    assert_eq!(shop.balance("cash", "U1").await, "150.00");
    assert_eq!(shop.balance("settlement", "M1").await, "100.00");
    shop.assert_balanced().await;
    shop.close().await;
}

#[actix_web::test]
async fn orders_that_come_at_the_same_moment_get_their_own_answers() {
    let shop = Shop::open().await;
    shop.order(&waiting("K0")).await;
    let numbers: Vec<String> = (0..48).map(|count| format!("K{count}")).collect();
    // The first is known with another price, every seventh asks for a merchant that is not there.
    let body = |(place, number): (usize, &String)| match place {
        0 => with(waiting(number), json!({ "amount": "1.00" })),
        place if place % 7 == 0 => with(waiting(number), json!({ "merchant": "nobody" })),
        _ => waiting(number),
    };
    let path = format!("{MALL}/orders");
    let requests: Vec<(String, Value)> =
        numbers.iter().enumerate().map(|one| (path.clone(), body(one))).collect();
    for (place, answer) in shop.post_all(&requests).await.iter().enumerate() {
        match place {
            0 => assert_eq!(answer.problem().1, "idempotency_conflict"),
            place if place % 7 == 0 => assert_eq!(answer.problem().1, "unknown_account"),
            _ => assert_eq!((answer.status, &answer.json()["order_no"]), (201, &json!(numbers[place]))),
        }
    }
    shop.close().await;
}
