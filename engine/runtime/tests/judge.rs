//! An independent naive model judges random lives of orders through the real engine: actors, journal, simulated
//! channels, restarts. The model is written from the domain's rules and knows nothing of the engine's code; each
//! account's balance has to equal the model's to the cent after every step.
//!
//! `JUDGE_SEEDS=2000` judges that many lives, `JUDGE_SEED=17` the one life with that seed, told step by step.

#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]
#![allow(missing_docs, reason = "test code")]

#[path = "judge/exact.rs"]
mod exact;
#[path = "judge/life.rs"]
mod life;
#[path = "judge/model.rs"]
mod model;
#[path = "judge/rules.rs"]
mod rules;
#[path = "judge/steps.rs"]
mod steps;
#[path = "judge/world.rs"]
mod world;

/// Lives that are judged when nothing else is said: seconds, not minutes.
const SEEDS: u64 = 12;
const THREADS: usize = 4;

/// What so many lives cannot do without: a judge that sees nothing finds nothing.
const EXPECTED: [&str; 20] = [
    "balance order",
    "coupons came back",
    "crash",
    "dispute",
    "dispute resolved with a refund",
    "order refused for want of money",
    "refund of frozen and released money",
    "refund of frozen money",
    "refund of released money",
    "refund refused by the channel",
    "refunds at once",
    "released in part",
    "released to payees",
    "repeat",
    "restart",
    "shared funders",
    "split of the remainder",
    "split within another",
    "stuck refund finished another way",
    "unwound",
];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn random_lives_are_to_the_cent_what_the_model_says() {
    if let Some(seed) = number("JUDGE_SEED") {
        life::judge(seed, true);
        return;
    }
    let seeds = number("JUDGE_SEEDS").unwrap_or(SEEDS);
    // A life mostly waits for the disk, so several are lived at once.
    let judge_some = |first: u64| {
        let mut seen = life::Seen::new();
        for seed in (first..seeds).step_by(THREADS) {
            life::judge(seed, false)
                .into_iter()
                .for_each(|(what, count)| *seen.entry(what).or_default() += count);
        }
        seen
    };
    let seen = std::thread::scope(|scope| {
        let lives: Vec<_> = (0..THREADS as u64).map(|first| scope.spawn(move || judge_some(first))).collect();
        lives.into_iter().fold(life::Seen::new(), |mut seen, lives| {
            let some = lives.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            some.into_iter().for_each(|(what, count)| *seen.entry(what).or_default() += count);
            seen
        })
    });
    println!("{seen:#?}");
    let missing: Vec<_> = EXPECTED.iter().filter(|what| !seen.contains_key(**what)).collect();
    assert!(missing.is_empty(), "the lives are too tame: never seen {missing:?}");
}
