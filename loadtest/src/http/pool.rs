//! A pool of keep-alive connections, each with one request under way: cheap, so that the server is what is measured.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_rustls::rustls::ClientConfig;

use super::line::{self, Stream};
use super::sign::Signer;

/// Connections when nobody says otherwise.
pub const CONNECTIONS: usize = 64;
/// How long an answer is awaited.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// A server's answer.
#[derive(Clone, Debug)]
pub struct HttpAnswer {
    /// Status code.
    pub status: u16,
    /// Body.
    pub body: Bytes,
}

/// Why there is no answer. What became of the request is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The server does not take connections.
    #[error("the server does not take connections")]
    Unreachable,
    /// The connection broke.
    #[error("the connection broke before the answer")]
    Broken,
    /// The server was silent for too long.
    #[error("no answer within {} s", ANSWER_MAX.as_secs())]
    Late,
}

/// Where a server is, and how it is spoken to.
#[derive(Clone)]
pub struct Door {
    /// Host and port.
    pub authority: String,
    /// Over TLS.
    pub tls: Option<Arc<ClientConfig>>,
    /// Signs requests.
    pub signer: Option<Arc<Signer>>,
}

impl Door {
    /// A server that is spoken to in the clear.
    #[must_use]
    pub const fn plain(authority: String, signer: Option<Arc<Signer>>) -> Self {
        Self { authority, tls: None, signer }
    }
}

/// One request.
#[derive(Debug)]
pub struct Call {
    /// Its method.
    pub method: Method,
    /// Its path with its query.
    pub path: String,
    /// Its body; JSON.
    pub body: Bytes,
}

struct Job {
    call: Call,
    done: oneshot::Sender<Result<HttpAnswer, NoAnswer>>,
}

/// The pool. Clones share the connections, which end with the last of them.
#[derive(Clone)]
pub struct Pool {
    // How much can wait here is bounded by what the caller has under way, each of which waits for its answer.
    jobs: mpsc::UnboundedSender<Job>,
}

impl Pool {
    /// `connections` through `door`, made when they are needed, on the runtime of the caller.
    #[must_use]
    pub fn new(door: &Door, connections: usize) -> Self {
        let (jobs, queue) = mpsc::unbounded_channel();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..connections {
            tokio::spawn(work(door.clone(), queue.clone()));
        }
        Self { jobs }
    }

    /// Sends a request and awaits its answer.
    ///
    /// # Errors
    /// When none comes.
    pub async fn call(&self, call: Call) -> Result<HttpAnswer, NoAnswer> {
        let (done, answer) = oneshot::channel();
        self.jobs.send(Job { call, done }).map_err(|_| NoAnswer::Unreachable)?;
        answer.await.map_err(|_| NoAnswer::Broken)?
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// As [`Pool::call`].
    pub async fn post(&self, path: String, body: impl Into<Bytes>) -> Result<HttpAnswer, NoAnswer> {
        self.call(Call { method: Method::POST, path, body: body.into() }).await
    }

    /// Asks for something.
    ///
    /// # Errors
    /// As [`Pool::call`].
    pub async fn get(&self, path: String) -> Result<HttpAnswer, NoAnswer> {
        self.call(Call { method: Method::GET, path, body: Bytes::new() }).await
    }

    /// Makes many calls at once and awaits all answers, in the order of the calls.
    pub async fn all(&self, calls: Vec<Call>) -> Vec<Result<HttpAnswer, NoAnswer>> {
        let mut waiting = VecDeque::with_capacity(calls.len());
        for call in calls {
            let (done, answer) = oneshot::channel();
            // A pool that has ended drops the job, and with it the answer's sender.
            let _ = self.jobs.send(Job { call, done });
            waiting.push_back(answer);
        }
        let mut answers = Vec::with_capacity(waiting.len());
        for answer in waiting {
            answers.push(answer.await.unwrap_or(Err(NoAnswer::Broken)));
        }
        answers
    }
}

type Sender = SendRequest<Full<Bytes>>;

async fn work(door: Door, queue: Arc<Mutex<mpsc::UnboundedReceiver<Job>>>) {
    let mut connection: Option<Sender> = None;
    loop {
        let job = queue.lock().await.recv().await;
        let Some(Job { call, done }) = job else { return };
        // Whoever asked may have given up.
        let _ = done.send(ask(&door, &mut connection, &call).await);
    }
}

/// Sends a request over the connection that is open, or over a new one. A server closes what lies idle, and may do so at the
/// very moment at which it is used again: what changes nothing is then asked again (RFC 9110, 9.2.2).
async fn ask(door: &Door, connection: &mut Option<Sender>, call: &Call) -> Result<HttpAnswer, NoAnswer> {
    if let Some(sender) = connection.take().filter(|sender| !sender.is_closed()) {
        match ask_over(door, connection, sender, call).await {
            Err(NoAnswer::Broken) if call.method == Method::GET => {}
            answer => return answer,
        }
    }
    let sender = connect(door).await?;
    ask_over(door, connection, sender, call).await
}

/// Sends a request over a connection, which is kept when it has answered.
async fn ask_over(
    door: &Door,
    connection: &mut Option<Sender>,
    mut sender: Sender,
    call: &Call,
) -> Result<HttpAnswer, NoAnswer> {
    let answer = tokio::time::timeout(ANSWER_MAX, exchange(door, &mut sender, call)).await;
    let answer = answer.map_err(|_| NoAnswer::Late)??;
    *connection = Some(sender);
    Ok(answer)
}

async fn connect(door: &Door) -> Result<Sender, NoAnswer> {
    match &door.tls {
        None => shake(line::plain(&door.authority).await.map_err(|_| NoAnswer::Unreachable)?).await,
        Some(config) => {
            shake(line::tls(&door.authority, config).await.map_err(|_| NoAnswer::Unreachable)?).await
        }
    }
}

async fn shake<S: Stream + 'static>(stream: S) -> Result<Sender, NoAnswer> {
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|_| NoAnswer::Unreachable)?;
    // Its end is seen by the sender.
    tokio::spawn(connection);
    Ok(sender)
}

async fn exchange(door: &Door, sender: &mut Sender, call: &Call) -> Result<HttpAnswer, NoAnswer> {
    sender.ready().await.map_err(|_| NoAnswer::Broken)?;
    let mut request =
        Request::builder().header(HOST, &door.authority).header(CONTENT_TYPE, "application/json");
    if let Some(signer) = &door.signer {
        for (name, value) in signer.headers(call).map_err(|_| NoAnswer::Broken)? {
            request = request.header(name, value);
        }
    }
    let request = request.method(&call.method).uri(&call.path).body(Full::new(call.body.clone()));
    let request = request.map_err(|_| NoAnswer::Broken)?;
    let answer = sender.send_request(request).await.map_err(|_| NoAnswer::Broken)?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.map_err(|_| NoAnswer::Broken)?.to_bytes();
    Ok(HttpAnswer { status, body })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server whose first connection answers once and breaks at the second request, as one does that closes what lay
    /// idle at the very moment at which it is used; every other connection answers for good. It counts requests.
    async fn closing_what_lay_idle() -> (Pool, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        tokio::spawn(async move {
            for answers in [1, usize::MAX] {
                let (mut stream, _) = listener.accept().await.unwrap();
                for number in 0.. {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await.unwrap());
                    }
                    counter.fetch_add(1, Ordering::Relaxed);
                    if number == answers {
                        break;
                    }
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
                }
            }
        });
        (Pool::new(&Door::plain(authority, None), 1), asked)
    }

    #[tokio::test]
    async fn a_question_over_a_connection_that_was_being_closed_is_asked_again() {
        let (pool, asked) = closing_what_lay_idle().await;
        for _ in 0..3 {
            assert_eq!(pool.get("/".to_owned()).await.unwrap().status, 200);
        }
        assert_eq!(asked.load(Ordering::Relaxed), 4);
    }

    #[tokio::test]
    async fn what_may_have_been_performed_is_not_sent_again() {
        let (pool, asked) = closing_what_lay_idle().await;
        assert_eq!(pool.post("/".to_owned(), "").await.unwrap().status, 200);
        assert_eq!(pool.post("/".to_owned(), "").await.unwrap_err(), NoAnswer::Broken);
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }
}
