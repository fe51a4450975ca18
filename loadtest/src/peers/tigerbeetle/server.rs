//! The given program of TigerBeetle: which version it is, and a replica of its own while a measurement lasts.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// How long the program may take to say its version.
const VERSION_MAX: Duration = Duration::from_secs(10);
/// How long it may take to make its data file, and to listen.
const START_MAX: Duration = Duration::from_secs(60);
/// How often is looked.
const LOOK: Duration = Duration::from_millis(20);

/// A version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u32, u32, u32);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl Version {
    /// The first version in a text.
    #[must_use]
    pub fn in_text(text: &str) -> Option<Self> {
        text.split(|letter: char| !letter.is_ascii_digit() && letter != '.').find_map(|word| {
            let mut numbers = word.split('.').map(str::parse::<u32>);
            let mut next = || numbers.next()?.ok();
            Some(Self(next()?, next()?, next()?))
        })
    }

    /// The version of the client that this program was built with.
    #[must_use]
    pub fn of_client() -> Option<Self> {
        const LOCK: &str = include_str!("../../../../Cargo.lock");
        let (_, after) = LOCK.split_once("name = \"tigerbeetle\"\n")?;
        Self::in_text(after.lines().next()?)
    }

    /// Whether a server of this version takes a client of version `client`: a server takes clients of its own release
    /// and of somewhat older ones, never newer ones.
    #[must_use]
    pub fn takes(self, client: Self) -> bool {
        (self.0, self.1) == (client.0, client.1) && self.2 >= client.2
    }
}

/// A program of TigerBeetle.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    /// What it is.
    pub version: Version,
}

impl Program {
    /// The program at `path`, which must be able to speak with a client of version `client`.
    ///
    /// # Errors
    /// When it is not there, cannot be started, does not say that it is TigerBeetle, or is another version.
    pub fn at(path: &Path, client: Version) -> Result<Self> {
        let place = path.display();
        let about = match fs::metadata(path) {
            Ok(about) => about,
            Err(fault) if fault.kind() == ErrorKind::NotFound => {
                bail!(
                    "--binary {place}: there is no such file; it is to be the server program of TigerBeetle"
                )
            }
            Err(fault) => return Err(fault).with_context(|| format!("--binary {place}")),
        };
        ensure!(about.is_file(), "--binary {place} is not a file");
        ensure!(
            about.permissions().mode() & 0o111 != 0,
            "--binary {place} is not executable: chmod +x {place}"
        );
        let path = path.canonicalize()?;
        let mut command = Command::new(&path);
        command.arg("version");
        let said = finish(command, VERSION_MAX)?;
        let version = said.strip_prefix("TigerBeetle version").and_then(Version::in_text);
        let Some(version) = version else {
            bail!("--binary {place} does not say that it is TigerBeetle: `version` printed {:?}", said.trim())
        };
        ensure!(
            version.takes(client),
            "--binary {place} is TigerBeetle {version}, and this program speaks as client {client}: take server {client} or a \
             later {}.{} one, or build again with the client of the server's version (cargo update -p tigerbeetle \
             --precise {version})",
            client.0,
            client.1
        );
        Ok(Self { path, version })
    }
}

/// A running replica; it ends with this value.
#[derive(Debug)]
pub struct Replica {
    child: Child,
    /// Where it listens.
    pub address: String,
    log: PathBuf,
}

impl Replica {
    /// Makes a data file in the empty directory `dir` and starts a cluster of one on the loopback.
    ///
    /// # Errors
    /// When the program refuses, with its last words.
    pub fn start(program: &Program, dir: &Path) -> Result<Self> {
        let (data, log) = (dir.join("0_0.tigerbeetle"), dir.join("tigerbeetle.log"));
        let mut format = Command::new(&program.path);
        format.args(["format", "--cluster=0", "--replica=0", "--replica-count=1"]).arg(&data);
        finish(format, START_MAX).context("making the data file of TigerBeetle")?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let told = File::create(&log)?;
        let mut start = Command::new(&program.path);
        start.arg("start").arg(format!("--addresses={address}")).arg(&data);
        start.stdin(Stdio::null()).stdout(told.try_clone()?).stderr(told);
        let child = start.spawn().context("starting TigerBeetle")?;
        let mut replica = Self { child, address, log };
        replica.wait()?;
        Ok(replica)
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn last_words(&self) -> String {
        last_lines(&String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()))
    }

    fn wait(&mut self) -> Result<()> {
        let begin = Instant::now();
        while TcpStream::connect(&self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("TigerBeetle ended with {status}: {}", self.last_words());
            }
            ensure!(begin.elapsed() < START_MAX, "TigerBeetle does not listen: {}", self.last_words());
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        // Its data is thrown away.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `command` prints until it ends well; it prints little.
fn finish(mut command: Command, longest: Duration) -> Result<String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let name = format!("{command:?}");
    let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
    let begin = Instant::now();
    while child.try_wait()?.is_none() {
        if begin.elapsed() > longest {
            // It may have ended just now.
            let _ = child.kill();
            let _ = child.wait();
            bail!("{name} does not end");
        }
        std::thread::sleep(LOOK);
    }
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{name} ended with {}: {}", output.status, last_lines(&said));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The end of what was said.
fn last_lines(text: &str) -> String {
    const LINES: usize = 8;
    let lines: Vec<&str> = text.trim().lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
