//! Who calls: the extractors through which a handler says whom it serves. What was proved stands in the request, put
//! there by [`crate::security::gate`]; nobody is served who did not pass it.
//!
//! [`Caller`] is a platform that touches its own. [`Operator`] runs the engine. [`OnBehalf`] is an operator who acts for
//! the platform of the path. [`Admin`] may read what operators did. In development everybody is all of them.

use std::future::{Ready, ready};
use std::ops::Deref;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use suanpan_model::{ChannelId, PlatformId, PlatformPolicy, RejectCode};

use crate::config::Principal;
use crate::problem::Problem;
use crate::security::{Identity, Refusal, Role};
use crate::state::State;

/// A platform that calls, an operator who looks at what is its own, or an admin in its place.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Its number.
    pub platform: PlatformId,
    /// What it agreed to.
    pub policy: Arc<PlatformPolicy>,
}

/// Somebody who runs the engine: a viewer may look, an operator may act.
#[derive(Clone, Copy, Debug)]
pub struct Operator;

/// An operator who acts on behalf of the platform of the path.
#[derive(Clone, Debug)]
pub struct OnBehalf(Caller);

/// Somebody who looks at an account by its number.
#[derive(Clone, Copy, Debug)]
pub struct AccountReader {
    /// The only platform whose accounts may be seen; nothing for an operator.
    only: Option<PlatformId>,
}

impl AccountReader {
    /// Whether an account of this platform may be seen.
    #[must_use]
    pub fn may_read(self, platform: PlatformId) -> bool {
        self.only.is_none_or(|only| only == platform)
    }
}

/// An operator who may read what operators did.
#[derive(Clone, Copy, Debug)]
pub struct Admin;

/// A channel that notifies.
#[derive(Clone, Copy, Debug)]
pub struct ChannelCaller {
    /// Its number.
    pub channel: ChannelId,
}

impl Deref for OnBehalf {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

macro_rules! extractor {
    ($name:ident, $read:expr) => {
        impl FromRequest for $name {
            type Error = Problem;
            type Future = Ready<Result<Self, Problem>>;

            fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
                let read: fn(&HttpRequest) -> Result<Self, Problem> = $read;
                ready(read(request))
            }
        }
    };
}

extractor!(Caller, caller);
extractor!(Operator, |request| {
    let needed = if request.method().is_safe() { Role::Viewer } else { Role::Operator };
    has_role(request, needed).map(|()| Self)
});
extractor!(OnBehalf, |request| {
    has_role(request, Role::Operator)?;
    platform(request).map(Self)
});
extractor!(Admin, |request| has_role(request, Role::Admin).map(|()| Self));
extractor!(AccountReader, |request| {
    if let Identity::Proved(Principal::Platform(platform)) = identity(request)? {
        return Ok(Self { only: Some(platform) });
    }
    has_role(request, Role::Viewer).map(|()| Self { only: None })
});
extractor!(ChannelCaller, channel);

/// What was proved of whoever calls.
fn identity(request: &HttpRequest) -> Result<Identity, Problem> {
    let proved = request.extensions().get::<Identity>().cloned();
    proved.ok_or_else(|| Refusal::Anonymous.into())
}

fn caller(request: &HttpRequest) -> Result<Caller, Problem> {
    let named = request.match_info().get("platform").and_then(|text| text.parse().ok()).map(PlatformId);
    match identity(request)? {
        Identity::Development => {}
        // Before it is known whether there is such a platform: nobody learns of others.
        Identity::Proved(Principal::Platform(proved)) if named == Some(proved) => {}
        Identity::Proved(Principal::Platform(_)) => return Err(Refusal::ForeignPlatform.into()),
        Identity::Proved(Principal::Operator { role, .. }) => {
            if !request.method().is_safe() && role < Role::Admin {
                return Err(Refusal::PlatformOnly.into());
            }
        }
        Identity::Proved(Principal::Channel(_)) => return Err(Refusal::PlatformOnly.into()),
    }
    platform(request)
}

/// The platform of the path.
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

fn has_role(request: &HttpRequest, needed: Role) -> Result<(), Problem> {
    match identity(request)? {
        Identity::Development => Ok(()),
        Identity::Proved(Principal::Operator { role, .. }) if role >= needed => Ok(()),
        Identity::Proved(Principal::Operator { .. } | Principal::Platform(_) | Principal::Channel(_)) => {
            Err(Refusal::Role { needed }.into())
        }
    }
}

fn channel(request: &HttpRequest) -> Result<ChannelCaller, Problem> {
    let name = request.match_info().get("channel").unwrap_or_default();
    match identity(request)? {
        Identity::Development => {}
        Identity::Proved(Principal::Channel(proved)) if proved == name => {}
        Identity::Proved(Principal::Channel(_) | Principal::Platform(_) | Principal::Operator { .. }) => {
            return Err(Refusal::Channel.into());
        }
    }
    let router = state(request)?.engine.router();
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
