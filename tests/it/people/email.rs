//! One address, one spelling; one mailbox, one limit.

use dispense::base::text::Email;

fn normalised(text: &str) -> String {
    Email::parse(text).unwrap_or_else(|_| panic!("{text} is refused")).normalised().to_owned()
}

/// Rows: C5.
#[test]
fn spellings_of_one_address_are_one() {
    let one = "ada@xn--bcher-kva.example";
    for spelling in [
        "ada@bücher.example",
        "ADA@BÜCHER.example",
        "ada@bu\u{308}cher.example",
        "ada@xn--bcher-kva.example",
        "Ada@XN--BCHER-KVA.Example",
        " ada@bücher.example\n",
        "ada@bücher\u{3002}example",
        "ada@ｂücher.example",
    ] {
        assert_eq!(normalised(spelling), one, "{spelling:?}");
    }
    assert_eq!(normalised("Ada@Example.com"), "ada@example.com");
    assert_eq!(normalised("ada@例え.テスト"), "ada@xn--r8jz45g.xn--zckzah");
    assert_eq!(Email::parse("Ada@Bücher.example").unwrap().for_smtp(), "Ada@xn--bcher-kva.example");
    // Real domains have hyphens in the third and fourth place.
    assert_eq!(normalised("ada@r3---sn-apo.example"), "ada@r3---sn-apo.example");
    assert!(!Email::parse("ada@bücher.example").unwrap().needs_smtputf8());
    assert!(Email::parse("zoë@example.com").unwrap().needs_smtputf8());
    // Vowel signs and tones stand behind their letters.
    for written in ["प्रिया@example.com", "ไม่@example.com", "q\u{303}o@example.com"] {
        assert!(Email::parse(written).unwrap().needs_smtputf8(), "{written}");
    }
    for alone in ["\u{303}a@example.com", "a.\u{e48}@example.com", "1\u{94d}@example.com"] {
        assert!(Email::parse(alone).is_err(), "{alone}");
    }
}

/// Rows: C5.
#[test]
fn what_no_mail_goes_to_is_no_address() {
    let long = format!("ada@{}.example", "ü".repeat(60));
    let labels = format!("ada@{}example", "abcdefghi.".repeat(26));
    for text in [
        "",
        "ada",
        "@example.com",
        "ada@",
        "ada@example",
        "ada@-a.example",
        "ada@a-.example",
        "ada@exa mple.com",
        "ada@exa_mple.com",
        "ada@xn--\u{80}.example",
        "ada@xn--a.example",
        "ada@.example",
        "ada@example..com",
        "ada@example.com.",
        "ada@\u{200b}.example",
        "ada@a\u{202e}b.example",
        ".ada@example.com",
        "a..b@example.com",
        "ada\r\nbcc: x@example.com",
        "\"a b\"@example.com",
        "a@b@example.com",
        &long,
        &labels,
    ] {
        assert!(Email::parse(text).is_err(), "{text:?} was taken");
    }
}

/// Rows: O8.
#[test]
fn case_tags_and_googles_dots_make_no_new_mailbox() {
    let mailbox = |text: &str| Email::parse(text).unwrap().mailbox();
    for (text, one) in [
        ("Ada+news@Example.com", "ada@example.com"),
        ("ada+a+b@example.com", "ada@example.com"),
        ("+ada@example.com", "+ada@example.com"),
        ("a.d.a@example.com", "a.d.a@example.com"),
        ("A.d.a+x@gmail.com", "ada@gmail.com"),
        ("ada@googlemail.com", "ada@gmail.com"),
        ("ada+x@bücher.example", "ada@xn--bcher-kva.example"),
    ] {
        assert_eq!(mailbox(text), one, "{text}");
    }
    // Never for who somebody is: only for what they have had.
    assert_ne!(normalised("ada+x@example.com"), normalised("ada@example.com"));
}
