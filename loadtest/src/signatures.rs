//! `loadtest signatures`: what each kind of signature costs, on the messages that the server verifies and signs.

use std::time::{Duration, Instant};

use anyhow::Result;
use suanpan_signing::{Algorithm, SigningKey, answer_message, request_message};

/// How long each is measured.
const LASTS: Duration = Duration::from_millis(400);
/// Bytes of request and answer of one order, and of a batch of 500.
const SIZES: [(&str, usize, usize); 2] = [("one order", 420, 260), ("500 orders", 205_000, 150_000)];

/// Measures and prints. The answer is that all is well.
///
/// # Errors
/// When the cryptographic library refuses.
pub fn run() -> Result<bool> {
    println!("{:<14}{:<14}{:>16}{:>16}  µs", "kind", "", "verify request", "sign answer");
    for algorithm in Algorithm::ALL {
        let key = SigningKey::read(algorithm, &SigningKey::generate(algorithm)?)?;
        let verifying = key.verifying()?;
        for (what, asked, answered) in SIZES {
            let (asked, answered) = (vec![b'x'; asked], vec![b'x'; answered]);
            let request =
                || request_message("POST", "/v1/platforms/7/orders", 1_795_327_536, "19ad-1f", &asked);
            let signature = key.sign(&request())?;
            let verify = each(|| Ok(verifying.verify(&request(), &signature)?))?;
            let sign = each(|| {
                key.sign(&answer_message(201, 1_795_327_536, "19ad-1f", &answered))?;
                Ok(())
            })?;
            println!("{:<14}{what:<14}{verify:>16.1}{sign:>16.1}", algorithm.name());
        }
    }
    Ok(true)
}

/// Microseconds of one piece of work: the median of ten rounds.
fn each(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    const ROUNDS: u32 = 10;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let (begin, mut count) = (Instant::now(), 0_u32);
        while begin.elapsed() < LASTS / ROUNDS {
            work()?;
            count += 1;
        }
        rounds.push(begin.elapsed().as_secs_f64() * 1e6 / f64::from(count.max(1)));
    }
    rounds.sort_by(f64::total_cmp);
    Ok(rounds[rounds.len() / 2])
}
