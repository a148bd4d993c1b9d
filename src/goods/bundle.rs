use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use crate::base::clock::Clock;
use crate::base::ids::VariantId;
use crate::base::outcome::Fault;
use crate::base::text::Locale;
use crate::goods::kind::{AskedVariant, Available, GoodsKind, Piece, Promise, Served, Supply, Wanted};

pub const CODE: &str = "bundle";

/// Several variants of one seller for one price. It has no pieces of its own: each part is a line of the order, of its
/// own kind, and is served as if it had been bought by itself.
pub(super) struct Bundle;

#[async_trait]
impl GoodsKind for Bundle {
    fn code(&self) -> &'static str {
        CODE
    }

    fn title(&self, locale: Locale) -> &'static str {
        match locale {
            Locale::En => "Bundle",
            Locale::Zh => "套装",
        }
    }

    fn lacks(&self, available: Available) -> Option<&'static str> {
        (available == Available::Missing).then_some("it has no parts, or one of them lacks what is sold")
    }

    fn promise(&self, locale: Locale) -> Promise {
        let text = match locale {
            Locale::En => "Each part is delivered as soon as it can be had",
            Locale::Zh => "套装内各项商品将分别尽快交付",
        };
        Promise { instant: false, within_seconds: None, text }
    }

    fn supply(&self) -> Supply {
        Supply::Parts
    }

    fn secret(&self, _locale: Locale) -> Option<(&'static str, &'static str)> {
        None
    }

    /// Nothing of its own: the registry asks for the parts.
    async fn available(
        &self,
        _conn: &mut AsyncPgConnection,
        _asked: &[AskedVariant<'_>],
    ) -> QueryResult<HashMap<VariantId, Available>> {
        Ok(HashMap::new())
    }

    fn stocked(&self, _variant: &str, _pieces: &str) -> String {
        "false".into()
    }

    fn ready(&self, _variant: &str, _pieces: &str) -> String {
        "false".into()
    }

    /// The line of a bundle has no units. One that had some is a defect, which a person looks at.
    async fn assign<'a>(
        &self,
        _conn: &'a AsyncPgConnection,
        _clock: &Clock,
        lines: &[Wanted],
    ) -> Result<Served<'a>, Fault> {
        Ok(Served::by_a_person(lines))
    }

    async fn take_back(
        &self,
        _conn: &mut AsyncPgConnection,
        _actor: &str,
        _pieces: &[Piece],
    ) -> Result<BTreeSet<VariantId>, Fault> {
        Ok(BTreeSet::new())
    }
}

/// How many bundles can be had: what the scarcest part allows. `parts`: what can be had of each, and how many pieces of it
/// one bundle has. A bundle without parts is none.
pub fn of_parts(parts: impl Iterator<Item = (Available, i64)>) -> Available {
    let bundles = |(available, each): (Available, i64)| match available {
        Available::Pieces(pieces) => Available::Pieces(pieces / each.max(1)),
        Available::Missing | Available::Endless => available,
    };
    parts.map(bundles).min().unwrap_or(Available::Missing)
}

/// What is promised with a bundle of such parts: it is there when all of them are.
pub fn promise_of(locale: Locale, parts: &[Promise]) -> Promise {
    let own = Bundle.promise(locale);
    let within = parts.iter().map(|part| part.within_seconds).collect::<Option<Vec<i32>>>();
    Promise {
        instant: !parts.is_empty() && parts.iter().all(|part| part.instant),
        within_seconds: within.and_then(|all| all.into_iter().max()),
        ..own
    }
}
