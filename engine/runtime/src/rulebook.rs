//! Rule sets that were put while the engine ran: each version is a file, written before it takes effect, and stays.
//!
//! At a start the highest version of a platform counts, whether it was put or configured; of equals the one that was put.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use suanpan_core::routing::{Router, RoutingRules, RuleFaults, RuleWarning};
use suanpan_model::{PlatformId, TimestampMs};

use crate::codec::{decode_row, encode_row};
use crate::fault::EngineFault;

const EXTENSION: &str = "rules";

/// A rule set and when it was put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleVersion {
    /// When.
    pub put_at: TimestampMs,
    /// The rules; they carry their version.
    pub rules: RoutingRules,
}

/// What became of rules that were put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Whether they were in force already.
    pub repeat: bool,
    /// What looks wrong in them.
    pub warnings: Vec<RuleWarning>,
}

/// Why rules were not put; what was in force stays.
#[derive(Debug, thiserror::Error)]
pub enum PutFault {
    /// They cannot work.
    #[error(transparent)]
    Rules(#[from] RuleFaults),
    /// Their version is not above the one in force.
    #[error("version {current} is in force; a change needs a higher one")]
    Version {
        /// The version in force.
        current: u32,
    },
    /// They cannot be made durable.
    #[error("the rules cannot be written: {0}")]
    Disk(#[from] io::Error),
}

type Known = BTreeMap<(PlatformId, u32), Arc<RuleVersion>>;

/// All versions that are known.
pub struct RuleBook {
    /// Where versions are kept; nowhere when absent.
    dir: Option<PathBuf>,
    known: Mutex<Known>,
}

impl RuleBook {
    /// Opens the folder, making it if there is none.
    ///
    /// # Errors
    /// The disk, or a file that is damaged.
    pub fn open(dir: &Path) -> Result<Self, EngineFault> {
        let fault = |path: &Path, what: &dyn std::fmt::Display| {
            EngineFault::Options(format!("routing rules {}: {what}", path.display()))
        };
        fs::create_dir_all(dir).map_err(|error| fault(dir, &error))?;
        let mut known = Known::new();
        for entry in fs::read_dir(dir).map_err(|error| fault(dir, &error))? {
            let path = entry.map_err(|error| fault(dir, &error))?.path();
            // A file that was being written when the process ended has another ending: nobody was told of it.
            if path.extension().is_none_or(|extension| extension != EXTENSION) {
                continue;
            }
            let bytes = fs::read(&path).map_err(|error| fault(&path, &error))?;
            let (sum, row) =
                bytes.split_first_chunk::<4>().ok_or_else(|| fault(&path, &"the file is cut short"))?;
            if crc32c::crc32c(row) != u32::from_le_bytes(*sum) {
                return Err(fault(&path, &"the file is damaged; put it back from a copy, or take it away"));
            }
            let (platform, version): (PlatformId, RuleVersion) =
                decode_row(row).map_err(|error| fault(&path, &error))?;
            known.insert((platform, version.rules.version), Arc::new(version));
        }
        Ok(Self { dir: Some(dir.to_owned()), known: Mutex::new(known) })
    }

    /// A book that keeps nothing on a disk: what is put is forgotten at the end of the process. For simulations.
    #[must_use]
    pub const fn in_memory() -> Self {
        Self { dir: None, known: Mutex::new(Known::new()) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Entries are inserted whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the rules of files in force over those of `router`.
    ///
    /// # Errors
    /// When rules that count do not fit the channels any more.
    pub fn apply(&self, mut router: Router) -> Result<Router, EngineFault> {
        let mut latest: BTreeMap<PlatformId, Arc<RuleVersion>> = BTreeMap::new();
        for ((platform, _), version) in self.known().iter() {
            latest.insert(*platform, Arc::clone(version));
        }
        for (platform, version) in latest {
            let put = version.rules.version;
            if put < router.rules(platform).version {
                continue;
            }
            tracing::info!(%platform, version = put, "the routing rules that were put are in force");
            (router, _) = router.with_rules(platform, version.rules.clone()).map_err(|faults| {
                EngineFault::Options(format!(
                    "the routing rules of platform {platform}, version {put}, do not fit the channels: {faults}; \
                     configure rules with a higher version"
                ))
            })?;
        }
        Ok(router)
    }

    /// A version of a platform's rules, if it was put.
    #[must_use]
    pub fn version(&self, platform: PlatformId, version: u32) -> Option<Arc<RuleVersion>> {
        self.known().get(&(platform, version)).cloned()
    }

    /// Makes rules durable and then puts them in force at once: whoever decides after this returns decides by them.
    ///
    /// # Errors
    /// A version that is not above the one in force, unless it is the same rules; rules that cannot work; the disk.
    pub fn put(
        &self,
        router: &arc_swap::ArcSwap<Router>,
        platform: PlatformId,
        rules: RoutingRules,
        now: TimestampMs,
    ) -> Result<Put, PutFault> {
        // Writers come one after another; readers are never held up.
        let mut known = self.known();
        let current = router.load_full();
        let in_force = current.rules(platform);
        if *in_force == rules {
            let (_, warnings) = current.with_rules(platform, rules)?;
            return Ok(Put { repeat: true, warnings });
        }
        let latest = known.range((platform, 0)..=(platform, u32::MAX)).next_back();
        let latest = latest.map_or(0, |((_, version), _)| *version).max(in_force.version);
        if rules.version <= latest {
            return Err(PutFault::Version { current: latest });
        }
        let (next, warnings) = current.with_rules(platform, rules.clone())?;
        let version = RuleVersion { put_at: now, rules };
        self.write(platform, &version)?;
        known.insert((platform, version.rules.version), Arc::new(version));
        router.store(Arc::new(next));
        Ok(Put { repeat: false, warnings })
    }

    fn write(&self, platform: PlatformId, version: &RuleVersion) -> io::Result<()> {
        let Some(dir) = &self.dir else { return Ok(()) };
        let row = encode_row(&(platform, version));
        let name = format!("{platform}-{}.{EXTENSION}", version.rules.version);
        let (path, draft) = (dir.join(&name), dir.join(format!("{name}.new")));
        let mut file = File::create(&draft)?;
        file.write_all(&crc32c::crc32c(&row).to_le_bytes())?;
        file.write_all(&row)?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        File::open(dir)?.sync_all()
    }
}
