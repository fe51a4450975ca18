//! Traces: what a collector of OpenTelemetry is sent, and what becomes of requests when it is away.
#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use common::{MALL, Shop, waiting, with};
use serde_json::{Value, json};
use suanpan_server::Config;
use suanpan_server::traces::TraceConfig;
use tempfile::TempDir;

/// A collector that keeps what it is sent, and answers with a status.
#[derive(Clone)]
struct Collector {
    url: String,
    status: Arc<Mutex<u16>>,
    sent: Arc<Mutex<Vec<Value>>>,
}

impl Collector {
    async fn open(status: u16) -> Self {
        let collector =
            Self { url: String::new(), status: Arc::new(Mutex::new(status)), sent: Arc::default() };
        let state = collector.clone();
        let server = HttpServer::new(move || {
            App::new().app_data(web::Data::new(state.clone())).default_service(web::to(Self::take))
        });
        let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}/v1/traces", server.addrs()[0]);
        actix_rt::spawn(server.run());
        Self { url, ..collector }
    }

    async fn take(state: web::Data<Self>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
        assert_eq!((request.method().as_str(), request.path()), ("POST", "/v1/traces"));
        assert_eq!(request.headers().get("content-type").unwrap(), "application/json");
        state.sent.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
        HttpResponse::build((*state.status.lock().unwrap()).try_into().unwrap()).json(json!({}))
    }

    /// Every span that was taken, without those of `/metrics`.
    fn spans(&self) -> Vec<Value> {
        let sent = self.sent.lock().unwrap().clone();
        let all = sent
            .iter()
            .flat_map(|one| one["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone());
        all.filter(|span| span["name"] != "GET /metrics").collect()
    }

    async fn until(&self, count: usize) -> Vec<Value> {
        let began = Instant::now();
        while self.spans().len() < count {
            assert!(began.elapsed() < Duration::from_secs(30), "{:?}", self.spans());
            actix_rt::time::sleep(Duration::from_millis(20)).await;
        }
        self.spans()
    }
}

fn to(collector: &Collector, sample_percent: u8) -> impl Fn(&mut Config) {
    let url: reqwest::Url = collector.url.parse().unwrap();
    move |config: &mut Config| {
        config.traces = Some(TraceConfig { url: url.clone(), service: "shop".to_owned(), sample_percent });
    }
}

fn attribute<'a>(span: &'a Value, key: &str) -> &'a Value {
    let known = span["attributes"].as_array().unwrap().iter().find(|one| one["key"] == key);
    known.map_or(&Value::Null, |one| one["value"].as_object().unwrap().values().next().unwrap())
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

#[actix_web::test]
async fn each_request_is_a_span_with_route_platform_code_and_order_and_nothing_secret() {
    let collector = Collector::open(200).await;
    let shop = Shop::open_with(TempDir::new().unwrap(), to(&collector, 100)).await;
    let secret = with(waiting("T1"), json!({ "payer": "secret-payer", "description": "secret-thing" }));
    let client = reqwest::Client::new();
    let request = client.post(shop.url(&format!("{MALL}/orders"))).json(&secret);
    let request = request.header("traceparent", format!("00-{TRACE}-{SPAN}-01"));
    let order = shop.send(request.header("cookie", "secret-cookie")).await.json()["order"].clone();
    shop.get(&format!("{MALL}/orders/no:T1?secret-query=1")).await;
    shop.post(&format!("{MALL}/orders/no:T1/confirm"), &json!({})).await.problem();
    shop.get("/no/such/secret-path").await.problem();

    let spans = collector.until(4).await;
    let by =
        |name: &str| spans.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("{spans:?}"));
    let created = by("POST /v1/platforms/{platform}/orders");
    assert_eq!((&created["traceId"], &created["parentSpanId"]), (&json!(TRACE), &json!(SPAN)));
    assert_eq!((&created["kind"], &created["status"]), (&json!(2), &json!({ "code": 0 })));
    assert_eq!(attribute(created, "http.request.method"), "POST");
    assert_eq!(attribute(created, "http.route"), "/v1/platforms/{platform}/orders");
    assert_eq!(attribute(created, "http.response.status_code"), "201");
    assert_eq!(attribute(created, "suanpan.platform"), "9001");
    assert_eq!(*attribute(created, "suanpan.order"), order);
    let time = |span: &Value, name: &str| span[name].as_str().unwrap().parse::<u64>().unwrap();
    assert!(time(created, "startTimeUnixNano") <= time(created, "endTimeUnixNano"));
    let refused = by("POST /v1/platforms/{platform}/orders/{order}/confirm");
    assert_eq!(attribute(refused, "error.type"), "illegal_state");
    assert_eq!(attribute(refused, "suanpan.order"), "no:T1");
    assert_eq!((&refused["parentSpanId"], &refused["status"]["code"]), (&Value::Null, &json!(0)));
    assert_eq!(by("GET unmatched")["traceId"].as_str().unwrap().len(), 32);
    let sent = serde_json::to_string(&*collector.sent.lock().unwrap()).unwrap();
    assert!(sent.contains("shop") && !sent.contains("secret"), "{sent}");
    let metrics = shop.get("/metrics").await.text;
    assert!(metrics.contains("suanpan_trace_spans_total{result=\"dropped\"} 0\n"), "{metrics}");
    shop.close().await;
}

#[actix_web::test]
async fn callers_decide_what_is_traced_and_the_rest_is_sampled() {
    let collector = Collector::open(200).await;
    let shop = Shop::open_with(TempDir::new().unwrap(), to(&collector, 0)).await;
    let ask = async |flags: &str| {
        let request = reqwest::Client::new().get(shop.url("/health/live"));
        let request = match flags {
            "" => request,
            flags => request.header("traceparent", format!("00-{TRACE}-{SPAN}-{flags}")),
        };
        request.send().await.unwrap();
    };
    for flags in ["", "00", "zz", "01"] {
        ask(flags).await;
    }
    // What is under way at the end is sent, too.
    shop.close().await;
    let spans = collector.spans();
    assert_eq!(spans.len(), 1, "{spans:?}");
    assert_eq!(spans[0]["parentSpanId"], SPAN);
}

#[actix_web::test]
async fn a_collector_that_is_away_costs_spans_and_no_request() {
    let collector = Collector::open(503).await;
    let shop = Shop::open_with(TempDir::new().unwrap(), to(&collector, 100)).await;
    assert_eq!(shop.get("/health/live").await.status, 200);
    // It is tried again, then dropped.
    let began = Instant::now();
    while !shop.get("/metrics").await.text.contains("suanpan_trace_spans_total{result=\"sent\"} 0\n")
        || shop.get("/metrics").await.text.contains("suanpan_trace_spans_total{result=\"dropped\"} 0\n")
    {
        assert!(began.elapsed() < Duration::from_secs(30));
        actix_rt::time::sleep(Duration::from_millis(50)).await;
    }
    *collector.status.lock().unwrap() = 200;
    collector.sent.lock().unwrap().clear();
    assert_eq!(shop.get("/health/ready").await.status, 200);
    let spans = collector.until(1).await;
    assert!(spans.iter().any(|span| span["name"] == "GET /health/ready"), "{spans:?}");
    shop.close().await;
}
