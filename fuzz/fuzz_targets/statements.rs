//! Statements as a person imports them. The first byte names the gateway, the second how the rest is wrapped (as it is, or
//! packed as that gateway packs it), so that the readers of tables are reached behind their archives. A reader gives lines
//! that can be stored, says what is wrong with a line or with the file; it never panics.
#![no_main]

use std::io::{Cursor, Write};
use std::sync::Arc;

use dispense::infra::outbound::Outbound;
use dispense::payments::gateways::gateway::{AccountKeys, Gateway};
use dispense::payments::gateways;
use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use zip::write::SimpleFileOptions;

const NAMES: [&str; 6] = ["alipay", "wechatpay", "stripe", "paypal", "epay_v1", "epay_v2"];

std::thread_local! {
    static KNOWN: Vec<Arc<dyn Gateway>> = gateways::all(&Outbound::new().expect("an HTTP client"));
}

fn wrapped(name: &str, how: u8, table: &[u8]) -> Vec<u8> {
    match (name, how % 2) {
        ("alipay", 1) => {
            let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
            zip.start_file("details.csv", SimpleFileOptions::default()).expect("a zip in memory");
            zip.write_all(table).expect("a zip in memory");
            zip.finish().expect("a zip in memory").into_inner()
        }
        ("wechatpay", 1) => {
            let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
            gz.write_all(table).expect("a file in memory");
            gz.finish().expect("a file in memory")
        }
        _ => table.to_vec(),
    }
}

fuzz_target!(|input: &[u8]| {
    let [gateway, how, table @ ..] = input else { return };
    let name = NAMES[usize::from(*gateway) % NAMES.len()];
    let file = wrapped(name, *how, table);
    let settings = [("pid", "1001"), ("seller_id", "2088621955701234"), ("mchid", "1900009191")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let keys = AccountKeys { settings, ..AccountKeys::default() };
    KNOWN.with(|known| {
        let gateway = known.iter().find(|gateway| gateway.name() == name).expect("a known gateway");
        match gateway.read_statement(&keys, &file) {
            Ok(entries) => {
                for entry in entries {
                    match entry.said {
                        Ok(line) => {
                            assert!(!line.trade_no.is_empty());
                            assert!(line.stated.is_one_refund() || line.gateway_refund_id.is_none());
                        }
                        Err(unread) => assert!(!unread.subject.is_empty() && !unread.why.trim().is_empty()),
                    }
                }
            }
            Err(text) => assert!(!text.trim().is_empty()),
        }
    });
});
