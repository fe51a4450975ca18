//! The HTTP server and its handle.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use suanpan_runtime::Engine;

use crate::config::{Config, PlatformConfig, ServerConfig};
use crate::metrics::{Metrics, WorkerMetrics};
use crate::notify::{Notifier, NotifyFault, Signer, Target, Unsigned};
use crate::routes::{BodyLimits, EndpointIndex, mount};
use crate::state::State;

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServerFault {
    /// Requests are not authenticated, so other machines must not reach the server.
    #[error(
        "server.listen: expected a loopback address such as 127.0.0.1:8080, found {0}: requests are not yet \
         authenticated; set server.allow_unauthenticated_network = true if nobody but you can reach it"
    )]
    OpenToNetwork(SocketAddr),
    /// The address cannot be used.
    #[error("server.listen: cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// Malls cannot be told what happens.
    #[error(transparent)]
    Notify(#[from] NotifyFault),
    /// The thread of the server cannot be started.
    #[error("cannot start the server: {0}")]
    Start(std::io::Error),
}

/// A running server. Dropping it leaves the server running.
#[derive(Debug)]
pub struct ServerHandle {
    /// Where it listens; the port is the one that was taken when the configuration said 0.
    pub addr: SocketAddr,
    actix: actix_web::dev::ServerHandle,
    thread: std::thread::JoinHandle<()>,
}

impl ServerHandle {
    /// The address as the start of a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Stops: no new connections, requests under way are finished (for as long as the configuration says). The engine
    /// keeps running.
    pub async fn stop(self) {
        self.actix.stop(true).await;
        // The thread ends right after the server; joining it here makes sure that the port is free.
        if self.thread.join().is_err() {
            tracing::error!("the server's thread panicked");
        }
    }
}

/// Starts the server in threads of its own. Can be called from anywhere, inside or outside a runtime.
///
/// # Errors
/// An address that other machines can reach without `allow_unauthenticated_network`; then an address that cannot be
/// used.
pub fn run(config: &Config, engine: Engine) -> Result<ServerHandle, ServerFault> {
    let settings = config.server.clone();
    check_address(&settings)?;
    let notifier = Arc::new(start_notifier(config, &engine)?);
    let address = settings.listen;
    let fault = |source| ServerFault::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(fault)?;
    let addr = listener.local_addr().map_err(fault)?;
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("http".to_owned())
        .spawn(move || serve(&settings, engine, notifier, listener, &sender))
        .map_err(ServerFault::Start)?;
    let gone = |_| std::io::Error::other("the server's thread ended before it listened");
    let actix = receiver.recv().map_err(gone).and_then(|started| started).map_err(fault)?;
    Ok(ServerHandle { addr, actix, thread })
}

fn check_address(settings: &ServerConfig) -> Result<(), ServerFault> {
    let address = settings.listen;
    if address.ip().is_loopback() {
        return Ok(());
    }
    if !settings.allow_unauthenticated_network {
        return Err(ServerFault::OpenToNetwork(address));
    }
    tracing::warn!(%address, "ANYBODY WHO REACHES THIS ADDRESS CAN MOVE MONEY: requests are not authenticated");
    Ok(())
}

/// What the thread of the server tells when it listens.
type Started = std::sync::mpsc::Sender<std::io::Result<actix_web::dev::ServerHandle>>;

/// Tells malls that have an address.
fn start_notifier(config: &Config, engine: &Engine) -> Result<Notifier, NotifyFault> {
    let target = |platform: &PlatformConfig| {
        let url = platform.notify_url.clone()?;
        Some(Target { platform: platform.policy.id, url })
    };
    let targets = config.platforms.iter().filter_map(target).collect();
    let signer: Arc<dyn Signer> = Arc::new(Unsigned);
    Notifier::start(engine, targets, &config.notifications, &signer)
}

fn serve(
    settings: &ServerConfig,
    engine: Engine,
    notifier: Arc<Notifier>,
    listener: TcpListener,
    started: &Started,
) {
    let metrics = Arc::new(Metrics::default());
    let state = Data::new(State {
        engine,
        orders_per_batch_max: settings.orders_per_batch_max,
        metrics: Arc::clone(&metrics),
        notifier,
    });
    let limits =
        BodyLimits { single_bytes: settings.body_limit_bytes, batch_bytes: settings.batch_body_limit_bytes };
    let workers = match settings.workers {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        workers => workers,
    };
    let application = move || {
        let worker = metrics.worker();
        App::new()
            .wrap(from_fn(move |request, next| observe(Arc::clone(&worker), request, next)))
            .app_data(state.clone())
            .configure(|config| mount(config, limits))
    };
    let patience = settings.stop_patience_s;
    actix_rt::System::new().block_on(async move {
        let server = HttpServer::new(application)
            .workers(workers)
            .disable_signals()
            .shutdown_timeout(patience)
            .listen(listener);
        // The other side waits for exactly one message; when it is gone, so is the reason to serve.
        let server = match server {
            Ok(server) => server.run(),
            Err(fault) => return drop(started.send(Err(fault))),
        };
        if started.send(Ok(server.handle())).is_ok()
            && let Err(fault) = server.await
        {
            tracing::error!(%fault, "the server ended");
        }
    });
}

/// Counts and logs a request: route, status and time, never what it contains.
async fn observe<B: MessageBody>(
    worker: Arc<WorkerMetrics>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let started = Instant::now();
    let response = next.call(request).await?;
    let took = started.elapsed();
    let endpoint = response.request().app_data::<EndpointIndex>().map(|index| index.0);
    let status = response.status().as_u16();
    worker.count(endpoint, status, took);
    let route = endpoint.map_or("unmatched", |index| crate::endpoint::Endpoint::ALL[index].path);
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    if status >= 500 {
        tracing::warn!(route, status, micros, "request");
    } else {
        tracing::debug!(route, status, micros, "request");
    }
    Ok(response)
}
