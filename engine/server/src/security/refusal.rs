//! Why a caller is not let in, with the stable code of each reason.

use suanpan_signing::{NONCE_CHARS_MAX, StampFault, WINDOW_S};

use super::role::Role;
use crate::problem::Problem;

/// Why a caller is not let in. Changes nothing, and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Neither signature nor certificate.
    Anonymous,
    /// A header of the signature is missing, given twice, or has another form.
    Header {
        /// Which.
        name: &'static str,
    },
    /// No such key.
    UnknownKey,
    /// The key does not count yet.
    KeyNotYetValid,
    /// The key does not count any more.
    KeyExpired,
    /// The signed time is too far from ours.
    Stamp {
        /// How.
        fault: StampFault,
        /// Our time.
        now_s: u64,
    },
    /// Signed before this process began to remember nonces.
    BeforeStart,
    /// The signature does not fit.
    Signature,
    /// The same request again.
    Replayed,
    /// The certificate's time has not come.
    CertificateNotYetValid,
    /// The certificate's time is over.
    CertificateExpired,
    /// Somebody else signed the certificate, or it is not for clients.
    CertificateUntrusted,
    /// Nobody is known by the certificate's subject.
    CertificateUnbound,
    /// Signed by one, under the certificate of another.
    CertificateMismatch,
    /// The agreement asks for both, and one is missing.
    BothRequired,
    /// In development: the request names another machine than this one.
    ForeignHost,
    /// The path names another platform than the one that calls.
    ForeignPlatform,
    /// Not for this kind of caller, or an operator without the role.
    Role {
        /// Which role would do.
        needed: Role,
    },
    /// For a channel, or for another channel.
    Channel,
    /// Not for channels, or not for operators.
    PlatformOnly,
}

/// Every code with its status, for the description of the API.
pub const SECURITY_CODES: [(&str, u16); 18] = [
    Refusal::Anonymous.code(),
    Refusal::Header { name: "" }.code(),
    Refusal::UnknownKey.code(),
    Refusal::KeyNotYetValid.code(),
    Refusal::KeyExpired.code(),
    ("timestamp_stale", 401),
    ("timestamp_future", 401),
    Refusal::BeforeStart.code(),
    Refusal::Signature.code(),
    Refusal::Replayed.code(),
    Refusal::CertificateNotYetValid.code(),
    Refusal::CertificateExpired.code(),
    Refusal::CertificateUntrusted.code(),
    Refusal::CertificateUnbound.code(),
    Refusal::CertificateMismatch.code(),
    Refusal::BothRequired.code(),
    Refusal::ForeignPlatform.code(),
    Refusal::PlatformOnly.code(),
];

impl Refusal {
    /// The stable code and the status of HTTP.
    #[must_use]
    pub const fn code(&self) -> (&'static str, u16) {
        match self {
            Self::Anonymous => ("authentication_required", 401),
            Self::Header { .. } => ("signature_header", 401),
            Self::UnknownKey => ("unknown_key", 401),
            Self::KeyNotYetValid => ("key_not_yet_valid", 401),
            Self::KeyExpired => ("key_expired", 401),
            Self::Stamp { fault: StampFault::Stale { .. }, .. } => ("timestamp_stale", 401),
            Self::Stamp { fault: StampFault::Future { .. }, .. } => ("timestamp_future", 401),
            Self::BeforeStart => ("signed_before_start", 401),
            Self::Signature => ("signature_invalid", 401),
            Self::Replayed => ("nonce_replayed", 401),
            Self::CertificateNotYetValid => ("certificate_not_yet_valid", 401),
            Self::CertificateExpired => ("certificate_expired", 401),
            Self::CertificateUntrusted => ("certificate_untrusted", 401),
            Self::CertificateUnbound => ("certificate_unbound", 401),
            Self::CertificateMismatch => ("certificate_mismatch", 403),
            Self::BothRequired => ("signature_and_certificate_required", 401),
            Self::ForeignHost => ("foreign_host", 403),
            Self::ForeignPlatform => ("foreign_platform", 403),
            Self::Role { .. } | Self::Channel | Self::PlatformOnly => ("forbidden", 403),
        }
    }

    /// The header or part of the path that is at fault.
    const fn field(&self) -> &'static str {
        use suanpan_signing::header;
        match self {
            Self::Header { name } => name,
            Self::UnknownKey | Self::KeyNotYetValid | Self::KeyExpired => header::KEY_ID,
            Self::Stamp { .. } | Self::BeforeStart => header::TIMESTAMP,
            Self::Signature => header::SIGNATURE,
            Self::Replayed => header::NONCE,
            Self::ForeignHost => "host",
            Self::ForeignPlatform => "platform",
            Self::Channel => "channel",
            Self::Anonymous
            | Self::CertificateNotYetValid
            | Self::CertificateExpired
            | Self::CertificateUntrusted
            | Self::CertificateUnbound
            | Self::CertificateMismatch
            | Self::BothRequired
            | Self::Role { .. }
            | Self::PlatformOnly => "",
        }
    }

    /// What was expected, and what to do.
    fn expected(&self) -> String {
        let text = match self {
            Self::Anonymous => "a signed request, or a client certificate that is bound to a platform",
            Self::Header { name } => return header_form(name),
            Self::UnknownKey => "the id of a key that the engine's configuration names",
            Self::KeyNotYetValid => "a key that counts already; sign with the one before",
            Self::KeyExpired => "a key that still counts; sign with its successor",
            Self::Stamp { now_s, .. } => {
                return format!(
                    "a time within {WINDOW_S} s of the engine's, which is {now_s}; set the clock and sign again"
                );
            }
            Self::BeforeStart => {
                "a request signed after the engine started, because it cannot know which it has seen before; sign \
                 again, with the time of now and a new nonce"
            }
            Self::Signature => {
                "the signature of this key over METHOD, path?query, timestamp, nonce and body, each followed by a \
                 line break"
            }
            Self::Replayed => "a nonce that was not used before; sign each request anew, repeats too",
            Self::CertificateNotYetValid => "a client certificate whose time has come",
            Self::CertificateExpired => "a client certificate that is still valid",
            Self::CertificateUntrusted => {
                "a client certificate that was issued by the engine's own authority"
            }
            Self::CertificateUnbound => "a client certificate whose subject is bound to a platform",
            Self::CertificateMismatch => {
                "a request that is signed by the one to whom the certificate belongs"
            }
            Self::BothRequired => {
                "a signed request under the platform's client certificate, as it was agreed"
            }
            Self::ForeignHost => {
                "a host on this machine, such as localhost: in development nobody proves who they are"
            }
            Self::ForeignPlatform => "the number of the platform that calls",
            Self::Role { needed } => return format!("an operator with the role {}", needed.name()),
            Self::Channel => "a notification of this channel, signed with its key",
            Self::PlatformOnly => "the platform itself, or an operator with the role admin in its place",
        };
        text.to_owned()
    }
}

fn header_form(name: &str) -> String {
    use suanpan_signing::header;
    let form = match name {
        header::KEY_ID => {
            "the id of a key: 1 to 64 letters, digits, dots, underscores and hyphens".to_owned()
        }
        header::TIMESTAMP => "the time of signing in Unix seconds".to_owned(),
        header::NONCE => {
            format!("a text that no other request has: 1 to {NONCE_CHARS_MAX} visible characters of ASCII")
        }
        _ => "the signature in base64".to_owned(),
    };
    format!("{form}, once")
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (code, status) = refusal.code();
        Self::of_http(status, code, refusal.field(), refusal.expected())
    }
}
