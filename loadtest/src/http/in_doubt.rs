//! Orders in doubt after a kill: whether their call had left nobody knows, and where the channel has never heard of the payment,
//! such an order stays in doubt until it expires or its mall cancels it.

use anyhow::Result;

use super::mall::Mall;
use crate::driver::Outcome;

/// Cancels the orders whose payment was awaited in vain, and counts those that closed as ended unpaid. One that was paid after
/// all stays unfinished, and the run fails for it. The answer is how many were cancelled.
///
/// # Errors
/// When the server refuses, or does not answer.
pub(super) async fn cancel(mall: &Mall, outcome: &mut Outcome) -> Result<u64> {
    let mut cancelled = 0;
    for order in std::mem::take(&mut outcome.unpaid_left) {
        if mall.cancel(order).await? == "closed" {
            cancelled += 1;
            outcome.tally.unpaid += 1;
            outcome.unfinished -= 1;
        }
    }
    Ok(cancelled)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::driver::tests::with_lost_orders;
    use crate::http::pool::{Door, Pool};

    /// What was asked of an order: whether it was closed, and how often it was looked at since.
    type Asked = Arc<Mutex<BTreeMap<u64, (bool, u32)>>>;

    /// A server of which orders can be cancelled: they close at the third look, but for `paid`, which was paid after all.
    fn server(paid: u64) -> (String, Asked) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (authority, asked) = (listener.local_addr().unwrap().to_string(), Asked::default());
        let known = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    if stream.read_line(&mut head).unwrap() == 0 {
                        break;
                    }
                }
                let path = head.split_whitespace().nth(1).unwrap_or_default();
                let mut parts = path.split('/').skip_while(|part| *part != "orders").skip(1);
                let order: u64 = parts.next().unwrap_or_default().parse().unwrap_or_default();
                let mut asked = asked.lock().unwrap();
                let (is_closed, looks) = asked.entry(order).or_default();
                let status = match (parts.next(), head.starts_with("POST")) {
                    (Some("close"), true) => {
                        *is_closed = true;
                        "pending"
                    }
                    (None, false) if *is_closed => {
                        *looks += 1;
                        if *looks < 3 {
                            "pending"
                        } else if order == paid {
                            "frozen"
                        } else {
                            "closed"
                        }
                    }
                    _ => "pending",
                };
                let body = format!("{{\"status\":\"{status}\"}}");
                let length = body.len();
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
                // Whoever asked may be gone.
                let _ = stream.get_mut().write_all(format!("{head}{body}").as_bytes());
            }
        });
        (authority, known)
    }

    #[test]
    fn orders_in_doubt_are_cancelled_and_one_that_was_paid_is_not_counted() {
        let mut outcome = with_lost_orders();
        let left = outcome.unpaid_left.clone();
        assert!(left.len() > 2 && left.len() == outcome.unfinished, "{left:?}");
        let (authority, asked) = server(left[1].0);
        let (unpaid, unfinished) = (outcome.tally.unpaid, outcome.unfinished);
        let cancelled = crate::run::runtime().unwrap().block_on(async {
            let mall = Mall::new(Pool::new(&Door::plain(authority, None), 2));
            cancel(&mall, &mut outcome).await.unwrap()
        });
        assert_eq!(cancelled, left.len() as u64 - 1);
        assert_eq!((outcome.tally.unpaid, outcome.unfinished), (unpaid + cancelled, 1));
        assert_eq!(unfinished, left.len());
        assert!(outcome.unpaid_left.is_empty());
        let closed = asked.lock().unwrap();
        assert!(left.iter().all(|order| closed[&order.0] == (true, 3)), "{closed:?}");
    }
}
