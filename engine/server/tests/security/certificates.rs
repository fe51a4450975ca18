//! TLS, and certificates that are or are not ours.

use serde_json::{Value, json};
use suanpan_client::signing::Secret;
use suanpan_client::{Client, ClientFault, ClientOptions, Credentials, RepeatPolicy};
use suanpan_model::PlatformId;
use suanpan_server::Config;
use suanpan_server::certificates::{Authority, Days, Issued};
use suanpan_server::config::{CertificateConfig, Principal, TlsConfig};
use suanpan_server::security::DistinguishedName;
use tempfile::TempDir;

use crate::common::{MALL, waiting};
use crate::house::{House, now_s};

const DAY_S: i64 = 86_400;
const SUBJECT: &str = "CN=mall.example,O=Mall\\, Ltd,C=CN";

fn name(text: &str) -> DistinguishedName {
    text.parse().unwrap()
}

fn days(from: i64, until: i64) -> Days {
    let now_s = i64::try_from(now_s()).unwrap();
    Days { from_s: now_s + from * DAY_S, until_s: now_s + until * DAY_S }
}

/// The PEM that a caller has: certificate and key.
fn identity(issued: &Issued) -> Secret {
    Secret::new(format!("{}{}", issued.certificate_pem, issued.key_pem.reveal()))
}

pub struct Authorities {
    ours: Authority,
    root_pem: String,
}

/// Writes the files of TLS; binds the subject to platform 9001, and another one to an operator.
pub fn with_tls(dir: &TempDir) -> (Authorities, impl Fn(&mut Config) + use<>) {
    let (ours, root) = Authority::create(&name("CN=authority"), days(-1, 30)).unwrap();
    let server = ours.issue_server(&["localhost".to_owned(), "127.0.0.1".to_owned()], days(-1, 30)).unwrap();
    let put = |file: &str, text: &str| {
        let path = dir.path().join(file);
        std::fs::write(&path, text).unwrap();
        path
    };
    let tls = TlsConfig {
        certificate_file: put("server.pem", &server.certificate_pem),
        key_file: put("server-key.pem", server.key_pem.reveal()),
        client_ca_file: Some(put("authority.pem", &root.certificate_pem)),
    };
    let change = move |config: &mut Config| {
        config.security.tls = Some(tls.clone());
        let owner = Principal::Platform(PlatformId(9001));
        config.security.certificates.push(CertificateConfig { subject: name(SUBJECT), owner });
    };
    (Authorities { ours, root_pem: root.certificate_pem }, change)
}

fn client(house: &House, root_pem: &str, identity: Option<Secret>, key: Option<&str>) -> Client {
    let mut options = ClientOptions::new(&house.url).authority_pem(root_pem).repeats(RepeatPolicy::NEVER);
    options = options.engine_key("engine", house.engine_key());
    if let Some(pem) = identity {
        options = options.identity_pem(pem);
    }
    if let Some(key) = key {
        let credentials = Credentials { key_id: key.to_owned(), key: house.key(key).signing() };
        options = options.signed_by(credentials);
    }
    Client::new(options).unwrap()
}

async fn submit(client: &Client, order_no: &str) -> Result<Value, ClientFault> {
    let target = format!("{MALL}/orders");
    client.call(suanpan_client::Request::post(&target, &waiting(order_no))?).await
}

fn code(result: Result<Value, ClientFault>) -> String {
    let fault = result.expect_err("refused");
    fault.code().unwrap_or_else(|| panic!("{fault:?}")).to_owned()
}

#[actix_web::test]
async fn certificates_and_signatures_are_taken_over_tls_and_bad_certificates_are_told_why() {
    let dir = TempDir::new().unwrap();
    let (authorities, change) = with_tls(&dir);
    let house = House::open_with(dir, change).await;
    assert!(house.url.starts_with("https://"));
    let root = &authorities.root_pem;
    let ours = |subject: &str, from, until| {
        identity(&authorities.ours.issue_client(&name(subject), days(from, until)).unwrap())
    };
    let good = || Some(ours(SUBJECT, -1, 30));

    // A certificate alone; a signature alone; both.
    assert_eq!(submit(&client(&house, root, good(), None), "T1").await.unwrap()["order_no"], "T1");
    assert_eq!(submit(&client(&house, root, None, Some("mall-1")), "T2").await.unwrap()["order_no"], "T2");
    assert_eq!(submit(&client(&house, root, good(), Some("mall-1")), "T3").await.unwrap()["order_no"], "T3");

    let (foreign, _) = Authority::create(&name("CN=authority"), days(-1, 30)).unwrap();
    let foreign = identity(&foreign.issue_client(&name(SUBJECT), days(-1, 30)).unwrap());
    let server = identity(&authorities.ours.issue_server(&["localhost".to_owned()], days(-1, 30)).unwrap());
    let table = [
        ("expired", Some(ours(SUBJECT, -30, -2)), "certificate_expired"),
        ("early", Some(ours(SUBJECT, 2, 30)), "certificate_not_yet_valid"),
        ("foreign", Some(foreign), "certificate_untrusted"),
        ("a server's", Some(server), "certificate_untrusted"),
        ("unbound", Some(ours("CN=mall.example", -1, 30)), "certificate_unbound"),
        ("prefix", Some(ours("CN=mall.example,O=Mall\\, Ltd,C=CN,OU=x", -1, 30)), "certificate_unbound"),
        ("nothing", None, "authentication_required"),
    ];
    for (what, pem, expected) in table {
        assert_eq!(code(submit(&client(&house, root, pem, None), "T9").await), expected, "{what}");
    }
    // A bad certificate is not made good by a signature; a certificate and a signature are of the same platform.
    let unbound = Some(ours("CN=mall.example", -1, 30));
    assert_eq!(
        code(submit(&client(&house, root, unbound, Some("mall-1")), "T9").await),
        "certificate_unbound"
    );
    assert_eq!(
        code(submit(&client(&house, root, good(), Some("another")), "T9").await),
        "certificate_mismatch"
    );
    // Under a certificate too, a platform touches its own only.
    let theirs: Result<Value, ClientFault> = client(&house, root, good(), None)
        .call(suanpan_client::Request::get("/v1/platforms/9002/campaigns"))
        .await;
    assert_eq!(code(theirs), "foreign_platform");
    let known: Result<Value, ClientFault> = client(&house, root, good(), None)
        .call(suanpan_client::Request::get(&format!("{MALL}/orders/no:T9")))
        .await;
    assert_eq!(code(known), "unknown_order", "nothing was changed");

    // A server that another authority vouches for is not believed by the client.
    let (_, stranger) = Authority::create(&name("CN=stranger"), days(-1, 30)).unwrap();
    let fault = submit(&client(&house, &stranger.certificate_pem, good(), None), "T9").await.unwrap_err();
    assert!(matches!(fault, ClientFault::Transport(_)), "{fault}");
}

#[actix_web::test]
async fn a_platform_that_agreed_to_both_must_bring_both() {
    let dir = TempDir::new().unwrap();
    let (authorities, change) = with_tls(&dir);
    let house = House::open_with(dir, move |config| {
        change(config);
        config.security.both_required.push(PlatformId(9001));
    })
    .await;
    let root = &authorities.root_pem;
    let good = || Some(identity(&authorities.ours.issue_client(&name(SUBJECT), days(-1, 30)).unwrap()));
    let expected = "signature_and_certificate_required";
    assert_eq!(code(submit(&client(&house, root, good(), None), "B1").await), expected);
    assert_eq!(code(submit(&client(&house, root, None, Some("mall-1")), "B1").await), expected);
    let taken = submit(&client(&house, root, good(), Some("mall-1")), "B1").await.unwrap();
    assert_eq!(taken["order_no"], json!("B1"));
}

/// Other files of TLS take effect with the next connection; those that are open stay, and nothing changes when a file is
/// wrong.
#[actix_web::test]
async fn certificates_are_read_again_while_connections_stay() {
    let dir = TempDir::new().unwrap();
    let (old, change) = with_tls(&dir);
    let house = House::open_with(dir, &change).await;
    let identity_of = |authorities: &Authorities| {
        Some(identity(&authorities.ours.issue_client(&name(SUBJECT), days(-1, 30)).unwrap()))
    };
    let open = client(&house, &old.root_pem, identity_of(&old), None);
    submit(&open, "R1").await.unwrap();

    // A certificate whose key is another one's: everything stays as it is.
    let key = std::fs::read(house.dir.path().join("server-key.pem")).unwrap();
    let stray = old.ours.issue_server(&["localhost".to_owned()], days(-1, 30)).unwrap();
    std::fs::write(house.dir.path().join("server-key.pem"), stray.key_pem.reveal()).unwrap();
    let fault = house.reload(&change).unwrap_err().to_string();
    assert!(fault.contains("certificate_file and key_file"), "{fault}");
    std::fs::write(house.dir.path().join("server-key.pem"), key).unwrap();
    assert!(!house.reload(&change).unwrap(), "the same certificate");
    submit(&client(&house, &old.root_pem, identity_of(&old), None), "R2").await.unwrap();

    // Another authority, another server's certificate, in the same files.
    let later = TempDir::new().unwrap();
    let (new, _) = with_tls(&later);
    let (fresh, foreign) = (identity_of(&new), identity_of(&old));
    submit(&open, "R2b").await.unwrap();
    for file in ["server.pem", "server-key.pem", "authority.pem"] {
        std::fs::copy(later.path().join(file), house.dir.path().join(file)).unwrap();
    }
    assert!(house.reload(&change).unwrap(), "another certificate");
    submit(&open, "R3").await.expect("an open connection stays");
    let fresh = client(&house, &new.root_pem, fresh, None);
    submit(&fresh, "R4")
        .await
        .expect("the new certificate is shown, and clients of the new authority are known");
    let fault = submit(&client(&house, &old.root_pem, identity_of(&old), None), "R5").await.unwrap_err();
    assert!(matches!(fault, ClientFault::Transport(_)), "the old certificate is not shown any more: {fault}");
    let foreign = client(&house, &new.root_pem, foreign, None);
    assert_eq!(code(submit(&foreign, "R6").await), "certificate_untrusted");
}
