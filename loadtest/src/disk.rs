//! `loadtest disk`: how long the disk takes to make a write durable, the yardstick of every commit.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::cli::DiskArgs;
use crate::latency::{Latencies, Percentiles};
use crate::report::{self, Origin};

const SIZES: [usize; 3] = [4 << 10, 64 << 10, 1 << 20];

/// Writes of one size.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Bytes of a write.
    pub bytes: usize,
    /// At the end of a growing file, which makes the disk write the file's length too.
    pub append_us: Percentiles,
    /// Over bytes that the file has already, as a recycled log segment is written.
    pub overwrite_us: Percentiles,
}

#[derive(Serialize)]
struct DiskReport {
    #[serde(flatten)]
    origin: Origin,
    writes: u32,
    fdatasync: Vec<Line>,
}

/// Measures, prints, reports.
///
/// # Errors
/// When the disk does.
pub fn run(args: &DiskArgs) -> Result<bool> {
    fs::create_dir_all(&args.data).with_context(|| format!("making {}", args.data.display()))?;
    println!("write + fdatasync in µs, {} writes each", args.writes);
    println!("{:>10} {:>10} {:>8} {:>8} {:>8} {:>8}", "bytes", "", "p50", "p90", "p99", "max");
    let mut lines = Vec::new();
    for bytes in SIZES {
        let line = measure(&args.data, bytes, args.writes)?;
        for (name, at) in [("append", line.append_us), ("overwrite", line.overwrite_us)] {
            println!("{bytes:>10} {name:>10} {:>8} {:>8} {:>8} {:>8}", at.p50, at.p90, at.p99, at.max);
        }
        lines.push(line);
    }
    if let Some(path) = &args.json {
        let origin = Origin::here(&args.data);
        report::write(&DiskReport { origin, writes: args.writes, fdatasync: lines }, path)?;
    }
    Ok(true)
}

/// Measures writes of one size in `dir`.
///
/// # Errors
/// When the disk does.
pub fn measure(dir: &Path, bytes: usize, writes: u32) -> Result<Line> {
    let path = dir.join(format!("disk-{}", std::process::id()));
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(&path)?;
    let append_us = timed(&mut file, bytes, writes)?;
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    let overwrite_us = timed(&mut file, bytes, writes)?;
    fs::remove_file(&path)?;
    Ok(Line { bytes, append_us, overwrite_us })
}

fn timed(file: &mut File, bytes: usize, writes: u32) -> Result<Percentiles> {
    let block: Vec<u8> = (0..=u8::MAX).cycle().take(bytes).collect();
    let mut latencies = Latencies::new()?;
    for _ in 0..writes {
        let begin = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        latencies.record(begin.elapsed());
    }
    Ok(latencies.percentiles())
}
