//! The worked examples, and the commands that make keys and certificates, as a newcomer runs them. Needs bash, curl,
//! openssl and python3; where one is missing, this fails and says which.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use suanpan_client::signing::notification_message;

use crate::common::{MALL, paid};
use crate::house::{House, now_s};

const EXAMPLES: [(&str, &str); 2] = [("bash", "suanpan.sh"), ("python3", "suanpan.py")];

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../client/examples").join(name)
}

/// Runs an example as the owner of mall-1, off the thread that serves.
async fn run(
    house: &House,
    (shell, script): (&str, &str),
    arguments: &[&str],
    input: &[u8],
) -> (Option<i32>, String) {
    let mut command = Command::new(shell);
    command
        .arg(example(script))
        .args(arguments)
        .env("SUANPAN_URL", &house.url)
        .env("SUANPAN_KEY_ID", "mall-1")
        .env("SUANPAN_SECRET_FILE", house.dir.path().join("mall-1.key"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let (shell, input) = (shell.to_owned(), input.to_vec());
    let work = move || {
        let mut child = command.spawn().unwrap_or_else(|fault| panic!("{shell} is needed: {fault}"));
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), &input).unwrap();
        child.wait_with_output().unwrap()
    };
    let Output { status, stdout, stderr } = actix_web::web::block(work).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code(), format!("{}{}", text(stdout), text(stderr)))
}

#[actix_web::test]
async fn the_examples_sign_requests_and_verify_answers_and_notifications() {
    for tool in ["bash", "curl", "openssl", "python3"] {
        let found = Command::new(tool).arg(if tool == "openssl" { "version" } else { "--version" }).output();
        assert!(found.is_ok(), "{tool} is needed to run the examples: {found:?}");
    }
    let house = House::open().await;
    for tool in EXAMPLES {
        let name = tool.1;
        let order = paid(name).to_string();
        let (code, told) =
            run(&house, tool, &["call", "POST", &format!("{MALL}/orders?wait_ms=5000"), &order], b"").await;
        assert_eq!(code, Some(0), "{told}");
        let receipt: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(receipt["now"]["status"], "frozen", "{told}");
        let (code, told) =
            run(&house, tool, &["call", "GET", &format!("{MALL}/orders/no:{name}")], b"").await;
        assert_eq!(code, Some(0), "{told}");
        // A refusal is signed too.
        let (code, told) = run(&house, tool, &["call", "GET", &format!("{MALL}/orders/no:none")], b"").await;
        assert!(code == Some(22) && told.contains("unknown_order"), "{code:?} {told}");

        let body = json!({ "status": "settled" }).to_string();
        let sign = |timestamp_s: u64| {
            let message = notification_message("n-1", timestamp_s, body.as_bytes());
            (timestamp_s.to_string(), house.key("mall-1").signing().sign(&message).unwrap())
        };
        let (at, signature) = sign(now_s());
        let (old, old_signature) = sign(now_s() - 400);
        let table = [
            ("n-1", &at, &signature, body.as_str(), "verified"),
            ("n-1", &at, &signature, "{}", "signature does not fit"),
            ("n-2", &at, &signature, body.as_str(), "signature does not fit"),
            ("n-1", &at, &old_signature, body.as_str(), "signature does not fit"),
            ("n-1", &old, &old_signature, body.as_str(), "another time"),
        ];
        for (id, at, signature, body, expected) in table {
            let arguments = ["notification", id, at, signature];
            let (code, told) = run(&house, tool, &arguments, body.as_bytes()).await;
            assert_eq!(code == Some(0), expected == "verified", "{name} {told}");
            assert!(told.contains(expected), "{name} {told}");
        }
    }
}

#[actix_web::test]
async fn an_answer_of_somebody_else_is_not_believed_by_the_examples() {
    let house = House::open().await;
    // The secret is another one than the engine's: the engine refuses, and its refusal is signed with its own key.
    let stranger = house.dir.path().join("mall-1.key");
    std::fs::write(&stranger, "x".repeat(43)).unwrap();
    for tool in EXAMPLES {
        let (code, told) = run(&house, tool, &["call", "GET", &format!("{MALL}/orders/no:x")], b"").await;
        assert!(code == Some(1) && told.contains("not signed with mall-1"), "{code:?} {told}");
    }
}

fn suanpan(arguments: &[&str]) -> (bool, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_suanpan")).args(arguments).output().unwrap();
    (status.success(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

/// What the commands make and print is a configuration with which the program starts.
#[test]
fn the_commands_make_keys_and_certificates_and_print_lines_that_fit() {
    let dir = tempfile::TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (keys, tls) = (at("keys"), at("tls"));
    let make = |arguments: &[&str]| {
        let (ok, told) = suanpan(arguments);
        assert!(ok, "{told}");
        told
    };
    let mut platform_keys = Vec::new();
    for (algorithm, id) in [("hmac-sha256", "m1"), ("ed25519", "m2"), ("rsa-sha256", "m3")] {
        let told = make(&["keys", "new", algorithm, "--id", id, "--dir", &keys]);
        let line = told.lines().find_map(|line| line.strip_prefix("key = [")?.strip_suffix(']')).unwrap();
        platform_keys.push(line.to_owned());
    }
    make(&["keys", "new", "ed25519", "--id", "engine-1", "--dir", &keys]);
    let client =
        ["certificates", "--dir", &tls, "client", "--id", "mall", "--subject", "CN=mall,O=Mall\\, Ltd,C=CN"];
    let (ok, told) = suanpan(&client);
    assert!(!ok && told.contains("authority"), "no authority yet: {told}");
    let authority = make(&["certificates", "--dir", &tls, "authority"]);
    let server =
        make(&["certificates", "--dir", &tls, "server", "--name", "localhost", "--name", "127.0.0.1"]);
    let bound = make(&client);
    let bound = bound.lines().find(|line| line.starts_with("certificates")).unwrap();
    let without_head = |told: &str| told.replace("[security.tls]\n", "");
    let text = format!(
        "[security]\nengine_key_id = \"engine-1\"\nengine_key_file = {:?}\n\n[security.tls]\n{}{}\n\
         [[platform]]\nid = 1\nname = \"mall\"\n{bound}\nkey = [{}]\n",
        format!("{keys}/engine-1.pem"),
        without_head(&authority),
        without_head(&server),
        platform_keys.join(", "),
    );
    let config = suanpan_server::Config::parse(&text).unwrap_or_else(|fault| panic!("{fault}\n{text}"));
    suanpan_server::security::Security::load(&config.security, dir.path(), now_s()).unwrap();
    suanpan_server::security::TlsFiles::read(config.security.tls.as_ref().unwrap()).unwrap();

    for file in
        ["keys/m1.secret", "keys/m2.pem", "keys/engine-1.pem", "tls/authority-key.pem", "tls/mall-key.pem"]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(at(file)).unwrap());
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let public = std::fs::read_to_string(at("keys/m2.pub.pem")).unwrap();
    assert_eq!(make(&["keys", "public", &at("keys/m2.pem")]), public);
    // openssl reads them as we do.
    let theirs =
        Command::new("openssl").args(["pkey", "-pubout", "-in", &at("keys/m2.pem")]).output().unwrap();
    assert_eq!(String::from_utf8(theirs.stdout).unwrap(), public);
    // A key is never overwritten.
    let before = std::fs::read(at("keys/m1.secret")).unwrap();
    let (ok, told) = suanpan(&["keys", "new", "hmac-sha256", "--id", "m1", "--dir", &keys]);
    assert!(!ok && told.contains("m1.secret") && told.contains("exists"), "{told}");
    assert_eq!(std::fs::read(at("keys/m1.secret")).unwrap(), before);
}
