//! The real server as a process: the same workloads over HTTP, and a kill in the middle.
#![expect(clippy::unwrap_used, reason = "test code: a panic is the report")]

use std::path::PathBuf;
use std::process::Command;

use loadtest::chaos;
use loadtest::cli::{Action, Cli};
use loadtest::runs;

/// The program `suanpan` of the same build, built if it is not there yet.
fn server() -> String {
    let here = std::env::current_exe().unwrap();
    let path: PathBuf = here.parent().unwrap().parent().unwrap().join("suanpan");
    if !path.is_file() {
        let built = Command::new(env!("CARGO")).args(["build", "-p", "suanpan-server"]).status().unwrap();
        assert!(built.success() && path.is_file(), "{}", path.display());
    }
    path.display().to_string()
}

fn parse(line: &[&str], dir: &tempfile::TempDir) -> (Action, PathBuf) {
    let (server, json) = (server(), dir.path().join("report.json"));
    let data = dir.path().display().to_string();
    let common =
        ["--server", &server, "--data", &data, "--merchants", "10", "--buyers", "50", "--warmup", "0"];
    let words = ["loadtest"].iter().chain(line).chain(&common).copied();
    let words = words.chain(["--json", json.to_str().unwrap()]);
    let Cli { action } = clap::Parser::parse_from(words);
    (action, json)
}

fn report(json: &PathBuf) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap()
}

#[test]
fn orders_refunds_and_account_payments_one_by_one_and_in_batches() {
    for batch in ["1", "20"] {
        let dir = tempfile::tempdir().unwrap();
        let line =
            ["run", "refund_storm", "--serve", "--in-flight", "40", "--orders", "200", "--batch", batch];
        let (action, json) = parse(&line, &dir);
        let Action::Run(args) = action else { panic!("{action:?}") };
        assert!(runs::run(&args).unwrap());
        let report = report(&json);
        assert_eq!((&report["acknowledged"], &report["verified"]), (&200.into(), &200.into()));
        assert_eq!(report["differences"], 0);
        assert!(report["latency_us"]["refund"]["count"].as_u64().unwrap() > 100);
    }
}

#[test]
fn a_killed_server_comes_back_and_nothing_acknowledged_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let line = ["chaos", "kill", "--rate", "60", "--seconds", "6", "--at", "1.5", "--for", "0.5"];
    let (action, json) = parse(&line, &dir);
    let Action::Chaos(args) = action else { panic!("{action:?}") };
    assert!(chaos::run(&args).unwrap());
    let report = report(&json);
    assert_eq!((&report["differences"], &report["acknowledged"]), (&0.into(), &360.into()));
    assert!(report["incidents"][0]["recovery_s"].is_number(), "{}", report["incidents"]);
    assert!(report["latency_us"]["order"]["max"].as_u64().unwrap() > 400_000, "the gap shows in full");
}
