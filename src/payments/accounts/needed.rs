//! Accounts that cannot be missed: money may be on its way through them,
//! disputed, or waiting to be given back. A configuration without them is not taken over,
//! and where a program was started with one, that is a fault in force until the account is back.

use crate::base::outcome::Fault;
use crate::infra::db::Db;
use crate::payments::accounts::{Accounts, Complaint, store};

/// What prevents having these accounts and no others: each one left out at which something is open.
pub async fn missing(db: &Db, accounts: &Accounts) -> Result<Vec<Complaint>, Fault> {
    let ids: Vec<String> = accounts.iter().map(|(account, _)| account.id.clone()).collect();
    let open = store::list_open_elsewhere(&mut *db.conn().await?, &ids).await?;
    Ok(open.into_iter().map(complaint).collect())
}

fn complaint(open: store::Open) -> Complaint {
    let text = format!(
        "is not configured, but {} payments and {} refunds are open at it, {} disputes are not decided and {} payments wait \
         for a person to give them back: put it back, with `retired = true` if it shall start nothing more",
        open.payments, open.refunds, open.disputes, open.waiting
    );
    (format!("accounts[{}]", open.account_id), text)
}
