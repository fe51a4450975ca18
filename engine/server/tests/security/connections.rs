//! Callers that are slow, large or many.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use suanpan_server::Config;
use tempfile::TempDir;

use crate::common::{MALL, waiting};
use crate::house::{House, Signed};

fn impatient(config: &mut Config) {
    config.server.header_timeout_s = 1;
    config.server.body_timeout_s = 1;
    config.server.connections_max = 8;
}

/// Sends bytes, and reads until the server has said everything.
fn talk(house: &House, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(house.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut heard = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return String::from_utf8_lossy(&heard).into_owned(),
            Ok(length) => heard.extend_from_slice(&piece[..length]),
        }
    }
}

/// The request as bytes, with another length than it has.
fn head(signed: &Signed, length: usize) -> String {
    let headers: String = signed.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!(
        "{} {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n{headers}\r\n",
        signed.method, signed.target
    )
}

#[actix_web::test]
async fn slow_heads_and_slow_bodies_are_given_up() {
    let house = House::open_with(TempDir::new().unwrap(), impatient).await;
    let request = house.signed("mall-1", "POST", &format!("{MALL}/orders"), &waiting("L1"));
    let half_body = [head(&request, request.body.len()).as_bytes(), &request.body[..10]].concat();
    let (slow_head, slow_body) = std::thread::scope(|scope| {
        let slow_head = scope.spawn(|| talk(&house, b"POST /v1/platforms/9001/orders HTTP/1.1\r\nhost:"));
        let slow_body = scope.spawn(|| talk(&house, &half_body));
        (slow_head.join().unwrap(), slow_body.join().unwrap())
    });
    assert!(slow_head.starts_with("HTTP/1.1 408"), "{slow_head}");
    assert!(slow_body.starts_with("HTTP/1.1 408") && slow_body.contains("request_timeout"), "{slow_body}");
    let known = house.ask("mall-1", "GET", &format!("{MALL}/orders/no:L1"), &Value::Null).await;
    assert_eq!(known.code(), "unknown_order");
}

#[actix_web::test]
async fn large_bodies_are_refused_before_they_are_read() {
    let house = House::open().await;
    // Said to be large: refused without a byte of it.
    let request = house.signed("mall-1", "POST", &format!("{MALL}/orders"), &waiting("L2"));
    let told = talk(&house, head(&request, 1 << 40).as_bytes());
    assert!(told.starts_with("HTTP/1.1 413") && told.contains("too_large"), "{told}");
    // Really large, without saying so.
    let large = json!({ "order_no": "L2", "description": "x".repeat(20 << 10) });
    let told = house.ask("mall-1", "POST", &format!("{MALL}/orders"), &large).await;
    assert_eq!((told.status, told.code().as_str()), (413, "too_large"));
    // A batch may be larger.
    let told = house.ask("mall-1", "POST", &format!("{MALL}/orders/batch"), &large).await;
    assert_eq!((told.status, told.code().as_str()), (400, "invalid_field"));
    // Who has proved nothing is not listened to at all.
    let unsigned = Signed { headers: Vec::new(), ..request };
    let told = talk(&house, head(&unsigned, 1 << 40).as_bytes());
    assert!(told.starts_with("HTTP/1.1 401"), "{told}");
}

#[actix_web::test]
async fn idle_connections_take_nobodys_place_for_long() {
    let house = House::open_with(TempDir::new().unwrap(), impatient).await;
    let idle: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(house.address()).unwrap()).collect();
    // Served as soon as the idle ones ahead are given up.
    let client = house.client("mall-1");
    let order: Value = client
        .call(suanpan_client::Request::post(&format!("{MALL}/orders"), &waiting("L3")).unwrap())
        .await
        .unwrap();
    assert_eq!(order["order_no"], "L3");
    drop(idle);
}

#[actix_web::test]
async fn a_handshake_that_does_not_come_is_given_up() {
    let dir = TempDir::new().unwrap();
    let (_, tls) = crate::certificates::with_tls(&dir);
    let house = House::open_with(dir, |config| {
        tls(config);
        impatient(config);
    })
    .await;
    for words in [&b""[..], b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", &[0x16, 3, 1, 2]] {
        let told = talk(&house, words);
        assert!(!told.contains("HTTP/1.1 200"), "{told}");
    }
}
