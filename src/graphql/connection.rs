//! Relay's connections: `edges` for caches that merge pages, `nodes` for everybody else, a total only when asked.

use std::borrow::Cow;
use std::sync::Arc;

use async_graphql::{Context, Object, OutputType, SimpleObject, TypeName};
use futures::future::BoxFuture;

use crate::base::outcome::Fault;
use crate::base::page::{self, LARGEST_TOTAL, Page, PageArgs};
use crate::graphql::context::GraphqlBackend;
use crate::graphql::error::{Answer, OutcomeExt};
use crate::infra::db;

/// Where a page lies in its list.
#[derive(Clone, Debug, Default, SimpleObject)]
pub struct PageInfo {
    /// Whether more rows follow.
    pub has_next_page: bool,
    /// Whether rows lie before this page.
    pub has_previous_page: bool,
    /// The cursor of the first row.
    pub start_cursor: Option<String>,
    /// The cursor of the last row: give it as `after` for the next page.
    pub end_cursor: Option<String>,
}

/// What a connection's types are named after.
pub trait Listed: OutputType + Send + Sync {
    /// `Product` for `ProductConnection` and `ProductEdge`.
    const NAME: &'static str;
}

/// Counts the whole list; asked only when the client asks. Reads at most `LARGEST_TOTAL` + 1 rows.
pub type Total = Arc<dyn Fn() -> BoxFuture<'static, Result<Option<i64>, Fault>> + Send + Sync>;

/// A total that is counted on a connection of its own.
pub fn counted<F>(backend: &Arc<GraphqlBackend>, count: F) -> Total
where
    F: for<'c> Fn(&'c mut db::Connection) -> BoxFuture<'c, Result<Option<i64>, Fault>>
        + Send
        + Sync
        + 'static,
{
    let (backend, count) = (backend.clone(), Arc::new(count));
    Arc::new(move || {
        let (backend, count) = (backend.clone(), count.clone());
        Box::pin(async move {
            let mut conn = backend.db.conn().await?;
            count(&mut conn).await
        })
    })
}

/// A row and the place it has in the list.
pub struct Edge<N> {
    cursor: String,
    node: N,
}

impl<N: Listed> TypeName for Edge<N> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Edge", N::NAME).into()
    }
}

/// A row of a connection and its cursor.
#[Object(name_type)]
impl<N: Listed> Edge<N> {
    /// The row's position in the list; stays valid when the row is gone.
    async fn cursor(&self) -> &str {
        &self.cursor
    }

    /// The row itself.
    async fn node(&self) -> &N {
        &self.node
    }
}

/// One page of a list.
pub struct Connection<N> {
    edges: Vec<Edge<N>>,
    info: PageInfo,
    total: Option<Total>,
}

impl<N> Connection<N> {
    /// From a page of rows with their cursors.
    pub fn new(page: Page<(String, N)>) -> Self {
        let info = PageInfo {
            has_next_page: page.has_next,
            has_previous_page: page.has_previous,
            start_cursor: page.rows.first().map(|(cursor, _)| cursor.clone()),
            end_cursor: page.rows.last().map(|(cursor, _)| cursor.clone()),
        };
        let edges = page.rows.into_iter().map(|(cursor, node)| Edge { cursor, node }).collect();
        Self { edges, info, total: None }
    }

    pub fn with_total(mut self, total: Total) -> Self {
        self.total = Some(total);
        self
    }
}

impl<N> Connection<N> {
    /// The total of a list that is here already.
    pub fn with_known_total(self, total: usize) -> Self {
        self.with_total(Arc::new(move || Box::pin(async move { Ok(i64::try_from(total).ok()) })))
    }
}

impl<N: Listed> TypeName for Connection<N> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", N::NAME).into()
    }
}

/// One page of a list.
#[Object(name_type)]
impl<N: Listed> Connection<N> {
    /// The rows with their cursors.
    async fn edges(&self) -> &[Edge<N>] {
        &self.edges
    }

    /// The rows alone.
    async fn nodes(&self) -> Vec<&N> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }

    /// Where this page lies.
    async fn page_info(&self) -> &PageInfo {
        &self.info
    }

    /// How many rows the whole list has: exact up to 10,000, null above.
    async fn total_count(&self, _ctx: &Context<'_>) -> Answer<Option<i32>> {
        let Some(total) = &self.total else { return Ok(None) };
        let count = total().await.or_top()?;
        Ok(count.filter(|n| *n <= LARGEST_TOTAL).and_then(|n| i32::try_from(n).ok()))
    }
}

/// A page of a list that is here already, in the order of its numbers.
pub fn slice<T, N>(
    list: &str,
    rows: Vec<(i64, T)>,
    args: &PageArgs,
    node: impl Fn(T) -> N,
) -> Page<(String, N)> {
    let from: Option<i64> = args.from.as_ref().and_then(|keys| keys.first()?.parse().ok());
    let mut rows: Vec<(i64, T)> = rows
        .into_iter()
        .filter(|(at, _)| from.is_none_or(|from| if args.backwards { *at < from } else { *at > from }))
        .collect();
    if args.backwards {
        rows.reverse();
    }
    rows.truncate(args.size as usize + 1);
    Page::cut(rows, args).map(|(at, row)| (page::encode(list, &[at.to_string()]), node(row)))
}
