//! Why the server cannot be made safe, and so does not start. Never says what is in a file.

use std::path::PathBuf;

use suanpan_signing::KeyFault;

/// Why keys and certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecurityFault {
    /// Nobody could prove who they are.
    #[error(
        "security: nobody has a key or a certificate, so every request would be refused. Make keys with `suanpan keys \
         new` and name them in the configuration, or start with --dev, on the loopback only, to try things out"
    )]
    Nothing,
    /// A file cannot be read or written.
    #[error("{key} {}: {source}", path.display())]
    File {
        /// What it is, by its key in the configuration.
        key: String,
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A variable of the environment is not there.
    #[error("{key}: the variable {name} is not set, or is not text")]
    Environment {
        /// What it is, by its key in the configuration.
        key: String,
        /// The variable.
        name: String,
    },
    /// A key cannot be used.
    #[error("{key}: {fault}")]
    Key {
        /// Which key.
        key: String,
        /// Why.
        fault: KeyFault,
    },
    /// A file that others may read.
    #[error("{key} {}: other users may read it; chmod 600 it", path.display())]
    Readable {
        /// What it is, by its key in the configuration.
        key: String,
        /// The file.
        path: PathBuf,
    },
    /// Certificates that do not fit.
    #[error("security.tls: {0}")]
    Tls(String),
    /// A file of ours that is not as we wrote it.
    #[error("{}: line {line} is not one of ours; what was admitted ahead of the clock is not known", path.display())]
    Marks {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}
