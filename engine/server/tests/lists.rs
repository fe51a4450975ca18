//! Lists over HTTP: orders, refunds, releases, disputes, accounts.
#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

mod common;

use common::{MALL, Shop, paid, waiting, with};
use serde_json::{Value, json};

/// Every entry of a list, page by page.
async fn all(shop: &Shop, list: &str, query: &str) -> Vec<Value> {
    let (mut seen, mut after) = (Vec::new(), String::new());
    for _ in 0..100 {
        let page = shop.get(&format!("{MALL}/{list}?limit=2{query}{after}")).await.ok();
        seen.extend(page[list].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return seen,
        }
    }
    panic!("the pages of {list} do not end");
}

fn numbers(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["order_no"].as_str().unwrap()).collect()
}

/// Waits until a list has so many entries: what happened is written down soon after.
async fn until(shop: &Shop, list: &str, count: usize) -> Vec<Value> {
    for _ in 0..500 {
        let seen = all(shop, list, "").await;
        if seen.len() == count {
            return seen;
        }
        actix_rt::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{list} never has {count} entries: {:?}", all(shop, list, "").await);
}

#[actix_web::test]
async fn orders_are_listed_newest_first_by_status_merchant_payer_and_time() {
    let shop = Shop::open().await;
    shop.order(&waiting("L1")).await;
    // Numbers rise from millisecond to millisecond; within one, shards count side by side.
    actix_rt::time::sleep(std::time::Duration::from_millis(2)).await;
    shop.frozen(&paid("L2")).await;
    let ended = shop.frozen(&with(paid("L3"), json!({ "payer": "U2" }))).await;
    shop.frozen(&with(paid("L4"), json!({ "merchant": "M2" }))).await;
    let cart = json!({
        "merchant": null, "payer": "U2",
        "sub_orders": [{ "merchant": "M1", "amount": "60.00" }, { "merchant": "M2", "amount": "40.00" }],
    });
    shop.frozen(&with(paid("L5"), cart)).await;
    shop.post(&format!("{MALL}/orders/{ended}/confirm"), &json!({})).await.ok();

    let table = [
        ("", "L5 L4 L3 L2 L1"),
        ("&status=settled", "L3"),
        ("&status=frozen", "L5 L4 L2"),
        ("&status=pending", "L1"),
        ("&status=failed", ""),
        ("&payer=U2", "L5 L3"),
        ("&merchant=M2", "L5 L4"),
        ("&merchant=M1&payer=U1", "L2 L1"),
        ("&from=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00Z", ""),
        ("&from=2020-01-01T00:00:00Z", "L5 L4 L3 L2 L1"),
    ];
    // The ended one is archived some time during these.
    for _ in 0..2 {
        for (query, expected) in table {
            let seen = all(&shop, "orders", query).await;
            assert_eq!(numbers(&seen).join(" "), expected, "{query}");
        }
        let began = std::time::Instant::now();
        while shop.engine.stats().archive_lag > 0 && began.elapsed().as_secs() < 20 {
            actix_rt::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
    let seen = all(&shop, "orders", "&status=settled").await;
    assert_eq!(seen[0]["order"], json!(ended));
    for (field, expected) in
        [("released", "100.00"), ("frozen", "0.00"), ("amount", "100.00"), ("payer", "U2")]
    {
        assert_eq!(seen[0][field], expected, "{}", seen[0]);
    }

    let refused = [
        ("status=lost", "invalid_field", "status"),
        ("merchant=nobody", "unknown_account", "merchant"),
        ("payer=", "invalid_field", "payer"),
        ("after=x", "invalid_field", "after"),
        ("limit=0", "invalid_field", "limit"),
        ("from=yesterday", "invalid_field", "from"),
        ("sort=asc", "invalid_field", "sort"),
    ];
    for (query, code, field) in refused {
        let (_, found, named) = shop.get(&format!("{MALL}/orders?{query}")).await.problem();
        assert_eq!((found.as_str(), named.as_str()), (code, field), "{query}");
    }
    // Another platform has nothing of it.
    let theirs = shop.get("/v1/platforms/9002/orders").await.ok();
    assert_eq!(theirs, json!({ "orders": [] }));
    shop.close().await;
}

#[actix_web::test]
async fn refunds_releases_and_disputes_are_listed_over_all_orders() {
    let shop = Shop::open().await;
    for order_no in ["D1", "D2", "D3"] {
        let order = shop.frozen(&paid(order_no)).await;
        let act = async |action: &str, body: Value| {
            shop.post(&format!("{MALL}/orders/{order}/{action}"), &body).await.ok()
        };
        act("releases", json!({ "release_no": "r1", "amount": "10.00" })).await;
        act("dispute", json!({})).await;
        if order_no != "D3" {
            act("dispute/resolve", json!({ "refund": { "refund_no": "b1", "amount": "20.00" } })).await;
        }
    }
    let disputes = until(&shop, "disputes", 3).await;
    assert_eq!(numbers(&disputes), ["D3", "D2", "D1"]);
    let states: Vec<&str> = disputes.iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["open", "resolved", "resolved"]);
    assert_eq!(disputes[0]["order_status"], "disputed");
    assert!(disputes[0]["dispute"]["held"].is_array() && disputes[0]["resolved_at"].is_null());
    assert!(disputes[1]["resolved_at"].is_string() && disputes[1]["dispute"].is_null());

    let releases = until(&shop, "releases", 3).await;
    assert_eq!(numbers(&releases), ["D3", "D2", "D1"]);
    assert_eq!(releases[0]["release"], json!({ "release_no": "r1", "amount": "10.00" }));

    let refunds = until(&shop, "refunds", 2).await;
    assert_eq!(numbers(&refunds), ["D2", "D1"]);
    assert_eq!(
        (&refunds[0]["refund"]["refund_no"], &refunds[0]["refund"]["amount"]),
        (&json!("b1"), &json!("20.00"))
    );

    // They outlive a restart, and times cut them.
    let at = refunds[0]["at"].as_str().unwrap().to_owned();
    let shop = Shop::open_in(shop.close().await).await;
    assert_eq!(all(&shop, "refunds", "").await.len(), 2);
    assert_eq!(numbers(&all(&shop, "refunds", &format!("&from={at}")).await), ["D2"]);
    assert_eq!(numbers(&all(&shop, "refunds", &format!("&until={at}")).await), ["D1"]);
    let (_, code, field) = shop.get(&format!("{MALL}/refunds?after=7")).await.problem();
    assert_eq!((code.as_str(), field.as_str()), ("invalid_field", "after"));
    shop.close().await;
}

#[actix_web::test]
async fn accounts_are_listed_in_the_order_of_their_opening_also_after_a_restart() {
    let shop = Shop::open().await;
    let opened = [("cash", "A1"), ("settlement", "A2"), ("cash", "A3"), ("commission", "A4"), ("cash", "A5")];
    for (kind, reference) in opened {
        shop.post(&format!("{MALL}/accounts"), &json!({ "kind": kind, "reference": reference })).await.ok();
    }
    let before = all(&shop, "accounts", "").await;
    let named = |account: &Value, (kind, reference): (&str, &str)| {
        account["kind"] == kind && account["reference"] == reference && account["currency"] == "CNY"
    };
    let latest = &before[before.len() - opened.len()..];
    assert!(latest.iter().zip(opened).all(|(account, name)| named(account, name)), "{latest:?}");
    for kind in ["cash", "settlement", "marketing", "wealth", "deposit", "commission"] {
        let expected: Vec<_> = before.iter().filter(|account| account["kind"] == kind).cloned().collect();
        assert_eq!(all(&shop, "accounts", &format!("&kind={kind}")).await, expected);
    }

    let shop = Shop::open_in(shop.close().await).await;
    assert_eq!(all(&shop, "accounts", "").await, before);
    shop.close().await;
}
