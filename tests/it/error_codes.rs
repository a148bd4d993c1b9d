//! One list of codes serves GraphQL, REST and the documentation: each has somebody who returns it, or the requirement
//! that will.

use std::fmt::Write as _;

use dispense::base::error_code::ErrorCode;
use dispense::graphql::codes::GROUPS;
use dispense::graphql::error::TOP_LEVEL;
use dispense::graphql::messages::chinese;
use dispense::rest::problem::status_of;

use crate::architecture::sources;
use crate::docs::is_fresh;

/// Codes that frontends may already handle and nothing returns yet, with the row that needs them. Exact: one that gets
/// a producer must leave this list.
const WITHOUT_PRODUCER: [(ErrorCode, &str); 21] = [
    (ErrorCode::FormatExhausted, "K1"),
    (ErrorCode::KeyDuplicate, "K3"),
    (ErrorCode::KeyAlreadySold, "K13"),
    (ErrorCode::VariantHasSales, "C1"),
    (ErrorCode::TotpRequired, "C5"),
    (ErrorCode::TotpAlreadyEnabled, "C5"),
    (ErrorCode::HasOpenOrders, "C5"),
    (ErrorCode::ApprovalRequired, "C9"),
    (ErrorCode::EvidenceRequired, "C9"),
    (ErrorCode::CouponUnknown, "C10"),
    (ErrorCode::CouponExpired, "C10"),
    (ErrorCode::CouponUsedUp, "C10"),
    (ErrorCode::CouponNotForThese, "C10"),
    (ErrorCode::CouponMinimumNotMet, "C10"),
    (ErrorCode::CouponNotCombinable, "C10"),
    (ErrorCode::CouponCodeTaken, "C10"),
    (ErrorCode::SettingInvalid, "C12"),
    (ErrorCode::AnswerMissing, "O1"),
    (ErrorCode::AnswerInvalid, "O1"),
    (ErrorCode::NoAcceptedAction, "P2"),
    (ErrorCode::RefundOutcomeUnknown, "P9"),
];

/// Files that name all codes and return none.
const TABLES: [&str; 4] = ["base/error_code.rs", "graphql/codes.rs", "graphql/messages.rs", "rest/page.rs"];

#[test]
fn every_code_is_returned_by_somebody_or_waits_for_its_row() {
    let code: String = sources()
        .iter()
        .filter(|source| !TABLES.contains(&source.name.as_str()))
        // What a REST status belongs to returns nothing either.
        .map(|source| source.code().split("pub fn status_of").next().unwrap_or_default().to_owned())
        .collect();
    let is_returned = |wanted: &ErrorCode| {
        let name = format!("ErrorCode::{wanted:?}");
        code.match_indices(&name).any(|(at, _)| {
            !code[at + name.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_')
        })
    };
    let unused = ErrorCode::ALL.iter().filter(|code| code.deprecation().is_none() && !is_returned(code));
    let unused: Vec<_> = unused.map(|code| code.as_str()).collect();
    let mut listed: Vec<_> = WITHOUT_PRODUCER.iter().map(|(code, _)| code.as_str()).collect();
    listed.sort_by_key(|code| ErrorCode::ALL.iter().position(|c| c.as_str() == *code));
    assert_eq!(unused, listed);
}

#[test]
fn every_code_that_a_mutation_returns_has_its_sentence_in_chinese() {
    let codes = GROUPS.iter().flat_map(|(_, codes)| codes.iter());
    let missing: Vec<_> = codes.filter(|code| chinese(**code).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_code_is_written_once_and_belongs_to_a_surface() {
    let mut seen = std::collections::BTreeSet::new();
    for code in ErrorCode::ALL {
        assert!(seen.insert(code.as_str()), "{code} is there twice");
        assert!(!code.about().is_empty() && code.about().ends_with('.'), "{code}: {}", code.about());
    }
}

fn documentation() -> String {
    let mut out = String::from(
        "# Error codes\n\nGenerated from `base/error_code.rs` (`UPDATE_DOCS=1 cargo test --test it error_codes`); do not edit.\n\
         A code never changes its meaning; new ones may come. *REST* is the status of `application/problem+json` with this \
         code, wherever REST returns it. *Beside data* marks codes of `errors[].extensions.code`; the others are in \
         `userErrors` of the enums that are named.\n\n| code | meaning | REST | GraphQL |\n|---|---|---|---|\n",
    );
    for code in ErrorCode::ALL {
        let mut places: Vec<&str> =
            GROUPS.iter().filter(|(_, codes)| codes.contains(code)).map(|(name, _)| *name).collect();
        if TOP_LEVEL.contains(code) {
            places.insert(0, "*beside data*");
        }
        let about = match code.deprecation() {
            Some(why) => format!("{} Deprecated: {why}", code.about()),
            None => code.about().to_owned(),
        };
        writeln!(out, "| `{code}` | {about} | {} | {} |", status_of(*code).as_u16(), places.join(", "))
            .unwrap();
    }
    out
}

#[test]
fn the_document_of_error_codes_is_what_the_code_says() {
    is_fresh("docs/ERROR_CODES.md", &documentation());
}
