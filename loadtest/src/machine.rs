//! The machine and this process, as the kernel describes them. What cannot be read is empty or zero.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde::Serialize;
use suanpan_model::TimestampMs;

/// The machine that a figure belongs to.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Model of the processor.
    pub cpu: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// Release of the kernel.
    pub kernel: String,
    /// Memory of the machine in bytes.
    pub memory_bytes: u64,
}

impl Machine {
    /// This machine.
    #[must_use]
    pub fn this() -> Self {
        let info = read("/proc/cpuinfo");
        let cpu = info
            .lines()
            .find(|line| line.starts_with("model name"))
            .and_then(|line| line.split_once(':'))
            .map_or_else(String::new, |(_, name)| name.trim().to_owned());
        Self {
            cpu,
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            memory_bytes: field_kib("/proc/meminfo", "MemTotal:") * 1024,
        }
    }
}

/// The time, for order numbers and expiries.
#[must_use]
pub fn now() -> TimestampMs {
    #[expect(clippy::disallowed_methods, reason = "this is the program's edge: here the time comes in")]
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    TimestampMs(since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
}

/// The commit that is checked out where this program was built, where git can tell; `-dirty` when something is changed.
#[must_use]
pub fn commit() -> Option<String> {
    let here = ["-C", env!("CARGO_MANIFEST_DIR")];
    let describe = ["describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"];
    let output = Command::new("git").args(here).args(describe).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}

/// How this program was compiled.
#[must_use]
pub const fn profile() -> &'static str {
    if cfg!(debug_assertions) { "debug" } else { "release" }
}

/// The command line.
#[must_use]
pub fn command() -> String {
    std::env::args().collect::<Vec<_>>().join(" ")
}

/// Resident memory of this process in bytes.
#[must_use]
pub fn rss_bytes() -> u64 {
    field_kib("/proc/self/status", "VmRSS:") * 1024
}

/// Resident memory of another process in bytes; 0 when it is gone.
#[must_use]
pub fn rss_bytes_of(pid: u32) -> u64 {
    field_kib(&format!("/proc/{pid}/status"), "VmRSS:") * 1024
}

/// CPU time of another process in seconds; 0 when it is gone.
#[must_use]
pub fn cpu_seconds_of(pid: u32) -> f64 {
    let stat = read(&format!("/proc/{pid}/stat"));
    name_and_ticks(&stat).map_or(0.0, |(_, ticks)| ticks as f64 / TICKS_PER_SECOND)
}

/// How many tasks wanted to run on this machine over the last minute, on average.
#[must_use]
pub fn load_average() -> f64 {
    read("/proc/loadavg").split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

/// CPU time of this process in clock ticks of [`TICKS_PER_SECOND`] by thread; of several threads of one name, the
/// later ones are numbered.
#[must_use]
pub fn cpu_ticks_by_thread() -> BTreeMap<String, u64> {
    let mut ticks = BTreeMap::new();
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return ticks };
    let number = |task: fs::DirEntry| task.file_name().to_str()?.parse::<u64>().ok();
    let mut numbers: Vec<u64> = tasks.flatten().filter_map(number).collect();
    numbers.sort_unstable();
    for number in numbers {
        let Some((name, used)) = name_and_ticks(&read(&format!("/proc/self/task/{number}/stat"))) else {
            continue;
        };
        let namesakes = (2..).map(|nth| format!("{name} {nth}"));
        let key = std::iter::once(name.clone()).chain(namesakes).find(|key| !ticks.contains_key(key));
        ticks.insert(key.unwrap_or(name), used);
    }
    ticks
}

/// CPU time of this process, ended threads included, in seconds.
#[must_use]
pub fn cpu_seconds() -> f64 {
    name_and_ticks(&read("/proc/self/stat")).map_or(0.0, |(_, ticks)| ticks as f64 / TICKS_PER_SECOND)
}

/// How all processors of the machine spent their time, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct MachineTime {
    /// Working, for whomever.
    pub busy: f64,
    /// With nothing to do.
    pub idle: f64,
    /// With nothing to do but wait for the disk.
    pub disk: f64,
    /// Taken away by the machine's host.
    pub stolen: f64,
}

impl MachineTime {
    /// Since the machine started.
    #[must_use]
    pub fn now() -> Self {
        Self::read(&read("/proc/stat"))
    }

    fn read(stat: &str) -> Self {
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu ")).unwrap_or_default();
        let times: Vec<f64> = line
            .split_whitespace()
            .filter_map(|ticks| Some(ticks.parse::<f64>().ok()? / TICKS_PER_SECOND))
            .collect();
        // user, nice, system, idle, iowait, irq, softirq, steal
        let at = |place: usize| times.get(place).copied().unwrap_or(0.0);
        Self { busy: at(0) + at(1) + at(2) + at(5) + at(6), idle: at(3), disk: at(4), stolen: at(7) }
    }

    /// What has passed since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            busy: self.busy - earlier.busy,
            idle: self.idle - earlier.idle,
            disk: self.disk - earlier.disk,
            stolen: self.stolen - earlier.stolen,
        }
    }
}

/// Linux reports CPU times to programs in hundredths of a second on every architecture that we run on.
pub const TICKS_PER_SECOND: f64 = 100.0;

/// Name and user plus system time of a `stat` line; the name stands in brackets and may hold anything.
fn name_and_ticks(stat: &str) -> Option<(String, u64)> {
    let (before, after) = (stat.split_once('(')?.1, stat.rsplit_once(')')?.1);
    let name = before.rsplit_once(')')?.0.to_owned();
    let mut fields = after.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((name, user + system))
}

fn field_kib(path: &str, field: &str) -> u64 {
    let text = read(path);
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_lines_are_read_whatever_the_name() {
        let stat = "77 (a) (b c) S 1 77 77 0 -1 4194304 1 2 3 4 1500 250 0 0 20 0 1 0";
        assert_eq!(name_and_ticks(stat), Some(("a) (b c".to_owned(), 1_750)));
        assert_eq!(name_and_ticks(""), None);
        let all = MachineTime::read("cpu  100 20 300 4000 50 6 7 80 0 0\ncpu0 1 2 3");
        assert_eq!(all, MachineTime { busy: 4.33, idle: 40.0, disk: 0.5, stolen: 0.8 });
        assert!(rss_bytes() > 0 && cpu_seconds() >= 0.0 && Machine::this().cores > 0);
    }
}
