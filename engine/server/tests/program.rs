//! The program itself: started, asked, stopped, killed, started again.
#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::{MALL, waiting, with};
use serde_json::{Value, json};

/// `suanpan serve` with the builtin configuration.
struct Program {
    child: Child,
    url: String,
}

impl Program {
    fn serve(data: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_suanpan"))
            .args(["serve", "--dev", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
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
        Self { child, url }
    }

    async fn submit(&self, order_no: &str) -> (u16, Value) {
        let order = with(waiting(order_no), json!({ "merchant": "M0001", "payer": "U0001" }));
        let request = reqwest::Client::new().post(format!("{}{MALL}/orders", self.url)).json(&order);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
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
    let (ok, _, complaint) = run(&["serve", "--config", file, "--data", data]);
    assert!(!ok);
    for part in ["platform[0].routing.priority[0]", "own_bank", "wehcat"] {
        assert!(complaint.contains(part), "{complaint}");
    }
    let (ok, _, complaint) = run(&["serve", "--config", "/does/not/exist.toml"]);
    assert!(!ok && complaint.contains("/does/not/exist.toml"), "{complaint}");
}
