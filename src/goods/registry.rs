//! The kinds this program sells, by code, and what is asked of all of them at once.

use std::collections::HashMap;

use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use crate::base::ids::VariantId;
use crate::goods::bundle::{self, Bundle};
use crate::goods::file::Files;
use crate::goods::key::UniqueKey;
use crate::goods::kind::{AskedVariant, Available, GoodsKind, Supply};
use crate::goods::manual::ByHand;
use crate::goods::shared::SharedSecret;
use crate::goods::supplier::Bought;

static KINDS: [&dyn GoodsKind; 6] = [&UniqueKey, &Files, &SharedSecret, &ByHand, &Bought, &Bundle];

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

/// What can be had of variants and of the parts of bundles among them: one statement per kind among them. Of a variant that is
/// asked for several times, or alone and in a bundle, all that is wanted is counted together. Variants of unknown kinds are
/// left out.
pub async fn available(
    conn: &mut AsyncPgConnection,
    asked: &[AskedVariant<'_>],
) -> QueryResult<HashMap<VariantId, Available>> {
    let singles = singles(asked);
    let mut found = HashMap::new();
    for kind in KINDS {
        let own: Vec<AskedVariant<'_>> =
            singles.iter().filter(|one| one.kind == kind.code()).cloned().collect();
        if !own.is_empty() {
            found.extend(kind.available(conn, &own).await?);
        }
    }
    for bundle in asked.iter().filter(|one| is_bundle(one)) {
        let of = |id| found.get(id).copied().unwrap_or(Available::Missing);
        let parts = bundle.parts.iter().map(|part| (of(&part.variant_id), part.each));
        let bundles = bundle::of_parts(parts);
        found.insert(bundle.variant_id, bundles);
    }
    Ok(found)
}

fn is_bundle(asked: &AskedVariant<'_>) -> bool {
    supply(asked.kind) == Some(Supply::Parts)
}

/// What is asked for, each variant once, with a bundle's parts in its place.
fn singles<'a>(asked: &[AskedVariant<'a>]) -> Vec<AskedVariant<'a>> {
    let mut singles: Vec<AskedVariant<'a>> = Vec::with_capacity(asked.len());
    let mut places: HashMap<VariantId, usize> = HashMap::new();
    let mut add = |one: AskedVariant<'a>| match places.get(&one.variant_id) {
        Some(place) => singles[*place].most = singles[*place].most.saturating_add(one.most),
        None => {
            places.insert(one.variant_id, singles.len());
            singles.push(one);
        }
    };
    for one in asked {
        for part in &one.parts {
            let most = one.most.saturating_mul(part.each);
            add(AskedVariant::single(part.variant_id, part.kind, part.terms, most));
        }
        if !is_bundle(one) {
            add(one.clone());
        }
    }
    singles
}

/// A condition of SQL over a row of variants, given by its name in the statement: whether so many `pieces`, given as SQL,
/// can be had of it. `parts`: the rows of variants that a bundle consists of, as a relation, with `pieces_each`, how many of
/// each are in one bundle, and `is_sold`.
pub fn stocked(variant: &str, pieces: &str, parts: &str) -> String {
    let wanted = format!("{pieces} * part.pieces_each");
    let of_part = cases("part", |own| own.stocked("part", &wanted));
    let of_bundle =
        format!("coalesce((select bool_and(part.is_sold and {of_part}) from {parts} part), false)");
    cases(variant, |own| match own.supply() {
        Supply::Parts => of_bundle.clone(),
        _ => own.stocked(variant, pieces),
    })
}

/// The same for what can be given by itself, without a person and without asking anybody: the goods of one line, so that a
/// bundle is none.
pub fn ready(variant: &str, pieces: &str) -> String {
    cases(variant, |own| own.ready(variant, pieces))
}

fn cases(variant: &str, condition: impl Fn(&dyn GoodsKind) -> String) -> String {
    let case = |own: &&dyn GoodsKind| format!("when '{}' then {} ", own.code(), condition(*own));
    let cases: String = KINDS.iter().map(case).collect();
    format!("case {variant}.kind {cases}else false end")
}
