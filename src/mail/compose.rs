//! From a message's row to its content, read when it is sent: keys are never stored in the outbox.

use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use crate::base::ids::{CaseId, OrderId, UnitId};
use crate::base::money::{Currency, Money};
use crate::base::outcome::{Fault, Outcome};
use crate::base::secret::Secret;
use crate::base::text::masked_email;
use crate::catalogue::model::MailPolicy;
use crate::delivery;
use crate::delivery::cases::{self, CaseRow};
use crate::delivery::messages::{CaseAnswered, CaseOpened, OfAnswer, OfCase};
use crate::infra::effects::messages::{self, MessageKind};
use crate::infra::effects::record::Record;
use crate::infra::kit::Kit;
use crate::mail::facts::{Access, Content, DeliveredLine, FileLink};
use crate::mail::messages::{Opened, TaskOpened};
use crate::mail::model::{MailLine, Message};
use crate::mail::read;
use crate::orders::gifts::{self, GiftRow};
use crate::orders::hand_over::may_hand_over;
use crate::orders::messages::{
    DeliveryReplaced, GiftSent, Lines, OrderAwaitingPerson, OrderAwaitingStock, OrderDelivered, OrderResend,
    Pieces, ReplacementAwaited,
};
use crate::orders::model::Order;
use crate::orders::{self, access};
use crate::payments::messages::{RefundFailed, RefundMade, Refunded};
use crate::payments::standing;
use crate::people::code::{self, Purpose};
use crate::people::messages::{
    Coded, ConfirmEmail, EmailTaken, OrderAccessCode, PasswordChanged, ProveEmail, ResetPassword,
};
use crate::vault::reveal;

/// The content, or nothing when there is nothing to report any more (all was refunded meanwhile). Keys that go into the
/// mail are marked as mailed in the caller's transaction, before the mail leaves: one whose outcome nobody knows may
/// have been read.
pub async fn content(conn: &mut AsyncPgConnection, kit: &Kit, message: &Message) -> Outcome<Option<Content>> {
    let code = |purpose| -> Result<Secret, Fault> {
        let Coded { code } = payload(message)?;
        Ok(code::text(&kit.config.secrets.access, purpose, code))
    };
    let content = match message.kind.as_str() {
        OrderDelivered::KIND => return delivered(conn, kit, message, false).await,
        OrderResend::KIND => return delivered(conn, kit, message, true).await,
        GiftSent::KIND => {
            let order = order_of(conn, message).await?;
            let Some(gift) = gifts::find(conn, order.id).await? else { return Ok(None) };
            let access = access_of(kit, &order);
            Content::GiftSent { access, name: gift.name, email: masked_email(&gift.email) }
        }
        OrderAwaitingStock::KIND => return awaiting(conn, kit, message, false).await,
        OrderAwaitingPerson::KIND => return awaiting(conn, kit, message, true).await,
        DeliveryReplaced::KIND => return replaced(conn, kit, message).await,
        ReplacementAwaited::KIND => return replacement_awaited(conn, kit, message).await,
        CaseOpened::KIND => case_opened(conn, message).await?,
        CaseAnswered::KIND => case_answered(conn, kit, message).await?,
        RefundMade::KIND => {
            let access = access_of(kit, &order_of(conn, message).await?);
            Content::RefundMade { access, amount: refund_amount(conn, message).await? }
        }
        RefundFailed::KIND => {
            let access = access_of(kit, &order_of(conn, message).await?);
            Content::RefundFailed { access, amount: refund_amount(conn, message).await? }
        }
        OrderAccessCode::KIND => Content::OrderAccessCode { code: code(Purpose::OrderAccess)? },
        ProveEmail::KIND => Content::EmailCode { code: code(Purpose::ProveEmail)? },
        ConfirmEmail::KIND => Content::ConfirmEmail { code: code(Purpose::ConfirmEmail)? },
        ResetPassword::KIND => Content::PasswordReset { code: code(Purpose::ResetPassword)? },
        EmailTaken::KIND => Content::AlreadyRegistered,
        PasswordChanged::KIND => Content::PasswordChanged,
        TaskOpened::KIND => {
            let Opened { task, kind } = payload(message)?;
            let number = match message.order_id {
                Some(id) => orders::store::find(conn, id).await?.map(|order| order.number),
                None => None,
            };
            Content::TaskOpened { kind, task: task.to_string(), number }
        }
        other => return Err(Fault::bug(format!("no mail text of kind {other}")).into()),
    };
    Ok(Some(content))
}

/// What a message's payload says.
fn payload<P: Record>(message: &Message) -> Result<P, Fault> {
    P::read(&message.payload)
        .ok_or_else(|| Fault::bug(format!("a message of kind {} is not complete", message.kind)))
}

/// The amount that the message is about; what a sum reported may have got another name and amount since.
async fn refund_amount(conn: &mut AsyncPgConnection, message: &Message) -> Outcome<String> {
    let named: Refunded = payload(message)?;
    let (minor, currency) = match (named.amount_minor, named.currency) {
        (Some(minor), Some(currency)) => (minor, currency),
        _ => {
            let refund = read::get_refund(conn, named.refund).await?;
            (refund.amount_minor, refund.currency)
        }
    };
    let money = Money::new(minor, Currency::parse(&currency).map_err(|e| Fault::bug(e.to_string()))?);
    Ok(format!("{} {currency}", money.decimal()))
}

async fn order_of(conn: &mut AsyncPgConnection, message: &Message) -> Result<Order, Fault> {
    let id: OrderId =
        message.order_id.ok_or_else(|| Fault::bug("a message of an order without its order"))?;
    orders::store::find(conn, id).await?.ok_or_else(|| Fault::bug("a message of an order that is not there"))
}

fn access_of(kit: &Kit, order: &Order) -> Access {
    let token = order.user_id.is_none().then(|| access::token(kit, order.id, order.access_generation));
    Access { number: order.number.clone(), token }
}

async fn lines_of(conn: &mut AsyncPgConnection, message: &Message, order: OrderId) -> Outcome<Vec<MailLine>> {
    let only: Vec<Uuid> =
        payload::<Lines>(message)?.lines.unwrap_or_default().iter().map(|id| id.0).collect();
    Ok(read::list_lines(conn, order, &only).await?)
}

async fn delivered(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    message: &Message,
    again: bool,
) -> Outcome<Option<Content>> {
    let order = order_of(conn, message).await?;
    let mut lines = lines_of(conn, message, order.id).await?;
    may_leave(conn, &order, &mut lines).await?;
    as_before(conn, message, &mut lines).await?;
    let lines = goods_of(conn, kit, lines).await?;
    let to_buyer = |access, lines| Content::OrderDelivered { access, lines, again };
    for_whom(conn, kit, &order, lines, again, to_buyer).await
}

/// These goods for their recipient when the order is a gift, else for its buyer in other words.
async fn for_whom(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    order: &Order,
    lines: Vec<DeliveredLine>,
    again: bool,
    to_buyer: impl FnOnce(Access, Vec<DeliveredLine>) -> Content,
) -> Outcome<Option<Content>> {
    if lines.is_empty() {
        return Ok(None);
    }
    let Some(gift) = gifts::find(conn, order.id).await? else {
        return Ok(Some(to_buyer(access_of(kit, order), lines)));
    };
    let token = access::gift_token(kit, order.id, order.access_generation);
    let GiftRow { name, giver, message, .. } = gift;
    Ok(Some(Content::GiftDelivered { name, giver, message, token, lines, again }))
}

/// Leaves the pieces that may leave now.
async fn may_leave(conn: &mut AsyncPgConnection, order: &Order, lines: &mut Vec<MailLine>) -> Outcome<()> {
    let may_leave: Vec<UnitId> = standing::list_standings_of_order(conn, order.id)
        .await?
        .into_iter()
        .filter(|unit| may_hand_over(&unit.of(order)).is_ok())
        .map(|unit| unit.unit.id)
        .collect();
    for line in &mut *lines {
        line.units.retain(|unit| may_leave.contains(unit));
    }
    lines.retain(|line| !line.units.is_empty());
    Ok(())
}

/// Leaves the pieces that were in the first attempt; the first attempt keeps them. A repeat has the same name, and whoever
/// took the first throws it away: what came meanwhile would be lost in it, and has a mail of its own.
async fn as_before(
    conn: &mut AsyncPgConnection,
    message: &Message,
    lines: &mut Vec<MailLine>,
) -> Outcome<()> {
    let payload: Lines = payload(message)?;
    let Some(pieces) = payload.pieces else {
        let pieces = lines.iter().flat_map(|line| line.units.iter().copied()).collect();
        messages::keep(conn, message.id, &Lines { pieces: Some(pieces), ..payload }).await?;
        return Ok(());
    };
    for line in &mut *lines {
        let there = line.units.len();
        line.units.retain(|unit| pieces.contains(unit));
        line.waiting += (there - line.units.len()) as i64;
    }
    lines.retain(|line| !line.units.is_empty());
    Ok(())
}

/// These pieces, with their keys where the mail carries them.
async fn goods_of(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    lines: Vec<MailLine>,
) -> Outcome<Vec<DeliveredLine>> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    // The order is locked: what may leave now is marked before anybody can take it back.
    let in_clear: Vec<UnitId> = lines
        .iter()
        .filter(|l| l.mail_policy == MailPolicy::Key.as_str())
        .flat_map(|l| l.units.iter().copied())
        .collect();
    let mut opened = reveal::open(conn, kit, &in_clear).await?;
    let mailed: Vec<UnitId> = opened.iter().map(|key| key.unit_id).collect();
    if reveal::mark_mailed(conn, &mailed).await? != mailed.len() {
        return Err(Fault::bug("a key of a locked order was taken back").into());
    }
    let goods = lines
        .into_iter()
        .map(|line| {
            let (own, rest): (Vec<_>, Vec<_>) =
                std::mem::take(&mut opened).into_iter().partition(|key| line.units.contains(&key.unit_id));
            opened = rest;
            let mut own = own;
            own.sort_by_key(|key| line.units.iter().position(|unit| *unit == key.unit_id));
            DeliveredLine {
                id: line.id,
                title: full_title(&line),
                kind: line.kind,
                on_the_page: line.units.len() - own.len(),
                keys: own.into_iter().map(|key| key.text).collect(),
                files: Vec::new(),
                waiting: line.waiting,
            }
        })
        .collect();
    Ok(goods)
}

/// The lines of the pieces that the message is about, with those pieces alone.
async fn lines_of_pieces(
    conn: &mut AsyncPgConnection,
    message: &Message,
    order: OrderId,
) -> Outcome<Vec<MailLine>> {
    let Pieces { pieces } = payload(message)?;
    let mut lines = read::list_lines(conn, order, &[]).await?;
    for line in &mut lines {
        line.units.retain(|unit| pieces.contains(unit));
        line.waiting = 0;
    }
    lines.retain(|line| !line.units.is_empty());
    Ok(lines)
}

async fn replaced(conn: &mut AsyncPgConnection, kit: &Kit, message: &Message) -> Outcome<Option<Content>> {
    let order = order_of(conn, message).await?;
    let mut lines = lines_of_pieces(conn, message, order.id).await?;
    may_leave(conn, &order, &mut lines).await?;
    let lines = goods_of(conn, kit, lines).await?;
    let to_buyer = |access, lines| Content::DeliveryReplaced { access, lines };
    for_whom(conn, kit, &order, lines, true, to_buyer).await
}

async fn replacement_awaited(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    message: &Message,
) -> Outcome<Option<Content>> {
    let order = order_of(conn, message).await?;
    let mut lines = lines_of_pieces(conn, message, order.id).await?;
    // What came before the mail left is in the other mail.
    let waiting: Vec<UnitId> = standing::list_standings_of_order(conn, order.id)
        .await?
        .into_iter()
        .filter(|unit| unit.unit.state.is_waiting())
        .map(|unit| unit.unit.id)
        .collect();
    for line in &mut lines {
        line.units.retain(|unit| waiting.contains(unit));
    }
    lines.retain(|line| !line.units.is_empty());
    let lines: Vec<(String, i64)> =
        lines.iter().map(|line| (full_title(line), line.units.len() as i64)).collect();
    Ok((!lines.is_empty()).then(|| Content::ReplacementAwaited { access: access_of(kit, &order), lines }))
}

/// What is called as the line of a case is.
async fn title_of(conn: &mut AsyncPgConnection, case: &CaseRow) -> Outcome<String> {
    let lines = read::list_lines(conn, case.order_id, &[case.line_id.0]).await?;
    Ok(lines.first().map(full_title).unwrap_or_default())
}

async fn case_of(conn: &mut AsyncPgConnection, id: CaseId) -> Outcome<CaseRow> {
    Ok(cases::read::find(conn, id)
        .await?
        .ok_or_else(|| Fault::bug("a message of a case that is not there"))?)
}

async fn case_opened(conn: &mut AsyncPgConnection, message: &Message) -> Outcome<Content> {
    let OfCase { case } = payload(message)?;
    let (case, number) = (case_of(conn, case).await?, order_of(conn, message).await?.number);
    Ok(Content::CaseOpened {
        number,
        case: case.id.to_string(),
        title: title_of(conn, &case).await?,
        problem: case.problem,
        wish: case.wish,
        text: case.text,
    })
}

async fn case_answered(conn: &mut AsyncPgConnection, kit: &Kit, message: &Message) -> Outcome<Content> {
    let OfAnswer { case, answer } = payload(message)?;
    let (case, order) = (case_of(conn, case).await?, order_of(conn, message).await?);
    let answer = cases::read::find_answer(conn, answer).await?;
    let answer = answer.ok_or_else(|| Fault::bug("a message of an answer that is not there"))?;
    let title = title_of(conn, &case).await?;
    Ok(Content::CaseAnswered {
        access: access_of(kit, &order),
        title,
        action: answer.action,
        text: answer.text,
    })
}

/// What waits for stock or a supplier, or what waits for a person: never one in the text of the other.
async fn awaiting(
    conn: &mut AsyncPgConnection,
    kit: &Kit,
    message: &Message,
    by_person: bool,
) -> Outcome<Option<Content>> {
    let order = order_of(conn, message).await?;
    let lines = lines_of(conn, message, order.id).await?;
    let count = |line: &MailLine| if by_person { line.by_person } else { line.waiting - line.by_person };
    let waiting: Vec<(String, i64)> =
        lines.iter().map(|l| (full_title(l), count(l))).filter(|(_, count)| *count > 0).collect();
    // The goods came before the mail left: the other mail reports it.
    if waiting.is_empty() {
        return Ok(None);
    }
    let access = access_of(kit, &order);
    Ok(Some(match by_person {
        false => Content::OrderAwaitingStock { access, lines: waiting },
        true => Content::OrderAwaitingPerson { access, lines: waiting },
    }))
}

/// A part is named after its bundle.
fn full_title(line: &MailLine) -> String {
    let own = match line.variant_title.is_empty() || line.variant_title == line.title {
        true => line.title.clone(),
        false => format!("{} – {}", line.title, line.variant_title),
    };
    line.bundle_title.as_ref().map(|bundle| format!("{bundle}: {own}")).unwrap_or(own)
}

/// Adds the links to the files of the content's lines. They are made outside the attempt's transaction, and are the
/// same on attempts within a day.
pub async fn add_files(kit: &Kit, message: &Message, content: &mut Content) -> Outcome<()> {
    let (Content::OrderDelivered { lines, .. } | Content::GiftDelivered { lines, .. }, Some(order)) =
        (content, message.order_id)
    else {
        return Ok(());
    };
    if lines.iter().all(|line| line.on_the_page == 0) {
        return Ok(());
    }
    let links = delivery::link::claim_links(kit, order).await?;
    let grants = read::list_grant_lines(&mut *kit.db.conn().await?, order).await?;
    for link in links {
        let line = grants.iter().find(|g| g.id == link.grant_id).map(|g| g.line_id);
        if let Some(line) = lines.iter_mut().find(|l| Some(l.id) == line) {
            let url = Secret::new(link.url);
            line.files.push(FileLink { name: link.file.name, url, expires_at: link.expires_at });
        }
    }
    Ok(())
}
