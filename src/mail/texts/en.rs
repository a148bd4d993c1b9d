//! English.

use crate::base::text::Locale;
use crate::config::Shop;
use crate::delivery::cases::CaseAction;
use crate::mail::facts::{Access, Content, DeliveredLine};
use crate::mail::texts::{Text, line};

pub(super) fn text(shop: &Shop, content: &Content) -> Text {
    let name = line(&shop.name);
    let (subject, body) = match content {
        Content::OrderDelivered { access, lines, again } => {
            let number = &access.number;
            let subject = match again {
                false => format!("Your order {number}: here is what you bought"),
                true => format!("Your order {number}, sent again as you asked"),
            };
            let goods: String = lines.iter().map(delivered).collect();
            (subject, format!("thank you for your order {number}.\n\n{goods}{}", way_back(access)))
        }
        Content::OrderAwaitingStock { access, lines } => {
            let number = &access.number;
            let waiting: String =
                lines.iter().map(|(title, count)| format!("  {} (still to come: {count})\n", line(title))).collect();
            let body = format!(
                "we have received your payment for order {number}. Part of it is out of stock at the moment:\n\n\
                 {waiting}\nYour place in the queue is kept. We send you another mail as soon as it is there; you \
                 need to do nothing.\n\n{}",
                way_back(access)
            );
            (format!("Your order {number}: paid, and waiting for stock"), body)
        }
        Content::OrderAwaitingPerson { access, lines } => {
            let number = &access.number;
            let waiting: String =
                lines.iter().map(|(title, count)| format!("  {} (still to come: {count})\n", line(title))).collect();
            let body = format!(
                "we have received your payment for order {number}. Part of it could not be delivered automatically, \
                 and a person of our staff has to look at it:\n\n\
                 {waiting}\nThey have been notified. We send you another mail as soon as it is there; you need to do \
                 nothing.\n\n{}",
                way_back(access)
            );
            (format!("Your order {number}: paid, and our staff is looking after it"), body)
        }
        Content::DeliveryReplaced { access, lines } => {
            let number = &access.number;
            let goods: String = lines.iter().map(delivered).collect();
            let body = format!(
                "here is the replacement for part of your order {number}. What you had before in its place is not valid \
                 any more.\n\n{goods}{}",
                way_back(access)
            );
            (format!("Your order {number}: here is your replacement"), body)
        }
        Content::ReplacementAwaited { access, lines } => {
            let number = &access.number;
            let waiting: String =
                lines.iter().map(|(title, count)| format!("  {} (to be replaced: {count})\n", line(title))).collect();
            let body = format!(
                "part of your order {number} is being replaced:\n\n{waiting}\nThe replacement is not there yet; what you \
                 had before in its place is not valid any more. Your place in the queue is that of your payment. We send \
                 you another mail as soon as it is there; you need to do nothing.\n\n{}",
                way_back(access)
            );
            (format!("Your order {number}: your replacement is on its way"), body)
        }
        Content::CaseOpened { number, case, title, problem, wish, text } => {
            let words = text.as_deref().map(|text| format!("\n{}\n", quoted(text))).unwrap_or_default();
            let body = format!(
                "a buyer reports that something you sold does not work.\n\n  Product: {}\n  Order:   {number}\n  \
                 Problem: {}\n  Wish:    {}\n  Case:    {case}\n{words}\nPlease answer it on your cases page. What \
                 stays unanswered is put before the shop's staff.\n\n",
                line(title),
                line(problem),
                line(wish)
            );
            (format!("Order {number}: a buyer reports a problem"), body)
        }
        Content::CaseAnswered { access, title, action, text } => {
            let number = &access.number;
            let done = match action {
                CaseAction::Replace => "It is replaced; the replacement comes in a mail of its own.",
                CaseAction::Refund => "Your money for it goes back to you; another mail reports when it was sent.",
                CaseAction::Reject => "Nothing was changed.",
                CaseAction::Help => "If this does not help, report it again on your order's page.",
            };
            let body = format!(
                "here is the answer to what you reported about {} in your order {number}:\n\n{}\n\n{done}\n\n{}",
                line(title),
                quoted(text),
                way_back(access)
            );
            (format!("Your order {number}: the answer to your report"), body)
        }
        Content::RefundMade { access, amount } => {
            let number = &access.number;
            let body = format!(
                "we have refunded {amount} of your order {number}. It goes back the way you paid; depending on \
                 the payment method it takes some days to arrive. What was refunded can no longer be used.\n\n{}",
                way_back(access)
            );
            (format!("Your order {number}: {amount} refunded"), body)
        }
        Content::RefundFailed { access, amount } => {
            let number = &access.number;
            let body = format!(
                "the refund of {amount} for your order {number}, of which we wrote to you, did not go through: the bank \
                 or payment service sent the money back to us. Nothing is lost. We look for another way to return it \
                 to you; if your card or account has changed, please tell us.\n\n{}",
                way_back(access)
            );
            (format!("Your order {number}: the refund of {amount} did not go through"), body)
        }
        Content::OrderAccessCode { code } => (
            format!("Your code for your orders at {name}"),
            format!(
                "with this code you reach the orders placed with this address:\n\n  {}\n\n{}",
                code.expose(),
                warning("30 minutes")
            ),
        ),
        Content::EmailCode { code } => (
            format!("Your code to order at {name}"),
            format!(
                "with this code you prove that this address is yours when you order:\n\n  {}\n\n{}",
                code.expose(),
                warning("a short time")
            ),
        ),
        Content::ConfirmEmail { code } => (
            format!("Confirm your address for {name}"),
            format!(
                "with this code you confirm that this address is yours:\n\n  {}\n\nIf you did not register, do \
                 nothing, and tell nobody the code: it would confirm somebody else's password.\n\n",
                code.expose()
            ),
        ),
        Content::AlreadyRegistered => (
            format!("You already have an account at {name}"),
            "somebody, perhaps you, tried to register with this address. You already have an account: sign in, or \
             ask for a new password if you have forgotten yours. Nothing was changed.\n\n"
                .into(),
        ),
        Content::PasswordReset { code } => (
            format!("Your code for a new password at {name}"),
            format!(
                "with this code you choose a new password:\n\n  {}\n\n{}",
                code.expose(),
                warning("a short time")
            ),
        ),
        Content::PasswordChanged => (
            format!("Your password at {name} was changed"),
            "the password of your account was changed, and other devices were signed out. If this was not you, ask \
             for a new password at once.\n\n"
                .into(),
        ),
        Content::TaskOpened { kind, task, number } => {
            let order = number.as_ref().map(|n| format!("  Order:   {n}\n")).unwrap_or_default();
            (
                format!("A task needs a person: {}", line(kind)),
                format!(
                    "something came up that only a person can end.\n\n  Kind:    {}\n  Task:    {}\n{order}\n\
                     The same trouble is not mailed about again while this task is open.\n\n",
                    line(kind),
                    line(task)
                ),
            )
        }
    };
    Text { subject, body: format!("Hello,\n\n{body}{}", greeting(shop)) }
}

fn delivered(item: &DeliveredLine) -> String {
    let mut text = format!("{}\n", line(&item.title));
    let label = item.label(Locale::En);
    for key in &item.keys {
        text.push_str(&format!("  {label}: {}\n", key.expose()));
    }
    for file in &item.files {
        let until = file.expires_at.format("%Y-%m-%d %H:%M UTC");
        text.push_str(&format!("  {}\n  {}\n  (works until {until})\n", line(&file.name), file.url.expose()));
    }
    if item.on_the_page > 0 && item.files.is_empty() {
        text.push_str("  Ready for you on your order's page.\n");
    }
    if item.waiting > 0 {
        text.push_str(&format!("  Still to come: {}\n", item.waiting));
    }
    text.push('\n');
    text
}

/// People's own words, set apart so that they cannot pretend to be a part of the mail.
fn quoted(text: &str) -> String {
    text.lines().map(|words| format!("  | {}", line(words))).collect::<Vec<_>>().join("\n")
}

fn way_back(access: &Access) -> String {
    match &access.token {
        Some(token) => format!(
            "You reach this order at any time with its number and this access token. Whoever has it sees what you \
             bought, so keep it to yourself.\n\n  Order: {}\n  Token: {}\n\n",
            access.number,
            token.expose()
        ),
        None => format!("You find order {} under your orders when you are signed in.\n\n", access.number),
    }
}

fn warning(time: &str) -> String {
    format!("It works for {time}. If you did not ask for it, do nothing, and tell nobody the code.\n\n")
}

fn greeting(shop: &Shop) -> String {
    let help = shop.support_email.as_ref().map(|a| format!("\nHelp: {a}")).unwrap_or_default();
    format!("-- \n{}{help}\n", line(&shop.name))
}
