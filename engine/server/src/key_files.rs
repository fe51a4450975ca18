//! The commands that make keys and certificates: files that only their owner may read, and the lines of the configuration
//! that name them.

use std::path::{Path, PathBuf};

use suanpan_signing::{Algorithm, KeyFault, Secret, SigningKey};

use crate::certificates::{Authority, CertificateFault, Days, Issued};
use crate::secret_file;
use crate::security::{DistinguishedName, is_key_id};

const AUTHORITY: &str = "authority";
const SECONDS_A_DAY: i64 = 86_400;

/// Why a file cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum KeyFilesFault {
    /// An id that cannot be one.
    #[error("--id: expected 1 to 64 letters, digits, dots, underscores and hyphens, found {0:?}")]
    Id(String),
    /// A file cannot be written or read; one that is there is never overwritten.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A key cannot be made or read.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// A certificate cannot be made.
    #[error(transparent)]
    Certificate(#[from] CertificateFault),
}

type Made = Result<String, KeyFilesFault>;

/// Makes a key in `dir`; the lines that name it.
///
/// # Errors
/// An id that cannot be one; a file that is there already.
pub fn new_key(dir: &Path, id: &str, algorithm: Algorithm) -> Made {
    check_id(id)?;
    make_dir(dir)?;
    let text = SigningKey::generate(algorithm)?;
    if algorithm == Algorithm::HmacSha256 {
        let path = dir.join(format!("{id}.secret"));
        write(&path, text.reveal())?;
        return Ok(format!(
            "# The secret, for the caller too: {path}\n\
             key = [{{ id = {id:?}, algorithm = \"{algorithm}\", secret_file = {path:?} }}]\n",
            path = path.display().to_string()
        ));
    }
    let (private, public) = (dir.join(format!("{id}.pem")), dir.join(format!("{id}.pub.pem")));
    let public_pem = SigningKey::read(algorithm, &text)?.public_pem()?.unwrap_or_default();
    write(&private, text.reveal())?;
    write(&public, &public_pem)?;
    let (private, public) = (private.display().to_string(), public.display().to_string());
    Ok(format!(
        "# The private half stays with the caller: {private}\n\
         key = [{{ id = {id:?}, algorithm = \"{algorithm}\", public_key_file = {public:?} }}]\n\
         # Or, as the engine's own key:\n\
         # [security]\n\
         # engine_key_id = {id:?}\n\
         # engine_key_file = {private:?}\n"
    ))
}

/// The public half of a private key, in PEM.
///
/// # Errors
/// A file that cannot be read or holds no private key.
pub fn public_half(file: &Path) -> Made {
    Ok(SigningKey::read_private(&Secret::new(read(file)?))?.public_pem()?.unwrap_or_default())
}

/// Makes an authority in `dir`; the lines that name it.
///
/// # Errors
/// Files that are there already.
pub fn new_authority(dir: &Path, subject: &DistinguishedName, now_s: i64, days: i64) -> Made {
    make_dir(dir)?;
    let (_, issued) = Authority::create(subject, lasting(now_s, days))?;
    let certificate = put(dir, AUTHORITY, &issued)?.0;
    Ok(format!("[security.tls]\nclient_ca_file = {certificate:?}\n"))
}

/// Makes a server's certificate with the authority of `dir`; the lines that name it.
///
/// # Errors
/// No authority; files that are there already.
pub fn new_server(dir: &Path, names: &[String], now_s: i64, days: i64) -> Made {
    let issued = authority(dir)?.issue_server(names, lasting(now_s, days))?;
    let (certificate, key) = put(dir, "server", &issued)?;
    Ok(format!("[security.tls]\ncertificate_file = {certificate:?}\nkey_file = {key:?}\n"))
}

/// Makes a platform's certificate with the authority of `dir`; the line that binds it.
///
/// # Errors
/// No authority; an id that cannot be one; files that are there already.
pub fn new_client(dir: &Path, id: &str, subject: &DistinguishedName, now_s: i64, days: i64) -> Made {
    check_id(id)?;
    let issued = authority(dir)?.issue_client(subject, lasting(now_s, days))?;
    let (certificate, key) = put(dir, id, &issued)?;
    let subject = subject.to_string();
    Ok(format!(
        "# For the caller: {certificate}, {key}\n# In its [[platform]] or [[operator]]:\ncertificates = [{subject:?}]\n"
    ))
}

fn check_id(id: &str) -> Result<(), KeyFilesFault> {
    if is_key_id(id) { Ok(()) } else { Err(KeyFilesFault::Id(id.to_owned())) }
}

/// From yesterday on, so that clocks that differ agree.
const fn lasting(now_s: i64, days: i64) -> Days {
    Days { from_s: now_s - SECONDS_A_DAY, until_s: now_s + days * SECONDS_A_DAY }
}

fn authority(dir: &Path) -> Result<Authority, KeyFilesFault> {
    let (certificate, key) = paths(dir, AUTHORITY);
    Ok(Authority::load(&read(&certificate)?, &Secret::new(read(&key)?))?)
}

fn paths(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
    (dir.join(format!("{name}.pem")), dir.join(format!("{name}-key.pem")))
}

/// Writes certificate and key; their paths as texts.
fn put(dir: &Path, name: &str, issued: &Issued) -> Result<(String, String), KeyFilesFault> {
    let (certificate, key) = paths(dir, name);
    write(&key, issued.key_pem.reveal())?;
    write(&certificate, &issued.certificate_pem)?;
    Ok((certificate.display().to_string(), key.display().to_string()))
}

fn make_dir(dir: &Path) -> Result<(), KeyFilesFault> {
    let fault = |source| KeyFilesFault::File { path: dir.to_owned(), source };
    std::fs::create_dir_all(dir).map_err(fault)
}

fn write(path: &Path, text: &str) -> Result<(), KeyFilesFault> {
    let fault = |source| KeyFilesFault::File { path: path.to_owned(), source };
    secret_file::write_new(path, text).map_err(fault)
}

fn read(path: &Path) -> Result<String, KeyFilesFault> {
    let fault = |source| KeyFilesFault::File { path: path.to_owned(), source };
    std::fs::read_to_string(path).map_err(fault)
}
