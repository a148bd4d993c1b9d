//! Fixed SQL text with typed binds that stays prepared. Diesel's own `sql_query` is parsed, described and closed on
//! every use, which doubles the round trips of a hot statement; this one is identified by its text and kept.

use std::any::TypeId;
use std::borrow::Cow;
use std::marker::PhantomData;

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, Untyped};

/// A statement whose text never changes, or is put together from few fixed parts. Placeholders `$1`, `$2` … are in the
/// text once each, in this order; rows are read by name (`QueryableByName`).
pub struct Statement<'a> {
    sql: Cow<'static, str>,
    binds: Vec<Box<dyn Bind + 'a>>,
}

trait Bind: Send + Sync {
    fn push<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()>;
}

struct Typed<ST, T> {
    value: T,
    sql_type: PhantomData<fn() -> ST>,
}

impl<ST, T> Bind for Typed<ST, T>
where
    Pg: HasSqlType<ST>,
    T: ToSql<ST, Pg> + Send + Sync,
{
    fn push<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<ST, T>(&self.value)
    }
}

impl<'a> Statement<'a> {
    pub fn new(sql: &'static str) -> Self {
        Self { sql: sql.into(), binds: Vec::new() }
    }

    /// Appends text. What comes from outside goes by `push_bind`, never by this.
    pub fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.to_mut().push_str(sql);
        self
    }

    /// Appends a placeholder and gives it its value.
    pub fn push_bind<ST, T>(&mut self, value: T) -> &mut Self
    where
        ST: 'a,
        Pg: HasSqlType<ST>,
        T: ToSql<ST, Pg> + Send + Sync + 'a,
    {
        let mark = format!("${}", self.binds.len() + 1);
        self.binds.push(Box::new(Typed { value, sql_type: PhantomData::<fn() -> ST> }));
        self.push(&mark)
    }

    /// Counts its rows, at most so many, as the column `total`.
    pub fn counted(mut self, most: i64) -> Self {
        self.sql = format!("select count(*) as total from ({} limit {most}) counted", self.sql).into();
        self
    }

    /// Gives the next placeholder its value.
    pub fn bind<ST, T>(mut self, value: T) -> Self
    where
        ST: 'a,
        Pg: HasSqlType<ST>,
        T: ToSql<ST, Pg> + Send + Sync + 'a,
    {
        self.binds.push(Box::new(Typed { value, sql_type: PhantomData::<fn() -> ST> }));
        self
    }
}

impl QueryFragment<Pg> for Statement<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut rest: &str = &self.sql;
        for (index, bind) in self.binds.iter().enumerate() {
            let mark = format!("${}", index + 1);
            let wrong = || diesel::result::Error::QueryBuilderError(format!("no place for {mark}").into());
            let (before, after) = rest.split_once(mark.as_str()).ok_or_else(wrong)?;
            if after.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(wrong());
            }
            out.push_sql(before);
            bind.push(out.reborrow())?;
            rest = after;
        }
        out.push_sql(rest);
        Ok(())
    }
}

impl QueryId for Statement<'_> {
    type QueryId = ();
    // Without a static id the prepared statement is kept under its text.
    const HAS_STATIC_QUERY_ID: bool = false;

    fn query_id() -> Option<TypeId> {
        None
    }
}

impl Query for Statement<'_> {
    type SqlType = Untyped;
}
