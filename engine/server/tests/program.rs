//! The program itself: started, asked, stopped, killed, started again.
#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{MALL, waiting, with};
use serde_json::{Value, json};

/// `suanpan serve` with the builtin configuration.
struct Program {
    child: Child,
    url: String,
    log: std::sync::mpsc::Receiver<String>,
}

/// A test that fails leaves nothing running.
impl Drop for Program {
    fn drop(&mut self) {
        // It has ended, as a rule.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    fn serve(data: &Path) -> Self {
        Self::serve_with(data, &[])
    }

    fn serve_with(data: &Path, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_suanpan"))
            .args(["serve", "--dev", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(more)
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
        let (said, log) = std::sync::mpsc::channel();
        std::thread::spawn(move || lines.for_each(|line| drop(said.send(line))));
        let url = url.unwrap_or_else(|| panic!("it does not serve: {seen:#?}"));
        Self { child, url, log }
    }

    async fn submit(&self, order_no: &str) -> (u16, Value) {
        let order = with(waiting(order_no), json!({ "merchant": "M0001", "payer": "U0001" }));
        let request = reqwest::Client::new().post(format!("{}{MALL}/orders", self.url)).json(&order);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn until_closed(&self, order_no: &str) {
        let began = Instant::now();
        loop {
            let answer = reqwest::get(format!("{}{MALL}/orders/no:{order_no}", self.url)).await.unwrap();
            let life: Value = answer.json().await.unwrap();
            if life["status"] == "closed" {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{life}");
            actix_rt::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Waits for a line of the log that has this in it.
    fn until_logged(&self, part: &str) -> String {
        let patience = std::time::Duration::from_secs(60);
        std::iter::from_fn(|| self.log.recv_timeout(patience).ok())
            .find(|line| line.contains(part))
            .unwrap_or_else(|| panic!("{part:?} is not logged"))
    }

    async fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.url);
        reqwest::get(url).await.unwrap().json().await.unwrap()
    }

    fn terminate(mut self) -> Option<i32> {
        self.signal("-TERM");
        self.child.wait().unwrap().code()
    }

    fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[actix_web::test]
async fn what_was_acknowledged_is_there_after_a_stop_and_after_a_kill() {
    let dir = tempfile::TempDir::new().unwrap();
    let program = Program::serve(dir.path());
    let (status, first) = program.submit("K1").await;
    assert_eq!(status, 201, "{first}");
    assert_eq!(program.terminate(), Some(0), "a clean stop");

    let program = Program::serve(dir.path());
    assert_eq!(program.submit("K1").await, (200, first.clone()));
    let (status, second) = program.submit("K2").await;
    assert_eq!(status, 201, "{second}");
    program.kill();

    let program = Program::serve(dir.path());
    assert_eq!(program.submit("K1").await, (200, first));
    assert_eq!(program.submit("K2").await, (200, second));
    assert_eq!(program.terminate(), Some(0));
}

#[actix_web::test]
async fn a_stop_lets_requests_that_are_under_way_end() {
    let dir = tempfile::TempDir::new().unwrap();
    let program = Program::serve(dir.path());
    let slow = with(waiting("S1"), json!({ "merchant": "M0001", "payer": "U0001" }));
    let path = format!("{}{MALL}/orders?wait_ms=1500", program.url);
    let request = reqwest::Client::new().post(path).json(&slow).send();
    let under_way = actix_web::rt::spawn(async move { request.await.unwrap().status().as_u16() });
    // It has arrived once it is counted as an order.
    loop {
        let known = program.get(&format!("{MALL}/orders/no:S1")).await;
        if known["order_no"] == "S1" {
            break;
        }
    }
    program.signal("-TERM");
    assert_eq!(under_way.await.unwrap(), 201);
    assert_eq!(program.wait(), Some(0));
}

#[actix_web::test]
async fn a_configuration_is_read_again_as_a_whole_or_not_at_all() {
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("suanpan.toml");
    let builtin = suanpan_server::config::BUILTIN;
    std::fs::write(&file, builtin).unwrap();
    let data = dir.path().join("data");
    let program = Program::serve_with(&data, &["--config", file.to_str().unwrap()]);
    let changed = |from: &str, to: &str| {
        assert!(builtin.contains(from), "{from}");
        builtin.replacen(from, to, 1)
    };
    let table = [
        ("this is not TOML".to_owned(), "the configuration stays as it was"),
        (changed("shards = 2", "shards = 4"), "engine cannot change while the program runs"),
        (
            changed("priority = [\"wechat\", \"alipay\"", "priority = [\"alipay\", \"wechat\""),
            "expected a version above 1",
        ),
        (changed("attempts_max = 4", "attempts_max = 65"), "platform[0].attempts_max"),
    ];
    for (text, said) in table {
        std::fs::write(&file, &text).unwrap();
        program.signal("-HUP");
        program.until_logged(said);
        assert_eq!(program.get(MALL).await["attempts_max"], 4);
    }
    let lengthy = with(waiting("L1"), json!({ "merchant": "M0001", "description": "x".repeat(3_000) }));
    let submit = async |order: &Value| {
        let request = reqwest::Client::new().post(format!("{}{MALL}/orders", program.url)).json(order);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, told) = submit(&lengthy).await;
    assert_ne!(status, 413, "{told}");
    let next = changed("attempts_max = 4", "attempts_max = 3")
        .replacen("# body_limit_kib = 64", "body_limit_kib = 2", 1)
        .replacen("version = 1\n", "version = 5\n", 1)
        .replacen("priority = [\"wechat\", \"alipay\"", "priority = [\"alipay\", \"wechat\"", 1)
        .replacen("reference = \"M0002\"", "reference = \"M0099\"", 1);
    std::fs::write(&file, next).unwrap();
    program.signal("-HUP");
    let line = program.until_logged("the configuration was read again");
    for part in [
        "platform 9001: what it agreed to",
        "platform 9001: accounts",
        "platform 9001: sizes of bodies",
        "routing rules, version 5",
    ] {
        assert!(line.contains(part), "{line}");
    }
    let (status, told) = submit(&lengthy).await;
    assert_eq!((status, told["code"].as_str()), (413, Some("too_large")), "{told}");
    assert_eq!(told["detail"], "a body of at most 2 KiB", "{told}");
    assert_eq!(program.get(MALL).await["attempts_max"], 3);
    assert_eq!(program.get(&format!("{MALL}/routing/rules")).await["version"], 5);
    assert_eq!(program.get(&format!("{MALL}/accounts/settlement/M0099")).await["balance"], "0.00");
    assert_eq!(program.terminate(), Some(0));
}

#[actix_web::test]
async fn a_certificate_is_replaced_by_a_signal_and_open_connections_stay() {
    let dir = tempfile::TempDir::new().unwrap();
    let issue = |tls: &Path| {
        for more in [&["authority"][..], &["server", "--name", "127.0.0.1"][..]] {
            let (ok, _, complaint) =
                run(&[&["certificates", "--dir", tls.to_str().unwrap()][..], more].concat());
            assert!(ok, "{complaint}");
        }
    };
    let (tls, later) = (dir.path().join("tls"), dir.path().join("later"));
    issue(&tls);
    issue(&later);
    let file = dir.path().join("suanpan.toml");
    let config = suanpan_server::config::BUILTIN
        .replacen("certificate_file = \"\"", &format!("certificate_file = {:?}", tls.join("server.pem")), 1)
        .replacen("\nkey_file = \"\"", &format!("\nkey_file = {:?}", tls.join("server-key.pem")), 1);
    std::fs::write(&file, config).unwrap();
    let data = dir.path().join("data");
    let program = Program::serve_with(&data, &["--config", file.to_str().unwrap()]);
    assert!(program.url.starts_with("https://"), "{}", program.url);
    let trusting = |tls: &Path| {
        let authority = std::fs::read(tls.join("authority.pem")).unwrap();
        let authority = reqwest::Certificate::from_pem(&authority).unwrap();
        reqwest::Client::builder().tls_certs_only([authority]).build().unwrap()
    };
    let live = async |client: &reqwest::Client| {
        client.get(format!("{}/health/live", program.url)).send().await.map(|answer| answer.status().as_u16())
    };
    let (old, new) = (trusting(&tls), trusting(&later));
    assert!(live(&new).await.is_err(), "the new certificate is not shown yet");
    assert_eq!(live(&old).await.unwrap(), 200);
    for file in ["server.pem", "server-key.pem"] {
        std::fs::copy(later.join(file), tls.join(file)).unwrap();
    }
    program.signal("-HUP");
    let line = program.until_logged("the configuration was read again");
    assert!(line.contains("the server's certificate"), "{line}");
    assert_eq!(live(&old).await.unwrap(), 200, "its connection is open");
    assert_eq!(live(&new).await.unwrap(), 200, "the new certificate is shown");
    assert_eq!(program.terminate(), Some(0));
}

#[test]
fn without_keys_it_refuses_before_the_engine_has_started() {
    let dir = tempfile::TempDir::new().unwrap();
    let data = dir.path().join("data");
    let (ok, _, complaint) = run(&["serve", "--data", data.to_str().unwrap()]);
    assert!(!ok && complaint.contains("suanpan keys") && complaint.contains("--dev"), "{complaint}");
    assert!(!data.exists(), "nothing was written");
}

fn run(arguments: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_suanpan")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_configuration_is_printed_and_a_wrong_one_is_named() {
    let (ok, printed, _) = run(&["config"]);
    assert!(ok);
    assert_eq!(printed, suanpan_server::config::BUILTIN);

    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("suanpan.toml");
    let wrong = printed.replace("priority = [\"wechat\"", "priority = [\"wehcat\"");
    std::fs::write(&file, wrong).unwrap();
    let data = dir.path().join("data");
    let (file, data) = (file.to_str().unwrap(), data.to_str().unwrap());
    let (ok, _, complaint) = run(&["serve", "--dev", "--config", file, "--data", data]);
    assert!(!ok);
    for part in ["platform[0].routing.priority[0]", "own_bank", "wehcat"] {
        assert!(complaint.contains(part), "{complaint}");
    }
    // Names are looked up at the start; values, and limits above the server's, are seen without one.
    let (ok, said, _) = run(&["config", "--check", file]);
    assert!(ok && said.contains("every value is allowed"), "{said}");
    std::fs::write(file, printed.replace("# body_limit_kib = 64", "body_limit_kib = 257")).unwrap();
    let (ok, _, complaint) = run(&["config", "--check", file]);
    for part in ["platform[0].body_limit_kib", "from 1 to 256, the limit of [server]", "257"] {
        assert!(!ok && complaint.contains(part), "{complaint}");
    }
    let (ok, _, complaint) = run(&["serve", "--config", "/does/not/exist.toml"]);
    assert!(!ok && complaint.contains("/does/not/exist.toml"), "{complaint}");
}

/// `suanpan back-test` of a draft that sends everything over WeChat.
fn back_test(dir: &Path, source: [&str; 2]) -> (bool, Vec<Value>, String) {
    let draft = dir.join("draft.toml");
    std::fs::write(&draft, "version = 9\norder = [\"priority\"]\npriority = [\"wechat\"]\n").unwrap();
    let draft = draft.to_str().unwrap();
    let (ok, told, complaint) =
        run(&["back-test", "--platform", "9001", "--rules", draft, source[0], source[1]]);
    (ok, told.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), complaint)
}

#[actix_web::test]
async fn a_draft_is_tried_on_a_file_of_orders_and_on_the_archive_of_a_stopped_engine() {
    let dir = tempfile::TempDir::new().unwrap();
    let order = |no: &str, channel: &str| {
        json!({
            "at": "2026-11-22T06:05:36Z", "order_no": no, "amount": "10.00", "kind": "gateway",
            "channel": channel, "fee": "0.06", "outcome": "paid",
        })
    };
    let file = dir.path().join("orders.jsonl");
    std::fs::write(&file, format!("{}\n\n{}\n", order("B1", "wechat"), order("B2", "alipay"))).unwrap();
    let (ok, lines, complaint) = back_test(dir.path(), ["--orders", file.to_str().unwrap()]);
    assert!(ok, "{complaint}");
    let changes: Vec<&Value> = lines.iter().filter_map(|line| line.get("change")).collect();
    assert_eq!(changes.len(), 1, "{lines:?}");
    assert_eq!((&changes[0]["order_no"], &changes[0]["draft"]["channel"]), (&json!("B2"), &json!("wechat")));
    let summary = &lines.last().unwrap()["summary"];
    assert_eq!((&summary["orders"], &summary["changed"]), (&json!(2), &json!(1)), "{summary}");

    std::fs::write(&file, format!("{}\n{{\n", order("B1", "wechat"))).unwrap();
    let (ok, _, complaint) = back_test(dir.path(), ["--orders", file.to_str().unwrap()]);
    assert!(!ok && complaint.contains("line 2"), "{complaint}");

    let data = dir.path().join("data");
    let program = Program::serve(&data);
    let (status, told) = program.submit("P-archived").await;
    assert_eq!(status, 201, "{told}");
    let close = format!("{}{MALL}/orders/no:P-archived/close", program.url);
    let closed = reqwest::Client::new().post(close).json(&json!({})).send().await.unwrap();
    assert!(closed.status().is_success());
    program.until_closed("P-archived").await;
    assert_eq!(program.terminate(), Some(0));
    let (ok, lines, complaint) = back_test(dir.path(), ["--data", data.to_str().unwrap()]);
    assert!(ok, "{complaint}");
    let summary = &lines.last().unwrap()["summary"];
    assert_eq!(summary["orders"], 1, "{summary}");

    let (ok, _, complaint) = back_test(dir.path(), ["--data", "/does/not/exist"]);
    assert!(!ok && complaint.contains("/does/not/exist"), "{complaint}");
}
