//! Money that waits for an operator: payments after the end, refunds that are stuck or came back.
#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

mod common;

use common::{Answer, MALL, Shop, paid, vague, waiting, with};
use serde_json::{Value, json};
use suanpan_model::policy::LatePayment;

async fn shop_that(late_payment: LatePayment) -> Shop {
    let change = |config: &mut suanpan_server::Config| {
        config.platforms[0].policy.agreement.late_payment = late_payment
    };
    Shop::open_with(tempfile::TempDir::new().unwrap(), change).await
}

async fn act(shop: &Shop, order: &str, action: &str, body: Value) -> Answer {
    shop.post(&format!("{MALL}/orders/{order}/{action}"), &body).await
}

/// An order that was closed and is paid all the same.
async fn paid_late(shop: &Shop, body: &Value) -> String {
    let order = shop.order(body).await;
    act(shop, &order, "close", json!({})).await.ok();
    shop.until(&order, |life| life["status"] == "closed").await;
    assert_eq!(shop.notify("slow", &order, json!({})).await.ok()["result"], "moved");
    order
}

async fn exceptions(shop: &Shop) -> Vec<Value> {
    let own = shop.get(&format!("{MALL}/exceptions")).await.ok();
    assert_eq!(shop.get("/v1/exceptions").await.ok(), own);
    assert_eq!(shop.get("/v1/platforms/9002/exceptions").await.ok(), json!({ "exceptions": [] }));
    own["exceptions"].as_array().unwrap().clone()
}

#[actix_web::test]
async fn a_parked_payment_is_taken_into_its_order_or_given_back() {
    let shop = shop_that(LatePayment::Park).await;
    assert_eq!(exceptions(&shop).await, Vec::<Value>::new());
    let order = paid_late(&shop, &waiting("P1")).await;
    let life = shop.life(&order).await;
    assert_eq!((&life["status"], &life["attempts"][0]["parked"]), (&json!("closed"), &json!(true)));
    assert_eq!(life["money"]["payer"], json!({ "paid": "100.00", "given_back": "0.00" }));
    assert_eq!(shop.balance("suspense", "CNY").await, "100.00");
    let known = exceptions(&shop).await;
    assert_eq!((known.len(), &known[0]["order_no"]), (1, &json!("P1")), "{known:?}");
    let parked = &known[0]["parked"][0];
    assert_eq!((&parked["attempt"], &parked["amount"]), (&json!(1), &json!("100.00")));
    assert_eq!(parked["ways"], json!(["return", "reopen"]));

    for (action, code) in [
        ("attempts/2/reopen", "unknown_attempt"),
        ("attempts/2/return", "unknown_attempt"),
        ("attempts/300/return", "unknown_attempt"),
        ("attempts/x/reopen", "unknown_attempt"),
        ("attempts/1/forget", "not_found"),
    ] {
        assert_eq!(act(&shop, &order, action, json!({})).await.problem().1, code, "{action}");
    }
    assert_eq!(act(&shop, &order, "attempts/1/reopen", json!({ "why": "x" })).await.problem().2, "why");
    assert_eq!(act(&shop, &order, "attempts/1/reopen", json!({})).await.ok()["status"], "frozen");
    assert_eq!(act(&shop, &order, "attempts/1/reopen", json!({})).await.ok()["result"], "repeat");
    assert_eq!(act(&shop, &order, "attempts/1/return", json!({})).await.problem().1, "unknown_attempt");
    assert_eq!(exceptions(&shop).await, Vec::<Value>::new());
    act(&shop, &order, "confirm", json!({})).await.ok();
    shop.until_balance("settlement", "M1", "99.00", "0.00").await;
    assert_eq!(shop.balance("suspense", "CNY").await, "0.00");

    // Given back: the channel refuses, so an operator has to finish it.
    let order = paid_late(&shop, &waiting("P2")).await;
    assert_eq!(act(&shop, &order, "attempts/1/return", json!({})).await.ok()["result"], "moved");
    assert_eq!(act(&shop, &order, "attempts/1/return", json!({})).await.ok()["result"], "repeat");
    let life = shop.until(&order, |life| life["refunds"][0]["state"] == "stuck").await;
    assert_eq!(
        (&life["refunds"][0]["source"], &life["refunds"][0]["note"]),
        (&json!("suspense"), &json!("BAD_REQUEST"))
    );
    let known = exceptions(&shop).await;
    assert_eq!(known[0]["refunds"][0]["ways"], json!(["to_account", "outside", "resend"]), "{known:?}");
    let give_up = json!({ "way": "give_up" });
    assert_eq!(act(&shop, &order, "refunds/1/finish", give_up).await.problem().2, "way");
    let outside = json!({ "way": "outside", "note": "wire 7" });
    act(&shop, &order, "refunds/1/finish", outside.clone()).await.ok();
    assert_eq!(act(&shop, &order, "refunds/1/finish", outside).await.ok()["result"], "repeat");
    let life = shop.life(&order).await;
    assert_eq!(
        (&life["refunds"][0]["state"], &life["refunds"][0]["note"]),
        (&json!("finished"), &json!("outside: wire 7"))
    );
    assert_eq!(life["money"]["payer"], json!({ "paid": "100.00", "given_back": "100.00" }));
    assert_eq!(exceptions(&shop).await, Vec::<Value>::new());
    assert_eq!(shop.balance("suspense", "CNY").await, "0.00");
    shop.assert_balanced().await;
    shop.close().await;
}

#[actix_web::test]
async fn an_order_reopens_by_itself_where_the_platform_wants_it() {
    let shop = shop_that(LatePayment::Reopen).await;
    let order = paid_late(&shop, &waiting("O1")).await;
    shop.until(&order, |life| life["status"] == "frozen").await;
    // With a coupon it takes a moment: the coupon is locked anew.
    let coupon = json!({ "coupons": [{ "campaign": 1 }] });
    let order = paid_late(&shop, &with(waiting("O2"), coupon)).await;
    let life = shop.until(&order, |life| life["status"] == "frozen").await;
    assert_eq!(life["money"]["funders"][0]["paid"], "5.00");
    let kinds: Vec<&str> =
        life["steps"].as_array().unwrap().iter().map(|step| step["kind"].as_str().unwrap()).collect();
    assert!(kinds.ends_with(&["late_paid", "reopening_planned", "reopened", "frozen"]), "{kinds:?}");
    assert_eq!(shop.balance("suspense", "CNY").await, "0.00");
    assert_eq!(shop.balance("escrow", "CNY").await, "200.00");
    shop.assert_balanced().await;
    shop.close().await;
}

#[actix_web::test]
async fn a_stuck_refund_is_finished_another_way() {
    let shop = Shop::open().await;
    let stuck = async |order_no: &str| {
        let order = shop.frozen(&vague(order_no)).await;
        act(&shop, &order, "refunds", json!({ "refund_no": "r1", "amount": "60.00" })).await.ok();
        shop.until(&order, |life| life["refunds"][0]["state"] == "pending").await;
        let news = json!({ "refund": 1, "amount": "60.00", "status": "abnormal", "code": "CARD_CLOSED" });
        assert_eq!(shop.notify("vague", &order, news).await.ok()["result"], "moved");
        order
    };
    let order = stuck("S1").await;
    let life = shop.life(&order).await;
    assert_eq!(
        (&life["refunds"][0]["state"], &life["refunds"][0]["note"]),
        (&json!("stuck"), &json!("CARD_CLOSED"))
    );
    let known = exceptions(&shop).await;
    let refund = &known[0]["refunds"][0];
    assert_eq!(refund["ways"], json!(["to_account", "outside", "resend", "give_up"]), "{known:?}");
    let finish = "refunds/1/finish";
    let table = [
        ("refunds/2/finish", json!({ "way": "outside" }), "unknown_attempt", "no"),
        ("refunds/x/finish", json!({ "way": "outside" }), "unknown_attempt", "no"),
        (finish, json!({}), "missing_field", "way"),
        (finish, json!({ "way": "magic" }), "invalid_field", "way"),
        (finish, json!({ "way": "to_account" }), "missing_field", "reference"),
        (finish, json!({ "way": "to_account", "reference": "U9" }), "unknown_account", "reference"),
        (finish, json!({ "way": "outside", "reference": "U1" }), "invalid_field", "reference"),
        (finish, json!({ "way": "outside", "note": "a\nb" }), "invalid_field", "note"),
        (finish, json!({ "way": "outside", "who": "me" }), "invalid_field", "who"),
    ];
    for (action, body, code, field) in table {
        let problem = act(&shop, &order, action, body.clone()).await.problem();
        assert_eq!((problem.1.as_str(), problem.2.as_str()), (code, field), "{body}");
    }
    assert_eq!(shop.life(&order).await, life);

    let to_account = json!({ "way": "to_account", "reference": "U1", "note": "asked by phone" });
    assert_eq!(act(&shop, &order, finish, to_account.clone()).await.ok()["result"], "moved");
    assert_eq!(act(&shop, &order, finish, to_account).await.ok()["result"], "repeat");
    assert_eq!(act(&shop, &order, finish, json!({ "way": "outside" })).await.problem().1, "illegal_state");
    shop.until_balance("cash", "U1", "60.00", "0.00").await;
    let life = shop.life(&order).await;
    assert_eq!(life["money"]["payer"], json!({ "paid": "100.00", "given_back": "60.00" }));
    assert_eq!(life["refunds"][0]["note"], "to_account: asked by phone");

    // Not at all: the money is frozen as before.
    let order = stuck("S2").await;
    act(&shop, &order, finish, json!({ "way": "give_up" })).await.ok();
    let life = shop.life(&order).await;
    assert_eq!(
        (&life["refunds"][0]["state"], &life["money"]["frozen"]),
        (&json!("failed"), &json!("100.00"))
    );

    // Once more: the channel is asked again, and in the end it is made.
    let order = stuck("S3").await;
    act(&shop, &order, finish, json!({ "way": "resend" })).await.ok();
    assert_ne!(shop.life(&order).await["refunds"][0]["state"], "stuck");
    shop.notify("vague", &order, json!({ "refund": 1, "amount": "60.00" })).await.ok();
    let life = shop.life(&order).await;
    assert_eq!(
        (&life["refunds"][0]["state"], &life["money"]["refunded"]),
        (&json!("succeeded"), &json!("60.00"))
    );
    assert_eq!(exceptions(&shop).await, Vec::<Value>::new());
    shop.assert_balanced().await;
    shop.close().await;
}

#[actix_web::test]
async fn a_refund_that_came_back_waits_for_an_operator() {
    let shop = Shop::open().await;
    let order = shop.frozen(&paid("B1")).await;
    act(&shop, &order, "refunds", json!({ "refund_no": "r1" })).await.ok();
    shop.until(&order, |life| life["status"] == "refunded").await;
    let bounced =
        |amount: &str| json!({ "refund": 1, "amount": amount, "status": "bounced", "code": "NO_SUCH_CARD" });
    assert_eq!(shop.notify("fast", &order, bounced("99.99")).await.ok()["result"], "contradiction");
    let bad = with(bounced("100.00"), json!({ "refund": null }));
    assert_eq!(shop.notify("fast", &order, bad).await.problem().2, "status");
    let bad = with(bounced("100.00"), json!({ "refund": 2 }));
    assert_eq!(shop.notify("fast", &order, bad).await.problem().1, "unknown_attempt");
    assert_eq!(shop.notify("fast", &order, bounced("100.00")).await.ok()["result"], "moved");
    assert_eq!(shop.notify("fast", &order, bounced("100.00")).await.ok()["result"], "repeat");
    let life = shop.life(&order).await;
    assert_eq!(life["refunds"][0]["state"], "bounced");
    assert_eq!(life["money"]["payer"], json!({ "paid": "100.00", "given_back": "0.00" }));
    assert_eq!(shop.balance("suspense", "CNY").await, "100.00");

    // It is still there after a restart.
    let shop = Shop::open_in(shop.close().await).await;
    let known = exceptions(&shop).await;
    assert_eq!(known[0]["refunds"][0]["ways"], json!(["to_account", "outside", "resend"]), "{known:?}");
    let finish = json!({ "way": "to_account", "reference": "U1" });
    act(&shop, &order, "refunds/1/finish", finish).await.ok();
    shop.until_balance("cash", "U1", "100.00", "0.00").await;
    let life = shop.life(&order).await;
    assert_eq!((&life["status"], &life["refunds"][0]["state"]), (&json!("refunded"), &json!("finished")));
    assert_eq!(life["money"]["payer"], json!({ "paid": "100.00", "given_back": "100.00" }));
    assert_eq!(shop.balance("suspense", "CNY").await, "0.00");
    assert_eq!(exceptions(&shop).await, Vec::<Value>::new());
    shop.assert_balanced().await;
    shop.close().await;
}
