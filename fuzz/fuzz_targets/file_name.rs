//! File names that strangers type.
#![no_main]

use dispense::files::name::{LONGEST, content_disposition, plain};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let name = String::from_utf8_lossy(input);
    let kept = plain(&name);
    assert!(!kept.is_empty() && kept.len() <= LONGEST);
    assert_eq!(plain(&kept), kept, "the same again changes nothing");
    assert!(!kept.contains(|c: char| c.is_control() || "/\\<>:\"|?*\u{202e}\u{2066}\u{200b}\u{feff}".contains(c)));
    assert!(!kept.starts_with(['.', ' ']) && !kept.ends_with(['.', ' ']));
    let header = content_disposition(&name);
    assert!(header.starts_with("attachment; filename=\"") && header.bytes().all(|b| (0x20..0x7f).contains(&b)));
    assert_eq!(header.matches('"').count(), 2);
    if let Some((_, star)) = header.split_once("; filename*=UTF-8''") {
        let decoded = percent_encoding::percent_decode_str(star).decode_utf8().expect("UTF-8");
        assert_eq!(decoded, kept);
    }
});
