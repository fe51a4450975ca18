//! Traces: a span for each request, sent to a collector of OpenTelemetry over OTLP/HTTP in JSON. Off unless the
//! configuration names a collector; then nothing but an absent option is looked at.
//!
//! The protocol is written here, in two small files without a dependency of its own: the crates of OpenTelemetry bring a
//! second HTTP client, protobuf and gRPC along for one POST. A span says what metrics say of a request (route, status,
//! code) and whose it is (platform, order); never a body, a header, a query or a name of a payer.

mod collector;
mod otlp;
mod parent;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_web::HttpMessage;
use actix_web::HttpRequest;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use reqwest::Url;
use suanpan_model::{OrderId, TimestampMs};
use tokio::sync::mpsc;

pub use collector::Collector;
pub use parent::{Parent, SpanId, TraceId};

use crate::endpoint::Endpoint;
use crate::problem::Refused;

/// W3C's header that says under which span of the caller a request is.
const TRACEPARENT: &str = "traceparent";

/// Longest order number that a span tells.
const ORDER_MAX: usize = 67;

/// Where traces go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceConfig {
    /// The collector's address of traces.
    pub url: Url,
    /// What the collector calls this program.
    pub service: String,
    /// Of a hundred requests that no caller traces, how many are traced.
    pub sample_percent: u8,
}

/// A request that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    trace: TraceId,
    id: SpanId,
    parent: Option<SpanId>,
    method: String,
    route: &'static str,
    began: TimestampMs,
    took: Duration,
    status: u16,
    code: Option<&'static str>,
    platform: Option<String>,
    order: Option<String>,
}

/// What was sent and what was not.
#[derive(Debug, Default)]
pub struct TraceCounts {
    /// The collector has them.
    pub sent: AtomicU64,
    /// There was no room for them, or the collector did not take them.
    pub dropped: AtomicU64,
}

/// Takes spans; clones send to one collector.
#[derive(Clone, Debug)]
pub struct Tracer {
    spans: mpsc::Sender<Span>,
    sample_percent: u8,
    counts: Arc<TraceCounts>,
}

/// A request that is traced.
#[derive(Debug)]
pub struct Tracing {
    trace: TraceId,
    id: SpanId,
    parent: Option<SpanId>,
    began: TimestampMs,
    method: String,
}

/// The number of the order that a request made, noted by its handler.
#[derive(Clone, Copy, Debug)]
struct MadeOrder(OrderId);

/// Notes which order a request made, where its path does not say.
pub fn made_order(request: &HttpRequest, order: OrderId) {
    request.extensions_mut().insert(MadeOrder(order));
}

impl Tracer {
    /// Begins the span of a request; nothing where it is not sampled. A caller's decision counts before our own.
    #[must_use]
    pub fn begin(&self, request: &ServiceRequest, now: TimestampMs) -> Option<Tracing> {
        let header = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok());
        let parent = header.and_then(Parent::parse);
        let is_sampled = match &parent {
            Some(parent) => parent.is_sampled,
            None => SpanId::random().percent() < self.sample_percent,
        };
        is_sampled.then(|| Tracing {
            trace: parent.as_ref().map_or_else(TraceId::random, |parent| parent.trace),
            id: SpanId::random(),
            parent: parent.map(|parent| parent.span),
            began: now,
            method: request.method().to_string(),
        })
    }

    /// Ends the span of a request. Never waits: where there is no room it is dropped, and counted.
    pub fn end<B>(
        &self,
        tracing: Tracing,
        response: &ServiceResponse<B>,
        endpoint: Option<usize>,
        took: Duration,
    ) {
        let Tracing { trace, id, parent, began, method } = tracing;
        let request = response.request();
        let named =
            |name: &str| request.match_info().get(name).map(|text| text.chars().take(ORDER_MAX).collect());
        let made = request.extensions().get::<MadeOrder>().map(|made| made.0.to_string());
        let span = Span {
            trace,
            id,
            parent,
            method,
            route: endpoint.map_or("unmatched", |index| Endpoint::ALL[index].path),
            began,
            took,
            status: response.status().as_u16(),
            code: response.response().extensions().get::<Refused>().map(|refused| refused.0),
            platform: named("platform"),
            order: made.or_else(|| named("order")),
        };
        if self.spans.try_send(span).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was sent and what was not.
    #[must_use]
    pub fn counts(&self) -> &TraceCounts {
        &self.counts
    }
}

impl Tracing {
    /// The trace, for the log.
    #[must_use]
    pub const fn trace(&self) -> TraceId {
        self.trace
    }
}
