//! Why an order is not all delivered: in one sentence, with what is known of when that changes, and where the buyer can do
//! something about it. A time is given only where the program itself acts then, or the seller named it.

use async_graphql::Context;
use chrono::{DateTime, Utc};

use crate::base::text::Locale;
use crate::fulfilment::read::ExpectedGoods;
use crate::graphql::context::{ContextExt, GraphqlBackend};
use crate::graphql::error::Answer;
use crate::graphql::loaders;
use crate::graphql::orders::load::{Whole, WholeLine};
use crate::graphql::orders::stage::{self, OrderStage};
use crate::graphql::payments::types::Explanation;
use crate::graphql::scalars::Url;
use crate::mail::read::{MailTrouble, TroubleKind};
use crate::orders::access::AccessLevel;
use crate::orders::{OrderState, UnitState};
use crate::payments::attempts::hosted;
use crate::payments::{Payment, PaymentState};

/// What waits, in words.
struct Reason {
    code: &'static str,
    message: String,
}

/// What a buyer can do about it.
enum Remedy {
    Pay,
    /// Look at the order's page in the shop.
    Look,
    /// Write to the shop.
    Ask,
    Nothing,
}

/// Why an order is not all delivered, and why its mail did not arrive.
pub async fn of_order(ctx: &Context<'_>, whole: &Whole) -> Answer<Option<Explanation>> {
    let lines: Vec<_> = whole.lines.iter().collect();
    if let Some(explained) = of_lines(ctx, whole, &lines).await? {
        return Ok(Some(explained));
    }
    if let Some(explained) = unpaid(ctx, whole) {
        return Ok(Some(explained));
    }
    if !whole.lines.iter().flat_map(|l| &l.units).any(|unit| unit.state.is_delivered()) {
        return Ok(None);
    }
    let Some(trouble) = loaders::mail_trouble(ctx, whole.order.id).await? else { return Ok(None) };
    let reason = mail(&trouble, whole.gift.is_some(), ctx.locale());
    Ok(Some(explain(ctx, whole, reason, trouble.next_at)))
}

/// Why some lines of a paid order are not all delivered.
pub async fn of_lines(ctx: &Context<'_>, whole: &Whole, lines: &[&WholeLine]) -> Answer<Option<Explanation>> {
    let Some((reason, state)) = why_not(whole, lines, ctx.locale()) else { return Ok(None) };
    let mut expected = None;
    if let Some(state @ (UnitState::AwaitingStock | UnitState::AwaitingSupplier)) = state {
        let now = ctx.backend().clock.now();
        let ours = |goods: &&ExpectedGoods| {
            goods.state == state && lines.iter().any(|line| line.line.id == goods.line_id)
        };
        let known = loaders::expected_goods(ctx, whole.order.id).await?;
        expected = known.iter().filter(ours).map(|goods| goods.at).filter(|at| *at > now).min();
    }
    Ok(Some(explain(ctx, whole, reason, expected)))
}

fn explain(ctx: &Context<'_>, whole: &Whole, reason: Reason, expected: Option<DateTime<Utc>>) -> Explanation {
    let backend = ctx.backend();
    let action_url = match remedy(reason.code) {
        Remedy::Pay => pay_page(backend, whole).or_else(|| order_page(backend, whole)),
        Remedy::Look => order_page(backend, whole).or_else(|| contact(backend)),
        Remedy::Ask => contact(backend),
        Remedy::Nothing => None,
    };
    Explanation {
        code: reason.code.into(),
        message: reason.message,
        expected_at: expected.map(Into::into),
        action_url,
    }
}

fn remedy(code: &str) -> Remedy {
    match code {
        "AWAITING_PAYMENT" => Remedy::Pay,
        "MAIL_DELAYED" | "MAIL_BOUNCED" | "MAIL_NOT_SENT" => Remedy::Look,
        "PAYMENT_NEEDS_ATTENTION" | "PAYMENT_DISPUTED" | "AWAITING_PERSON" | "IN_REVIEW" => Remedy::Ask,
        _ => Remedy::Nothing,
    }
}

/// The shop's own page of an order; it shows nothing that its reader has no right to.
fn order_page(backend: &GraphqlBackend, whole: &Whole) -> Option<Url> {
    backend.config.shop.order_page(&whole.order.number).map(Url)
}

fn contact(backend: &GraphqlBackend) -> Option<Url> {
    backend.config.shop.contact().map(Url)
}

/// The page on which the payment goes on that was started last. Who has a watch ticket alone does not pay.
fn pay_page(backend: &GraphqlBackend, whole: &Whole) -> Option<Url> {
    if whole.access_level < AccessLevel::Buyer || !stage::can_pay(whole, backend.clock.now()) {
        return None;
    }
    let goes_on = |p: &&Payment| p.state.is_open() && p.action.is_some();
    let payment = whole.payments.iter().rev().find(goes_on)?;
    Some(Url(hosted::url(&backend.payments, payment.id)))
}

fn say(locale: Locale, english: &str, chinese: &str) -> String {
    match locale {
        Locale::En => english.into(),
        Locale::Zh => chinese.into(),
    }
}

/// An order that is to be paid.
fn unpaid(ctx: &Context<'_>, whole: &Whole) -> Option<Explanation> {
    let locale = ctx.locale();
    match stage::of(whole) {
        OrderStage::AwaitingPayment if whole.order.total_minor > 0 => {
            let message = say(locale, "This order is not paid yet.", "该订单尚未付款。");
            Some(explain(ctx, whole, Reason { code: "AWAITING_PAYMENT", message }, None))
        }
        OrderStage::ConfirmingPayment => {
            let message = say(
                locale,
                "The payment is being confirmed. Please do not pay again.",
                "付款正在确认中，请勿重复付款。",
            );
            let now = ctx.backend().clock.now();
            let confirming = whole.payments.iter().filter(|p| p.state.is_confirming());
            let asked = confirming.filter_map(|p| p.next_check_at);
            let asked = asked.filter(|at| *at > now).min();
            Some(explain(ctx, whole, Reason { code: "CONFIRMING_PAYMENT", message }, asked))
        }
        _ => None,
    }
}

/// Everything is delivered, but the mail with the goods did not arrive.
fn mail(trouble: &MailTrouble, gift: bool, locale: Locale) -> Reason {
    let code = match trouble.kind {
        TroubleKind::Delayed => "MAIL_DELAYED",
        TroubleKind::Bounced => "MAIL_BOUNCED",
        TroubleKind::NotSent => "MAIL_NOT_SENT",
    };
    let (english, chinese) = match (trouble.kind, gift) {
        (TroubleKind::Delayed, true) => (
            "The mail with the gift could not be sent yet. It is tried again.",
            "发送礼物的邮件暂未发出，系统会自动重试。",
        ),
        (TroubleKind::Delayed, false) => (
            "The mail with the goods could not be sent yet. They are on this page; the mail is tried again.",
            "发送商品的邮件暂未发出，系统会自动重试。您可以在本页查看商品。",
        ),
        (_, true) => (
            "The mail with the gift did not arrive. Our staff is looking at it and corrects the address.",
            "发送礼物的邮件未能送达，工作人员正在处理并会更正邮箱地址。",
        ),
        (TroubleKind::Bounced, false) => (
            "The mail with the goods came back. They are on this page; our staff corrects the address.",
            "发送商品的邮件被退回。您可以在本页查看商品，工作人员会更正邮箱地址。",
        ),
        (TroubleKind::NotSent, false) => (
            "The mail with the goods could not be sent. They are on this page; our staff is looking at it.",
            "发送商品的邮件未能发出。您可以在本页查看商品，工作人员正在处理。",
        ),
    };
    Reason { code, message: say(locale, english, chinese) }
}

/// Why what was paid for is not all delivered, with the state of what is missing where that is the reason.
fn why_not(whole: &Whole, lines: &[&WholeLine], locale: Locale) -> Option<(Reason, Option<UnitState>)> {
    let because =
        |code, english, chinese| Some((Reason { code, message: say(locale, english, chinese) }, None));
    if !whole.order.state.is_paid() {
        if whole.order.state == OrderState::Cancelled || !stage::holds_money(whole) {
            return None;
        }
        return because(
            "PAYMENT_NEEDS_ATTENTION",
            "Your money has arrived, but not as this order asks for it. Our staff is looking at it; please do not \
             pay again.",
            "款项已收到，但与订单要求不符。工作人员正在处理，请勿重复付款。",
        );
    }
    if whole.payments.iter().any(|p| p.allocated && p.state == PaymentState::Disputed) {
        return because(
            "PAYMENT_DISPUTED",
            "The payment is disputed. Nothing can be delivered until that is decided.",
            "该笔付款存在争议，处理完成前无法交付。",
        );
    }
    let waiting = |line: &WholeLine| {
        let states = line.units.iter().map(|unit| unit.state).filter(|state| state.is_waiting());
        UnitState::of_line(states.chain([UnitState::Cancelled]))
    };
    let worst = UnitState::of_line(lines.iter().map(|line| waiting(line)));
    let (code, english, chinese) = match worst {
        UnitState::AwaitingPerson => {
            ("AWAITING_PERSON", "Our staff is looking after this delivery.", "工作人员正在处理此次交付。")
        }
        UnitState::AwaitingSupplier => {
            ("AWAITING_SUPPLIER", "We are waiting for our supplier.", "正在等待供应商。")
        }
        UnitState::AwaitingStock => (
            "AWAITING_STOCK",
            "This has just sold out. It will be delivered as soon as new stock arrives.",
            "该商品刚刚售罄，到货后将自动交付。",
        ),
        // Settling a payment leaves no unit as it was, unless the order is under review.
        UnitState::Unassigned => (
            "IN_REVIEW",
            "Our staff looks at this order before it is delivered.",
            "工作人员将在交付前核对此订单。",
        ),
        _ => return None,
    };
    // Where only parts of bundles are missing, the buyer reads which.
    let missing = || lines.iter().filter(|line| waiting(line) == worst);
    let message = match missing().all(|line| line.line.parent_line_id.is_some()) {
        true => {
            let titles: Vec<&str> = missing().map(|line| line.line.title.as_str()).collect();
            format!("{}: {}", titles.join(", "), say(locale, english, chinese))
        }
        false => say(locale, english, chinese),
    };
    Some((Reason { code, message }, Some(worst)))
}
