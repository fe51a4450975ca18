//! What a mall is told is signed, and the client library believes it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use suanpan_client::signing::header;
use suanpan_client::{Notification, NotificationFault, NotificationVerifier};
use suanpan_server::Config;
use tempfile::TempDir;

use crate::common::{MALL, paid};
use crate::house::House;

/// Headers and body of a notification.
type Told = (Vec<(String, String)>, Vec<u8>);

/// A mall that takes every notification; its address, and what it is told.
fn mall() -> (String, Receiver<Told>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/told", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            let mut headers = Vec::new();
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|length| length > 2) {
                if let Some((name, value)) = line.trim_end().split_once(": ") {
                    headers.push((name.to_ascii_lowercase(), value.to_owned()));
                }
                line.clear();
            }
            let mut body = vec![0; value(&headers, "content-length").parse().unwrap_or(0)];
            reader.read_exact(&mut body).unwrap();
            let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
            reader.get_mut().write_all(answer).unwrap();
            if sender.send((headers, body)).is_err() {
                return;
            }
        }
    });
    (url, receiver)
}

fn value<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

async fn check(keep_secrets: bool, signer: &str) {
    let (url, told) = mall();
    let open = |config: &mut Config| {
        let internal = "[notifications]\nallow_internal_addresses = true";
        config.notifications = Config::parse(internal).unwrap().notifications;
        config.platforms[0].notify_url = Some(url.parse().unwrap());
        let is_secret = |id: &str| matches!(id, "mall-1" | "mall-old" | "mall-next");
        config.security.keys.retain(|key| keep_secrets || !is_secret(&key.id));
    };
    let house = House::open_with(TempDir::new().unwrap(), open).await;
    let submitted = house.ask("mall-2", "POST", &format!("{MALL}/orders"), &paid("V1")).await;
    assert_eq!(submitted.status, 201);
    let wait = move || told.recv_timeout(Duration::from_secs(60));
    let (headers, body) = actix_web::web::block(wait).await.unwrap().unwrap();
    let verifier = NotificationVerifier::new()
        .with_key("mall-1", house.key("mall-1").signing().verifying().unwrap())
        .with_key("engine", house.engine_key());
    let notification = Notification {
        id: value(&headers, header::NOTIFICATION_ID),
        timestamp_s: value(&headers, header::TIMESTAMP).parse().unwrap(),
        key_id: value(&headers, header::KEY_ID),
        signature: value(&headers, header::SIGNATURE),
        body: &body,
    };
    assert_eq!(notification.key_id, signer);
    assert_eq!(verifier.verify(&notification), Ok(()));
    let altered = [&body[..], b" "].concat();
    let altered = Notification { body: &altered, ..notification };
    assert_eq!(verifier.verify(&altered), Err(NotificationFault::Signature));
}

#[actix_web::test]
async fn a_mall_with_a_secret_is_told_under_the_one_that_counts() {
    check(true, "mall-1").await;
}

#[actix_web::test]
async fn a_mall_without_a_secret_is_told_under_the_engines_own_key() {
    check(false, "engine").await;
}
