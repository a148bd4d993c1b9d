//! What every kind of goods must say about itself.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use futures::future::BoxFuture;

use crate::base::clock::Clock;
use crate::base::ids::{KeyId, LineId, OrderId, SellerId, UnitId, VariantId};
use crate::base::outcome::Fault;
use crate::base::text::Locale;
use crate::goods::model::Terms;
use crate::infra::effects::Effects;

/// Where the pieces of a kind come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// Each piece is a key of the vault: the keys are counted.
    Keys,
    /// The same files for everybody: there is stock while a version is published.
    Files,
    /// The same text for everybody, up to a cap if there is one.
    Shared,
    /// A person delivers each piece.
    Person,
    /// Each piece is bought at a supplier.
    Supplier,
    /// It consists of other variants, whose pieces come from theirs.
    Parts,
}

/// What the buyer is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Delivered in the moment of payment, stock given.
    pub instant: bool,
    pub within_seconds: Option<i32>,
    pub text: &'static str,
}

impl Promise {
    /// Of a text that is shown and mailed in the moment of payment.
    pub fn of_text(locale: Locale) -> Self {
        let text = match locale {
            Locale::En => "Shown and mailed as soon as the payment is confirmed",
            Locale::Zh => "付款确认后立即显示并发送邮件",
        };
        Self { instant: true, within_seconds: Some(60), text }
    }
}

/// What can be had of a variant now, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Available {
    /// The seller has not brought what is sold.
    Missing,
    /// So many pieces, counted no further than was asked.
    Pieces(i64),
    /// As many as anybody wants.
    Endless,
}

impl Available {
    /// The number that can be had; none where there is no end.
    pub fn pieces(self) -> Option<i64> {
        match self {
            Available::Missing => Some(0),
            Available::Pieces(pieces) => Some(pieces),
            Available::Endless => None,
        }
    }
}

/// A paid line that is to get its goods.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub line_id: LineId,
    pub order_id: OrderId,
    pub seller_id: SellerId,
    pub variant_id: VariantId,
    /// Pieces of it were held when it was placed, and may still be.
    pub reserved: bool,
    /// The units that have nothing yet, in their order.
    pub units: Vec<UnitId>,
    /// Whether some of them may be served before the others.
    pub partial_delivery: bool,
    /// As they were when it was bought.
    pub terms: Terms,
    /// As the seller offers the variant at this moment.
    pub offered: Terms,
    /// Whether links to its files work only in the network they were made in.
    pub bind_address: bool,
}

/// A variant of which somebody wants to know what can be had.
#[derive(Clone, Debug)]
pub struct AskedVariant<'a> {
    pub variant_id: VariantId,
    pub kind: &'a str,
    /// As the seller offers it at this moment.
    pub terms: &'a Terms,
    /// How far to count.
    pub most: i64,
    /// Of a bundle: what it consists of.
    pub parts: Vec<AskedPart<'a>>,
}

/// A part of a bundle that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct AskedPart<'a> {
    pub variant_id: VariantId,
    pub kind: &'a str,
    /// As the seller offers it at this moment.
    pub terms: &'a Terms,
    /// Pieces of it in one bundle.
    pub each: i64,
}

impl<'a> AskedVariant<'a> {
    /// A variant that is no bundle.
    pub fn single(variant_id: VariantId, kind: &'a str, terms: &'a Terms, most: i64) -> Self {
        Self { variant_id, kind, terms, most, parts: Vec::new() }
    }
}

impl Wanted {
    /// How many of its units get one of `free` pieces: all or none, unless the product allows partial delivery.
    pub fn takes(&self, free: usize) -> usize {
        let all = self.units.len();
        if free >= all || self.partial_delivery { all.min(free) } else { 0 }
    }
}

/// A delivered unit that is taken back.
#[derive(Clone, Debug)]
pub struct Piece {
    pub unit_id: UnitId,
    pub variant_id: VariantId,
    /// As the seller offers the variant at this moment.
    pub offered: Terms,
    /// Whether goods of it that nobody has seen may be sold again.
    pub restock_unseen: bool,
}

impl Piece {
    /// Their units, in their order.
    pub fn units(pieces: &[Self]) -> Vec<UnitId> {
        pieces.iter().map(|piece| piece.unit_id).collect()
    }
}

/// What became of a wanted unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// It has its goods.
    Assigned,
    AwaitStock,
    /// A supplier was asked.
    AwaitSupplier,
    /// Only a person can go on.
    AwaitPerson,
    /// There will never be goods for it.
    Cancelled,
}

/// What a line got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineGiven {
    /// One answer per wanted unit, in their order.
    pub units: Vec<Given>,
    /// Keys of the vault among the goods, for the record of what was given.
    pub keys: Vec<KeyId>,
}

impl LineGiven {
    /// The same answer for every unit.
    pub fn all(wanted: &Wanted, given: Given) -> Self {
        Self { units: vec![given; wanted.units.len()], keys: Vec::new() }
    }

    /// The first `count` units have their goods, the others wait for stock.
    pub fn first(wanted: &Wanted, count: usize) -> Self {
        let of_unit = |at| if at < count { Given::Assigned } else { Given::AwaitStock };
        Self { units: (0..wanted.units.len()).map(of_unit).collect(), keys: Vec::new() }
    }
}

/// What a kind did for its lines.
pub struct Served<'a> {
    /// One answer per line, in their order.
    pub lines: Vec<LineGiven>,
    /// Marks the rows of the kind that were given. It has not run yet: whoever asked sends it together with what it
    /// writes itself, since neither needs the other's answer.
    pub marks: BoxFuture<'a, Result<(), Fault>>,
    /// What follows beside the kind's own rows.
    pub effects: Effects,
}

impl Served<'_> {
    /// Nothing is left to be marked, nothing follows.
    pub fn plain(lines: Vec<LineGiven>) -> Self {
        Self { lines, marks: Box::pin(async { Ok(()) }), effects: Effects::default() }
    }

    /// A person has to look after every unit.
    pub fn by_a_person(lines: &[Wanted]) -> Self {
        Self::plain(lines.iter().map(|line| LineGiven::all(line, Given::AwaitPerson)).collect())
    }
}

/// A kind of goods. No method has a default: each would be wrong for some kind.
#[async_trait]
pub trait GoodsKind: Sync {
    /// The open code that is stored in variants and order lines.
    fn code(&self) -> &'static str;

    fn title(&self, locale: Locale) -> &'static str;

    /// What a variant of this kind lacks before its product may be submitted, ready to show.
    fn lacks(&self, available: Available) -> Option<&'static str>;

    fn promise(&self, locale: Locale) -> Promise;

    fn supply(&self) -> Supply;

    /// Code and name of what a buyer is shown of a piece; none for kinds without a secret.
    fn secret(&self, locale: Locale) -> Option<(&'static str, &'static str)>;

    /// What can be had of these variants of this kind.
    async fn available(
        &self,
        conn: &mut AsyncPgConnection,
        asked: &[AskedVariant<'_>],
    ) -> QueryResult<HashMap<VariantId, Available>>;

    /// The same as a condition of SQL: whether so many `pieces`, given as SQL, can be had of the row `variant`, given by
    /// its name in the statement.
    fn stocked(&self, variant: &str, pieces: &str) -> String;

    /// The same for what can be given by itself, without a person and without asking anybody.
    fn ready(&self, variant: &str, pieces: &str) -> String;

    /// Finds goods for paid lines of this kind within the caller's transaction, in a number of statements that does not
    /// depend on how many lines there are. A shortage is no error.
    async fn assign<'a>(
        &self,
        conn: &'a AsyncPgConnection,
        clock: &Clock,
        lines: &[Wanted],
    ) -> Result<Served<'a>, Fault>;

    /// Takes delivered pieces back in the caller's transaction, for which money went back: nothing of them is shown or
    /// served from the commit on. Answers the variants of which more can be had now. A repeat changes nothing.
    async fn take_back(
        &self,
        conn: &mut AsyncPgConnection,
        actor: &str,
        pieces: &[Piece],
    ) -> Result<BTreeSet<VariantId>, Fault>;
}
