//! What a server refuses to start with.

use suanpan_server::{Config, run, start_engine};

use crate::house;

#[actix_web::test]
async fn a_server_that_is_not_safe_does_not_start_and_says_what_to_do() {
    let dir = tempfile::TempDir::new().unwrap();
    let (signed, _) = house::config(dir.path());
    let engine = start_engine(&signed).unwrap();
    let network = || "0.0.0.0:0".parse().unwrap();
    type Change = Box<dyn Fn(&mut Config)>;
    let table: Vec<(Change, &[&str])> = vec![
        (
            Box::new(|config| {
                config.security.mode = None;
                config.security.keys.clear();
            }),
            &["security", "suanpan keys", "--dev"],
        ),
        (
            Box::new(move |config| config.server.listen = network()),
            &["server.listen", "security.tls", "plain_http"],
        ),
        (
            Box::new(move |config| {
                config.security.mode = Some(suanpan_server::config::SecurityMode::Development);
                config.server.listen = "0.0.0.0:0".parse().unwrap();
            }),
            &["server.listen", "development", "loopback"],
        ),
        (
            Box::new(|config| {
                let missing = suanpan_server::config::KeySource::Environment("SUANPAN_NO_SUCH".to_owned());
                config.security.keys[0].source = missing;
            }),
            &["key mall-1", "SUANPAN_NO_SUCH"],
        ),
        (
            Box::new(|config| {
                let missing = suanpan_server::config::KeySource::File("/no/such/file".into());
                config.security.keys[1].source = missing;
            }),
            &["key mall-2", "/no/such/file"],
        ),
        (
            Box::new(|config| config.security.keys[1].algorithm = "rsa-sha256".parse().unwrap()),
            &["key mall-2", "public key for rsa-sha256"],
        ),
    ];
    for (change, expected) in table {
        let mut config = signed.clone();
        change(&mut config);
        let fault = run(&config, engine.clone()).unwrap_err().to_string();
        for part in expected {
            assert!(fault.contains(part), "{part:?} is not in {fault:?}");
        }
    }
    let secret = dir.path().join("mall-1.key");
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let fault = run(&signed, engine.clone()).unwrap_err().to_string();
    assert!(fault.contains("mall-1.key") && fault.contains("chmod 600"), "{fault}");
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut open = signed;
    open.server.listen = network();
    open.security.allow_plain_http = true;
    run(&open, engine).unwrap().stop().await;
}

#[actix_web::test]
async fn development_is_for_this_machine_and_says_so_on_every_answer() {
    let development = |config: &mut Config| {
        config.security.mode = Some(suanpan_server::config::SecurityMode::Development);
    };
    let house = house::House::open_at_once(tempfile::TempDir::new().unwrap(), development).await;
    let ask = async |host: &str, path: &str, more: &str| {
        let request = reqwest::Client::new().get(format!("{}{path}", house.url)).header("host", host);
        let request = if more.is_empty() { request } else { request.header(more, "for=192.0.2.1") };
        let told = request.send().await.unwrap();
        let said = told.headers().contains_key("suanpan-development");
        (told.status().as_u16(), said)
    };
    let table = [
        ("localhost:8080", 200),
        ("127.0.0.1", 200),
        ("[::1]:80", 200),
        ("LOCALHOST", 200),
        ("mall.example", 403),
        ("192.0.2.1", 403),
        ("localhost.mall.example", 403),
        ("127.0.0.1.mall.example", 403),
    ];
    for (host, status) in table {
        assert_eq!(ask(host, "/v1/trial-balance", "").await, (status, true), "{host}");
    }
    // A key that does not fit is refused in development too.
    let forged = house.signed("mall-1", "GET", "/v1/trial-balance", &serde_json::Value::Null);
    let forged = forged.set(suanpan_client::signing::header::NONCE, "other");
    assert_eq!(house.send(&forged).await.status, 401);
    assert_eq!(ask("localhost", "/metrics", "").await.0, 200);

    let house = house::House::open_at_once(tempfile::TempDir::new().unwrap(), |_| {}).await;
    for (more, status) in [("", 200), ("forwarded", 401), ("x-forwarded-for", 401), ("via", 401)] {
        let request = reqwest::Client::new().get(format!("{}/metrics", house.url));
        let request = if more.is_empty() { request } else { request.header(more, "x") };
        assert_eq!(request.send().await.unwrap().status(), status, "{more:?}");
    }
}
