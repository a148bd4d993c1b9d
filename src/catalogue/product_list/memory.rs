//! What was read of products, kept as long as the database says that nothing changed. Never trusted by age: every
//! page asks for the rows' versions, so an edit is seen at once, on every server. Stock is never kept.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

use crate::base::ids::ProductId;
use crate::base::text::Locale;
use crate::catalogue::view::ProductView;

/// Products kept, over all languages. When there are more, all are dropped and read again as they are asked for.
const KEPT: usize = 2_000;

/// Buyers' products in memory, without descriptions.
#[derive(Default)]
pub struct ProductListCache {
    kept: Mutex<HashMap<(ProductId, &'static str), Kept>>,
}

struct Kept {
    stamp: String,
    /// When one of its prices begins or ends.
    until: Option<DateTime<Utc>>,
    view: ProductView,
}

impl ProductListCache {
    /// The product as it was read in this very version, unless a price began or ended since.
    pub(super) fn get(
        &self,
        id: ProductId,
        locale: Locale,
        stamp: &str,
        now: DateTime<Utc>,
    ) -> Option<ProductView> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(&(id, locale.as_str()))?;
        (found.stamp == stamp && found.until.is_none_or(|until| now < until)).then(|| found.view.clone())
    }

    pub(super) fn put(&self, view: ProductView, stamp: &str) {
        let until = view.variants.iter().filter_map(|v| v.prices_until).min();
        let key = (view.product.id, view.locale.as_str());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(key, Kept { stamp: stamp.to_owned(), until, view });
    }
}
