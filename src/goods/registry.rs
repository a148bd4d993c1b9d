//! The kinds this program sells, by code, and what is asked of all of them at once.

use std::collections::HashMap;

use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use crate::base::ids::VariantId;
use crate::goods::file::Files;
use crate::goods::key::UniqueKey;
use crate::goods::kind::{AskedVariant, Available, GoodsKind, Supply};
use crate::goods::manual::ByHand;
use crate::goods::shared::SharedSecret;
use crate::goods::supplier::Bought;

static KINDS: [&dyn GoodsKind; 5] = [&UniqueKey, &Files, &SharedSecret, &ByHand, &Bought];

/// The kind of a code; none for codes of older or newer programs.
pub fn find(code: &str) -> Option<&'static dyn GoodsKind> {
    KINDS.iter().copied().find(|kind| kind.code() == code)
}

/// The codes of all kinds.
pub fn codes() -> Vec<&'static str> {
    KINDS.iter().map(|kind| kind.code()).collect()
}

/// Where the pieces of a kind come from; none for codes of older or newer programs.
pub fn supply(code: &str) -> Option<Supply> {
    find(code).map(GoodsKind::supply)
}

/// Codes of the kinds whose pieces come from there.
pub fn codes_of(supply: Supply) -> Vec<&'static str> {
    KINDS.iter().filter(|kind| kind.supply() == supply).map(|kind| kind.code()).collect()
}

/// What can be had of variants: one statement per kind among them. Variants of unknown kinds are left out.
pub async fn available(
    conn: &mut AsyncPgConnection,
    asked: &[AskedVariant<'_>],
) -> QueryResult<HashMap<VariantId, Available>> {
    let mut found = HashMap::new();
    for kind in KINDS {
        let own: Vec<AskedVariant<'_>> =
            asked.iter().filter(|one| one.kind == kind.code()).copied().collect();
        if !own.is_empty() {
            found.extend(kind.available(conn, &own).await?);
        }
    }
    Ok(found)
}

/// A condition of SQL over a row of variants, given by its name in the statement: whether so many `pieces`, given as SQL,
/// can be had of it.
pub fn stocked(variant: &str, pieces: &str) -> String {
    cases(variant, |own| own.stocked(variant, pieces))
}

/// The same for what can be given by itself, without a person and without asking anybody.
pub fn ready(variant: &str, pieces: &str) -> String {
    cases(variant, |own| own.ready(variant, pieces))
}

fn cases(variant: &str, condition: impl Fn(&dyn GoodsKind) -> String) -> String {
    let case = |own: &&dyn GoodsKind| format!("when '{}' then {} ", own.code(), condition(*own));
    let cases: String = KINDS.iter().map(case).collect();
    format!("case {variant}.kind {cases}else false end")
}
