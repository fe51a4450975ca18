//! Who calls. The one place through which a handler learns whose data it may touch.
//!
//! Today the platform is the one that the path names: nobody is asked to prove it, which is why the server listens on
//! the loopback only. Here will stand the client certificate (subject DN bound to the platform's number) and the
//! signature over the request; the path must then name the platform that signed. Operators will be sessions with
//! roles, channels the keys with which they sign their notifications. Handlers do not change.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use suanpan_model::{ChannelId, PlatformId, PlatformPolicy, RejectCode};

use crate::problem::Problem;
use crate::state::State;

/// A platform that calls.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Its number.
    pub platform: PlatformId,
    /// What it agreed to.
    pub policy: Arc<PlatformPolicy>,
}

/// The engine's operator.
#[derive(Clone, Copy, Debug)]
pub struct Operator;

/// A channel that notifies.
#[derive(Clone, Copy, Debug)]
pub struct ChannelCaller {
    /// Its number.
    pub channel: ChannelId,
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(platform(request))
    }
}

fn platform(request: &HttpRequest) -> Result<Caller, Problem> {
    let state = state(request)?;
    let number = request.match_info().get("platform").and_then(|text| text.parse().ok()).map(PlatformId);
    let known = number.and_then(|platform| Some((platform, state.engine.policy(platform)?)));
    let (platform, policy) = known.ok_or_else(|| {
        let expected = "the number of a platform that is configured";
        Problem::new(RejectCode::UnknownPlatform, "platform", expected)
    })?;
    Ok(Caller { platform, policy })
}

impl FromRequest for Operator {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(_request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(Ok(Self))
    }
}

impl FromRequest for ChannelCaller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(channel(request))
    }
}

fn channel(request: &HttpRequest) -> Result<ChannelCaller, Problem> {
    let router = state(request)?.engine.router();
    let name = request.match_info().get("channel").unwrap_or_default();
    let channel = router.channel_by_name(name).ok_or_else(|| {
        let expected = "the name of a channel; GET /v1/channels lists them";
        Problem::new(RejectCode::UnknownChannel, "channel", expected)
    })?;
    Ok(ChannelCaller { channel })
}

fn state(request: &HttpRequest) -> Result<&web::Data<State>, Problem> {
    // Every application is built with its state; without it nothing can be answered.
    request.app_data::<web::Data<State>>().ok_or_else(Problem::internal)
}
