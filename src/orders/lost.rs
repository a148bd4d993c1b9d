//! A guest who lost the way to an order gets a code by mail. Both steps answer alike whether the address is known or
//! not (C7).

use chrono::TimeDelta;

use crate::base::caller::Caller;
use crate::base::error_code::ErrorCode;
use crate::base::outcome::{Outcome, Refusal};
use crate::base::secret::Secret;
use crate::base::text::{Email, Locale};
use crate::infra::effects::jobs::{self, Payload};
use crate::infra::effects::messages::MessageKind;
use crate::infra::kit::Kit;
use crate::orders::access;
use crate::orders::jobs::MailAccess;
use crate::orders::model::Order;
use crate::orders::read;
use crate::people::code::{self, Holder, Purpose};
use crate::people::messages::OrderAccessCode;
use crate::people::throttle;

const LIVES: TimeDelta = TimeDelta::minutes(30);

/// Orders given by one code at most, the newest first.
const ORDERS: i64 = 100;

/// Mails a code to the address if orders were placed with it. Refuses with `EMAIL_INVALID`, `RATE_LIMITED`.
pub async fn request(
    kit: &Kit,
    caller: &Caller,
    email: &str,
    number: Option<&str>,
    locale: Locale,
) -> Outcome<()> {
    let email = Email::parse(email)?;
    throttle::mail(kit, caller, Purpose::OrderAccess.as_str())?;
    let asked = MailAccess {
        email: email.typed().to_owned(),
        number: number.unwrap_or_default().to_owned(),
        locale: locale.as_str().to_owned(),
        client: throttle::client_key(kit, caller),
    };
    let tx = kit.db.begin().await?;
    jobs::add(&tx, &[asked.job()]).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(())
}

/// Job `orders.mail_access`: mails the code when there are such orders, unless the address got too many. Whether there are is
/// not looked at while the client waits, so that the time of the answer discloses nothing.
pub async fn mail(kit: &Kit, asked: &MailAccess) -> Outcome<()> {
    let email = Email::parse(&asked.email)?;
    let number = Some(asked.number.as_str()).filter(|number| !number.is_empty());
    let mut tx = kit.db.begin().await?;
    if !read::has_orders(&mut tx, email.normalised(), number).await? {
        return Ok(());
    }
    let (purpose, holder) = (Purpose::OrderAccess, Holder::Anybody);
    let made = code::issue(&mut tx, kit, &asked.client, purpose, &email, holder, LIVES).await?;
    let Some(code) = made else { return Ok(()) };
    code::mail(&tx, kit, OrderAccessCode::to, code, &email, Locale::choose(&asked.locale)).await?;
    tx.commit().await?;
    kit.bell.ring();
    Ok(())
}

/// Gives the orders of an address with their tokens for a mailed code. Refuses with `ACCESS_CODE_WRONG`.
pub async fn redeem(kit: &Kit, email: &str, typed: &Secret) -> Outcome<Vec<(Order, Secret)>> {
    let email = Email::parse(email)?;
    let mut tx = kit.db.begin().await?;
    let holder =
        code::redeem(&mut tx, &kit.config.secrets.access, Purpose::OrderAccess, &email, typed).await?;
    let orders = match holder {
        Some(_) => read::list_of_email(&mut tx, email.normalised(), ORDERS).await?,
        None => Vec::new(),
    };
    // The try counts, right or wrong.
    tx.commit().await?;
    holder.ok_or_else(|| Refusal::new(ErrorCode::AccessCodeWrong, code::NO_GOOD).at(["code"]))?;
    Ok(orders
        .into_iter()
        .map(|order| {
            let token = access::token(kit, order.id, order.access_generation);
            (order, token)
        })
        .collect())
}
