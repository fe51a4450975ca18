//! In front of every handler: who calls?

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HOST, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use actix_web::http::uri::Authority;
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpMessage, ResponseError};
use smol_str::SmolStr;
use suanpan_model::{PlatformId, RejectCode};
use suanpan_signing::{check_stamp, request_message};

use super::answer::{self, AnswerKey};
use super::audit::Action;
use super::body::{self, BodyRules, TakenBody};
use super::claim::{self, Claim};
use super::keyring::KeyEntry;
use super::refusal::Refusal;
use super::replay::Admission;
use super::role::Role;
use super::tls::Connection;
use super::{Identity, Security};
use crate::config::{Principal, SecurityMode};
use crate::endpoint;
use crate::problem::Problem;
use crate::state::State;

/// Paths that tell nobody's secrets: they need neither a signature nor a certificate.
const PUBLIC: [&str; 6] = [
    endpoint::HOME.path,
    endpoint::OPENAPI.path,
    endpoint::DOCS.path,
    endpoint::LIVE.path,
    endpoint::READY.path,
    endpoint::ENGINE_KEY.path,
];

/// Said on every answer in development.
const DEVELOPMENT: (&str, &str) = ("suanpan-development", "requests are not authenticated");

/// Who called: the proof and the key that was used, if it was one.
struct Proof {
    identity: Identity,
    key: Option<Arc<KeyEntry>>,
}

/// Finds out who calls, hands the request on, and signs the answer.
///
/// # Errors
/// As what stands behind it.
pub async fn gate<B: MessageBody + 'static>(
    state: Data<State>,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let security = &state.security;
    if is_public(&request) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let mut key = AnswerKey { caller: None, nonce: claim::nonce(request.headers()) };
    let now_s = || state.engine.now().0 / 1_000;
    let admitted = admit(security, &state.bodies, now_s(), &mut request).await;
    let mut response = match admitted {
        Ok((proof, bytes)) => {
            key.caller = proof.key;
            perform(security, &now_s, proof.identity, bytes, request, next).await?
        }
        Err(problem) => {
            tell(&request, &problem);
            refused(request, &problem)
        }
    };
    if security.mode == SecurityMode::Development {
        let (name, value) = DEVELOPMENT;
        let headers = response.headers_mut();
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    Ok(answer::sign(response, security, &key, now_s()))
}

fn is_public(request: &ServiceRequest) -> bool {
    let path = request.path();
    PUBLIC.contains(&path) || (path == endpoint::METRICS.path && is_from_here(request))
}

/// Whether somebody on this machine asks: whoever watches it needs no key. A proxy is on this machine too, so what was
/// passed on does not count.
fn is_from_here(request: &ServiceRequest) -> bool {
    let passed_on = ["forwarded", "x-forwarded-for", "via"];
    request.peer_addr().is_some_and(|peer| peer.ip().is_loopback())
        && !passed_on.iter().any(|name| request.headers().contains_key(*name))
}

/// Whether a request names this machine as its host. In development a page of the web could otherwise reach the server
/// from a browser on this machine, under a name of its own that leads here.
fn is_to_here(request: &ServiceRequest) -> bool {
    let named = request.uri().host().map(str::to_owned).or_else(|| {
        let host = request.headers().get(HOST)?.to_str().ok()?;
        host.parse::<Authority>().ok().map(|authority| authority.host().to_owned())
    });
    named.is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    })
}

/// Runs the handler; what an operator does is written down before and after.
async fn perform<B: MessageBody + 'static>(
    security: &Security,
    now_s: &impl Fn() -> u64,
    identity: Identity,
    bytes: Bytes,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let written = match Action::of(&identity, &request, &bytes) {
        None => None,
        Some(action) => match security.audit.asked(&action, now_s()).await {
            Ok(id) => Some((action, id)),
            Err(problem) => return Ok(refused(request, &problem)),
        },
    };
    request.set_payload(Payload::from(bytes.clone()));
    request.extensions_mut().insert(identity);
    request.extensions_mut().insert(TakenBody(bytes));
    let response = next.call(request).await?.map_into_boxed_body();
    let Some((action, id)) = written else { return Ok(response) };
    let status = response.status().as_u16();
    let (response, code) = answer::code(response);
    match security.audit.answered(&action, &id, (status, code), now_s()).await {
        Ok(()) => Ok(response),
        // It is done, and that it was asked for is written; the caller is told that something is wrong.
        Err(problem) => Ok(response.into_response(problem.error_response())),
    }
}

/// Finds out who calls, and takes the body in.
async fn admit(
    security: &Security,
    rules: &BodyRules,
    now_s: u64,
    request: &mut ServiceRequest,
) -> Result<(Proof, Bytes), Problem> {
    let certified = certified(security, now_s, request)?;
    let claim = Claim::read(request.headers())?;
    let proof = match (claim, certified) {
        (Some(claim), certified) => {
            let entry = expected_key(security, now_s, &claim)?;
            check_agreement(security, &entry.owner, certified.as_ref(), true)?;
            let bytes = body::take(request, rules).await?;
            verify(&entry, &claim, request, &bytes)?;
            remember(security, now_s, &claim).await?;
            let proof = Proof { identity: Identity::Proved(entry.owner.clone()), key: Some(entry) };
            check_path(request, &proof.identity)?;
            return Ok((proof, bytes));
        }
        (None, Some(principal)) => {
            check_agreement(security, &principal, Some(&principal), false)?;
            Proof { identity: Identity::Proved(principal), key: None }
        }
        (None, None) if security.mode == SecurityMode::Development => {
            if !is_to_here(request) {
                return Err(Refusal::ForeignHost.into());
            }
            Proof { identity: Identity::Development, key: None }
        }
        (None, None) => return Err(Refusal::Anonymous.into()),
    };
    check_path(request, &proof.identity)?;
    let bytes = body::take(request, rules).await?;
    Ok((proof, bytes))
}

/// Whose certificate the connection came with; nothing when it came with none.
fn certified(
    security: &Security,
    now_s: u64,
    request: &ServiceRequest,
) -> Result<Option<Principal>, Refusal> {
    let Some(connection) = request.conn_data::<Connection>() else { return Ok(None) };
    let Some(subject) = connection.subject(now_s)? else { return Ok(None) };
    let keys = security.keys.load();
    let owner = keys.owner_of(subject).ok_or(Refusal::CertificateUnbound)?;
    Ok(Some(owner.clone()))
}

/// The key of a claim, if it counts now and its time can be believed.
fn expected_key(security: &Security, now_s: u64, claim: &Claim) -> Result<Arc<KeyEntry>, Refusal> {
    let entry = security.keys.load().key(&claim.key_id).map(Arc::clone).ok_or(Refusal::UnknownKey)?;
    if entry.validity.not_before_s.is_some_and(|from_s| now_s < from_s) {
        return Err(Refusal::KeyNotYetValid);
    }
    if entry.validity.not_after_s.is_some_and(|until_s| now_s > until_s) {
        return Err(Refusal::KeyExpired);
    }
    check_stamp(now_s, claim.timestamp_s).map_err(|fault| Refusal::Stamp { fault, now_s })?;
    if claim.timestamp_s <= security.marks.floor_s(&claim.key_id) {
        return Err(Refusal::BeforeStart);
    }
    Ok(entry)
}

/// Signature and certificate belong to the same principal, and both are there if that was agreed.
fn check_agreement(
    security: &Security,
    principal: &Principal,
    certified: Option<&Principal>,
    signed: bool,
) -> Result<(), Refusal> {
    if certified.is_some_and(|certified| certified != principal) {
        return Err(Refusal::CertificateMismatch);
    }
    let both = signed && certified.is_some();
    if security.keys.load().requires_both(principal) && !both {
        return Err(Refusal::BothRequired);
    }
    Ok(())
}

fn verify(entry: &KeyEntry, claim: &Claim, request: &ServiceRequest, bytes: &[u8]) -> Result<(), Refusal> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let method = request.method().as_str();
    let message = request_message(method, target, claim.timestamp_s, &claim.nonce, bytes);
    entry.verifying.verify(&message, &claim.signature).map_err(|_| Refusal::Signature)
}

/// Uses up the nonce. Only what is signed comes here, so that nobody else can fill the memory.
async fn remember(security: &Security, now_s: u64, claim: &Claim) -> Result<(), Problem> {
    if !security.marks.covers(&claim.key_id, now_s, claim.timestamp_s) {
        security.raise_mark(claim.key_id.clone(), now_s, claim.timestamp_s).await?;
    }
    match security.replay.admit(now_s, claim.timestamp_s, &claim.key_id, &claim.nonce) {
        Admission::Fresh => Ok(()),
        Admission::Replayed => Err(Refusal::Replayed.into()),
        Admission::Full => {
            let expected = "fewer requests, which the engine can tell from repeats; try again later";
            Err(Problem::new(RejectCode::Busy, "", expected))
        }
    }
}

/// Keeps callers off paths that are certainly not theirs, before anything counts against whoever the path names.
/// Metrics are for operators; their handler serves whoever comes to it.
fn check_path(request: &ServiceRequest, identity: &Identity) -> Result<(), Refusal> {
    let path = request.path();
    let Identity::Proved(principal) = identity else { return Ok(()) };
    let is_metrics = path == endpoint::METRICS.path;
    match principal {
        Principal::Platform(_) | Principal::Channel(_) if is_metrics => {
            Err(Refusal::Role { needed: Role::Viewer })
        }
        Principal::Platform(proved) if named_platform(path).is_some_and(|named| named != Some(*proved)) => {
            Err(Refusal::ForeignPlatform)
        }
        Principal::Platform(_) | Principal::Channel(_) | Principal::Operator { .. } => Ok(()),
    }
}

/// The platform that a path names, if it is a path of platforms: a number, or something else.
fn named_platform(path: &str) -> Option<Option<PlatformId>> {
    let segment = path.strip_prefix("/v1/platforms/")?.split('/').next()?;
    Some(segment.parse().ok().map(PlatformId))
}

/// Logs why somebody was not let in: what was claimed, never what was signed.
fn tell(request: &ServiceRequest, problem: &Problem) {
    let key_id =
        Claim::read(request.headers()).ok().flatten().map_or(SmolStr::default(), |claim| claim.key_id);
    let subject = request.conn_data::<Connection>().and_then(Connection::claimed_subject);
    let peer = request.peer_addr().map(|peer| peer.to_string()).unwrap_or_default();
    tracing::warn!(
        code = problem.code(), field = problem.field(), %key_id, subject, peer, method = %request.method(),
        "refused before anything was done"
    );
}

fn refused(request: ServiceRequest, problem: &Problem) -> ServiceResponse<BoxBody> {
    let mut response = problem.error_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Suanpan-Signature"));
    }
    request.into_response(response)
}
