use chrono::DateTime;
use dispense::base::ids::LineId;
use dispense::base::secret::Secret;
use dispense::base::text::Locale;
use dispense::config::Shop;
use dispense::delivery::cases::CaseAction;
use dispense::mail::{Access, Content, DeliveredLine, FileLink, texts};

fn access(token: bool) -> Access {
    Access { number: "D7K2M9".into(), token: token.then(|| Secret::new("oat_0123")) }
}

fn contents() -> Vec<(&'static str, Content)> {
    let line = |title: &str, keys: &[&str]| DeliveredLine {
        id: LineId(uuid::Uuid::nil()),
        kind: "key".into(),
        title: title.into(),
        keys: keys.iter().map(|k| Secret::new(*k)).collect(),
        files: Vec::new(),
        on_the_page: 0,
        waiting: 0,
    };
    let file = FileLink {
        name: "manual.pdf".into(),
        url: Secret::new("https://shop.example/claims/v1.l1.abc"),
        expires_at: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
    };
    let lines = vec![
        DeliveredLine { waiting: 2, ..line("Photo Editor – Pro", &["AAAA-1111", "BBBB-2222"]) },
        DeliveredLine { files: vec![file], on_the_page: 1, ..line("Handbook", &[]) },
        DeliveredLine { on_the_page: 3, ..line("Sold by link\r\nBcc: x", &[]) },
    ];
    let code = || Secret::new("7GK2M-9QXTB");
    let answered = |action| Content::CaseAnswered {
        access: access(true),
        title: "Game".into(),
        action,
        text: "Type it without the dashes.".into(),
    };
    vec![
        ("order_delivered", Content::OrderDelivered { access: access(true), lines, again: false }),
        (
            "order_resend",
            Content::OrderDelivered {
                access: access(false),
                lines: vec![line("Game", &["CCCC"])],
                again: true,
            },
        ),
        (
            "order_awaiting_stock",
            Content::OrderAwaitingStock { access: access(true), lines: vec![("Game".into(), 3)] },
        ),
        (
            "order_awaiting_person",
            Content::OrderAwaitingPerson { access: access(true), lines: vec![("Handbook".into(), 2)] },
        ),
        (
            "delivery_replaced",
            Content::DeliveryReplaced { access: access(true), lines: vec![line("Game", &["DDDD"])] },
        ),
        (
            "delivery_replacement_awaited",
            Content::ReplacementAwaited { access: access(false), lines: vec![("Game".into(), 1)] },
        ),
        (
            "case_opened",
            Content::CaseOpened {
                number: "D7K2M9".into(),
                case: "cas_1".into(),
                title: "Game".into(),
                problem: "already_used".into(),
                wish: "replace".into(),
                text: Some("It says:\r\nBcc: x".into()),
            },
        ),
        ("case_replaced", answered(CaseAction::Replace)),
        ("case_refunded", answered(CaseAction::Refund)),
        ("case_rejected", answered(CaseAction::Reject)),
        ("case_helped", answered(CaseAction::Help)),
        ("refund_made", Content::RefundMade { access: access(false), amount: "12.50 EUR".into() }),
        ("order_access_code", Content::OrderAccessCode { code: code() }),
        ("prove_email", Content::EmailCode { code: code() }),
        ("confirm_email", Content::ConfirmEmail { code: code() }),
        ("already_registered", Content::AlreadyRegistered),
        ("password_reset", Content::PasswordReset { code: code() }),
        ("password_changed", Content::PasswordChanged),
        (
            "task_opened",
            Content::TaskOpened {
                kind: "awaiting_stock".into(),
                task: "tsk_1".into(),
                number: Some("D7K2M9".into()),
            },
        ),
    ]
}

/// Rows: C13.
#[test]
fn every_mail_has_these_words_in_both_languages() {
    let shop =
        Shop { name: "Keys & Co".into(), support_email: Some("help@shop.example".into()), ..Shop::default() };
    for locale in Locale::ALL {
        for (name, content) in contents() {
            let text = texts::render(&shop, locale, &content);
            assert!(!text.subject.contains(['\r', '\n']), "{name}");
            insta::assert_snapshot!(
                format!("{name}_{}", locale.as_str()),
                format!("Subject: {}\n\n{}", text.subject, text.body)
            );
        }
    }
}
