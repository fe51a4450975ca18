//! A platform sees and moves only what is its own.

use serde_json::{Value, json};

use crate::common::{MALL, paid, with};
use crate::house::House;

const OTHER: &str = "/v1/platforms/9002";

#[actix_web::test]
async fn anothers_platform_order_and_account_are_as_unknown_as_none() {
    let house = House::open().await;
    let mine = house.ask("mall-1", "POST", &format!("{MALL}/orders?wait_ms=5000"), &paid("X1")).await.json();
    let order = mine["order"].as_str().unwrap();
    // Another platform in the path, whether there is one or not.
    for platform in ["9001", "9003", "0", "x"] {
        let told = house
            .ask("another", "GET", &format!("/v1/platforms/{platform}/orders/{order}"), &Value::Null)
            .await;
        assert_eq!((told.status, told.code().as_str()), (403, "foreign_platform"), "{platform}");
    }
    // Its own path, another's order: the same words as for an order that does not exist.
    let missing = house.ask("another", "GET", &format!("{OTHER}/orders/1"), &Value::Null).await;
    for theirs in [order, "no:X1"] {
        let told = house.ask("another", "GET", &format!("{OTHER}/orders/{theirs}"), &Value::Null).await;
        assert_eq!((told.status, &told.body), (404, &missing.body), "{theirs}");
    }
    for action in ["confirm", "close", "dispute", "refunds", "releases"] {
        let body = match action {
            "refunds" => json!({ "refund_no": "r" }),
            "releases" => json!({ "release_no": "r" }),
            _ => json!({}),
        };
        let told = house.ask("another", "POST", &format!("{OTHER}/orders/{order}/{action}"), &body).await;
        assert_eq!((told.status, told.code().as_str()), (404, "unknown_order"), "{action}");
    }
    let life = house.ask("mall-1", "GET", &format!("{MALL}/orders/{order}"), &Value::Null).await.json();
    assert_eq!((&life["status"], &life["refunds"]), (&json!("frozen"), &json!([])));
    // An order of one's own that names another's merchant.
    let poaching = with(paid("X2"), json!({ "merchant": "M1", "coupons": null }));
    let told = house.ask("another", "POST", &format!("{OTHER}/orders"), &poaching).await;
    assert_eq!(told.code(), "unknown_account");

    let account = house.ask("mall-1", "GET", &format!("{MALL}/accounts/settlement/M1"), &Value::Null).await;
    let number = account.json()["account"].as_str().unwrap().to_owned();
    let by_number = format!("/v1/accounts/{number}");
    assert_eq!(house.ask("mall-1", "GET", &by_number, &Value::Null).await.body, account.body);
    let missing = house.ask("another", "GET", "/v1/accounts/12345", &Value::Null).await;
    let told = house.ask("another", "GET", &by_number, &Value::Null).await;
    assert_eq!((told.status, told.code(), &told.body), (404, "unknown_account".to_owned(), &missing.body));
}

#[actix_web::test]
async fn a_channel_tells_of_its_own_payments_with_its_own_key() {
    let house = House::open().await;
    let mine = house
        .ask("mall-1", "POST", &format!("{MALL}/orders?wait_ms=5000"), &crate::common::waiting("N1"))
        .await;
    let order = mine.json()["order"].as_str().unwrap().to_owned();
    let life = house.ask("mall-1", "GET", &format!("{MALL}/orders/{order}"), &Value::Null).await.json();
    let news = json!({
        "payment_no": life["attempts"][0]["payment_no"], "channel_no": "C1", "status": "succeeded",
        "amount": "100.00", "currency": "CNY",
    });
    for (key, channel) in [("mall-1", "slow"), ("fast-1", "slow"), ("ada", "slow"), ("slow-1", "fast")] {
        let told = house.ask(key, "POST", &format!("/v1/channels/{channel}/notifications"), &news).await;
        assert_eq!((told.status, told.code().as_str()), (403, "forbidden"), "{key}");
    }
    let told = house.ask("slow-1", "GET", &format!("{MALL}/orders/{order}"), &Value::Null).await;
    assert_eq!(told.code(), "forbidden");
    let told = house.ask("slow-1", "POST", "/v1/channels/slow/notifications", &news).await;
    assert_eq!((told.status, told.json()), (200, json!({ "result": "moved" })));
}
