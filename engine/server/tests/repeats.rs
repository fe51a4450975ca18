//! The same request again, and more requests than were agreed.
#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

mod common;

use common::{Answer, MALL, Shop, paid, waiting};
use serde_json::{Value, json};
use suanpan_server::budget::RequestRate;
use tempfile::TempDir;

async fn keyed(shop: &Shop, path: &str, key: &str, body: &Value) -> Answer {
    shop.send(reqwest::Client::new().post(shop.url(path)).header("idempotency-key", key).json(body)).await
}

#[actix_web::test]
async fn a_key_gives_the_first_answer_byte_for_byte_also_after_a_restart() {
    let shop = Shop::open().await;
    let order = shop.frozen(&paid("K1")).await;
    let dispute = format!("{MALL}/orders/{order}/dispute");
    let resolve = format!("{MALL}/orders/{order}/dispute/resolve");
    let first = keyed(&shop, &dispute, "a-1", &json!({})).await;
    assert_eq!((first.status, &first.json()["status"]), (200, &json!("disputed")), "{}", first.text);
    keyed(&shop, &resolve, "a-2", &json!({})).await.ok();
    // The order stands elsewhere by now.
    let again = keyed(&shop, &dispute, "a-1", &json!({})).await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(shop.life(&order).await["status"], "frozen", "nothing happened again");

    let table = [
        (dispute.as_str(), "a-2", json!({}), "idempotency_conflict"),
        (resolve.as_str(), "a-2", json!({ "refund": null }), "idempotency_conflict"),
        (dispute.as_str(), "", json!({}), "invalid_field"),
        (dispute.as_str(), "a b", json!({}), "invalid_field"),
        (dispute.as_str(), &"x".repeat(65), json!({}), "invalid_field"),
    ];
    for (path, key, body, code) in table {
        let problem = keyed(&shop, path, key, &body).await.problem();
        assert_eq!((problem.1.as_str(), problem.2.as_str()), (code, "Idempotency-Key"), "{key}");
    }
    // Keys belong to their platform.
    let foreign = "/v1/platforms/9002/orders/no:Z/close";
    assert_eq!(keyed(&shop, foreign, "a-1", &json!({})).await.problem().1, "unknown_order");

    let dir = shop.close().await;
    let shop = Shop::open_in(dir).await;
    let again = keyed(&shop, &dispute, "a-1", &json!({})).await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    shop.close().await;
}

#[actix_web::test]
async fn a_refusal_is_not_kept_under_its_key() {
    let shop = Shop::open().await;
    let order = shop.order(&waiting("K2")).await;
    let confirm = format!("{MALL}/orders/{order}/confirm");
    assert_eq!(keyed(&shop, &confirm, "b-1", &json!({})).await.problem().1, "illegal_state");
    shop.notify("slow", &order, json!({})).await.ok();
    shop.until(&order, |life| life["status"] == "frozen").await;
    assert_eq!(keyed(&shop, &confirm, "b-1", &json!({})).await.ok()["result"], "moved");
    assert_eq!(keyed(&shop, &confirm, "b-1", &json!({})).await.ok()["result"], "moved", "as it was answered");
    assert_eq!(keyed(&shop, &confirm, "b-2", &json!({})).await.ok()["result"], "repeat");
    shop.close().await;
}

#[actix_web::test]
async fn of_requests_with_one_key_at_once_one_is_carried_out() {
    let shop = Shop::open().await;
    let order = shop.frozen(&paid("K3")).await;
    let path = format!("{MALL}/orders/{order}/confirm");
    let request = || {
        let request =
            reqwest::Client::new().post(shop.url(&path)).header("idempotency-key", "c").json(&json!({}));
        actix_web::rt::spawn(async move { request.send().await.unwrap().text().await.unwrap() })
    };
    let under_way: Vec<_> = (0..8).map(|_| request()).collect();
    let mut answers = Vec::new();
    for one in under_way {
        answers.push(one.await.unwrap());
    }
    let (waited, answered): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.contains("\"in_progress\""));
    assert!(!answered.is_empty() && answered.len() + waited.len() == 8);
    assert!(
        answered.iter().all(|answer| answer.contains("\"moved\"") && *answer == answered[0]),
        "{answers:?}"
    );
    shop.close().await;
}

#[actix_web::test]
async fn a_platform_that_sends_too_much_waits_and_others_do_not() {
    let few = |config: &mut suanpan_server::Config| {
        config.platforms[0].requests = Some(RequestRate { per_second: 1, burst: 3 });
    };
    let shop = Shop::open_with(TempDir::new().unwrap(), few).await;
    let asked = || reqwest::get(shop.url(MALL));
    let mut left = Vec::new();
    let mut refused = None;
    for _ in 0..10 {
        let answer = asked().await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().parse::<u32>().unwrap();
        assert_eq!(header("ratelimit-limit"), 3);
        if answer.status() == 429 {
            assert!(header("retry-after") >= 1);
            refused = Some(header("ratelimit-remaining"));
            break;
        }
        left.push(header("ratelimit-remaining"));
    }
    assert_eq!(left.first(), Some(&2), "{left:?}");
    assert_eq!(refused, Some(0), "{left:?}");
    let mut problem = shop.get(MALL).await;
    while problem.status == 200 {
        problem = shop.get(MALL).await;
    }
    assert_eq!((problem.status, problem.json()["code"].as_str()), (429, Some("rate_limited")));
    for _ in 0..10 {
        assert_eq!(shop.get("/v1/platforms/9002").await.status, 200);
        assert_eq!(shop.get("/health/live").await.status, 200);
    }
    shop.close().await;
}
