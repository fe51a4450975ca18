//! How late the machine wakes a thread that wants nothing but to be woken: a yardstick for latencies.
//!
//! An order goes from thread to thread some ten times, and each of them waits for a processor as this one does. What is seen
//! here was done by the target, the driver, or the machine's host, who may stop all processors at once for some
//! milliseconds when they, and the disk on their behalf, have used up what they were promised. Then no latency is better.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use crate::latency::{Latencies, Percentiles};

/// How often the thread wants to be woken.
const EVERY: Duration = Duration::from_millis(1);

/// A timer that runs beside a run.
#[derive(Debug)]
pub struct Timer {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Latencies>>,
}

impl Timer {
    /// Starts it.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start() -> Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let (theirs, mut late) = (Arc::clone(&is_over), Latencies::new()?);
        let work = move || {
            let (begin, mut planned) = (Instant::now(), EVERY);
            while !theirs.load(Ordering::Relaxed) {
                std::thread::sleep(planned.saturating_sub(begin.elapsed()));
                woken(&mut late, &mut planned, begin.elapsed());
            }
            late
        };
        let thread = std::thread::Builder::new().name("loadtest-timer".to_owned()).spawn(work);
        Ok(Self { is_over, thread: Some(thread.context("starting a timer")?) })
    }

    /// Stops it; by how much it was woken late, in microseconds.
    ///
    /// # Errors
    /// Never, unless its thread panicked.
    pub fn stop(mut self) -> Result<Percentiles> {
        self.is_over.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join).transpose();
        let late = ended.map_err(|_| anyhow!("the timer ended with a panic"))?;
        Ok(late.map(|late| late.percentiles()).unwrap_or_default())
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// Records how late it is for every time that was planned before `now`: who sleeps through ten of them is late ten times.
fn woken(late: &mut Latencies, planned: &mut Duration, now: Duration) {
    while *planned <= now {
        late.record(now - *planned);
        *planned += EVERY;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_counts_for_all_that_it_kept_waiting() {
        let mut late = Latencies::new().unwrap();
        let mut planned = EVERY;
        let mut woken_at = |us: u64| woken(&mut late, &mut planned, Duration::from_micros(us));
        for ms in 1..=80 {
            woken_at(ms * 1_000 + 60);
        }
        woken_at(80_500);
        woken_at(100_500);
        let seen = late.percentiles();
        assert_eq!(late.count(), 100);
        // Planned for 81 ms and later, all seen at 100.5 ms.
        assert_eq!((seen.p50, seen.max), (60, 19_503));
        assert_eq!(late.at(0.9) / 100, 95);
    }

    #[test]
    fn it_runs_and_stops() {
        let timer = Timer::start().unwrap();
        std::thread::sleep(EVERY * 5);
        assert!(timer.stop().unwrap().max > 0);
    }
}
