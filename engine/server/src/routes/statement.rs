//! An account's statement, page by page.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use suanpan_model::ids::STRIPES;
use suanpan_model::{AccountId, Lsn};
use suanpan_runtime::Engine;
use suanpan_runtime::api::{StatementLine, StatementQuery};

use super::accounts::{AccountPath, named};
use crate::answer::{Answered, json};
use crate::identity::Caller;
use crate::problem::Problem;
use crate::query::{Parameters, TIMED_PAGE};
use crate::state::State;
use crate::wire::StatementOut;

pub(super) async fn entries(
    caller: Caller,
    state: Data<State>,
    path: AccountPath,
    request: HttpRequest,
) -> Answered {
    let engine = &state.engine;
    let account = named(engine, &caller, &path.1, &path.2)?;
    let query = Parameters::read(&request, TIMED_PAGE)?;
    let (from, until) = query.range()?;
    let after = Lsn(query.cursor()?.unwrap_or(0));
    let wanted = StatementQuery { account, after, from, until, limit: query.limit()? };
    let currency = match account.internal_currency() {
        Some(currency) => currency,
        None => engine.balance(account).await?.currency,
    };
    let (lines, next) = page(engine, wanted).await?;
    json(StatusCode::OK, &StatementOut::new(account.raw(), currency, &lines, next))
}

/// One page and the cursor after it. A page ends between two log positions, never inside one, because the cursor is a
/// position: it may be shorter than asked for, and longer where one position has more lines than a page.
async fn page(engine: &Engine, wanted: StatementQuery) -> Result<(Vec<StatementLine>, Option<Lsn>), Problem> {
    let mut limit = wanted.limit;
    loop {
        let mut lines = fetch(engine, StatementQuery { limit: limit + 1, ..wanted }).await?;
        match cut(&mut lines, limit) {
            Cut::Nothing => return Ok((lines, None)),
            Cut::After(last) => return Ok((lines, Some(last))),
            Cut::Everything => limit *= 2,
        }
    }
}

/// What was cut off a page.
#[derive(Debug, PartialEq, Eq)]
enum Cut {
    /// Nothing: these are the last lines.
    Nothing,
    /// What follows this position.
    After(Lsn),
    /// Everything: the first position alone has more lines than the page.
    Everything,
}

/// Cuts lines to `limit` whole positions.
fn cut(lines: &mut Vec<StatementLine>, limit: usize) -> Cut {
    let Some(beyond) = lines.get(limit).map(|line| line.lsn) else { return Cut::Nothing };
    let whole = lines.iter().position(|line| line.lsn == beyond).unwrap_or(0);
    lines.truncate(whole);
    lines.last().map_or(Cut::Everything, |line| Cut::After(line.lsn))
}

/// Lines of an account; of an internal one, those of all stripes in the order of the log.
async fn fetch(engine: &Engine, wanted: StatementQuery) -> Result<Vec<StatementLine>, Problem> {
    if !wanted.account.kind().is_internal() {
        return Ok(engine.statement(wanted).await?);
    }
    let mut lines = Vec::new();
    for stripe in 0..STRIPES {
        let account: AccountId = wanted.account.on_stripe(stripe);
        lines.extend(engine.statement(StatementQuery { account, ..wanted }).await?);
    }
    lines.sort_by_key(|line| line.lsn);
    lines.truncate(wanted.limit);
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use suanpan_model::{AccountType, Amount, CauseId, EntryCode, Side, TimestampMs};

    use super::*;

    fn lines(positions: &[u64]) -> Vec<StatementLine> {
        let line = |lsn: &u64| StatementLine {
            account: AccountId::opened(AccountType::Cash, 1, 0),
            lsn: Lsn(*lsn),
            at: TimestampMs(0),
            cause: CauseId(1),
            code: EntryCode::TopUp,
            side: Side::Credit,
            amount: Amount::from_minor(1),
            balance: 0,
        };
        positions.iter().map(line).collect()
    }

    #[test]
    fn a_page_ends_between_two_positions() {
        let table: [(&[u64], usize, Cut, usize); 7] = [
            // positions, limit, what was cut off, lines left
            (&[], 2, Cut::Nothing, 0),
            (&[1, 2], 2, Cut::Nothing, 2),
            (&[1, 2, 3], 2, Cut::After(Lsn(2)), 2),
            (&[1, 2, 2], 2, Cut::After(Lsn(1)), 1),
            (&[1, 1, 2], 2, Cut::After(Lsn(1)), 2),
            (&[1, 1, 1], 2, Cut::Everything, 0),
            (&[1, 1], 1, Cut::Everything, 0),
        ];
        for (positions, limit, expected, left) in table {
            let mut lines = lines(positions);
            assert_eq!(cut(&mut lines, limit), expected, "{positions:?} {limit}");
            assert_eq!(lines.len(), left, "{positions:?} {limit}");
        }
    }
}
