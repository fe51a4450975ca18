//! What a mall does with an order that exists.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use smol_str::SmolStr;
use suanpan_core::order::platform_number;
use suanpan_model::command::{OrderRef, RefundRequest};
use suanpan_model::refund::FinishWay;
use suanpan_model::{AccountType, Amount, AttemptNo, Currency, OrderCommand, RejectCode};
use suanpan_runtime::{Command, Engine};

use super::orders::{find, order_ref};
use crate::answer::{self, Answered, json, replayed};
use crate::body::Body;
use crate::identity::{Caller, OnBehalf};
use crate::problem::Problem;
use crate::state::{Names as PlatformNames, State};
use crate::wire::{
    EmptyIn, FinishIn, Names, RefundIn, ReleaseIn, ResolveIn, SmsCodeIn, SummaryOut, Text, currency, line,
    positive_amount, reference, split_rules,
};

/// Platform and order.
type OrderPath = Path<(String, String)>;

/// Platform, order, and the number of one of its attempts or refunds.
type NumberedPath = Path<(String, String, String)>;

/// Longest SMS code.
const SMS_CODE_MAX: usize = 16;
/// Longest note of an operator in characters.
const NOTE_MAX: usize = 256;

pub(super) async fn confirm(caller: Caller, state: Data<State>, path: OrderPath, body: Body) -> Answered {
    let release_no = SmolStr::default();
    let everything = OrderCommand::Release { release_no, sub_order: None, amount: None, payees: Vec::new() };
    bare(caller, state, path, body, everything).await
}

pub(super) async fn release(caller: Caller, state: Data<State>, path: OrderPath, body: Body) -> Answered {
    let order = order_ref(caller.platform, &path.1)?;
    let ReleaseIn { release_no, sub_order, amount, currency, payees } = body.read()?;
    let release_no = number("release_no", release_no)?;
    let named = currency_of(currency.as_deref())?;
    let amount = part("amount", amount.as_deref(), named)?;
    let lookup = PlatformNames { engine: &state.engine, platform: caller.platform };
    let names = Names { platform: caller.platform, currency: named, lookup: &lookup };
    let payees = split_rules(payees.as_deref().unwrap_or_default(), "payees", &names)?;
    if currency.is_some() || amount.is_some() || !payees.is_empty() {
        check_currency(&state.engine, &caller, order, named).await?;
    }
    command(&state.engine, &caller, order, OrderCommand::Release { release_no, sub_order, amount, payees })
        .await
}

pub(super) async fn refund(caller: Caller, state: Data<State>, path: OrderPath, body: Body) -> Answered {
    let order = order_ref(caller.platform, &path.1)?;
    let wanted = refund_request(&state.engine, &caller, order, body.read()?).await?;
    command(&state.engine, &caller, order, OrderCommand::Refund(wanted)).await
}

async fn refund_request(
    engine: &Engine,
    caller: &Caller,
    order: OrderRef,
    wanted: RefundIn<'_>,
) -> Result<RefundRequest, Problem> {
    let RefundIn { refund_no, sub_order, amount, currency } = wanted;
    let refund_no = number("refund_no", refund_no)?;
    let named = currency_of(currency.as_deref())?;
    let amount = part("amount", amount.as_deref(), named)?;
    if currency.is_some() || amount.is_some() {
        check_currency(engine, caller, order, named).await?;
    }
    Ok(RefundRequest { refund_no, sub_order, amount })
}

pub(super) async fn close(caller: Caller, state: Data<State>, path: OrderPath, body: Body) -> Answered {
    bare(caller, state, path, body, OrderCommand::Close).await
}

pub(super) async fn dispute(caller: Caller, state: Data<State>, path: OrderPath, body: Body) -> Answered {
    bare(caller, state, path, body, OrderCommand::OpenDispute).await
}

pub(super) async fn resolve(caller: Caller, state: Data<State>, path: OrderPath, body: Body) -> Answered {
    let order = order_ref(caller.platform, &path.1)?;
    let ResolveIn { refund } = body.read_or_empty()?;
    let refund = match refund {
        Some(wanted) => {
            let request = refund_request(&state.engine, &caller, order, wanted.0).await;
            Some(request.map_err(of_refund)?)
        }
        None => None,
    };
    let resolved = command(&state.engine, &caller, order, OrderCommand::ResolveDispute { refund }).await;
    resolved.map_err(of_refund)
}

/// A refund is named inside what ends a dispute, and so are its fields.
fn of_refund(problem: Problem) -> Problem {
    let is_of_refund = matches!(problem.field(), "refund_no" | "sub_order" | "amount" | "currency");
    if is_of_refund { problem.inside("refund") } else { problem }
}

/// Ends a refund that its channel cannot finish: for the operator, on behalf of the platform.
pub(super) async fn finish_refund(
    caller: OnBehalf,
    state: Data<State>,
    path: NumberedPath,
    body: Body,
) -> Answered {
    let order = order_ref(caller.platform, &path.1)?;
    let refund = numbered(&path.2, "no", "the engine's number of a refund of the order, from 1")?;
    let FinishIn { way, reference: account, note } = body.read()?;
    let way = finish_way(&state.engine, &caller, &way, account.as_deref())?;
    let note = line("note", note.as_deref(), NOTE_MAX)?;
    let finished =
        command(&state.engine, &caller, order, OrderCommand::FinishRefund { refund, way, note }).await;
    finished.map_err(|problem| problem.in_words_of_caller(&[("refund", "no")]))
}

fn finish_way(
    engine: &Engine,
    caller: &Caller,
    way: &str,
    account: Option<&str>,
) -> Result<FinishWay, Problem> {
    let invalid = |field, expected: &str| Problem::new(RejectCode::InvalidField, field, expected);
    let way = match (way, account) {
        ("to_account", None) => {
            let expected = "the reference of a cash account of the payer";
            return Err(Problem::new(RejectCode::MissingField, "reference", expected));
        }
        ("to_account", Some(name)) => {
            let name = reference("reference", name)?;
            let known = engine.account_by_reference(caller.platform, AccountType::Cash, name);
            let expected = "a cash account that was opened on this platform";
            let unknown = || Problem::new(RejectCode::UnknownAccount, "reference", expected);
            return Ok(FinishWay::ToAccount(known.ok_or_else(unknown)?));
        }
        ("outside", _) => FinishWay::Outside,
        ("resend", _) => FinishWay::Resend,
        ("give_up", _) => FinishWay::GiveUp,
        _ => return Err(invalid("way", "to_account, outside, resend or give_up")),
    };
    match account {
        Some(_) => Err(invalid("reference", "nothing; only to_account names an account")),
        None => Ok(way),
    }
}

/// Gives a parked payment back: for the operator, on behalf of the platform.
pub(super) async fn return_parked(
    caller: OnBehalf,
    state: Data<State>,
    path: NumberedPath,
    body: Body,
) -> Answered {
    let attempt = numbered(&path.2, "no", ATTEMPT)?;
    parked(&caller, &state, &path, &body, OrderCommand::ReturnParked { attempt: AttemptNo(attempt) }).await
}

/// Takes a parked payment into its order: for the operator, on behalf of the platform.
pub(super) async fn reopen(caller: OnBehalf, state: Data<State>, path: NumberedPath, body: Body) -> Answered {
    let attempt = numbered(&path.2, "no", ATTEMPT)?;
    parked(&caller, &state, &path, &body, OrderCommand::Reopen { attempt: AttemptNo(attempt) }).await
}

const ATTEMPT: &str = "the number of an attempt of the order, from 1";

async fn parked(
    caller: &Caller,
    state: &State,
    path: &(String, String, String),
    body: &Body,
    what: OrderCommand,
) -> Answered {
    let order = order_ref(caller.platform, &path.1)?;
    let EmptyIn {} = body.read_or_empty()?;
    let answered = command(&state.engine, caller, order, what).await;
    answered.map_err(|problem| problem.in_words_of_caller(&[("attempt", "no")]))
}

/// A number in a path; one that cannot be is one that is not known.
fn numbered(text: &str, field: &'static str, expected: &'static str) -> Result<u8, Problem> {
    text.parse().map_err(|_| Problem::new(RejectCode::UnknownAttempt, field, expected))
}

pub(super) async fn sms_code(caller: Caller, state: Data<State>, path: OrderPath, body: Body) -> Answered {
    let order = order_ref(caller.platform, &path.1)?;
    let SmsCodeIn { sms_code } = body.read()?;
    let wellformed = !sms_code.is_empty()
        && sms_code.len() <= SMS_CODE_MAX
        && sms_code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !wellformed {
        let expected = "1 to 16 digits or letters, as the payer got them";
        return Err(Problem::new(RejectCode::InvalidField, "sms_code", expected));
    }
    let sms_code = (&*sms_code).into();
    command(&state.engine, &caller, order, OrderCommand::ConfirmSms { sms_code }).await
}

/// A command without a body.
async fn bare(
    caller: Caller,
    state: Data<State>,
    path: OrderPath,
    body: Body,
    what: OrderCommand,
) -> Answered {
    let order = order_ref(caller.platform, &path.1)?;
    let EmptyIn {} = body.read_or_empty()?;
    command(&state.engine, &caller, order, what).await
}

async fn command(engine: &Engine, caller: &Caller, order: OrderRef, command: OrderCommand) -> Answered {
    let is_numbered = platform_number(&command).is_some();
    let command = Command::Order { platform: Some(caller.platform), order, command };
    let summary = answer::summary(engine.call(command).await?)?;
    if !is_numbered {
        return json(StatusCode::OK, &SummaryOut::new(&summary));
    }
    let answer = json(StatusCode::OK, &SummaryOut::numbered(&summary))?;
    Ok(if summary.repeat { replayed(answer) } else { answer })
}

/// The platform's own number for something.
fn number(field: &'static str, text: Option<Text<'_>>) -> Result<SmolStr, Problem> {
    Ok(reference(field, &text.unwrap_or_else(|| Text::from("")))?.into())
}

fn currency_of(code: Option<&str>) -> Result<Currency, Problem> {
    Ok(code.map_or(Ok(Currency::Cny), |code| currency("currency", code))?)
}

/// A part of an order's amount.
fn part(field: &'static str, text: Option<&str>, currency: Currency) -> Result<Option<Amount>, Problem> {
    Ok(text.map(|text| positive_amount(field, text, currency)).transpose()?)
}

/// The currency that a request names, or in which its amounts are read, must be the order's.
async fn check_currency(
    engine: &Engine,
    caller: &Caller,
    order: OrderRef,
    currency: Currency,
) -> Result<(), Problem> {
    let order = find(engine, caller, order).await?;
    if order.terms.currency == currency {
        return Ok(());
    }
    let expected = format!("the order's currency, {}", order.terms.currency);
    Err(Problem::new(RejectCode::CurrencyMismatch, "currency", expected))
}
