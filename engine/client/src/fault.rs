//! Why a call did not succeed.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use suanpan_signing::KeyFault;

/// A refusal of the engine (RFC 9457). It changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Status of HTTP.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// The field that is at fault; empty when it is the whole request.
    #[serde(default)]
    pub field: String,
    /// What was expected.
    #[serde(default)]
    pub detail: String,
    /// Whatever else was told.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientFault {
    /// The client cannot be made.
    #[error("the client cannot be made: {0}")]
    Options(String),
    /// The request cannot be signed.
    #[error("the request cannot be signed: {0}")]
    Sign(#[from] KeyFault),
    /// The request is not JSON.
    #[error("the request cannot be written: {0}")]
    Write(#[source] serde_json::Error),
    /// No answer: whether the request was performed is not known.
    #[error("no answer, it is not known whether the request was performed: {0}")]
    Transport(#[from] reqwest::Error),
    /// An answer that nobody known has signed: whether the request was performed is not known.
    #[error("an answer with status {status} that cannot be believed: {why}")]
    Unverified {
        /// Status of HTTP, as it says.
        status: u16,
        /// The code of a refusal, as it says.
        code: Option<String>,
        /// What is wrong with its signature.
        why: &'static str,
    },
    /// The engine refused; nothing was changed.
    #[error("{} ({}): expected {}", .0.code, .0.field, .0.detail)]
    Refused(Box<Problem>),
    /// A verified answer of a form that this version does not know.
    #[error("an answer with status {status} of another form: {source}")]
    Form {
        /// Status of HTTP.
        status: u16,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl ClientFault {
    /// The code of a refusal.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(problem) => Some(&problem.code),
            Self::Unverified { code, .. } => code.as_deref(),
            Self::Options(_) | Self::Sign(_) | Self::Write(_) | Self::Transport(_) | Self::Form { .. } => {
                None
            }
        }
    }
}
