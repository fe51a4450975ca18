//! Signed requests and signed answers.

use serde_json::{Value, json};
use suanpan_client::signing::{Algorithm, SigningKey, WINDOW_S, header};
use suanpan_client::{ClientFault, Kind, NewOrder};

use crate::common::{MALL, waiting};
use crate::house::{House, Signed, now_s, sign};

fn orders() -> String {
    format!("{MALL}/orders")
}

/// An order of these requests is not there.
async fn assert_nothing_changed(house: &House, order_no: &str) {
    let known = house.ask("mall-1", "GET", &format!("{MALL}/orders/no:{order_no}"), &Value::Null).await;
    assert_eq!((known.status, known.code().as_str()), (404, "unknown_order"));
}

#[actix_web::test]
async fn every_algorithm_signs_orders_and_gets_signed_answers() {
    let house = House::open().await;
    for (key, signer) in [("mall-1", "mall-1"), ("mall-2", "engine"), ("mall-rsa", "engine")] {
        let request = house.signed(key, "POST", &orders(), &waiting(key));
        let told = house.send(&request).await;
        assert_eq!(told.status, 201, "{key} {}", String::from_utf8_lossy(&told.body));
        let verifying = match signer {
            "engine" => house.engine_key(),
            _ => house.key(key).signing().verifying().unwrap(),
        };
        assert!(told.is_signed(signer, &verifying, request.nonce()), "{key} {told:?}");
        assert!(!told.is_signed(signer, &verifying, "another"), "{key}");
        // Refusals too, by whatever stands behind the gate.
        for (target, code) in [("/nowhere", "not_found"), (&*orders(), "missing_field")] {
            let request = house.signed(key, "POST", target, &json!({}));
            let told = house.send(&request).await;
            assert_eq!(told.code(), code);
            assert!(told.is_signed(signer, &verifying, request.nonce()), "{key} {told:?}");
        }
    }
}

#[actix_web::test]
async fn what_is_not_signed_as_it_should_be_is_refused_with_its_code_and_changes_nothing() {
    let house = House::open().await;
    let good = || house.signed("mall-1", "POST", &orders(), &waiting("S1"));
    let at = |timestamp_s| {
        let body = serde_json::to_vec(&waiting("S1")).unwrap();
        sign(house.key("mall-1"), "POST", &orders(), &body, timestamp_s, &format!("n{timestamp_s}"))
    };
    let altered_body = || {
        let mut request = good();
        let text = String::from_utf8(request.body).unwrap().replace("100.00", "900.00");
        request.body = text.into_bytes();
        request
    };
    let other_target = |target: &str| Signed { target: target.to_owned(), ..good() };
    let forged = |secret: &str| {
        let text = suanpan_client::signing::Secret::new(secret);
        let key = crate::house::Key { id: "mall-1", algorithm: Algorithm::HmacSha256, text };
        let body = serde_json::to_vec(&waiting("S1")).unwrap();
        sign(&key, "POST", &orders(), &body, now_s(), "forged")
    };
    let public_half = house.key("mall-2").signing().public_pem().unwrap().unwrap();
    // The public half of a key as a secret: the header cannot choose the algorithm.
    let confused = Signed { headers: forged(&public_half).set(header::KEY_ID, "mall-2").headers, ..good() };
    let long = "n".repeat(65);
    let table: Vec<(&str, Signed, &str, &str)> = vec![
        ("nothing", Signed { headers: Vec::new(), ..good() }, "authentication_required", ""),
        ("no key", good().without(header::KEY_ID), "signature_header", header::KEY_ID),
        ("no time", good().without(header::TIMESTAMP), "signature_header", header::TIMESTAMP),
        ("no nonce", good().without(header::NONCE), "signature_header", header::NONCE),
        ("no signature", good().without(header::SIGNATURE), "signature_header", header::SIGNATURE),
        ("odd time", good().set(header::TIMESTAMP, "-5"), "signature_header", header::TIMESTAMP),
        ("huge time", good().set(header::TIMESTAMP, &"9".repeat(30)), "signature_header", header::TIMESTAMP),
        ("long nonce", good().set(header::NONCE, &long), "signature_header", header::NONCE),
        ("odd key", good().set(header::KEY_ID, "a b"), "signature_header", header::KEY_ID),
        ("unknown key", good().set(header::KEY_ID, "mall-9"), "unknown_key", header::KEY_ID),
        (
            "expired key",
            house.signed("mall-old", "POST", &orders(), &waiting("S1")),
            "key_expired",
            header::KEY_ID,
        ),
        (
            "early key",
            house.signed("mall-next", "POST", &orders(), &waiting("S1")),
            "key_not_yet_valid",
            header::KEY_ID,
        ),
        ("stale", at(now_s() - WINDOW_S - 5), "timestamp_stale", header::TIMESTAMP),
        ("future", at(now_s() + WINDOW_S + 5), "timestamp_future", header::TIMESTAMP),
        ("before the start", at(now_s() - WINDOW_S + 30), "signed_before_start", header::TIMESTAMP),
        (
            "other time",
            good().set(header::TIMESTAMP, &(now_s() + 1).to_string()),
            "signature_invalid",
            header::SIGNATURE,
        ),
        ("other nonce", good().set(header::NONCE, "other"), "signature_invalid", header::SIGNATURE),
        ("other body", altered_body(), "signature_invalid", header::SIGNATURE),
        ("no body", Signed { body: Vec::new(), ..good() }, "signature_invalid", header::SIGNATURE),
        ("other path", other_target(&format!("{MALL}/orders/batch")), "signature_invalid", header::SIGNATURE),
        (
            "other query",
            other_target(&format!("{MALL}/orders?wait_ms=1")),
            "signature_invalid",
            header::SIGNATURE,
        ),
        ("other method", Signed { method: "PUT", ..good() }, "signature_invalid", header::SIGNATURE),
        ("not base64", good().set(header::SIGNATURE, "***"), "signature_invalid", header::SIGNATURE),
        ("other secret", forged(&"x".repeat(40)), "signature_invalid", header::SIGNATURE),
        ("confused", confused, "signature_invalid", header::SIGNATURE),
    ];
    for (what, request, code, field) in table {
        let told = house.send(&request).await;
        assert_eq!((told.status, told.code().as_str()), (401, code), "{what}");
        assert_eq!(told.json()["field"].as_str().unwrap_or_default(), field, "{what}");
        assert_eq!(told.header("www-authenticate"), "Suanpan-Signature", "{what}");
        // Whoever knows the engine's key can believe the refusal.
        let nonce = if request.nonce().len() > 64 { "" } else { request.nonce() };
        assert!(told.is_signed("engine", &house.engine_key(), nonce), "{what} {told:?}");
    }
    assert_nothing_changed(&house, "S1").await;
    let doubled = reqwest::Client::new().post(format!("{}{}", house.url, orders()));
    let doubled = good().headers.iter().fold(doubled, |request, (name, value)| request.header(*name, value));
    let doubled = doubled.header(header::NONCE, "second").body(good().body);
    assert_eq!(doubled.send().await.unwrap().status(), 401);
    assert_nothing_changed(&house, "S1").await;
    assert_eq!(house.send(&good()).await.status, 201, "and the good one is taken");
}

#[actix_web::test]
async fn a_request_is_admitted_once_also_over_a_restart() {
    let house = House::open().await;
    let first = house.signed("mall-1", "POST", &orders(), &waiting("R1"));
    let ahead_s = now_s() + 200;
    let body = serde_json::to_vec(&waiting("R2")).unwrap();
    let ahead = sign(house.key("mall-2"), "POST", &orders(), &body, ahead_s, "ahead");
    for request in [&first, &ahead] {
        assert_eq!(house.send(request).await.status, 201);
        let again = house.send(request).await;
        assert_eq!((again.status, again.code().as_str()), (401, "nonce_replayed"));
    }
    // The same nonce under another key is another one.
    let theirs = sign(house.key("mall-rsa"), "POST", &orders(), &first.body, now_s(), first.nonce());
    assert_eq!(house.send(&theirs).await.status, 200);

    let house = House::open_with(house.close().await, |_| {}).await;
    for request in [&first, &ahead] {
        let again = house.send(request).await;
        assert_eq!((again.status, again.code().as_str()), (401, "signed_before_start"));
        assert!(again.json()["detail"].as_str().unwrap().contains("sign again"));
    }
    assert_eq!(house.ask("mall-1", "POST", &orders(), &waiting("R1")).await.status, 200, "signed again");
}

#[actix_web::test]
async fn a_guard_that_is_full_refuses_as_busy() {
    let house =
        House::open_with(tempfile::TempDir::new().unwrap(), |config| config.security.nonces_max = 64).await;
    let mut codes = Vec::new();
    for _ in 0..200 {
        codes.push(house.ask("mall-1", "GET", MALL, &Value::Null).await.code());
    }
    assert!(codes.iter().any(|code| code == "busy"), "{codes:?}");
    assert!(codes.iter().filter(|code| *code != "busy").count() <= 64);
}

#[actix_web::test]
async fn the_client_signs_verifies_and_waits_for_a_start() {
    // Everything that is signed in the second of the start is refused; the client signs again.
    let house = House::open_at_once(tempfile::TempDir::new().unwrap(), |_| {}).await;
    for key in ["mall-1", "mall-2"] {
        let client = house.client(key);
        let mall = client.platform(9001);
        let mut order = NewOrder::new(format!("C-{key}"), "U1", "100.00", Kind::Gateway).to_merchant("M1");
        order.bank = Some("CMB".to_owned());
        let receipt = mall.create_order_and_wait(&order, 5_000).await.unwrap();
        assert_eq!(receipt.now.as_ref().unwrap().status, "frozen", "{receipt:?}");
        let again = mall.create_order(&order).await.unwrap();
        assert_eq!(again.order, receipt.order);
        let summary = mall.confirm(&receipt.order).await.unwrap();
        assert_eq!(summary.status, "settled");
        let life = mall.order(&format!("no:C-{key}")).await.unwrap();
        assert_eq!(life.status, "settled");
        order.amount = "7.00".to_owned();
        let Err(ClientFault::Refused(problem)) = mall.create_order(&order).await else { panic!("refused") };
        assert_eq!(problem.code, "idempotency_conflict");
        let account = suanpan_client::Account { kind: "settlement".to_owned(), reference: "M1".to_owned() };
        let statement = mall.entries(&account, None, 10).await.unwrap();
        let balance = mall.account(&account).await.unwrap();
        assert_eq!(statement.entries.last().unwrap().balance, balance.balance);
    }
    // An answer that is not the engine's is not believed.
    let stranger = SigningKey::read(Algorithm::Ed25519, &SigningKey::generate(Algorithm::Ed25519).unwrap());
    let credentials =
        suanpan_client::Credentials { key_id: "mall-2".to_owned(), key: house.key("mall-2").signing() };
    let options = suanpan_client::ClientOptions::new(&house.url)
        .signed_by(credentials)
        .engine_key("engine", stranger.unwrap().verifying().unwrap())
        .repeats(suanpan_client::RepeatPolicy::NEVER);
    let client = suanpan_client::Client::new(options).unwrap();
    let fault = client.platform(9001).order("no:C-mall-1").await.unwrap_err();
    assert!(matches!(fault, ClientFault::Unverified { status: 200, .. }), "{fault}");
}

#[actix_web::test]
async fn an_answer_that_grows_is_signed_at_its_head() {
    let house = House::open().await;
    let draft = json!({ "rules": { "order": ["cost"] } });
    let request = house.signed("mall-1", "POST", &format!("{MALL}/routing/back-test"), &draft);
    let told = house.send(&request).await;
    assert_eq!((told.status, told.header(header::SIGNED)), (200, "head"));
    let timestamp_s = told.header(header::TIMESTAMP).parse().unwrap();
    let message = suanpan_client::signing::stream_message(200, timestamp_s, request.nonce());
    let key = house.key("mall-1").signing().verifying().unwrap();
    assert_eq!(key.verify(&message, told.header(header::SIGNATURE)), Ok(()));
    assert!(!told.is_signed("mall-1", &key, request.nonce()), "the body is not covered");
    // The client takes such an answer only where it expects one.
    let client = house.client("mall-1");
    let target = format!("{MALL}/routing/back-test");
    let request = || suanpan_client::Request::post(&target, &draft).unwrap();
    assert_eq!(client.send(request().growing()).await.unwrap().status, 200);
    let fault = client.send(request().if_not_performed()).await.unwrap_err();
    assert!(matches!(fault, ClientFault::Unverified { status: 200, .. }), "{fault}");
}

#[actix_web::test]
async fn keys_change_while_requests_flow_and_a_key_that_cannot_be_read_changes_nothing() {
    let house = House::open().await;
    let path = format!("{MALL}/campaigns");
    let ask = async |key: &str| house.ask(key, "GET", &path, &Value::Null).await.code();
    assert_eq!((ask("mall-1").await, ask("mall-2").await), (String::new(), String::new()));
    house.reload(|config| config.security.keys.retain(|key| key.id != "mall-1")).unwrap();
    assert_eq!((ask("mall-1").await, ask("mall-2").await), ("unknown_key".to_owned(), String::new()));
    let fault = house.reload(|config| {
        config.security.keys[1].source = suanpan_server::config::KeySource::File("/no/such/file".into());
    });
    assert!(fault.unwrap_err().to_string().contains("/no/such/file"));
    assert_eq!((ask("mall-1").await, ask("mall-2").await), ("unknown_key".to_owned(), String::new()));
    house.reload(|_| {}).unwrap();
    assert_eq!(ask("mall-1").await, "");
}
