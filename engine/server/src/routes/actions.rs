//! What a mall does with an order that exists.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use suanpan_model::command::OrderRef;
use suanpan_model::{Amount, Currency, OrderCommand, RejectCode};
use suanpan_runtime::{Command, Engine};

use super::orders::{find, order_ref};
use crate::answer::{self, Answered, json};
use crate::body::Body;
use crate::identity::Caller;
use crate::problem::Problem;
use crate::state::State;
use crate::wire::{
    ConfirmIn, EmptyIn, RefundIn, SmsCodeIn, SummaryOut, Text, currency, positive_amount, reference,
};

/// Platform and order.
type OrderPath = Path<(String, String)>;

/// Longest SMS code.
const SMS_CODE_MAX: usize = 16;

pub(super) async fn confirm(caller: Caller, state: Data<State>, path: OrderPath, body: Body) -> Answered {
    let order = order_ref(caller.platform, &path.1)?;
    let ConfirmIn { sub_order, amount, currency } = body.read_or_empty()?;
    let amount = part(&state.engine, &caller, order, amount.as_deref(), currency.as_deref()).await?;
    command(&state.engine, &caller, order, OrderCommand::Release { sub_order, amount }).await
}

pub(super) async fn refund(caller: Caller, state: Data<State>, path: OrderPath, body: Body) -> Answered {
    let order = order_ref(caller.platform, &path.1)?;
    let RefundIn { refund_no, amount, currency } = body.read()?;
    let refund_no = refund_no.unwrap_or_else(|| Text::from(""));
    let refund_no = reference("refund_no", &refund_no)?.into();
    let amount = part(&state.engine, &caller, order, amount.as_deref(), currency.as_deref()).await?;
    command(&state.engine, &caller, order, OrderCommand::Refund { refund_no, amount }).await
}

pub(super) async fn close(caller: Caller, state: Data<State>, path: OrderPath, body: Body) -> Answered {
    bare(caller, state, path, body, OrderCommand::Close).await
}

pub(super) async fn dispute(caller: Caller, state: Data<State>, path: OrderPath, body: Body) -> Answered {
    bare(caller, state, path, body, OrderCommand::OpenDispute).await
}

pub(super) async fn resolve(caller: Caller, state: Data<State>, path: OrderPath, body: Body) -> Answered {
    bare(caller, state, path, body, OrderCommand::ResolveDispute).await
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
    let command = Command::Order { platform: Some(caller.platform), order, command };
    let summary = answer::summary(engine.call(command).await?)?;
    json(StatusCode::OK, &SummaryOut::new(&summary))
}

/// A part of an order's amount. Its currency must be the order's, so the order is asked for first.
async fn part(
    engine: &Engine,
    caller: &Caller,
    order: OrderRef,
    amount: Option<&str>,
    code: Option<&str>,
) -> Result<Option<Amount>, Problem> {
    let currency = code.map_or(Ok(Currency::Cny), |code| currency("currency", code))?;
    let Some(text) = amount else { return Ok(None) };
    let amount = positive_amount("amount", text, currency)?;
    let order = find(engine, caller, order).await?;
    if order.terms.currency != currency {
        let expected = format!("the order's currency, {}", order.terms.currency);
        return Err(Problem::new(RejectCode::CurrencyMismatch, "currency", expected));
    }
    Ok(Some(amount))
}
