//! Signs requests, verifies answers, repeats.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Method, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use suanpan_signing::{
    Message, SigningKey, VerifyingKey, answer_message, check_stamp, header, request_message, stream_message,
};

use crate::clock::now_s;
use crate::fault::{ClientFault, Problem};
use crate::options::{ClientOptions, Credentials};
use crate::platform::Platform;
use crate::repeat::{Repeat, RepeatPolicy, may_repeat};

/// A client of the engine. Cheap to share: it keeps its connections.
pub struct Client {
    http: reqwest::Client,
    url: String,
    credentials: Option<Credentials>,
    /// Who may have signed an answer.
    signers: Vec<(String, VerifyingKey)>,
    repeats: RepeatPolicy,
    repeated: AtomicU64,
}

/// A request before it is signed.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// Path and query, from the slash on.
    pub target: &'a str,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// Whether it may be performed twice.
    pub repeat: Repeat,
    /// Whether the answer may grow while it is sent, as that of a back-test: then only its head is signed.
    pub grows: bool,
}

/// A verified answer that is not a refusal.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status of HTTP.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer, and after how long the engine wants to be asked again.
struct Heard {
    answer: Result<Answer, ClientFault>,
    retry_after: Option<Duration>,
}

impl<'a> Request<'a> {
    /// Asks for something.
    #[must_use]
    pub const fn get(target: &'a str) -> Self {
        Self { method: Method::GET, target, body: Vec::new(), repeat: Repeat::Safe, grows: false }
    }

    /// Sends JSON that the engine knows again by a number in it.
    ///
    /// # Errors
    /// A body that cannot be written as JSON.
    pub fn post(target: &'a str, body: &impl Serialize) -> Result<Self, ClientFault> {
        let body = serde_json::to_vec(body).map_err(ClientFault::Write)?;
        Ok(Self { method: Method::POST, target, body, repeat: Repeat::Safe, grows: false })
    }

    /// The same, but sent again only if it was certainly not performed.
    #[must_use]
    pub fn if_not_performed(self) -> Self {
        Self { repeat: Repeat::IfNotPerformed, ..self }
    }

    /// The same, but takes an answer that grows: its status is believed, its body as far as the connection is.
    #[must_use]
    pub fn growing(self) -> Self {
        Self { grows: true, ..self }
    }
}

impl Answer {
    /// Reads the body.
    ///
    /// # Errors
    /// A body of another form.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ClientFault> {
        let status = self.status;
        serde_json::from_slice(&self.body).map_err(|source| ClientFault::Form { status, source })
    }
}

impl Client {
    /// Makes a client; connects when it is first used.
    ///
    /// # Errors
    /// Certificates that cannot be read.
    pub fn new(options: ClientOptions) -> Result<Self, ClientFault> {
        let wrong = |fault: reqwest::Error| ClientFault::Options(fault.to_string());
        let mut builder = reqwest::Client::builder()
            .timeout(options.timeout)
            .pool_max_idle_per_host(options.connections_max)
            // Signed money commands go to the engine and nowhere else.
            .redirect(reqwest::redirect::Policy::none());
        if let Some(pem) = &options.authority_pem {
            let authority = reqwest::Certificate::from_pem(pem.as_bytes()).map_err(wrong)?;
            builder = builder.tls_certs_only([authority]);
        }
        if let Some(pem) = &options.identity_pem {
            builder = builder.identity(reqwest::Identity::from_pem(pem.reveal().as_bytes()).map_err(wrong)?);
        }
        let mut signers: Vec<(String, VerifyingKey)> = options.engine_key.into_iter().collect();
        if let Some(Credentials { key_id, key: key @ SigningKey::HmacSha256(_) }) = &options.credentials {
            signers.push((key_id.clone(), key.verifying()?));
        }
        Ok(Self {
            http: builder.build().map_err(wrong)?,
            url: options.url.trim_end_matches('/').to_owned(),
            credentials: options.credentials,
            signers,
            repeats: options.repeats,
            repeated: AtomicU64::new(0),
        })
    }

    /// The calls of one platform.
    #[must_use]
    pub fn platform(&self, number: u32) -> Platform<'_> {
        Platform::new(self, number)
    }

    /// Sends a request, again where that is safe, and reads the answer.
    ///
    /// # Errors
    /// As [`Client::send`]; an answer of another form.
    pub async fn call<T: DeserializeOwned>(&self, request: Request<'_>) -> Result<T, ClientFault> {
        self.send(request).await?.read()
    }

    /// Sends a request, again where that is safe.
    ///
    /// # Errors
    /// No answer, or none that can be believed; a refusal.
    pub async fn send(&self, request: Request<'_>) -> Result<Answer, ClientFault> {
        let mut attempt = 1;
        loop {
            let heard = self.once(&request).await;
            let fault = match heard.answer {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            if attempt >= self.repeats.attempts_max || !may_repeat(&fault, request.repeat) {
                return Err(fault);
            }
            // A start is over within a second; until then everything signed is too old.
            let asked_for = match fault.code() {
                Some("signed_before_start") => Some(Duration::from_secs(1)),
                _ => heard.retry_after,
            };
            tokio::time::sleep(self.repeats.pause(attempt, asked_for)).await;
            attempt += 1;
            self.repeated.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many requests were sent again.
    #[must_use]
    pub fn repeated(&self) -> u64 {
        self.repeated.load(Ordering::Relaxed)
    }

    /// Sends a request once.
    async fn once(&self, request: &Request<'_>) -> Heard {
        match self.exchange(request).await {
            Ok(heard) => heard,
            Err(fault) => Heard { answer: Err(fault), retry_after: None },
        }
    }

    async fn exchange(&self, request: &Request<'_>) -> Result<Heard, ClientFault> {
        let nonce = nonce()?;
        let mut outgoing =
            self.http.request(request.method.clone(), format!("{}{}", self.url, request.target));
        if !request.body.is_empty() {
            outgoing = outgoing.header(CONTENT_TYPE, "application/json");
        }
        if let Some(Credentials { key_id, key }) = &self.credentials {
            let timestamp_s = now_s();
            let method = request.method.as_str();
            let message = request_message(method, request.target, timestamp_s, &nonce, &request.body);
            outgoing = outgoing
                .header(header::KEY_ID, key_id)
                .header(header::TIMESTAMP, timestamp_s)
                .header(header::SIGNATURE, key.sign(&message)?);
        }
        // Without a signature too: the answer repeats it.
        if self.credentials.is_some() || !self.signers.is_empty() {
            outgoing = outgoing.header(header::NONCE, &nonce);
        }
        let response = outgoing.body(request.body.clone()).send().await?;
        self.hear(response, request.grows, &nonce).await
    }

    async fn hear(&self, response: Response, grows: bool, nonce: &str) -> Result<Heard, ClientFault> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|text| text.parse().ok()).map(Duration::from_secs);
        let body = response.bytes().await?.to_vec();
        let is_head = grows && headers.get(header::SIGNED).is_some_and(|value| value == "head");
        let message = |timestamp_s| match is_head {
            true => stream_message(status, timestamp_s, nonce),
            false => answer_message(status, timestamp_s, nonce, &body),
        };
        let verified = self.verify(&headers, nonce, message);
        let answer = match (verified, status) {
            (Err(why), _) => {
                let code = serde_json::from_slice::<Problem>(&body).ok().map(|problem| problem.code);
                Err(ClientFault::Unverified { status, code, why })
            }
            (Ok(()), 200..300) => Ok(Answer { status, body }),
            (Ok(()), _) => match serde_json::from_slice(&body) {
                Ok(problem) => Err(ClientFault::Refused(problem)),
                Err(source) => Err(ClientFault::Form { status, source }),
            },
        };
        Ok(Heard { answer, retry_after })
    }

    /// Whether the engine signed this answer to this request. A client that signs nothing and knows no key of the engine
    /// believes what it is told.
    fn verify<'m>(
        &self,
        headers: &HeaderMap,
        nonce: &str,
        message: impl FnOnce(u64) -> Message<'m>,
    ) -> Result<(), &'static str> {
        if self.credentials.is_none() && self.signers.is_empty() {
            return Ok(());
        }
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let key_id = text(header::KEY_ID).ok_or("it is not signed")?;
        let known = self.signers.iter().find(|(id, _)| id == key_id);
        let (_, signer) = known.ok_or("it is signed with a key that is not known here")?;
        let timestamp_s = text(header::TIMESTAMP).and_then(|text| text.parse().ok());
        let timestamp_s: u64 = timestamp_s.ok_or("it does not say when it was signed")?;
        check_stamp(now_s(), timestamp_s).map_err(|_| "it was signed at another time")?;
        if text(header::NONCE) != Some(nonce) {
            return Err("it answers another request");
        }
        let signature = text(header::SIGNATURE).ok_or("it has no signature")?;
        signer.verify(&message(timestamp_s), signature).map_err(|_| "its signature does not fit")
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A text that no other request has.
fn nonce() -> Result<String, ClientFault> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| suanpan_signing::KeyFault::Library)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
