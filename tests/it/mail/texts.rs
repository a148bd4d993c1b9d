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
        (
            "gift_delivered",
            Content::GiftDelivered {
                name: "Bob".into(),
                giver: Some("Ada (ada.example)".into()),
                message: Some(
                    "Happy birthday!\nhttps://evil.example/a?b=<c> or \u{202e}mail@evil.example".into(),
                ),
                token: Secret::new("gft_0123"),
                lines: vec![line("Game", &["DDDD"])],
                again: false,
            },
        ),
        (
            "gift_resend",
            Content::GiftDelivered {
                name: "Bob".into(),
                giver: None,
                message: None,
                token: Secret::new("gft_0123"),
                lines: vec![line("Game", &["DDDD"])],
                again: true,
            },
        ),
        (
            "gift_sent",
            Content::GiftSent { access: access(true), name: "Bob".into(), email: "b…@f….example".into() },
        ),
        ("refund_failed", Content::RefundFailed { access: access(true), amount: "12.50 EUR".into() }),
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

fn shop() -> Shop {
    Shop { name: "Keys & Co".into(), support_email: Some("help@shop.example".into()), ..Shop::default() }
}

/// Rows: C13.
#[test]
fn every_mail_has_these_words_in_both_languages_and_both_forms() {
    for locale in Locale::ALL {
        for (name, content) in contents() {
            let text = texts::render(&shop(), locale, &content);
            assert!(!text.subject.contains(['\r', '\n']), "{name}");
            let name = format!("{name}_{}", locale.as_str());
            insta::assert_snapshot!(
                name.as_str(),
                format!("Subject: {}\n\n{}", text.subject, text.plain.as_str())
            );
            // The head and the frame are the same everywhere; one page is shown whole.
            let page = text.html.as_str();
            let inner = page.split_once("overflow-wrap:anywhere\">\n").unwrap().1;
            let inner = inner.split_once("</td></tr>").unwrap().0;
            let shown = if name.starts_with("order_delivered") { page } else { inner };
            insta::assert_snapshot!(format!("{name}_page"), shown);
        }
    }
}

/// A mail whose every text is out to be more than a text.
fn hostile() -> (Shop, Content) {
    let evil = "</td><script>alert(1)</script>\"'&<img src=x onerror=alert(1)> \u{202e}drawkcab";
    let shop = Shop {
        name: evil.into(),
        logo_url: Some("https://shop.example/a\"onload=\"x.png?a=1&b=<2>".into()),
        support_email: Some("help@shop.example".into()),
        ..Shop::default()
    };
    let block: String = (0..128).map(|n| format!("{n:03} <&\"'> {}\n", "x".repeat(52))).collect();
    let lines = vec![DeliveredLine {
        id: LineId(uuid::Uuid::nil()),
        kind: "key".into(),
        title: evil.into(),
        keys: vec![Secret::new(evil), Secret::new(block.trim_end()), Secret::new("\nbegins with a line")],
        files: vec![FileLink {
            name: format!("{evil}\r\nBcc: x"),
            url: Secret::new("javascript:alert(1)\"><script>"),
            expires_at: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
        }],
        on_the_page: 1,
        waiting: 0,
    }];
    (shop, Content::OrderDelivered { access: access(true), lines, again: false })
}

/// What a browser would read between the tags, and what it would take for tags.
fn read(page: &str) -> (Vec<String>, String) {
    let (mut tags, mut text, mut rest) = (Vec::new(), String::new(), page);
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        let (tag, after) = tag.split_once('>').unwrap();
        tags.push(tag.split([' ', '/']).find(|name| !name.is_empty()).unwrap().to_owned());
        rest = after;
    }
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    (tags, named.iter().fold(text + rest, |text, (name, c)| text.replace(name, c)))
}

/// Rows: C13, X1.
#[test]
fn what_others_supplied_is_text_and_nothing_else() {
    let (shop, content) = hostile();
    let Content::OrderDelivered { lines, .. } = &content else { unreachable!() };
    for locale in Locale::ALL {
        let text = texts::render(&shop, locale, &content);
        let (tags, words) = read(&text.html);
        let known = [
            "!doctype", "html", "head", "meta", "style", "title", "body", "table", "tr", "td", "img", "p",
            "div", "h2", "pre", "a", "br", "bdi",
        ];
        tags.iter().for_each(|tag| assert!(known.contains(&tag.as_str()), "<{tag}>"));
        assert_eq!(tags.iter().filter(|tag| *tag == "img").count(), 1, "the logo alone");
        assert_eq!(text.html.matches("<a href=\"").count(), 1);
        assert!(!text.html.contains("onload=\""), "no attribute grew");
        for key in &lines[0].keys {
            assert!(words.contains(key.expose()), "a key is shown as it is");
            assert!(text.plain.contains(key.expose()), "a key is written as it is");
        }
        assert!(text.html.contains("user-select:all"));
        // Titles turn nobody's direction and begin no line; keys are left as they are.
        let title = text.plain.lines().nth(4).unwrap();
        assert!(title.ends_with(" drawkcab") && !title.contains('\u{202e}'), "{title}");
        assert!(!text.plain.lines().any(|line| line.starts_with("Bcc")));
        assert!(!text.subject.contains(['\r', '\n']));
    }
}

/// Rows: C13.
#[test]
fn the_shop_has_its_name_colour_and_logo_on_top() {
    let page = |shop: &Shop| texts::render(shop, Locale::En, &Content::PasswordChanged).html;
    let logo = Some("https://shop.example/logo.png".to_owned());
    for (colour, ink) in
        [("#ffffff", "#000000"), ("#FFD400", "#000000"), ("#24292f", "#ffffff"), ("#0b57d0", "#ffffff")]
    {
        let shop = Shop { colour: colour.into(), logo_url: logo.clone(), ..shop() };
        assert!(page(&shop).contains(&format!("background:{colour};color:{ink}")), "{colour}");
        assert!(page(&shop).contains("<img src=\"https://shop.example/logo.png\" alt=\"Keys &amp; Co\""));
    }
    assert!(!page(&shop()).contains("<img"), "no picture that nobody named");
    assert!(page(&shop()).contains("<bdi>Keys &amp; Co</bdi>"));
}
