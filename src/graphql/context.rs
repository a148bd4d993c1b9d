//! What every resolver knows: the program, who asks, in which language, under which request id.

use std::sync::Arc;

use async_graphql::Context;

use crate::app::App;
use crate::base::actor::{Actor, Person};
use crate::base::text::Locale;
use crate::graphql::error::{Answer, Code, coded};

/// Who asks and how.
#[derive(Clone, Debug)]
pub struct Caller {
    pub actor: Actor,
    pub request_id: String,
    pub locale: Locale,
    /// The client's address, after trusted proxies.
    pub address: String,
}

/// Short ways to what stands in the context.
pub trait ContextExt {
    fn app(&self) -> &Arc<App>;
    fn caller(&self) -> &Caller;

    fn actor(&self) -> &Actor {
        &self.caller().actor
    }

    fn locale(&self) -> Locale {
        self.caller().locale
    }

    /// The signed-in person.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` for guests.
    fn person(&self) -> Answer<&Person> {
        self.actor().person.as_ref().ok_or_else(|| coded(Code::Unauthenticated, "sign in first"))
    }

    /// # Errors
    /// `FORBIDDEN` unless the caller is support or admin.
    fn staff(&self) -> Answer<&Actor> {
        if self.actor().is_staff() {
            return Ok(self.actor());
        }
        Err(coded(Code::Forbidden, "this needs the right of support"))
    }
}

impl ContextExt for Context<'_> {
    fn app(&self) -> &Arc<App> {
        self.data_unchecked()
    }

    fn caller(&self) -> &Caller {
        self.data_unchecked()
    }
}
