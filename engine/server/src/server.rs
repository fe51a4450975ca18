//! The HTTP server and its handle.

use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use arc_swap::ArcSwap;
use suanpan_runtime::Engine;

use crate::answers::{Answers, AnswersFault};
use crate::body_limits::BodyLimitsInForce;
use crate::budget::{Budgets, spend};
use crate::config::{Config, PlatformConfig, SecurityMode, ServerConfig};
use crate::idempotency::once;
use crate::intake::Intake;
use crate::metrics::{Metrics, WorkerMetrics};
use crate::notify::{Notifier, NotifyFault, Signer, Target};
use crate::problem::Refused;
use crate::routes::{EndpointIndex, mount};
use crate::security::{BodyRules, Security, SecurityFault, TlsFiles, gate, observe_connection};
use crate::state::State;
use crate::traces::{Collector, Tracer};

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServerFault {
    /// In development nobody proves who they are, so other machines must not reach the server.
    #[error(
        "server.listen: in development expected a loopback address such as 127.0.0.1:8080, found {0}: whoever reaches \
         it can move money. Give platforms keys and leave development"
    )]
    OpenToNetwork(SocketAddr),
    /// Requests would go over the network in the clear.
    #[error(
        "server.listen: without TLS expected a loopback address such as 127.0.0.1:8080, found {0}. Name certificates \
         in [security.tls] (`suanpan certificates` makes some for a test), or set security.allow_plain_http = true if \
         TLS ends at a proxy in front"
    )]
    InTheClear(SocketAddr),
    /// Keys or certificates cannot be used.
    #[error(transparent)]
    Security(#[from] SecurityFault),
    /// The address cannot be used.
    #[error("server.listen: cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// Answers under idempotency keys cannot be read.
    #[error(transparent)]
    Answers(#[from] AnswersFault),
    /// Malls cannot be told what happens.
    #[error(transparent)]
    Notify(#[from] NotifyFault),
    /// Traces cannot be sent.
    #[error("traces: {0}")]
    Traces(std::io::Error),
    /// The thread of the server cannot be started.
    #[error("cannot start the server: {0}")]
    Start(std::io::Error),
}

/// A running server. Dropping it leaves the server running.
#[derive(Debug)]
pub struct ServerHandle {
    /// Where it listens; the port is the one that was taken when the configuration said 0.
    pub addr: SocketAddr,
    scheme: &'static str,
    security: Arc<Security>,
    tls: Option<Arc<TlsFiles>>,
    actix: actix_web::dev::ServerHandle,
    thread: std::thread::JoinHandle<()>,
    collector: Option<Collector>,
    budgets: Arc<ArcSwap<Budgets>>,
    body_limits: Arc<ArcSwap<BodyLimitsInForce>>,
}

impl ServerHandle {
    /// The address as the start of a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.addr)
    }

    /// Gives every platform a new budget of requests, which is full.
    pub fn set_budgets(&self, budgets: Budgets) {
        self.budgets.store(Arc::new(budgets));
    }

    /// Puts other limits of bodies in force, for requests whose body has not been begun.
    pub fn set_body_limits(&self, limits: BodyLimitsInForce) {
        self.body_limits.store(Arc::new(limits));
    }

    /// Puts other keys and certificates in force: those of callers, the server's own, and the authority of client
    /// certificates. Connections that are open stay. True when the server shows another certificate from now on.
    ///
    /// # Errors
    /// A key or certificate that cannot be read or used; then those in force stay.
    pub fn reload_keys(&self, config: &Config) -> Result<bool, SecurityFault> {
        let files = self.tls.as_ref().zip(config.security.tls.as_ref());
        let change = files.map(|(files, named)| Ok((files, files.read_again(named)?))).transpose()?;
        self.security.reload_keys(&config.security)?;
        Ok(change.is_some_and(|(files, change)| files.put(change)))
    }

    /// Stops: no new connections, requests under way are finished (for as long as the configuration says). The engine
    /// keeps running.
    pub async fn stop(self) {
        self.actix.stop(true).await;
        // The thread ends right after the server; joining it here makes sure that the port is free.
        if self.thread.join().is_err() {
            tracing::error!("the server's thread panicked");
        }
        if let Some(collector) = self.collector {
            // The tracers went with the thread.
            collector.join();
        }
    }
}

/// Whether a server could be safe with this configuration: looked at before the engine starts, which may take a while and
/// writes to its directory.
///
/// # Errors
/// Nobody could prove who they are, and development was not asked for; keys or certificates that cannot be used; an address
/// that other machines can reach in development or without TLS.
pub fn check(config: &Config) -> Result<(), ServerFault> {
    let mode = Security::check(&config.security)?;
    config.security.tls.as_ref().map(TlsFiles::read).transpose()?;
    check_address(config, mode)
}

/// Starts the server in threads of its own. Can be called from anywhere, inside or outside a runtime.
///
/// # Errors
/// Nobody could prove who they are, and development was not asked for; keys or certificates that cannot be used; an address
/// that other machines can reach in development or without TLS; then an address that cannot be used.
pub fn run(config: &Config, engine: Engine) -> Result<ServerHandle, ServerFault> {
    let settings = config.server.clone();
    let security = Arc::new(Security::load(&config.security, &config.data_dir, engine.now().0 / 1_000)?);
    let tls = config.security.tls.as_ref().map(TlsFiles::read).transpose()?.map(Arc::new);
    let tls_config = tls.as_ref().map(TlsFiles::server_config).transpose()?;
    check_address(config, security.mode)?;
    warn_of_what_is_open(config, security.mode);
    let notifier = Arc::new(start_notifier(config, &engine, &security)?);
    let answers = Arc::new(Answers::open(&config.data_dir.join("answers"), engine.now())?);
    let budgets = Arc::new(ArcSwap::from_pointee(Budgets::of(config)));
    let body_limits = Arc::new(ArcSwap::from_pointee(BodyLimitsInForce::of(config)));
    let address = settings.listen;
    let fault = |source| ServerFault::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(fault)?;
    let addr = listener.local_addr().map_err(fault)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let traced = config.traces.clone().map(Collector::start).transpose().map_err(ServerFault::Traces)?;
    let (tracer, collector) = traced.unzip();
    let (sender, receiver) = std::sync::mpsc::channel();
    let work = Work {
        settings,
        engine,
        notifier,
        security: Arc::clone(&security),
        tls: tls.clone().zip(tls_config),
        budgets: Arc::clone(&budgets),
        bodies: BodyRules {
            limits: Arc::clone(&body_limits),
            patience: Duration::from_secs(config.server.body_timeout_s),
        },
        answers,
        tracer,
    };
    let thread = std::thread::Builder::new()
        .name("http".to_owned())
        .spawn(move || serve(work, listener, &sender))
        .map_err(ServerFault::Start)?;
    let gone = |_| std::io::Error::other("the server's thread ended before it listened");
    let actix = receiver.recv().map_err(gone).and_then(|started| started).map_err(fault)?;
    Ok(ServerHandle { addr, scheme, security, tls, actix, thread, collector, budgets, body_limits })
}

fn check_address(config: &Config, mode: SecurityMode) -> Result<(), ServerFault> {
    let address = config.server.listen;
    let is_local = address.ip().is_loopback();
    let security = &config.security;
    match mode {
        SecurityMode::Development if !is_local => Err(ServerFault::OpenToNetwork(address)),
        SecurityMode::Development => Ok(()),
        SecurityMode::Signed if is_local || security.tls.is_some() || security.allow_plain_http => Ok(()),
        SecurityMode::Signed => Err(ServerFault::InTheClear(address)),
    }
}

fn warn_of_what_is_open(config: &Config, mode: SecurityMode) {
    let address = config.server.listen;
    match mode {
        SecurityMode::Development => tracing::warn!(
            %address,
            "DEVELOPMENT: REQUESTS ARE NOT AUTHENTICATED. EVERYBODY ON THIS MACHINE CAN MOVE MONEY"
        ),
        SecurityMode::Signed if address.ip().is_loopback() || config.security.tls.is_some() => {}
        SecurityMode::Signed => {
            tracing::warn!(%address, "without TLS: requests are signed, but whoever is on the way can read them");
        }
    }
}

/// What the thread of the server tells when it listens.
type Started = std::sync::mpsc::Sender<std::io::Result<actix_web::dev::ServerHandle>>;

/// Tells malls that have an address.
fn start_notifier(
    config: &Config,
    engine: &Engine,
    security: &Arc<Security>,
) -> Result<Notifier, NotifyFault> {
    let target =
        |platform: &PlatformConfig| Target { platform: platform.policy.id, url: platform.notify_url.clone() };
    let (told, untold): (Vec<_>, Vec<_>) =
        config.platforms.iter().partition(|platform| platform.policy.announces);
    let (targets, untold) = (
        told.into_iter().map(target).collect(),
        untold.iter().map(|platform| platform.policy.id).collect::<Vec<_>>(),
    );
    let signer: Arc<dyn Signer> = Arc::clone(security) as Arc<dyn Signer>;
    Notifier::start(engine, targets, &untold, &config.notifications, &signer)
}

/// What the thread of the server works with.
struct Work {
    settings: ServerConfig,
    engine: Engine,
    notifier: Arc<Notifier>,
    security: Arc<Security>,
    tls: Option<(Arc<TlsFiles>, rustls::ServerConfig)>,
    budgets: Arc<ArcSwap<Budgets>>,
    bodies: BodyRules,
    answers: Arc<Answers>,
    tracer: Option<Tracer>,
}

fn serve(work: Work, listener: TcpListener, started: &Started) {
    let Work { settings, engine, notifier, security, tls, budgets, bodies, answers, tracer } = work;
    let metrics = Arc::new(Metrics::default());
    let clock = engine.clone();
    let state = Data::new(State {
        engine,
        answers,
        bodies,
        orders_per_batch_max: settings.orders_per_batch_max,
        metrics: Arc::clone(&metrics),
        notifier,
        security,
        tracer,
    });
    let workers = match settings.workers {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        workers => workers,
    };
    let application = move || {
        let worker = metrics.worker();
        let known = state.clone();
        let watcher = state.clone().into_inner();
        let budgets = Arc::clone(&budgets);
        App::new()
            .wrap(from_fn(once))
            .wrap(from_fn(move |request, next| spend(Arc::clone(&budgets), request, next)))
            .wrap(from_fn(move |request, next| gate(known.clone(), request, next)))
            .wrap(from_fn(move |request, next| {
                observe(Arc::clone(&worker), Arc::clone(&watcher), request, next)
            }))
            .app_data(Rc::new(Intake::new(state.engine.clone())))
            .app_data(state.clone())
            .configure(mount)
    };
    actix_rt::System::new().block_on(async move {
        let server = HttpServer::new(application)
            .workers(workers)
            .disable_signals()
            .shutdown_timeout(settings.stop_patience_s)
            .client_request_timeout(Duration::from_secs(settings.header_timeout_s))
            .tls_handshake_timeout(Duration::from_secs(settings.header_timeout_s))
            .max_connections(settings.connections_max);
        let server = match tls {
            None => server.listen(listener),
            Some((files, config)) => server
                .on_connect(move |stream, data| {
                    if let Some(judge) = files.judge() {
                        observe_connection(&judge, clock.now().0 / 1_000, stream, data);
                    }
                })
                .listen_rustls_0_23(listener, config),
        };
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

/// Counts, logs and traces a request: route, status and time, never what it contains.
async fn observe<B: MessageBody>(
    worker: Arc<WorkerMetrics>,
    state: Arc<State>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let started = Instant::now();
    let tracer = state.tracer.as_ref();
    let traced = tracer.and_then(|tracer| Some((tracer, tracer.begin(&request, state.engine.now())?)));
    let response = next.call(request).await?;
    let took = started.elapsed();
    let endpoint = response.request().app_data::<EndpointIndex>().map(|index| index.0);
    let status = response.status().as_u16();
    worker.count(endpoint, status, took);
    let code = response.response().extensions().get::<Refused>().map(|refused| refused.0);
    if let Some(code) = code {
        worker.refused(code);
    }
    let route = endpoint.map_or("unmatched", |index| crate::endpoint::Endpoint::ALL[index].path);
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let trace = traced.as_ref().map(|(_, traced)| tracing::field::display(traced.trace()));
    if status >= 500 {
        tracing::warn!(route, status, micros, code, trace, "request");
    } else {
        tracing::debug!(route, status, micros, code, trace, "request");
    }
    if let Some((tracer, traced)) = traced {
        tracer.end(traced, &response, endpoint, took);
    }
    Ok(response)
}
