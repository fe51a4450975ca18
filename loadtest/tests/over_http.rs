//! The real server as a process: the same workloads over HTTP, and a kill in the middle.
#![expect(clippy::unwrap_used, reason = "test code: a panic is the report")]

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use loadtest::cli::{Action, Cli};
use loadtest::{chaos, http, runs};

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
fn submissions_are_measured_over_each_number_of_connections_beside_an_echo() {
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("report.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.args(["submissions", "--batch", "20", "--connections", "3,1", "--seconds", "0.3", "--runs", "1"]);
    command.args(["--merchants", "10", "--server", &server()]);
    command.arg("--data").arg(dir.path()).arg("--json").arg(&json);
    let ended = command.output().unwrap();
    let told = String::from_utf8(ended.stdout).unwrap();
    assert!(ended.status.success(), "{told}{}", String::from_utf8_lossy(&ended.stderr));
    assert!(told.contains("every book agrees in every run"), "{told}");
    let report = report(&json);
    let runs = report["runs"].as_array().unwrap();
    let connections: Vec<_> = runs.iter().map(|run| run["connections"].as_u64().unwrap()).collect();
    assert_eq!(connections, [3, 1]);
    for run in runs {
        assert_eq!(
            (&run["proof"], &run["batch"], &run["differences"]),
            (&"hmac".into(), &20.into(), &0.into())
        );
        for asked in [&run["server"], &run["echo"]] {
            assert!(asked["requests"].as_u64().unwrap() > 0 && asked["failed"] == 0, "{asked}");
        }
    }
}

#[test]
fn submissions_that_the_server_refuses_end_the_run_with_what_to_change() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.args(["submissions", "--batch", "5001", "--connections", "1", "--seconds", "0.3", "--runs", "1"]);
    command.args(["--merchants", "10", "--server", &server()]).arg("--data").arg(dir.path());
    let ended = command.output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(!ended.status.success(), "{told}");
    assert!(told.contains("too_large") && told.contains("lower --batch or --connections"), "{told}");
}

/// A server that somebody else started, ended with this value.
struct Foreign(Child);

impl Foreign {
    /// Starts it, and waits until it listens.
    fn serve(config: &Path, port: &str) -> Self {
        let mut command = Command::new(server());
        command.arg("serve").arg("--config").arg(config).stdout(Stdio::null()).stderr(Stdio::null());
        let foreign = Self(command.spawn().unwrap());
        let began = Instant::now();
        while TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
            assert!(began.elapsed().as_secs() < 60, "it does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        foreign
    }
}

fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

/// A way to the server at `port` on which nobody is told its metrics; the answer is its own port.
fn without_metrics(port: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    let pass_on = |mut from: TcpStream, mut to: TcpStream| {
        std::thread::spawn(move || {
            // Either side may be gone first.
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        })
    };
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let (mut near, port, mut head) = (near.unwrap(), port.clone(), [0; 12]);
            std::thread::spawn(move || {
                if near.peek(&mut head).unwrap_or(0) == head.len() && &head == b"GET /metrics" {
                    let _ = near.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
                    return;
                }
                let far = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
                pass_on(near.try_clone().unwrap(), far.try_clone().unwrap());
                pass_on(far, near);
            });
        }
    });
    own
}

#[test]
fn where_metrics_are_closed_the_report_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (port, keys, page) = (free_port(), at("server"), at("page.html"));
    let line = ["loadtest", "server-config", "canonical", &keys, "--port", &port];
    let Cli { action: Action::ServerConfig(args) } = clap::Parser::parse_from(line) else {
        panic!("{line:?}")
    };
    assert!(http::spawn::write(&args).unwrap());
    let _foreign = Foreign::serve(&dir.path().join("server/suanpan.toml"), &port);
    let url = format!("http://127.0.0.1:{}", without_metrics(port));
    let line = ["run", "canonical", "--url", &url, "--keys", &keys, "--in-flight", "10", "--orders", "40"];
    let (action, json) = parse(&[&line[..], &["--html", &page]].concat(), &dir);
    let Action::Run(args) = action else { panic!("{action:?}") };
    assert!(runs::run(&args).unwrap());
    let report = report(&json);
    let why = "GET /metrics is answered with 403";
    assert_eq!((&report["differences"], &report["resources"]["unknown"]), (&0.into(), &why.into()));
    // What is not known is not told as nothing.
    assert!(report["cpu_seconds"].is_null() && report["rss_bytes"].is_null(), "{report}");
    assert!(report["points"][0]["cpus"].is_null() && report["points"][0]["rss_bytes"].is_null());
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(page.contains(why) && !page.contains("Memory over time") && !page.contains("CPU over time"));
}

impl Drop for Foreign {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_server_that_runs_already_is_reached_over_tls_and_tells_of_itself() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (port, program, keys) = (free_port(), server(), at("server"));
    let line =
        ["loadtest", "server-config", "canonical", &keys, "--port", &port, "--tls", "--server", &program];
    let Cli { action: Action::ServerConfig(args) } = clap::Parser::parse_from(line) else {
        panic!("{line:?}")
    };
    // What was written once can be written again: certificates stay.
    assert!(http::spawn::write(&args).unwrap());
    let authority = std::fs::read(at("server/tls/authority.pem")).unwrap();
    assert!(http::spawn::write(&args).unwrap());
    assert_eq!(std::fs::read(at("server/tls/authority.pem")).unwrap(), authority);
    let _foreign = Foreign::serve(&dir.path().join("server/suanpan.toml"), &port);

    let url = format!("https://127.0.0.1:{port}");
    let (ca, certificate) = (at("server/tls/authority.pem"), at("server/tls/load-mall.pem"));
    let (key, page) = (at("server/tls/load-mall-key.pem"), at("page.html"));
    let run = |more: &[&str]| {
        let line =
            ["run", "canonical", "--url", &url, "--in-flight", "20", "--orders", "100", "--html", &page];
        let (action, json) = parse(&[&line[..], more].concat(), &dir);
        let Action::Run(args) = action else { panic!("{action:?}") };
        (runs::run(&args).map_err(|fault| format!("{fault:#}")), json)
    };
    let fault = run(&["--keys", &keys]).0.unwrap_err();
    assert!(fault.contains("--ca FILE"), "{fault}");
    let fault = run(&["--keys", &keys, "--ca", &certificate]).0.unwrap_err();
    assert!(fault.contains("certificate"), "{fault}");
    let fault = run(&["--ca", &ca]).0.unwrap_err();
    assert!(fault.contains("401"), "{fault}");
    let certified = ["--keys", &keys, "--ca", &ca, "--certificate", &certificate, "--key", &key];
    let fault = run(&[&certified[..4], &["--signature-and-certificate"]].concat()).0.unwrap_err();
    assert!(fault.contains("--certificate"), "{fault}");
    for proof in [&certified[..4], &certified] {
        let (is_well, json) = run(proof);
        assert!(is_well.unwrap());
        let report = report(&json);
        assert_eq!((&report["acknowledged"], &report["verified"]), (&100.into(), &100.into()));
        assert_eq!((&report["differences"], &report["resources"]), (&0.into(), &"metrics".into()));
        // The server works for it, and is not this process.
        assert!(report["cpu_seconds"].as_f64().unwrap() > 0.0, "{}", report["cpu_seconds"]);
        assert!(report["rss_bytes"].as_u64().unwrap() > 1 << 20, "{}", report["rss_bytes"]);
        let points = report["points"].as_array().unwrap();
        assert!(points.iter().all(|point| point["rss_bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20)));
        let page = std::fs::read_to_string(&page).unwrap();
        assert!(page.contains("Memory over time") && page.contains("messages to the log writer"));
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

#[test]
fn a_platform_that_wants_signature_and_certificate_gets_both() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (port, program, keys) = (free_port(), server(), at("server"));
    let line = ["loadtest", "server-config", "canonical", &keys, "--port", &port, "--server", &program];
    let line = [&line[..], &["--tls", "--signature-and-certificate"]].concat();
    let Cli { action: Action::ServerConfig(args) } = clap::Parser::parse_from(&line) else {
        panic!("{line:?}")
    };
    assert!(http::spawn::write(&args).unwrap());
    let _foreign = Foreign::serve(&dir.path().join("server/suanpan.toml"), &port);
    let (url, ca) = (format!("https://127.0.0.1:{port}"), at("server/tls/authority.pem"));
    let (certificate, key) = (at("server/tls/load-mall.pem"), at("server/tls/load-mall-key.pem"));
    let run = |more: &[&str]| {
        let line = ["run", "canonical", "--url", &url, "--keys", &keys, "--ca", &ca];
        let (action, json) =
            parse(&[&line[..], &["--in-flight", "10", "--orders", "40"], more].concat(), &dir);
        let Action::Run(args) = action else { panic!("{action:?}") };
        (runs::run(&args).map_err(|fault| format!("{fault:#}")), json)
    };
    // Either alone is not enough.
    let certified = ["--certificate", &certificate, "--key", &key, "--signature-and-certificate"];
    for proof in [&[][..], &certified[..4]] {
        let fault = run(proof).0.unwrap_err();
        assert!(fault.contains("401"), "{proof:?}: {fault}");
    }
    let (is_well, json) = run(&certified);
    assert!(is_well.unwrap());
    let report = report(&json);
    assert_eq!((&report["verified"], &report["differences"]), (&40.into(), &0.into()));
}

#[test]
fn a_server_that_is_started_speaks_tls_when_it_is_to() {
    let run = |more: &[&str]| {
        let dir = tempfile::tempdir().unwrap();
        let line = ["run", "canonical", "--serve", "--in-flight", "10", "--orders", "40"];
        let (action, json) = parse(&[&line[..], more].concat(), &dir);
        let Action::Run(args) = action else { panic!("{action:?}") };
        runs::run(&args).map(|is_well| (is_well, report(&json))).map_err(|fault| format!("{fault:#}"))
    };
    for more in [&["--tls"][..], &["--tls", "--signature-and-certificate", "--sign", "ed25519"]] {
        let (is_well, report) = run(more).unwrap();
        assert!(is_well);
        assert_eq!((&report["verified"], &report["differences"]), (&40.into(), &0.into()), "{more:?}");
        assert!(report["data"].as_str().unwrap().starts_with("https://"), "{more:?}: {report}");
    }
    let fault = run(&["--signature-and-certificate"]).unwrap_err();
    assert!(fault.contains("--tls"), "{fault}");
}
