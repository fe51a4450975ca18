//! Operators: what each role may do, and the trail that they leave.

use serde_json::{Value, json};

use crate::common::{MALL, waiting};
use crate::house::House;

#[actix_web::test]
async fn each_role_may_do_its_part_and_platforms_none_of_it() {
    let house = House::open().await;
    let top_up = json!({ "reference": "t1", "amount": "5.00" });
    let top_ups = format!("{MALL}/accounts/cash/U1/top-ups");
    let order = format!("{MALL}/orders");
    // method, path, body, and the status for: mall, viewer, operator, admin
    let table: Vec<(&str, &str, Value, [u16; 4])> = vec![
        ("GET", "/v1/trial-balance", Value::Null, [403, 200, 200, 200]),
        ("GET", "/v1/books", Value::Null, [403, 200, 200, 200]),
        ("GET", "/v1/exceptions", Value::Null, [403, 200, 200, 200]),
        ("GET", "/v1/channels", Value::Null, [403, 200, 200, 200]),
        ("GET", "/v1/audit", Value::Null, [403, 403, 403, 200]),
        ("GET", "/v1/platforms/9001/exceptions", Value::Null, [200, 200, 200, 200]),
        ("GET", "/v1/platforms/9002/campaigns", Value::Null, [403, 200, 200, 200]),
        ("POST", &top_ups, top_up, [403, 403, 200, 200]),
        ("POST", &order, waiting("A1"), [201, 403, 403, 200]),
        ("GET", "/v1/platforms/9003/exceptions", Value::Null, [403, 404, 404, 404]),
    ];
    for (method, path, body, expected) in table {
        let method = if method == "GET" { "GET" } else { "POST" };
        for (key, status) in ["mall-1", "vera", "oscar", "ada"].into_iter().zip(expected) {
            let told = house.ask(key, method, path, &body).await;
            assert_eq!(told.status, status, "{key} {method} {path} {}", String::from_utf8_lossy(&told.body));
        }
    }
    // Whoever watches does it from the machine; anybody may ask whether it lives.
    for path in ["/", "/health/live", "/health/ready", "/metrics", "/v1/engine-key"] {
        let told = reqwest::get(format!("{}{path}", house.url)).await.unwrap();
        assert_eq!(told.status(), 200, "{path}");
    }
    let key: Value =
        reqwest::get(format!("{}/v1/engine-key", house.url)).await.unwrap().json().await.unwrap();
    assert_eq!((&key["key_id"], &key["algorithm"]), (&json!("engine"), &json!("ed25519")));
    // Without a proof every other path is closed; the description of the API is for everybody.
    let described = ["/openapi.json", "/docs"];
    for endpoint in suanpan_server::endpoint::Endpoint::ALL {
        let open = ["/", "/health/live", "/health/ready", "/metrics", "/v1/engine-key"];
        let open = open.iter().chain(&described).any(|path| *path == endpoint.path);
        let method: reqwest::Method = endpoint.method.parse().unwrap();
        let path = endpoint.path.replace(['{', '}'], "");
        let told =
            reqwest::Client::new().request(method, format!("{}{path}", house.url)).send().await.unwrap();
        assert_eq!(told.status() == 401, !open, "{} {}", endpoint.method, endpoint.path);
    }
}

#[actix_web::test]
async fn what_operators_do_is_written_down_before_it_is_answered() {
    let house = House::open().await;
    let top_ups = format!("{MALL}/accounts/cash/U1/top-ups");
    house.ask("oscar", "POST", &top_ups, &json!({ "reference": "t1", "amount": "5.00" })).await;
    house.ask("oscar", "POST", &top_ups, &json!({ "reference": "t1", "amount": "6.00" })).await;
    house.ask("vera", "POST", &top_ups, &json!({ "reference": "t2", "amount": "7.00" })).await;
    house.ask("ada", "POST", &format!("{MALL}/orders/no:x/sms-code"), &json!({ "sms_code": "246810" })).await;
    house.ask("mall-1", "POST", &format!("{MALL}/orders"), &waiting("A2")).await;
    house.ask("ada", "GET", "/v1/books", &Value::Null).await;
    // A torn line, as a crash leaves it.
    let dir = house.close().await;
    let file = dir.path().join("data/audit.jsonl");
    let before = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{before}{{\"action\":")).unwrap();
    let house = House::open_with(dir, |_| {}).await;
    house.ask("oscar", "POST", &top_ups, &json!({ "reference": "t3", "amount": "1.00" })).await;

    let mut lines = Vec::new();
    let mut after = 0;
    loop {
        let page =
            house.ask("ada", "GET", &format!("/v1/audit?after={after}&limit=3"), &Value::Null).await.json();
        lines.extend(page["lines"].as_array().unwrap().iter().cloned());
        match page["next"].as_u64() {
            Some(next) => after = next,
            None => break,
        }
    }
    let told: Vec<(String, String, Value, Value)> = lines
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            (text("operator"), text("event"), line["status"].clone(), line["code"].clone())
        })
        .collect();
    let row = |operator: &str, event: &str, status: Value, code: Value| {
        (operator.to_owned(), event.to_owned(), status, code)
    };
    let asked = |operator: &str| row(operator, "asked", Value::Null, Value::Null);
    let expected = [
        asked("oscar"),
        row("oscar", "answered", json!(200), Value::Null),
        asked("oscar"),
        row("oscar", "answered", json!(409), json!("idempotency_conflict")),
        asked("vera"),
        row("vera", "answered", json!(403), json!("forbidden")),
        asked("ada"),
        row("ada", "answered", json!(404), json!("unknown_order")),
        row("", "", Value::Null, Value::Null),
        asked("oscar"),
        row("oscar", "answered", json!(200), Value::Null),
    ];
    assert_eq!(told, expected);
    assert_eq!(lines[0]["target"], top_ups);
    assert_eq!(lines[0]["body"], json!({ "reference": "t1", "amount": "5.00" }));
    assert_eq!(lines[0]["action"], lines[1]["action"]);
    assert!(lines[8]["torn"].is_string());
    assert!(lines.iter().all(|line| !line.to_string().contains("246810")), "codes of payers are not written");
    let told = house.ask("ada", "GET", "/v1/audit?after=5", &Value::Null).await;
    assert_eq!((told.status, told.code().as_str()), (400, "invalid_field"));
}
