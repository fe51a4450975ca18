//! The table of states as a grid: every status × every kind of event.

use expect_test::expect_file;
use suanpan_model::OrderStatus;
use suanpan_model::event::EventKind;

use crate::order::next_status;

/// `.` cannot happen, `=` stays, otherwise the next status.
#[test]
fn every_status_meets_every_event() {
    let mut grid = format!("{:<17}", "");
    for status in OrderStatus::ALL {
        grid += &format!("{:<14}", status.name());
    }
    for kind in EventKind::ALL {
        grid = grid.trim_end().to_owned();
        grid += &format!("\n{:<17}", kind.name());
        for status in OrderStatus::ALL {
            let next = match next_status(status, kind) {
                None => ".",
                Some(next) if next == status => "=",
                Some(next) => next.name(),
            };
            grid += &format!("{next:<14}");
        }
    }
    expect_file!["states.txt"].assert_eq(&(grid.trim_end().to_owned() + "\n"));
}
