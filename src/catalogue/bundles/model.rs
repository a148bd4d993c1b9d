//! Rows of bundles.

use diesel::QueryableByName;
use diesel::sql_types::{Bool, Integer, Jsonb, Text, Uuid as SqlUuid};

use crate::base::ids::VariantId;
use crate::goods::{AskedPart, Terms};

/// A part of a bundle, with what must be known of its variant to say whether the bundle can be had.
#[derive(Clone, Debug, QueryableByName)]
pub struct BundlePart {
    #[diesel(sql_type = SqlUuid)]
    pub bundle_id: VariantId,
    #[diesel(sql_type = SqlUuid)]
    pub variant_id: VariantId,
    /// Pieces of it in one bundle.
    #[diesel(sql_type = Integer)]
    pub quantity: i32,
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// As the seller offers it now.
    #[diesel(sql_type = Jsonb)]
    pub terms: Terms,
    /// Its product is on sale and the variant active.
    #[diesel(sql_type = Bool)]
    pub on_sale: bool,
}

impl BundlePart {
    pub fn asked(&self) -> AskedPart<'_> {
        AskedPart {
            variant_id: self.variant_id,
            kind: &self.kind,
            terms: &self.terms,
            each: i64::from(self.quantity),
        }
    }
}
