//! File names as they are kept and as they leave.

use dispense::files::name::{LONGEST, content_disposition, plain, typed};
use unicode_segmentation::UnicodeSegmentation;

/// Rows: L2.
#[test]
fn a_long_name_is_cut_between_characters_before_its_extension() {
    let cases = [
        ("L".repeat(220) + ".tar.gz", 227, ".tar.gz"),
        ("L".repeat(300) + ".tar.gz", 255, ".tar.gz"),
        ("\u{6587}".repeat(90) + ".zip", 253, ".zip"),
        ("e\u{301}".repeat(200) + ".pdf", 254, ".pdf"),
        ("e\u{323}\u{302}".repeat(200) + ".PDF", 253, ".PDF"),
        ("👨\u{200d}👩\u{200d}👧".repeat(20) + ".png", 238, ".png"),
        ("🇩🇪".repeat(40) + ".png", 252, ".png"),
        ("x".repeat(300), 255, ""),
        ("x".repeat(250) + "." + &"y".repeat(40), 255, ""),
        ("s".repeat(260) + ".sql.gz.asc", 255, ".sql.gz.asc"),
        ("s".repeat(260) + "-1.2.gz", 255, ".gz"),
        ("s".repeat(250) + ". A sentence ends here and goes on", 255, ""),
        ("k".repeat(252) + " . .zip", 255, ".zip"),
        ("z".to_owned() + &"\u{35c}".repeat(300) + ".zip", 255, ".zip"),
        ("中".repeat(85) + ".\u{6587}\u{6863}", 253, ".\u{6587}\u{6863}"),
    ];
    for (name, length, extension) in cases {
        let cut = plain(&name);
        assert!(cut.len() <= LONGEST && cut.len().abs_diff(length) <= 2, "{} {cut}", cut.len());
        assert!(cut.ends_with(extension), "{cut}");
        let stem = cut.strip_suffix(extension).unwrap();
        assert!(
            unicode_normalization::UnicodeNormalization::nfc(name.as_str())
                .collect::<String>()
                .starts_with(stem),
            "{cut}"
        );
        assert_eq!(plain(&cut), cut);
    }
    let family = plain(&("👨\u{200d}👩\u{200d}👧".repeat(20) + ".png"));
    assert!(
        family.trim_end_matches(".png").graphemes(true).all(|part| part == "👨\u{200d}👩\u{200d}👧"),
        "{family}"
    );
}

/// Rows: L2.
#[test]
fn joiners_stay_where_scripts_need_them_and_what_hides_or_reorders_goes() {
    let kept = [
        "می\u{200c}خواهم.pdf",
        "क\u{94d}\u{200d}ष.txt",
        "ක\u{dca}\u{200d}ර.zip",
        "👩\u{1f3fd}\u{200d}💻.png",
        "🏳\u{fe0f}\u{200d}🌈.png",
        "❤\u{fe0f}.png",
        "1\u{fe0f}\u{20e3}.txt",
        "葛\u{e0100}.txt",
        "a b.tar.gz",
        "Ünïcödé.zip",
        "\u{1820}\u{180b}\u{1821}.txt",
        "\u{182a}\u{1820}\u{180e}\u{1820}.txt",
        // A joiner behind a virama chooses the letter's form, and one behind an Arabic letter shows it joined.
        "അവന\u{d4d}\u{200d}.pdf",
        "അവന\u{d4d}\u{200d} വന\u{d4d}\u{200d}",
        "ত\u{9cd}\u{200d}.txt",
        "क\u{94d}\u{200c}.txt",
        "ه\u{200d}.pdf",
        "1447 ه\u{200d}",
        "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}.png",
    ];
    for name in kept {
        assert_eq!(plain(name), name);
    }
    let cases = [
        ("photo\u{202e}gpj.exe", "photogpj.exe"),
        ("\u{2067}a\u{2069}\u{61c}.zip", "a.zip"),
        ("a\u{200d}b\u{200c}c.zip", "abc.zip"),
        ("\u{200c}می\u{200c}.pdf", "می.pdf"),
        ("a\u{fe0f}b.zip", "ab.zip"),
        ("a\u{ad}b\u{200b}c\u{feff}\u{2060}.zip", "abc.zip"),
        ("a\u{2028}b\u{85}c\u{0}\u{7f}\u{1b}[31m.zip", "abc[31m.zip"),
        ("a\u{e0041}\u{e0020}.zip", "a.zip"),
        ("a\u{e0067}\u{e0062}\u{e007f}.zip", "a.zip"),
        ("🏴\u{e0067}\u{e0062}\u{e0065}.zip", "🏴.zip"),
        ("🏴\u{e0067}\u{e007f}.zip", "🏴.zip"),
        ("a\u{180e}b.zip", "ab.zip"),
        ("٣\u{200d}.zip", "٣.zip"),
        ("cafe\u{301}.txt", "café.txt"),
        ("a<b>c:d\"e|f?g*h.zip", "a_b_c_d_e_f_g_h.zip"),
        ("C:\\fakepath\\evil.zip", "evil.zip"),
        (" .. hidden. ", "hidden"),
        ("...", "download"),
        ("\u{200b}", "download"),
        ("con", "_con"),
        ("Con.tar.gz", "_Con.tar.gz"),
        ("nul .txt", "_nul .txt"),
        ("COM1", "_COM1"),
        ("lpt².log", "_lpt².log"),
        ("conin$.txt", "_conin$.txt"),
        ("COM10.txt", "COM10.txt"),
        ("console.log", "console.log"),
    ];
    for (name, expected) in cases {
        assert_eq!(plain(name), expected, "{name:?}");
        assert_eq!(plain(expected), expected);
    }
    assert_eq!(typed("a\u{7}b.zip").unwrap(), "ab.zip");
    assert_eq!(typed("\u{7}").unwrap_err().code.as_str(), "INVALID");
    assert_eq!(typed(&"x".repeat(1_001)).unwrap_err().code.as_str(), "INVALID");
}

/// Rows: L2.
#[test]
fn the_header_names_the_file_for_old_clients_and_for_new_ones() {
    let cases = [
        ("e\u{301}\u{302}.zip", "attachment; filename=\"_.zip\"; filename*=UTF-8''%C3%A9%CC%82.zip"),
        (
            "می\u{200c}خ.pdf",
            "attachment; filename=\"___.pdf\"; filename*=UTF-8''%D9%85%DB%8C%E2%80%8C%D8%AE.pdf",
        ),
        ("a'(b)!.zip", "attachment; filename=\"a'(b)!.zip\""),
        ("a b%41.zip", "attachment; filename=\"a b_41.zip\"; filename*=UTF-8''a%20b%2541.zip"),
    ];
    for (name, expected) in cases {
        assert_eq!(content_disposition(name), expected);
    }
    let long = content_disposition(&("\u{6587}".repeat(400) + ".tar.gz"));
    assert!(long.ends_with(".tar.gz") && long.len() < 1_100, "{long}");
}
