//! Rows of API clients. Of secrets there are digests only.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use crate::base::actor::ApiScope;
use crate::base::ids::ApiClientId;

crate::text_column!(ApiClientState);

/// Whether a client's secret opens anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiClientState {
    Active,
    Retired,
}

impl ApiClientState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Retired].into_iter().find(|state| state.as_str() == text)
    }
}

/// A machine that speaks to the shop.
#[derive(Clone, Debug, QueryableByName)]
pub struct ApiClient {
    #[diesel(sql_type = SqlUuid)]
    pub id: ApiClientId,
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Names the client where no secret may be.
    #[diesel(sql_type = Text)]
    pub publishable_id: String,
    #[diesel(sql_type = Nullable<Bytea>)]
    pub(super) secret_digest: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Bytea>)]
    pub(super) old_secret_digest: Option<Vec<u8>>,
    /// Until when the secret before counts too.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub old_secret_until: Option<DateTime<Utc>>,
    #[diesel(sql_type = Array<Text>)]
    pub(super) scopes: Vec<String>,
    #[diesel(sql_type = Text)]
    pub state: ApiClientState,
    /// Grows with each edit.
    #[diesel(sql_type = Integer)]
    pub version: i32,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
}

impl ApiClient {
    pub fn scopes(&self) -> Vec<ApiScope> {
        self.scopes.iter().filter_map(|scope| ApiScope::parse(scope)).collect()
    }
}
