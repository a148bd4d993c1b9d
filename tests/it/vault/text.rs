//! What the text of a key is.

use dispense::base::key_text::{KeyText, KeyTextProblem, canonical, compared, is_ignorable};
use icu_properties::CodePointSetData;
use icu_properties::props::{BidiControl, DefaultIgnorableCodePoint};

use super::fixture::{import, problems, variant};
use crate::harness::TestApp;

/// Rows: K3.
#[test]
fn the_table_of_what_shows_nothing_is_that_of_unicode() {
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let bidi = CodePointSetData::new::<BidiControl>();
    for c in '\0'..=char::MAX {
        assert_eq!(is_ignorable(c), ignorable.contains(c), "{:04x}", c as u32);
        assert!(is_ignorable(c) || !bidi.contains(c), "{:04x}", c as u32);
    }
}

/// Rows: K3.
#[test]
fn whatever_stands_around_a_text_its_canonical_form_is_its_own() {
    let blocks = [0..=0x33ff, 0xa000..=0xabff, 0xf900..=0x11fff, 0x1d000..=0x1ffff, 0xe0000..=0xe01ff];
    for c in blocks.into_iter().flatten().filter_map(char::from_u32) {
        for text in [format!("\u{feff}{c}A{c}"), format!("A{c}\u{301}")] {
            let once = canonical(&text);
            assert_eq!(canonical(&once), once, "{:04x}", c as u32);
            assert_eq!(compared(&once, true), compared(&text, true), "{:04x}", c as u32);
            if let Ok(Some(key)) = KeyText::parse(&text) {
                assert_eq!(key.expose(), once);
                assert_eq!(KeyText::parse(&once), Ok(Some(key)));
            }
        }
    }
}

/// Rows: K2, K3.
#[test]
fn what_nobody_sees_is_dropped_at_the_ends_and_refused_inside() {
    let around = [
        "\u{feff}",
        "\u{200b}",
        "\u{ad}",
        "\u{200d}",
        "\u{2060}",
        "\u{202e}",
        "\u{2067}",
        "\u{61c}",
        "\u{fe0f}",
        "\u{e0020}",
        "\u{3164}",
        "\u{a0}",
        "\u{3000}",
        "\u{2028}",
        "\u{2029}",
        "\u{85}",
        "\u{c}",
        "\t",
        " ",
        "\u{feff} \u{200b}\u{3000}\u{ad}",
    ];
    for mark in around {
        for text in [format!("{mark}K-1"), format!("K-1{mark}"), format!("{mark}K-1{mark}")] {
            assert_eq!(KeyText::parse(&text).unwrap().unwrap().expose(), "K-1", "{text:?}");
        }
        assert_eq!(KeyText::parse(mark), Ok(None), "{mark:?}");
    }
    let inside = |text: &str| KeyText::parse(text).unwrap_err();
    let hidden = [
        "K\u{200b}1",
        "K\u{ad}1",
        "K\u{feff}1",
        "K\u{202e}1",
        "K\u{2066}1",
        "1\u{fe0f}\u{20e3}",
        "👨\u{200d}👩",
        "می\u{200c}خواهم",
        "K\u{fff9}1",
        "\u{fffe}K",
        "K\u{e0041}1",
    ];
    for text in hidden {
        assert_eq!(inside(text), KeyTextProblem::HiddenCharacter, "{text:?}");
    }
    for text in
        ["K\u{2028}1", "K\u{2029}1", "K\u{0}1", "\u{0}K", "K\u{85}1", "K\u{1b}1", "K1\u{1a}", "K\u{b}1"]
    {
        assert_eq!(inside(text), KeyTextProblem::ControlCharacter, "{text:?}");
    }
    for text in ["account\tpassword", "a\u{a0}b", "密钥\u{3000}一", "😀", "ключ", "a\u{fffd}"] {
        assert_eq!(KeyText::parse(text).unwrap().unwrap().expose(), text);
    }
    assert_eq!(KeyText::parse("cafe\u{301}").unwrap().unwrap().expose(), "café");
}

/// Rows: K2, K3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_glued_together_and_marks_around_keys_bring_each_text_once() {
    let t = TestApp::start().await;
    let v = variant(&t).await;
    let first = import(&t, v, "\u{feff}A-1\r\nA-2\r\n\u{feff}B-1\r\nB-2\r\n".as_bytes()).await;
    assert_eq!((first.lines, first.added, first.refused), (4, 4, 0));
    let again = import(
        &t,
        v,
        "\u{feff}B-1\n\u{200b}B-2\u{ad}\n\u{3000}A-1\u{202c}\nA\u{200b}-2\nA-2\u{2028}".as_bytes(),
    )
    .await;
    assert_eq!((again.lines, again.added), (5, 0));
    let report = ["1:DUPLICATE", "2:DUPLICATE", "3:DUPLICATE", "4:HIDDEN_CHARACTER", "5:DUPLICATE"];
    assert_eq!(problems(&t, &again).await, report);
    let pairs = import(&t, v, b"account\tpassword\naccount\tother\n\taccount\tpassword\t\n").await;
    assert_eq!((pairs.added, problems(&t, &pairs).await), (2, vec!["3:DUPLICATE".to_owned()]));
    assert_eq!(t.db.one("select count(distinct fp_next) || ' ' || count(*) from vault_key").await, "6 6");
    t.finish().await;
}

/// Rows: K2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_old_macs_and_of_windows_are_read_as_what_they_say() {
    let t = TestApp::start().await;
    let v = variant(&t).await;
    let wide = |text: &str, little: bool| -> Vec<u8> {
        let unit = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        format!("\u{feff}{text}").encode_utf16().flat_map(unit).collect()
    };
    assert_eq!(import(&t, v, b"MAC-1\rMAC-2\r\rMAC-3").await.added, 3);
    let little = import(&t, v, &wide("LE-1\r\nLE-密钥-😀\r\n\r\nLE-1", true)).await;
    assert_eq!((little.lines, little.added, little.refused), (4, 2, 1));
    let big = import(&t, v, &wide("BE-1\nMAC-2\n", false)).await;
    assert_eq!((big.added, problems(&t, &big).await), (1, vec!["2:DUPLICATE".to_owned()]));
    // Two glued together in different orders of bytes: what is read the wrong way round is no key.
    let glued = import(&t, v, &[wide("G-1\n", true), wide("G-2\n", false)].concat()).await;
    assert_eq!((glued.added, problems(&t, &glued).await), (1, vec!["2:HIDDEN_CHARACTER".to_owned()]));
    let bare = import(&t, v, &wide("NO-MARK\n", true)[2..]).await;
    assert_eq!(
        (bare.added, problems(&t, &bare).await),
        (0, vec!["1:CONTROL_CHARACTER".to_owned(), "2:CONTROL_CHARACTER".to_owned()])
    );
    t.finish().await;
}
