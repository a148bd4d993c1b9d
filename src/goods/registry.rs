//! The kinds this program sells, by code.

use crate::goods::file::Files;
use crate::goods::key::UniqueKey;
use crate::goods::kind::{GoodsKind, Supply};

static KINDS: [&dyn GoodsKind; 2] = [&UniqueKey, &Files];

/// The kind of a code; none for codes of older or newer programs.
pub fn find(code: &str) -> Option<&'static dyn GoodsKind> {
    KINDS.iter().copied().find(|kind| kind.code() == code)
}

/// Codes of the kinds whose pieces are counted in the vault.
pub fn counted() -> Vec<&'static str> {
    KINDS.iter().filter(|kind| kind.supply() == Supply::Keys).map(|kind| kind.code()).collect()
}
