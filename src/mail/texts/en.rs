//! English.

use crate::base::secret::Secret;
use crate::base::text::Locale;
use crate::config::Shop;
use crate::delivery::cases::CaseAction;
use crate::mail::facts::{Access, Content, DeliveredLine};
use crate::mail::texts::wording::{Delivered, File, Manner, Part, Wording};
use crate::mail::texts::{line, unlinked};

pub(super) const MANNER: Manner = Manner { hello: "Hello,", help: "Help", download: "Download", colon: ": " };

pub(super) fn wording(shop: &Shop, content: &Content) -> Wording {
    let name = line(&shop.name);
    let (subject, parts) = match content {
        Content::OrderDelivered { access, lines, again } => {
            let number = &access.number;
            let subject = match again {
                false => format!("Your order {number}: here is what you bought"),
                true => format!("Your order {number}, sent again as you asked"),
            };
            let mut parts = vec![Part::words(format!("Thank you for your order {number}."))];
            parts.extend(lines.iter().map(delivered));
            (subject, with_way_back(parts, access))
        }
        Content::GiftDelivered { name: to, giver, message, token, lines, again } => {
            let subject = match again {
                false => format!("A gift for you, from {name}"),
                true => format!("Your gift from {name}, sent again"),
            };
            let giver = giver.as_deref().map_or("Somebody".into(), |giver| unlinked(&line(giver)));
            let to = unlinked(&line(to));
            let mut parts =
                vec![Part::words(format!("{giver} has bought a gift for {to} at {name}. It is yours now."))];
            if let Some(message) = message {
                parts.push(Part::words("With it come these words, which are the giver's and not ours:"));
                parts.push(Part::Quote(message.clone()));
            }
            parts.extend(lines.iter().map(delivered));
            parts.push(Part::words(
                "You reach your gift at any time with this token. Whoever has it sees the gift, so keep it to yourself. We \
                 ask you for nothing: no payment, no password.",
            ));
            parts.push(Part::Facts(vec![("Gift token", token.clone())]));
            (subject, parts)
        }
        Content::GiftSent { access, name: to, email } => {
            let number = &access.number;
            let parts = vec![Part::words(format!(
                "The gift of your order {number} has been mailed to {} ({email}). Its recipient alone sees the goods.",
                unlinked(&line(to))
            ))];
            (format!("Your order {number}: your gift is on its way"), with_way_back(parts, access))
        }
        Content::OrderAwaitingStock { access, lines } => {
            let number = &access.number;
            let parts = vec![
                Part::words(format!(
                    "We have received your payment for order {number}. Part of it is out of stock at the moment:"
                )),
                waiting(lines),
                Part::words(
                    "Your place in the queue is kept. We send you another mail as soon as it is there; you need to do \
                     nothing.",
                ),
            ];
            (format!("Your order {number}: paid, and waiting for stock"), with_way_back(parts, access))
        }
        Content::OrderAwaitingPerson { access, lines } => {
            let number = &access.number;
            let parts = vec![
                Part::words(format!(
                    "We have received your payment for order {number}. Part of it could not be delivered automatically, \
                     and a person of our staff has to look at it:"
                )),
                waiting(lines),
                Part::words(
                    "They have been notified. We send you another mail as soon as it is there; you need to do nothing.",
                ),
            ];
            (
                format!("Your order {number}: paid, and our staff is looking after it"),
                with_way_back(parts, access),
            )
        }
        Content::DeliveryReplaced { access, lines } => {
            let number = &access.number;
            let mut parts = vec![Part::words(format!(
                "Here is the replacement for part of your order {number}. What you had before in its place is not valid any \
                 more."
            ))];
            parts.extend(lines.iter().map(delivered));
            (format!("Your order {number}: here is your replacement"), with_way_back(parts, access))
        }
        Content::ReplacementAwaited { access, lines } => {
            let number = &access.number;
            let note =
                |(title, count): &(String, i64)| (title.clone(), format!(" (to be replaced: {count})"));
            let parts = vec![
                Part::words(format!("Part of your order {number} is being replaced:")),
                Part::Waiting(lines.iter().map(note).collect()),
                Part::words(
                    "The replacement is not there yet; what you had before in its place is not valid any more. Your place in \
                     the queue is that of your payment. We send you another mail as soon as it is there; you need to do \
                     nothing.",
                ),
            ];
            (format!("Your order {number}: your replacement is on its way"), with_way_back(parts, access))
        }
        Content::CaseOpened { number, case, title, problem, wish, text } => {
            let fact = |text: &str| Secret::new(text);
            let mut parts = vec![
                Part::words("A buyer reports that something you sold does not work."),
                Part::Facts(vec![
                    ("Product", fact(title)),
                    ("Order", fact(number)),
                    ("Problem", fact(problem)),
                    ("Wish", fact(wish)),
                    ("Case", fact(case)),
                ]),
            ];
            parts.extend(text.as_deref().map(|text| Part::Quote(text.to_owned())));
            parts.push(Part::words(
                "Please answer it on your cases page. What stays unanswered is put before the shop's staff.",
            ));
            (format!("Order {number}: a buyer reports a problem"), parts)
        }
        Content::CaseAnswered { access, title, action, text } => {
            let number = &access.number;
            let done = match action {
                CaseAction::Replace => "It is replaced; the replacement comes in a mail of its own.",
                CaseAction::Refund => {
                    "Your money for it goes back to you; another mail reports when it was sent."
                }
                CaseAction::Reject => "Nothing was changed.",
                CaseAction::Help => "If this does not help, report it again on your order's page.",
            };
            let parts = vec![
                Part::words(format!(
                    "Here is the answer to what you reported about {} in your order {number}:",
                    line(title)
                )),
                Part::Quote(text.clone()),
                Part::words(done),
            ];
            (format!("Your order {number}: the answer to your report"), with_way_back(parts, access))
        }
        Content::RefundMade { access, amount } => {
            let number = &access.number;
            let parts = vec![Part::words(format!(
                "We have refunded {amount} of your order {number}. It goes back the way you paid; depending on the \
                 payment method it takes some days to arrive. What was refunded can no longer be used."
            ))];
            (format!("Your order {number}: {amount} refunded"), with_way_back(parts, access))
        }
        Content::RefundFailed { access, amount } => {
            let number = &access.number;
            let parts = vec![Part::words(format!(
                "The refund of {amount} for your order {number}, of which we wrote to you, did not go through: the bank \
                 or payment service sent the money back to us. Nothing is lost. We look for another way to return it to \
                 you; if your card or account has changed, please tell us."
            ))];
            (
                format!("Your order {number}: the refund of {amount} did not go through"),
                with_way_back(parts, access),
            )
        }
        Content::OrderAccessCode { code } => (
            format!("Your code for your orders at {name}"),
            coded(
                "With this code you reach the orders placed with this address:",
                code,
                &warning("30 minutes"),
            ),
        ),
        Content::EmailCode { code } => (
            format!("Your code to order at {name}"),
            coded(
                "With this code you prove that this address is yours when you order:",
                code,
                &warning("a short time"),
            ),
        ),
        Content::ConfirmEmail { code } => (
            format!("Confirm your address for {name}"),
            coded(
                "With this code you confirm that this address is yours:",
                code,
                "If you did not register, do nothing, and tell nobody the code: it would confirm somebody else's \
                 password.",
            ),
        ),
        Content::AlreadyRegistered => (
            format!("You already have an account at {name}"),
            vec![Part::words(
                "Somebody, perhaps you, tried to register with this address. You already have an account: sign in, or \
                 ask for a new password if you have forgotten yours. Nothing was changed.",
            )],
        ),
        Content::PasswordReset { code } => (
            format!("Your code for a new password at {name}"),
            coded("With this code you choose a new password:", code, &warning("a short time")),
        ),
        Content::PasswordChanged => (
            format!("Your password at {name} was changed"),
            vec![Part::words(
                "The password of your account was changed, and other devices were signed out. If this was not you, ask \
                 for a new password at once.",
            )],
        ),
        Content::TaskOpened { kind, task, number } => {
            let mut facts = vec![("Kind", Secret::new(kind.as_str())), ("Task", Secret::new(task.as_str()))];
            facts.extend(number.as_ref().map(|number| ("Order", Secret::new(number.as_str()))));
            let parts = vec![
                Part::words("Something came up that only a person can end."),
                Part::Facts(facts),
                Part::words("The same trouble is not mailed about again while this task is open."),
            ];
            (format!("A task needs a person: {}", line(kind)), parts)
        }
    };
    Wording { subject, parts }
}

fn coded(words: &str, code: &Secret, warning: &str) -> Vec<Part> {
    vec![Part::words(words), Part::Code(code.clone()), Part::words(warning)]
}

fn waiting(lines: &[(String, i64)]) -> Part {
    let note = |(title, count): &(String, i64)| (title.clone(), format!(" (still to come: {count})"));
    Part::Waiting(lines.iter().map(note).collect())
}

fn delivered(item: &DeliveredLine) -> Part {
    let files = item.files.iter().map(|file| File {
        name: file.name.clone(),
        url: file.url.clone(),
        until: format!("(works until {})", file.expires_at.format("%Y-%m-%d %H:%M UTC")),
    });
    let mut notes = Vec::new();
    if item.on_the_page > 0 && item.files.is_empty() {
        notes.push("Ready for you on its page.".to_owned());
    }
    if item.waiting > 0 {
        notes.push(format!("Still to come: {}", item.waiting));
    }
    Part::Goods(Delivered {
        title: item.title.clone(),
        label: item.label(Locale::En),
        keys: item.keys.clone(),
        files: files.collect(),
        notes,
    })
}

fn with_way_back(mut parts: Vec<Part>, access: &Access) -> Vec<Part> {
    match &access.token {
        Some(token) => {
            parts.push(Part::words(
                "You reach this order at any time with its number and this access token. Whoever has it sees what you \
                 bought, so keep it to yourself.",
            ));
            let number = Secret::new(access.number.as_str());
            parts.push(Part::Facts(vec![("Order", number), ("Token", token.clone())]));
        }
        None => parts.push(Part::words(format!(
            "You find order {} under your orders when you are signed in.",
            access.number
        ))),
    }
    parts
}

fn warning(time: &str) -> String {
    format!("It works for {time}. If you did not ask for it, do nothing, and tell nobody the code.")
}
