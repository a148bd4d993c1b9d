use async_graphql::Object;

use crate::graphql::shop::types::Shop;

/// Questions about the shop itself.
#[derive(Default)]
pub struct ShopQuery;

#[Object]
impl ShopQuery {
    /// The shop: name, languages, currencies.
    async fn shop(&self) -> Shop {
        Shop
    }
}
