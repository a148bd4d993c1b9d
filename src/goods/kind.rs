//! What every kind of goods must say about itself.

use async_trait::async_trait;
use diesel_async::AsyncPgConnection;

use crate::base::clock::Clock;
use crate::base::ids::{KeyId, LineId, OrderId, SellerId, UnitId, VariantId};
use crate::base::outcome::Fault;
use crate::base::text::Locale;

/// Where the pieces of a kind come from, and so how stock is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// Each piece is a key of the vault: the keys are counted.
    Keys,
    /// The same files for everybody: there is stock while a version is published.
    Files,
}

/// What the buyer is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Delivered in the moment of payment, stock given.
    pub instant: bool,
    pub within_seconds: Option<i32>,
    pub text: &'static str,
}

/// What is known of a variant when it is to be put on sale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Files with a version that may be downloaded.
    pub published_files: i64,
}

/// A paid line that is to get its goods.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub line_id: LineId,
    pub order_id: OrderId,
    pub seller_id: SellerId,
    pub variant_id: VariantId,
    /// The units that have nothing yet, in their order.
    pub units: Vec<UnitId>,
    /// Whether some of them may be served before the others.
    pub partial_delivery: bool,
    /// How often each of its files may be downloaded; none: without limit.
    pub download_limit: Option<i32>,
    /// For how many days its files may be downloaded; none: for ever.
    pub access_days: Option<i32>,
}

/// What a line got. Each wanted unit is in exactly one of the three.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// With the key that was claimed for the unit, where the kind has one: the caller marks it sold.
    pub assigned: Vec<(UnitId, Option<KeyId>)>,
    pub awaiting_stock: Vec<UnitId>,
    pub awaiting_person: Vec<UnitId>,
}

impl Given {
    /// Everything is left to a person.
    pub fn nothing(wanted: &Wanted) -> Self {
        Self { awaiting_person: wanted.units.clone(), ..Self::default() }
    }
}

/// A kind of goods. No method has a default: each would be wrong for some kind.
#[async_trait]
pub trait GoodsKind: Sync {
    /// The open code that stands in variants and order lines.
    fn code(&self) -> &'static str;

    fn title(&self, locale: Locale) -> &'static str;

    /// What a variant of this kind lacks before its product may be submitted, ready to show.
    fn lacks(&self, facts: &Facts) -> Option<&'static str>;

    fn promise(&self, locale: Locale) -> Promise;

    fn supply(&self) -> Supply;

    /// Finds goods for paid lines of this kind within the caller's transaction, in a number of statements that does not
    /// depend on how many lines there are: one answer per line, in their order. A shortage is no error.
    async fn assign(
        &self,
        conn: &AsyncPgConnection,
        clock: &Clock,
        lines: &[Wanted],
    ) -> Result<Vec<Given>, Fault>;
}
