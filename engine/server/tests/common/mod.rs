//! A shop: the whole program over a journal in a temporary directory, asked through real HTTP.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

mod contract;

use std::path::Path;

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use suanpan_runtime::Engine;
use suanpan_server::{Config, ServerHandle, bootstrap, run, start_engine};
use tempfile::TempDir;

/// Path of the shop's platform.
pub const MALL: &str = "/v1/platforms/9001";

pub struct Shop {
    pub engine: Engine,
    pub dir: TempDir,
    server: ServerHandle,
    client: reqwest::Client,
}

/// Status, content type and body of an answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub retry_after: Option<String>,
    pub allow: Option<String>,
    /// Whether it says that it was given before.
    pub replayed: bool,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|fault| panic!("{fault}: {}", self.text))
    }

    /// The body of a success.
    pub fn ok(&self) -> Value {
        assert!(self.status == 200 || self.status == 201, "{} {}", self.status, self.text);
        self.json()
    }

    /// It is the first answer again, byte for byte.
    pub fn assert_again(&self, first: &Self) {
        assert!(first.ok().is_object() && !first.replayed, "{first:?}");
        assert_eq!((self.status, self.text.as_str(), self.replayed), (200, first.text.as_str(), true));
    }

    /// Status, code and field of a problem, whose form is checked.
    pub fn problem(&self) -> (u16, String, String) {
        assert_eq!(self.content_type, "application/problem+json", "{}", self.text);
        let body = self.json();
        assert_eq!(body["status"], self.status, "{body}");
        let code = body["code"].as_str().unwrap();
        assert_eq!(body["type"], format!("urn:suanpan:problem:{code}"));
        assert!(body["title"].is_string(), "{body}");
        assert!(!body["detail"].as_str().unwrap().is_empty(), "{body}");
        assert_eq!(self.retry_after.is_some(), self.status == 503 || code == "in_progress", "{body}");
        (self.status, code.to_owned(), body["field"].as_str().unwrap_or_default().to_owned())
    }
}

/// Sends a request, and holds the answer against the description of the API.
async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.unwrap();
    let (method, path) = (request.method().to_string(), request.url().path().to_owned());
    let response = client.execute(request).await.unwrap();
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let answer = Answer {
        status: response.status().as_u16(),
        content_type: header("content-type").unwrap_or_default(),
        retry_after: header("retry-after"),
        allow: header("allow"),
        replayed: header("idempotency-replayed").is_some(),
        text: response.text().await.unwrap(),
    };
    contract::check(&method, &path, &answer);
    answer
}

pub fn config(dir: &Path) -> Config {
    let mut config = Config::parse(include_str!("shop.toml")).unwrap();
    let channels = dir.join("channels.toml");
    std::fs::write(&channels, include_str!("channels.toml")).unwrap();
    config.channels.file = Some(channels);
    config.data_dir = dir.join("data");
    config
}

impl Shop {
    pub async fn open() -> Self {
        Self::open_in(TempDir::new().unwrap()).await
    }

    pub async fn open_in(dir: TempDir) -> Self {
        Self::open_with(dir, |_| {}).await
    }

    pub async fn open_with(dir: TempDir, change: impl Fn(&mut Config)) -> Self {
        let mut config = config(dir.path());
        change(&mut config);
        let engine = start_engine(&config).unwrap();
        bootstrap(&engine, &config).await.unwrap();
        let server = run(&config, engine.clone()).unwrap();
        Self { engine, dir, server, client: reqwest::Client::new() }
    }

    /// Stops server and engine; what is on disk stays.
    pub async fn close(self) -> TempDir {
        self.server.stop().await;
        self.engine.shutdown().await.unwrap();
        self.dir
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.url())
    }

    /// For requests with headers of their own.
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        answer(request).await
    }

    /// Posts all of them at once, without waiting for any; the answers in their order.
    pub async fn post_all(&self, requests: &[(String, Value)]) -> Vec<Answer> {
        let request = |(path, body): &(String, Value)| self.client.post(self.url(path)).json(body);
        let tasks: Vec<_> = requests.iter().map(request).map(|one| actix_rt::spawn(answer(one))).collect();
        let mut answers = Vec::with_capacity(tasks.len());
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        answers
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.client.get(self.url(path))).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.client.post(self.url(path)).json(body)).await
    }

    pub async fn post_text(&self, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        let request = self.client.post(self.url(path)).header(CONTENT_TYPE, content_type);
        self.send(request.body(body.into())).await
    }

    pub async fn call(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> Answer {
        let request = self.client.request(method, self.url(path));
        self.send(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    pub async fn request(&self, method: reqwest::Method, path: &str) -> Answer {
        self.send(self.client.request(method, self.url(path))).await
    }

    /// Submits an order that must be taken; the engine's number.
    pub async fn order(&self, body: &Value) -> String {
        let answer = self.post(&format!("{MALL}/orders?wait_ms=5000"), body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["order"].as_str().unwrap().to_owned()
    }

    pub async fn life(&self, order: &str) -> Value {
        self.get(&format!("{MALL}/orders/{order}")).await.ok()
    }

    /// Balance of an account of the shop's platform.
    pub async fn balance(&self, kind: &str, reference: &str) -> String {
        let balance = self.get(&format!("{MALL}/accounts/{kind}/{reference}")).await.ok();
        balance["balance"].as_str().unwrap().to_owned()
    }

    /// Looks at an account of the shop's platform until it has this balance and its owner owes this.
    pub async fn until_balance(&self, kind: &str, reference: &str, balance: &str, owed: &str) {
        let mut known = Value::Null;
        for _ in 0..500 {
            known = self.get(&format!("{MALL}/accounts/{kind}/{reference}")).await.ok();
            if known["balance"] == balance && known["owed"] == owed {
                return;
            }
            actix_rt::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{balance} and {owed} owed are expected: {known}");
    }

    /// Looks at an order until `done`.
    pub async fn until(&self, order: &str, done: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..500 {
            let life = self.life(order).await;
            if done(&life) {
                return life;
            }
            actix_rt::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("it does not come to that: {}", self.life(order).await);
    }

    /// A paid order over 100.00 for M1 whose money is frozen.
    pub async fn frozen(&self, body: &Value) -> String {
        let order = self.order(body).await;
        self.until(&order, |life| life["status"] == "frozen").await;
        order
    }

    /// What a channel says about the first attempt of an order.
    pub async fn notify(&self, channel: &str, order: &str, changes: Value) -> Answer {
        let life = self.life(order).await;
        let news = json!({
            "payment_no": life["attempts"][0]["payment_no"], "channel_no": "C1", "status": "succeeded",
            "amount": life["money"]["payable"], "currency": life["terms"]["currency"],
        });
        self.post(&format!("/v1/channels/{channel}/notifications"), &with(news, changes)).await
    }

    /// The books balance.
    pub async fn assert_balanced(&self) {
        let trial = self.get("/v1/trial-balance").await.ok();
        assert_eq!(trial["balanced"], true, "{trial}");
    }
}

/// A gateway order over 100.00 for M1 that waits for its payer.
pub fn waiting(order_no: &str) -> Value {
    json!({
        "order_no": order_no, "payer": "U1", "amount": "100.00", "kind": "gateway", "bank": "ICBC",
        "merchant": "M1",
    })
}

/// The same, paid at once.
pub fn paid(order_no: &str) -> Value {
    with(waiting(order_no), json!({ "bank": "CMB" }))
}

/// The same, through a channel that never says whether a refund was made.
pub fn vague(order_no: &str) -> Value {
    with(waiting(order_no), json!({ "bank": "ABC" }))
}

/// An object with some fields replaced; null takes a field out.
pub fn with(mut body: Value, changes: Value) -> Value {
    let fields = body.as_object_mut().unwrap();
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    for (name, value) in changes {
        if value.is_null() {
            fields.remove(&name);
        } else {
            fields.insert(name, value);
        }
    }
    body
}
