//! What malls are told: the feed, notifications that arrive, are repeated, given up and sent again, and survive a restart.
#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use common::{MALL, Shop, paid, with};
use serde_json::{Value, json};
use suanpan_model::DurationMs;
use suanpan_server::Config;
use suanpan_server::config::Principal;
use suanpan_server::notify::{Guard, Schedule};
use suanpan_signing::{Algorithm, Secret, VerifyingKey, notification_message};
use tempfile::TempDir;

/// What a mall heard: headers and body.
type Heard = (BTreeMap<String, String>, String);

/// A mall that answers notifications with the statuses of a script, the last one for ever.
#[derive(Clone)]
struct Mall {
    url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    script: Arc<Mutex<Vec<u16>>>,
}

impl Mall {
    async fn open(script: &[u16]) -> Self {
        let (heard, script) = (Arc::default(), Arc::new(Mutex::new(script.to_vec())));
        let mall = Self { url: String::new(), heard, script };
        let state = mall.clone();
        let server = HttpServer::new(move || {
            App::new().app_data(web::Data::new(state.clone())).default_service(web::to(Self::hear))
        });
        let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}/notify", server.addrs()[0]);
        actix_rt::spawn(server.run());
        Self { url, ..mall }
    }

    async fn hear(mall: web::Data<Self>, request: HttpRequest, body: String) -> HttpResponse {
        let header =
            |(name, value): (&actix_web::http::header::HeaderName, &actix_web::http::header::HeaderValue)| {
                (name.to_string(), value.to_str().unwrap().to_owned())
            };
        mall.heard.lock().unwrap().push((request.headers().iter().map(header).collect(), body));
        let mut script = mall.script.lock().unwrap();
        let status = if script.len() > 1 { script.remove(0) } else { script[0] };
        HttpResponse::build(status.try_into().unwrap()).finish()
    }

    fn answers(&self, script: &[u16]) {
        *self.script.lock().unwrap() = script.to_vec();
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// Type and number under the order of everything that was heard of an order.
    fn heard_of(&self, order_no: &str) -> Vec<(String, u64)> {
        let bodies = self.heard().into_iter().map(|(_, body)| serde_json::from_str::<Value>(&body).unwrap());
        let own = bodies.filter(|event| event["order_no"] == order_no);
        own.map(|event| (event["type"].as_str().unwrap().to_owned(), event["sequence"].as_u64().unwrap()))
            .collect()
    }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}: it takes too long");
        actix_rt::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits for a line of the metrics.
async fn until_measured(shop: &Shop, line: &str) {
    let has = async || shop.get("/metrics").await.text.lines().any(|known| known == line);
    until(line, has).await;
}

/// Tells `mall` about 9001, trying again after these waits.
fn told_at(mall: &Mall, waits_ms: &[u64]) -> impl Fn(&mut Config) {
    let (url, waits) = (mall.url.clone(), waits_ms.iter().copied().map(Duration::from_millis).collect());
    let schedule = Schedule::new(waits);
    move |config: &mut Config| {
        config.notifications.guard = Guard { allow_internal: true };
        config.notifications.schedule = schedule.clone();
        config.platforms[0].notify_url = Some(config.notifications.guard.read(&url).unwrap());
    }
}

async fn events(shop: &Shop, query: &str) -> Value {
    shop.get(&format!("{MALL}/events{query}")).await.ok()
}

async fn settled(shop: &Shop, order_no: &str) {
    settled_at(shop, order_no, "").await;
}

async fn settled_at(shop: &Shop, order_no: &str, callback: &str) {
    let mut order = with(paid(order_no), json!({ "escrow": false }));
    if !callback.is_empty() {
        order["callback"] = json!(callback);
    }
    let id = shop.order(&order).await;
    shop.until(&id, |life| life["status"] == "settled").await;
}

#[actix_web::test]
async fn the_feed_and_the_mall_hear_the_same_in_order_and_again_after_a_restart() {
    let mall = Mall::open(&[204]).await;
    let shop = Shop::open_with(TempDir::new().unwrap(), told_at(&mall, &[50])).await;
    settled(&shop, "N-1").await;
    let expected: Vec<(String, u64)> =
        vec![("order.paid".into(), 1), ("order.released".into(), 2), ("order.settled".into(), 3)];
    until("three notifications", async || mall.heard_of("N-1").len() >= 3).await;
    let mut heard = mall.heard_of("N-1");
    heard.sort_by_key(|(_, sequence)| *sequence);
    assert_eq!(heard, expected);

    let feed = events(&shop, "").await;
    let told: Vec<&Value> = feed["events"].as_array().unwrap().iter().collect();
    assert_eq!(told.len(), 3);
    // The notification is the item of the feed, byte for byte.
    for event in &told {
        let id = event["id"].as_str().unwrap();
        let (_, body) =
            mall.heard().into_iter().find(|(headers, _)| headers["suanpan-notification-id"] == id).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), **event);
        assert_eq!(
            (&event["order_no"], &event["currency"], &event["platform"]),
            (&json!("N-1"), &json!("CNY"), &json!(9001))
        );
    }
    assert_eq!(told[0]["amount"], "100.00");

    // Page by page, and from where one was.
    let first = events(&shop, "?limit=2").await;
    assert_eq!((first["events"].as_array().unwrap().len(), &first["has_more"]), (2, &json!(true)));
    let next = first["next"].as_str().unwrap();
    let second = events(&shop, &format!("?limit=2&after={next}")).await;
    assert_eq!(
        (second["events"][0]["type"].as_str(), &second["has_more"]),
        (Some("order.settled"), &json!(false))
    );
    let end = second["next"].as_str().unwrap().to_owned();
    let nothing = events(&shop, &format!("?after={end}")).await;
    assert_eq!((nothing["events"].as_array().unwrap().len(), nothing["next"].as_str()), (0, Some(&*end)));

    // A restart tells nothing twice that was delivered, and everything that came meanwhile.
    let dir = shop.close().await;
    let shop = Shop::open_with(dir, told_at(&mall, &[50])).await;
    assert_eq!(events(&shop, "").await, feed, "the feed stays as it was");
    settled(&shop, "N-2").await;
    until("three more", async || mall.heard_of("N-2").len() >= 3).await;
    assert_eq!(mall.heard().len(), 6);
    assert_eq!(events(&shop, &format!("?after={end}")).await["events"].as_array().unwrap().len(), 3);
    shop.close().await;
}

#[actix_web::test]
async fn a_mall_that_fails_is_told_again_then_given_up_and_by_hand_once_more() {
    let mall = Mall::open(&[500]).await;
    let shop = Shop::open_with(TempDir::new().unwrap(), told_at(&mall, &[30, 30])).await;
    settled(&shop, "N-1").await;
    let deliveries = async |state: &str| {
        let found = shop.get(&format!("{MALL}/deliveries?state={state}")).await.ok();
        found["deliveries"].as_array().unwrap().clone()
    };
    until("three dead letters", async || deliveries("dead").await.len() == 3).await;
    assert_eq!(mall.heard_of("N-1").len(), 9, "three tries each");
    let dead = deliveries("dead").await;
    let tries: Vec<&Value> = dead[0]["log"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
    assert_eq!((tries, &dead[0]["tries"]), (vec![&json!(500); 3], &json!(3)));

    // The dead letters survive a restart and are sent again by hand.
    let dir = shop.close().await;
    mall.answers(&[200]);
    let shop = Shop::open_with(dir, told_at(&mall, &[30, 30])).await;
    let id = dead[0]["event"].as_str().unwrap();
    let again = shop.post(&format!("{MALL}/events/{id}/resend"), &json!({})).await;
    assert_eq!((again.status, &again.json()["event"]), (202, &json!(id)));
    let state = async || shop.get(&format!("{MALL}/events/{id}")).await.ok()["delivery"]["state"].clone();
    until("the delivery", async || state().await == "delivered").await;
    let found = shop.get(&format!("{MALL}/events/{id}")).await.ok();
    let statuses: Vec<&Value> =
        found["delivery"]["log"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
    assert_eq!(statuses, [500, 500, 500, 200].map(Value::from).iter().collect::<Vec<_>>());
    assert_eq!(found["event"]["id"], id);

    // Metrics count since the start: one delivery, of something that was pending for a while.
    let of_mall = |name: &str, more: &str, value: &str| {
        format!("suanpan_notification{name}{{platform=\"9001\"{more}}} {value}")
    };
    for (name, more, expected) in [
        ("s_delivered_total", "", "1"),
        ("s_dead_total", "", "0"),
        ("s_pending", "", "0"),
        ("_lag_seconds", "", "0.000000"),
        ("_tries_total", ",result=\"taken\"", "1"),
        ("_tries_total", ",result=\"fault\"", "0"),
        ("_try_seconds_count", "", "1"),
        ("_delivery_seconds_count", "", "1"),
        ("_delivery_seconds_bucket", ",le=\"+Inf\"", "1"),
    ] {
        until_measured(&shop, &of_mall(name, more, expected)).await;
    }

    // A refusal of the mall is final at once.
    mall.answers(&[404]);
    settled(&shop, "N-2").await;
    until("three refusals", async || mall.heard_of("N-2").len() == 3).await;
    until("dead at once", async || {
        let dead = shop.get(&format!("{MALL}/deliveries?state=dead")).await.ok();
        dead["deliveries"].as_array().unwrap().iter().filter(|one| one["tries"] == 1).count() == 3
    })
    .await;
    until_measured(&shop, &of_mall("s_dead_total", "", "3")).await;
    until_measured(&shop, &of_mall("_tries_total", ",result=\"refused\"", "3")).await;
    until_measured(&shop, "suanpan_channel_attempts_total{channel=\"fast\",outcome=\"paid\"} 1").await;
    until_measured(&shop, "suanpan_channel_answer_seconds_count{channel=\"fast\"} 1").await;
    shop.close().await;
}

#[actix_web::test]
async fn an_order_with_a_callback_is_told_there() {
    let (usual, own) = (Mall::open(&[200]).await, Mall::open(&[200]).await);
    let shop = Shop::open_with(TempDir::new().unwrap(), told_at(&usual, &[50])).await;
    settled_at(&shop, "N-1", &own.url).await;
    settled(&shop, "N-2").await;
    until("both", async || own.heard_of("N-1").len() == 3 && usual.heard_of("N-2").len() == 3).await;
    assert_eq!((own.heard().len(), usual.heard().len()), (3, 3));
    let dir = shop.close().await;

    // Inside the network nobody is told, whatever an order says.
    let shop = Shop::open_with(dir, |config| config.notifications.guard = Guard::default()).await;
    settled_at(&shop, "N-3", &own.url).await;
    until("dead letters", async || {
        let dead = shop.get(&format!("{MALL}/deliveries?state=dead")).await.ok();
        dead["deliveries"].as_array().unwrap().len() == 3
    })
    .await;
    assert_eq!(own.heard().len(), 3);
    shop.close().await;
}

#[actix_web::test]
async fn one_mall_that_hangs_delays_no_other() {
    // It takes connections and never answers.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let slow = format!("http://{}/", silent.local_addr().unwrap());
    let mall = Mall::open(&[200]).await;
    let shop = Shop::open_with(TempDir::new().unwrap(), |config| {
        told_at(&mall, &[60_000])(config);
        config.notifications.timeout = Duration::from_secs(20);
        config.platforms[1].notify_url = Some(slow.parse().unwrap());
    })
    .await;
    // The order of the mall that hangs is closed unpaid, of which it is told; its notification hangs.
    let order = with(paid("N-1"), json!({ "merchant": "N1", "payer": "P" }));
    let other = "/v1/platforms/9002";
    let order =
        shop.post(&format!("{other}/orders"), &order).await.ok()["order"].as_str().unwrap().to_owned();
    shop.post(&format!("{other}/orders/{order}/close"), &json!({})).await;
    until("something to tell the mall that hangs", async || {
        let waiting = shop.get(&format!("{other}/deliveries")).await.ok();
        !waiting["deliveries"].as_array().unwrap().is_empty()
    })
    .await;
    settled(&shop, "N-2").await;
    until("the other mall", async || mall.heard_of("N-2").len() == 3).await;
    assert!(mall.heard_of("N-1").is_empty());
    let waiting = shop.get(&format!("{other}/deliveries")).await.ok();
    assert_eq!(waiting["deliveries"][0]["tries"], 0, "its first try is still under way");
    shop.close().await;
    drop(silent);
}

#[actix_web::test]
async fn notifications_are_signed_with_the_secret_that_counts_now() {
    let mall = Mall::open(&[200]).await;
    let dir = TempDir::new().unwrap();
    let secret = suanpan_signing::SigningKey::generate(Algorithm::HmacSha256).unwrap();
    let shop = Shop::open_with(dir, |config| {
        told_at(&mall, &[50])(config);
        let file = config.data_dir.parent().unwrap().join("mall.key");
        std::fs::write(&file, secret.reveal()).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        config.security.keys.push(suanpan_server::config::KeyConfig {
            id: "mall-1".into(),
            owner: Principal::Platform(suanpan_model::PlatformId(9_001)),
            algorithm: Algorithm::HmacSha256,
            source: suanpan_server::config::KeySource::File(file),
            validity: suanpan_server::config::Validity::default(),
        });
    })
    .await;
    settled(&shop, "N-1").await;
    until("three notifications", async || mall.heard().len() >= 3).await;
    let key = VerifyingKey::read(Algorithm::HmacSha256, &Secret::new(secret.reveal())).unwrap();
    for (headers, body) in mall.heard() {
        assert_eq!(headers["suanpan-key-id"], "mall-1");
        let at_s = headers["suanpan-timestamp"].parse().unwrap();
        let id = &headers["suanpan-notification-id"];
        let signed = |body: &str| {
            key.verify(&notification_message(id, at_s, body.as_bytes()), &headers["suanpan-signature"])
        };
        assert!(signed(&body).is_ok());
        assert!(signed(&body.replace("N-1", "N-2")).is_err());
    }
    shop.close().await;
}

#[actix_web::test]
async fn what_cannot_be_asked_is_refused() {
    let shop = Shop::open().await;
    settled(&shop, "N-1").await;
    until("the feed", async || events(&shop, "").await["events"].as_array().unwrap().len() == 3).await;
    let id = events(&shop, "").await["events"][0]["id"].as_str().unwrap().to_owned();
    let table = [
        ("events?limit=0", 400, "invalid_field", "limit"),
        ("events?limit=1001", 400, "invalid_field", "limit"),
        ("events?after=7", 400, "invalid_field", "after"),
        ("events/ev_0_0", 404, "unknown_event", "event"),
        ("events/nonsense", 404, "unknown_event", "event"),
        ("deliveries?state=lost", 400, "invalid_field", "state"),
    ];
    for (path, status, code, field) in table {
        let told = shop.get(&format!("{MALL}/{path}")).await.problem();
        assert_eq!(told, (status, code.to_owned(), field.to_owned()), "{path}");
    }
    // Another mall's event is not there, and a mall without an address cannot be told again.
    let other = shop.get(&format!("/v1/platforms/9002/events/{id}")).await.problem();
    assert_eq!((other.0, &*other.1), (404, "unknown_event"));
    assert!(shop.get("/v1/platforms/9002/events").await.ok()["events"].as_array().unwrap().is_empty());
    let again = shop.post(&format!("{MALL}/events/{id}/resend"), &json!({})).await.problem();
    assert_eq!((again.0, &*again.1), (409, "no_notify_url"));
    assert_eq!(shop.get(&format!("{MALL}/events/{id}")).await.ok()["delivery"], Value::Null);
    shop.close().await;
}

/// Events are kept for the shortest time that there is, and looked at all the time.
fn forgetful(config: &mut Config) {
    config.notifications.events_kept = Some(DurationMs(1));
    config.notifications.expires_every = Duration::from_millis(20);
}

#[actix_web::test]
async fn events_are_kept_for_a_time_but_for_what_has_to_be_told_and_what_lists_need() {
    let mall = Mall::open(&[204]).await;
    let told = told_at(&mall, &[60_000]);
    // Everything is kept, and the first order is told of.
    let shop = Shop::open_with(TempDir::new().unwrap(), &told).await;
    settled(&shop, "N-1").await;
    until("three notifications", async || mall.heard_of("N-1").len() == 3).await;
    let first = events(&shop, "").await;
    let ids: Vec<&str> =
        first["events"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    let delivered = async |shop: &Shop| {
        let found = shop.get(&format!("{MALL}/deliveries?state=delivered")).await.ok();
        found["deliveries"].as_array().unwrap().len()
    };
    until("deliveries", async || delivered(&shop).await == 3).await;
    let page = events(&shop, "?limit=1").await["next"].as_str().unwrap().to_owned();

    // Now the mall takes nothing, and events are kept for no time at all.
    mall.answers(&[500]);
    let dir = shop.close().await;
    let shop = Shop::open_with(dir, |config| {
        told(config);
        forgetful(config);
    })
    .await;
    // What was told goes, and with it what became of its deliveries.
    until("what was told to go", async || delivered(&shop).await == 0).await;
    assert_eq!(events(&shop, "").await["events"], json!([]));
    let last = *ids.last().unwrap();
    let table = [
        (format!("events?after={page}"), "after"),
        (format!("events/{}", ids[0]), "event"),
        (format!("events/{last}"), "event"),
    ];
    for (path, field) in &table {
        let told = shop.get(&format!("{MALL}/{path}")).await.problem();
        assert_eq!(told, (410, "event_expired".to_owned(), (*field).to_owned()), "{path}");
    }
    let again = shop.post(&format!("{MALL}/events/{last}/resend"), &json!({})).await.problem();
    assert_eq!((again.0, &*again.1), (410, "event_expired"));
    // Whoever has read everything missed nothing.
    let nothing = events(&shop, &format!("?after={last}")).await;
    assert_eq!((&nothing["events"], &nothing["next"]), (&json!([]), &json!(last)));
    assert_eq!(events(&shop, "").await["next"], last);
    // Lists go back to the first order.
    let releases = shop.get(&format!("{MALL}/releases")).await.ok();
    assert_eq!(releases["releases"][0]["order_no"], "N-1", "{releases}");

    // What the mall has still to be told stays, however old it is, also where a checkpoint has it.
    settled(&shop, "N-2").await;
    until("failed tries", async || mall.heard_of("N-2").len() == 3).await;
    shop.engine.checkpoint().await.unwrap();
    actix_rt::time::sleep(Duration::from_millis(200)).await;
    let kept = events(&shop, "").await;
    assert_eq!(kept["events"].as_array().unwrap().len(), 3, "{kept}");
    let pending = shop.get(&format!("{MALL}/deliveries")).await.ok();
    assert_eq!(pending["deliveries"].as_array().unwrap().len(), 3);
    let dir = shop.close().await;

    // The mall is back, and hears all of it; then it goes.
    mall.answers(&[204]);
    let shop = Shop::open_with(dir, |config| {
        told_at(&mall, &[60_000])(config);
        forgetful(config);
    })
    .await;
    for event in kept["events"].as_array().unwrap() {
        shop.post(&format!("{MALL}/events/{}/resend", event["id"].as_str().unwrap()), &json!({})).await;
    }
    until("all of it", async || mall.heard_of("N-2").len() == 6).await;
    until("nothing left", async || events(&shop, "").await["events"] == json!([])).await;
    let releases = shop.get(&format!("{MALL}/releases")).await.ok();
    let released: Vec<&Value> =
        releases["releases"].as_array().unwrap().iter().map(|one| &one["order_no"]).collect();
    assert_eq!(released, ["N-2", "N-1"]);
    shop.close().await;
}
