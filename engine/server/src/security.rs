//! Who calls, proved: keys, certificates, replay protection, signed answers, the operators' audit trail.
//!
//! `gate` stands in front of every handler. It finds out who calls, or refuses; handlers take the result through the
//! extractors of [`crate::identity`]. What it works with is a [`Security`], made once at the start.

mod answer;
mod audit;
mod body;
mod claim;
mod engine_key;
mod fault;
mod gate;
mod keyring;
mod marks;
mod names;
mod notification;
mod refusal;
mod replay;
mod role;
mod tls;

#[cfg(test)]
mod tests;

pub use audit::AuditPage;
pub use body::{BodyRules, TakenBody};
pub use engine_key::EngineKey;
pub use fault::SecurityFault;
pub use gate::gate;
pub use names::DistinguishedName;
pub use refusal::{Refusal, SECURITY_CODES};
pub use role::Role;
pub use tls::{Connection, Judge, TlsFiles, observe_connection};

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use smol_str::SmolStr;
use suanpan_model::RejectCode;

use crate::config::{Principal, SecurityConfig, SecurityMode};
use crate::problem::Problem;
use audit::AuditTrail;
use keyring::KeyRing;
use marks::Marks;
use replay::ReplayGuard;

/// File of the audit trail in the directory of the engine.
const AUDIT_FILE: &str = "audit.jsonl";
/// File of what was admitted ahead of the clock, in the directory of the engine.
const MARKS_FILE: &str = "signed-ahead";

/// Who called, as it was proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The owner of a key or a certificate.
    Proved(Principal),
    /// Somebody on this machine, in development.
    Development,
}

/// What requests are checked against and answers are signed with.
#[derive(Debug)]
pub struct Security {
    pub(crate) mode: SecurityMode,
    pub(crate) keys: ArcSwap<KeyRing>,
    pub(crate) engine_key: Option<EngineKey>,
    pub(crate) replay: ReplayGuard,
    pub(crate) marks: Arc<Marks>,
    pub(crate) audit: AuditTrail,
}

impl Security {
    /// Reads every key that the configuration names. `start_s` is now, in Unix seconds: what was signed up to then is
    /// refused, because the nonces of before are not known any more.
    ///
    /// # Errors
    /// Nobody could sign and development was not asked for; then a file that cannot be read or holds no such key.
    pub fn load(config: &SecurityConfig, dir: &Path, start_s: u64) -> Result<Self, SecurityFault> {
        let mode = config.effective_mode().ok_or(SecurityFault::Nothing)?;
        Ok(Self {
            mode,
            keys: ArcSwap::from_pointee(KeyRing::load(config)?),
            engine_key: config.engine_key.as_ref().map(EngineKey::load).transpose()?,
            replay: ReplayGuard::new(config.nonces_max),
            marks: Arc::new(Marks::open(&dir.join(MARKS_FILE), start_s)?),
            audit: AuditTrail::open(&dir.join(AUDIT_FILE), start_s)?,
        })
    }

    /// Whether callers could prove who they are, and how: reads every key that the configuration names, and writes nothing.
    ///
    /// # Errors
    /// As [`Security::load`].
    pub fn check(config: &SecurityConfig) -> Result<SecurityMode, SecurityFault> {
        let mode = config.effective_mode().ok_or(SecurityFault::Nothing)?;
        KeyRing::load(config)?;
        config.engine_key.as_ref().map(EngineKey::load).transpose()?;
        Ok(mode)
    }

    /// Puts other keys and certificates of callers in force, at once and all together; what is under way goes on. The rest of
    /// the configuration (mode, TLS, the engine's own key) stays as it was at the start.
    ///
    /// # Errors
    /// A key that cannot be read or used; then those in force stay.
    pub fn reload_keys(&self, config: &SecurityConfig) -> Result<(), SecurityFault> {
        self.keys.store(Arc::new(KeyRing::load(config)?));
        Ok(())
    }

    /// Writes that a request ahead of the clock is admitted, off the threads that serve.
    pub(crate) async fn raise_mark(
        &self,
        key_id: SmolStr,
        now_s: u64,
        timestamp_s: u64,
    ) -> Result<(), Problem> {
        let marks = Arc::clone(&self.marks);
        let raised = actix_web::web::block(move || marks.raise(&key_id, now_s, timestamp_s)).await;
        match raised {
            Ok(Ok(())) => Ok(()),
            Ok(Err(fault)) => {
                tracing::error!(%fault, "what is admitted ahead of the clock cannot be written");
                let expected = "a clock that is not ahead of the engine's, whose disk cannot be written";
                Err(Problem::new(RejectCode::Unavailable, "", expected))
            }
            Err(_) => Err(Problem::internal()),
        }
    }
}

/// Whether a text can be the id of a key, or the name of an operator.
#[must_use]
pub fn is_key_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}
