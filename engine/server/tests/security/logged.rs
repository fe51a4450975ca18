//! The log says why somebody was refused, and nothing that is secret.

use std::io::Write;
use std::sync::{Arc, Mutex};

use suanpan_client::signing::header;

use crate::common::{MALL, waiting};
use crate::house::House;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[actix_web::test]
async fn refusals_are_logged_with_their_reason_and_without_secrets() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::TRACE);
    subscriber.with_writer(move || writer.clone()).init();
    let house = House::open().await;
    let body = "a body that nobody else sends";
    let order = crate::common::with(waiting("LOG1"), serde_json::json!({ "description": body }));
    let good = house.signed("mall-rsa", "POST", &format!("{MALL}/orders"), &order);
    let bad = good.clone().set(header::NONCE, "log-nonce");
    assert_eq!(house.send(&bad).await.code(), "signature_invalid");
    assert_eq!(house.send(&good).await.status, 201);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let line = text.lines().find(|line| line.contains("mall-rsa") && line.contains("refused")).unwrap();
    for part in ["signature_invalid", header::SIGNATURE, "127.0.0.1", "POST"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let signature = &good.headers.iter().find(|(name, _)| *name == header::SIGNATURE).unwrap().1;
    for key in &house.keys {
        assert!(!text.contains(key.text.reveal().trim()), "the key {} is in the log", key.id);
    }
    // The server's own lines; what a client's library says in the same process is not ours.
    let ours: String = text.lines().filter(|line| line.contains("suanpan_")).collect();
    for secret in [body, signature.as_str(), "log-nonce"] {
        assert!(!ours.contains(secret), "{secret:?} is in the log");
    }
}
