//! The row of a seller.

use diesel::QueryableByName;
use diesel::sql_types::Text;

/// Who sells a product, as buyers see it.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct SellerProfile {
    /// The seller's part of web addresses.
    #[diesel(sql_type = Text)]
    pub seller_slug: String,
    #[diesel(sql_type = Text)]
    pub seller_name: String,
}
