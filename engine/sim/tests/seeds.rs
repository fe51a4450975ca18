//! A few lives with every build; `.ci/run` lives thousands.

use suanpan_sim::oracle::coverage::Coverage;
use suanpan_sim::{Plan, Report, live, live_plan};

/// Set it to live more.
const SEEDS_VARIABLE: &str = "SUANPAN_SIM_SEEDS";

#[test]
fn lives_break_nothing() {
    let seeds = std::env::var(SEEDS_VARIABLE).ok().and_then(|text| text.parse().ok()).unwrap_or(60_u64);
    let mut coverage = Coverage::default();
    let mut failed: Vec<Report> = Vec::new();
    for seed in 1..=seeds {
        let report = live(seed, false);
        coverage.add(&report.coverage);
        if !report.breaks.is_empty() {
            println!("again: cargo sim -- --seed {seed}\n  {}", report.breaks.join("\n  "));
            failed.push(report);
        }
    }
    println!("{coverage}");
    assert!(failed.is_empty(), "{} of {seeds} lives broke something", failed.len());
}

#[test]
fn a_seed_is_always_the_same_life() {
    for seed in 1..=12 {
        let (one, other) = (live(seed, true), live(seed, true));
        assert_eq!((one.hash, one.steps, one.millis), (other.hash, other.steps, other.millis), "seed {seed}");
        assert_eq!(one.story, other.story, "seed {seed}");
        assert_eq!(one.coverage, other.coverage, "seed {seed}");
    }
}

#[test]
fn shards_that_are_filled_by_threads_are_those_that_are_filled_by_one() {
    let mut starts = 0;
    for seed in 1..=24 {
        let lives = [1, usize::MAX].map(|orders_for_threads| {
            let mut plan = Plan::of(seed);
            plan.limits.orders_for_threads = orders_for_threads;
            live_plan(plan, true)
        });
        let [one, other] = &lives;
        starts += one.story.iter().filter(|line| line.ends_with("the engine starts")).count();
        assert_eq!((one.hash, one.steps, one.millis), (other.hash, other.steps, other.millis), "seed {seed}");
        assert_eq!(one.story, other.story, "seed {seed}");
        assert_eq!(one.lives, other.lives, "seed {seed}");
    }
    assert!(starts > 24, "{starts} starts: hardly any on what was there before");
}
