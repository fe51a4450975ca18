//! CPU time, memory and start of this process, under the names that every Prometheus client gives them.

use std::fs;

use super::{head, line};

/// Linux tells programs CPU times and starts in hundredths of a second on every architecture that we run on.
const TICKS_PER_SECOND: u64 = 100;

/// What the kernel says of a process. What it does not say is left out of the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Process {
    cpu_ticks: Option<u64>,
    resident_bytes: Option<u64>,
    /// Since the machine started.
    start_ticks: Option<u64>,
    /// When the machine started, in Unix time.
    boot_s: Option<u64>,
}

impl Process {
    fn this() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self::read(&read("/proc/self/stat"), &read("/proc/self/status"), &read("/proc/stat"))
    }

    fn read(stat: &str, status: &str, machine: &str) -> Self {
        // The second field is the name, in brackets, and may hold anything.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or_else(Vec::new, |(_, rest)| rest.split_whitespace().collect());
        // Numbers as in proc(5), of which the first that is left is the third.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let (user, system) = (field(14), field(15));
        let value = |text: &str, name: &str| {
            let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
            rest.split_whitespace().next()?.parse::<u64>().ok()
        };
        Self {
            cpu_ticks: user.zip(system).map(|(user, system)| user + system),
            resident_bytes: value(status, "VmRSS:").map(|kib| kib * 1_024),
            start_ticks: field(22),
            boot_s: value(machine, "btime "),
        }
    }

    fn write(self, out: &mut String) {
        let started = self.boot_s.zip(self.start_ticks);
        let families = [
            (
                "process_cpu_seconds_total",
                "counter",
                "CPU time used, of user and system",
                self.cpu_ticks.map(seconds),
            ),
            (
                "process_resident_memory_bytes",
                "gauge",
                "memory that is in use and not swapped out",
                self.resident_bytes.map(|bytes| bytes.to_string()),
            ),
            (
                "process_start_time_seconds",
                "gauge",
                "when the process started, in Unix time",
                started.map(|(boot_s, ticks)| seconds(boot_s * TICKS_PER_SECOND + ticks)),
            ),
        ];
        for (name, kind, help, value) in families {
            if let Some(value) = value {
                head(out, name, kind, help);
                line(out, name, "", &value);
            }
        }
    }
}

/// This process.
pub fn write_process(out: &mut String) {
    Process::this().write(out);
}

/// Ticks as seconds, exactly.
fn seconds(ticks: u64) -> String {
    format!("{}.{:02}", ticks / TICKS_PER_SECOND, ticks % TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "77 (a) (b c) S 1 77 77 0 -1 4194304 1 2 3 4 1500 253 9 9 20 0 7 0 4205 900000 1800 18446744073709551615";

    #[test]
    fn what_the_kernel_says_is_told_and_the_rest_is_left_out() {
        let process = Process::read(STAT, "Name:\ta\nVmRSS:\t   2048 kB\n", "cpu  1 2\nbtime 1700000000\n");
        let mut out = String::new();
        process.write(&mut out);
        let values: Vec<&str> = out.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "process_cpu_seconds_total 17.53",
            "process_resident_memory_bytes 2097152",
            "process_start_time_seconds 1700000042.05",
        ];
        assert_eq!(values, expected);
        assert_eq!(Process::read("", "", ""), Process::default());
        let mut out = String::new();
        Process::default().write(&mut out);
        assert_eq!(out, "");
    }
}
