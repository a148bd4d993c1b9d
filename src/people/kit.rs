//! What sign-in needs beside the common kit.

use std::sync::Arc;

use crate::base::outcome::Fault;
use crate::infra::kit::Kit;
use crate::leads_to_kit;
use crate::people::password::Passwords;
use crate::people::token::AccessTokens;

/// The kit of actions that check passwords or issue tokens.
pub struct PeopleKit {
    pub kit: Arc<Kit>,
    /// Hashes passwords, a few at a time.
    pub passwords: Passwords,
    /// Issues and reads access tokens.
    pub access_tokens: AccessTokens,
}

leads_to_kit!(PeopleKit);

impl PeopleKit {
    pub fn new(kit: Arc<Kit>) -> Result<Arc<Self>, Fault> {
        let passwords = Passwords::new(&kit.config.people, &kit.config.limits)?;
        let access_tokens = AccessTokens::new(&kit.config)?;
        Ok(Arc::new(Self { kit, passwords, access_tokens }))
    }
}
