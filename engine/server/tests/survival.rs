//! The real program is killed with SIGKILL with everything open that money can wait for: it is all there, and goes on.
#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

mod common;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{MALL, paid, vague, waiting, with};
use serde_json::{Value, json};

/// `suanpan serve` with the shop's configuration.
struct Program {
    child: Child,
    url: String,
    client: reqwest::Client,
}

fn configuration(dir: &Path) -> PathBuf {
    let channels = dir.join("channels.toml");
    std::fs::write(&channels, include_str!("common/channels.toml")).unwrap();
    let settings = include_str!("common/shop.toml");
    let files = format!("[channels]\nfile = {channels:?}\n\n[data]\ndir = {:?}\n\n", dir.join("data"));
    let path = dir.join("suanpan.toml");
    std::fs::write(&path, format!("{files}{settings}")).unwrap();
    path
}

impl Program {
    fn serve(dir: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_suanpan"))
            .args(["serve", "--config"])
            .arg(configuration(dir))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let mut seen = Vec::new();
        let url = lines.by_ref().find_map(|line| {
            let url = line.split_once("url=\"").and_then(|(_, rest)| rest.split('"').next());
            let url = url.map(str::to_owned);
            seen.push(line);
            url
        });
        // The rest is read away, so that the program never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        let url = url.unwrap_or_else(|| panic!("it does not serve: {seen:#?}"));
        Self { child, url, client: reqwest::Client::new() }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Value {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        assert!(status == 200 || status == 201, "{status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        self.send(self.client.get(format!("{}{path}", self.url))).await
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        self.send(self.client.post(format!("{}{MALL}/{path}", self.url)).json(body)).await
    }

    async fn life(&self, order_no: &str) -> Value {
        self.get(&format!("{MALL}/orders/no:{order_no}")).await
    }

    async fn until(&self, order_no: &str, done: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..1_000 {
            let life = self.life(order_no).await;
            if done(&life) {
                return life;
            }
            actix_rt::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it does not come to that: {}", self.life(order_no).await);
    }

    async fn submit(&self, order: &Value, status: &str) {
        self.post("orders", order).await;
        self.until(order["order_no"].as_str().unwrap(), |life| life["status"] == status).await;
    }

    async fn notify(&self, channel: &str, order_no: &str, changes: Value) {
        let life = self.life(order_no).await;
        let news = json!({
            "payment_no": life["attempts"][0]["payment_no"], "channel_no": "C1", "status": "succeeded",
            "amount": life["money"]["payable"], "currency": "CNY",
        });
        let path = format!("{}/v1/channels/{channel}/notifications", self.url);
        self.send(self.client.post(path).json(&with(news, changes))).await;
    }

    async fn account(&self, kind: &str, reference: &str) -> [String; 3] {
        let account = self.get(&format!("{MALL}/accounts/{kind}/{reference}")).await;
        ["balance", "held", "owed"].map(|name| account[name].as_str().unwrap().to_owned())
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Everything that is told about what is open; `asked` counts are left out.
async fn told(program: &Program) -> Vec<Value> {
    let mut all = Vec::new();
    for order_no in ["D1", "R1", "L1", "B1", "C1", "W1"] {
        let mut life = program.life(order_no).await;
        life["attempts"].as_array_mut().unwrap().iter_mut().for_each(|one| one["queries"] = Value::Null);
        all.push(life);
    }
    for path in [
        format!("{MALL}/campaigns"),
        format!("{MALL}/campaigns/51"),
        format!("{MALL}/campaigns/51/customers/U1"),
        format!("{MALL}/exceptions"),
        format!("{MALL}/accounts/settlement/M1"),
        format!("{MALL}/accounts/settlement/M2"),
        "/v1/trial-balance".to_owned(),
    ] {
        all.push(program.get(&path).await);
    }
    all
}

#[actix_web::test]
async fn what_is_open_is_there_after_a_kill_and_goes_on() {
    let dir = tempfile::TempDir::new().unwrap();
    let program = Program::serve(dir.path());
    let campaign = json!({
        "id": 51, "face": "2.00", "valid_from": "2024-01-01T00:00:00Z", "valid_until": "2099-01-01T00:00:00Z",
        "stock": 5, "per_customer": 3, "claimable": false,
    });
    program.post("campaigns", &campaign).await;
    program.post("campaigns/51/coupons", &json!({ "customer": "U1", "count": 3, "reference": "g1" })).await;

    // An open dispute over released money, which is held.
    program.submit(&with(paid("D1"), json!({ "merchant": "M2" })), "frozen").await;
    program.post("orders/no:D1/confirm", &json!({})).await;
    program.post("orders/no:D1/dispute", &json!({})).await;
    // A refund after release, under a hold, that nobody knows the end of.
    program.submit(&vague("R1"), "frozen").await;
    program.post("orders/no:R1/confirm", &json!({})).await;
    let refund = json!({ "refund_no": "r1", "amount": "50.00" });
    let first_refund = program.post("orders/no:R1/refunds", &refund).await;
    program.until("R1", |life| life["refunds"][0]["state"] == "pending").await;
    // A coupon that is locked, one that is used, and an order released in part.
    let coupon = json!({ "coupons": [{ "campaign": 51 }] });
    program.submit(&with(waiting("L1"), coupon.clone()), "pending").await;
    program.submit(&with(paid("C1"), coupon), "frozen").await;
    let release = json!({ "release_no": "m1", "amount": "33.33" });
    let first_release = program.post("orders/no:C1/releases", &release).await;
    // A refund that came back, and one that the channel cannot finish.
    program.submit(&paid("B1"), "frozen").await;
    program.post("orders/no:B1/refunds", &json!({ "refund_no": "r1" })).await;
    program.until("B1", |life| life["status"] == "refunded").await;
    program.notify("fast", "B1", json!({ "refund": 1, "status": "bounced" })).await;
    program.submit(&vague("W1"), "frozen").await;
    program.post("orders/no:W1/refunds", &json!({ "refund_no": "r1" })).await;
    program.until("W1", |life| life["refunds"][0]["state"] == "pending").await;
    program.notify("vague", "W1", json!({ "refund": 1, "status": "abnormal" })).await;

    assert_eq!(program.account("settlement", "M2").await, ["99.00", "99.00", "0.00"]);
    let before = told(&program).await;
    program.kill();
    let program = Program::serve(dir.path());
    assert_eq!(told(&program).await, before);
    program.kill();
    let program = Program::serve(dir.path());
    assert_eq!(told(&program).await, before);

    // Repeats are repeats, and everything goes on.
    let again =
        program.post("orders/no:C1/releases", &json!({ "release_no": "m1", "amount": "33.33" })).await;
    assert_eq!(again, first_release, "byte for byte, after two kills");
    let again = program.post("orders/no:R1/refunds", &json!({ "refund_no": "r1", "amount": "50.00" })).await;
    assert_eq!(again, first_refund);
    program.post("campaigns/51/coupons", &json!({ "customer": "U1", "count": 3, "reference": "g1" })).await;
    let refund = json!({ "refund": { "refund_no": "d1", "amount": "40.00" } });
    program.post("orders/no:D1/dispute/resolve", &refund).await;
    program.until("D1", |life| life["refunds"][0]["state"] == "succeeded").await;
    program.notify("vague", "R1", json!({ "refund": 1, "amount": "50.00" })).await;
    program.notify("slow", "L1", json!({})).await;
    program.until("L1", |life| life["status"] == "frozen").await;
    program.post("orders/no:C1/confirm", &json!({})).await;
    program.post("orders/no:B1/refunds/1/finish", &json!({ "way": "to_account", "reference": "U1" })).await;
    program.post("orders/no:W1/refunds/1/finish", &json!({ "way": "give_up" })).await;
    program.post("orders/no:W1/confirm", &json!({})).await;

    let coupons = program.get(&format!("{MALL}/campaigns/51/customers/U1")).await;
    assert_eq!((&coupons["held"], &coupons["locked"]), (&json!(1), &json!(0)), "{coupons}");
    assert_eq!(program.get("/v1/exceptions").await, json!({ "exceptions": [] }));
    for _ in 0..500 {
        if program.account("settlement", "M1").await[1] == "0.00" {
            break;
        }
        actix_rt::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(program.account("settlement", "M2").await, ["59.00", "0.00", "0.00"]);
    // 99.00 less 50.00 of R1; 100.00 less the fee of 0.98 of C1; 99.00 of W1.
    assert_eq!(program.account("settlement", "M1").await, ["247.02", "0.00", "0.00"]);
    assert_eq!(program.account("cash", "U1").await, ["100.00", "0.00", "0.00"]);
    let trial = program.get("/v1/trial-balance").await;
    assert_eq!(trial["balanced"], true, "{trial}");
    program.kill();
    let verified = Command::new(env!("CARGO_BIN_EXE_suanpan"))
        .arg("verify")
        .arg(dir.path().join("data"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&verified.stdout);
    // Channels were made to say what their books do not know; the rest is as it must be.
    for line in text.lines().filter(|line| line.contains("FAILED")) {
        assert!(line.contains("clearing account of"), "{text}");
    }
}
