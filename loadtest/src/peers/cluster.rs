//! A PostgreSQL of our own: a fresh cluster from the installed package, durable, on a socket in its directory.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// What is not the default: sizes for this machine; everything durable stays on.
const SETTINGS: [(&str, &str); 12] = [
    ("listen_addresses", ""),
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("wal_sync_method", "fdatasync"),
    ("max_connections", "200"),
    ("shared_buffers", "2GB"),
    ("max_wal_size", "16GB"),
    ("checkpoint_timeout", "15min"),
    ("wal_buffers", "64MB"),
    ("autovacuum", "on"),
    ("logging_collector", "off"),
];

/// How long it may take to start.
const START_MAX: Duration = Duration::from_secs(60);

/// A running cluster; it ends with this value.
#[derive(Debug)]
pub struct Cluster {
    child: Child,
    dir: PathBuf,
    version: String,
}

/// Folder of the newest installed version's programs.
fn programs() -> Result<PathBuf> {
    const HOME: &str = "/usr/lib/postgresql";
    let versions = fs::read_dir(HOME).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin): &(u32, PathBuf)| bin.join("initdb").is_file())
        .collect();
    found.sort();
    let newest = found.pop().map(|(_, bin)| bin);
    newest.with_context(|| format!("no PostgreSQL below {HOME}: apt-get install postgresql"))
}

/// Installs the package when it is missing and this is root.
fn install() -> Result<PathBuf> {
    if let Ok(found) = programs() {
        return Ok(found);
    }
    let mut apt = Command::new("apt-get");
    apt.args(["install", "-y", "--no-install-recommends", "postgresql"]).stdout(Stdio::null());
    // Whether it worked is seen by what is there now.
    let _ = apt.status();
    programs()
}

/// PostgreSQL does not run as root; then it runs as the package's own user.
fn user() -> Result<Option<u32>> {
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let output = Command::new("id").args(["-u", "postgres"]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(Some(text.trim().parse().context("this is root, and there is no user postgres")?))
}

fn as_user(program: &Path, user: Option<u32>) -> Command {
    let mut command = Command::new(program);
    if let Some(user) = user {
        command.uid(user);
    }
    // Its working directory must be one that the user may enter.
    command.current_dir("/").stdin(Stdio::null());
    command
}

impl Cluster {
    /// Makes a cluster in `dir`, which must be empty, and starts it.
    ///
    /// # Errors
    /// When PostgreSQL is missing or does not start.
    pub fn start(dir: &Path) -> Result<Self> {
        let (bin, user) = (install()?, user()?);
        let dir = dir.canonicalize()?;
        if let Some(user) = user {
            chown(&dir, Some(user), None)?;
        }
        let data = dir.join("data");
        let mut initdb = as_user(&bin.join("initdb"), user);
        initdb.args(["--auth=trust", "--username=load", "--encoding=UTF8", "--no-sync", "-D"]).arg(&data);
        let made = initdb.output().context("initdb")?;
        ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let version = Command::new(bin.join("postgres")).arg("--version").output()?;
        let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
        let told = fs::File::create(dir.join("postgres.log"))?;
        let mut postgres = as_user(&bin.join("postgres"), user);
        postgres.arg("-D").arg(&data).arg("-k").arg(&dir).stdout(told.try_clone()?).stderr(told);
        for (name, value) in SETTINGS {
            postgres.arg("-c").arg(format!("{name}={value}"));
        }
        let child = postgres.spawn().context("starting postgres")?;
        let mut cluster = Self { child, dir, version };
        cluster.wait()?;
        Ok(cluster)
    }

    fn wait(&mut self) -> Result<()> {
        let begin = Instant::now();
        let socket = self.dir.join(".s.PGSQL.5432");
        while !socket.exists() {
            if let Some(status) = self.child.try_wait()? {
                bail!("postgres ended with {status}; see {}", self.dir.join("postgres.log").display());
            }
            ensure!(begin.elapsed() < START_MAX, "postgres did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// What it calls itself.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How a client reaches it.
    #[must_use]
    pub fn address(&self) -> String {
        format!("host={} user=load dbname=postgres", self.dir.display())
    }

    /// The settings that differ from the defaults.
    #[must_use]
    pub fn settings() -> String {
        SETTINGS[1..].iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGINT would be its fast shutdown; its data is thrown away all the same.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
