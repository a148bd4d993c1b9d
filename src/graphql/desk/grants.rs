use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::base::ids::GrantId;
use crate::delivery;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Answer, split};
use crate::graphql::id;
use crate::graphql::orders::DownloadGrant;
use crate::graphql::scalars::DateTime;
use crate::graphql::user_error::StaffError;

/// Input of `grantExtend`.
#[derive(InputObject)]
pub struct GrantExtendInput {
    /// Which right to download.
    grant_id: ID,
    /// How many downloads are added, 0 to 1,000. An unlimited grant stays unlimited.
    #[graphql(default = 0)]
    more_downloads: i32,
    /// The new end; null keeps the present one.
    expires_at: Option<DateTime>,
}

/// Payload of `grantExtend`.
#[derive(Default, SimpleObject)]
pub struct GrantExtendPayload {
    /// The grant as it is now.
    grant: Option<DownloadGrant>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<StaffError>,
}

/// Input of `grantRevoke`.
#[derive(InputObject)]
pub struct GrantRevokeInput {
    /// Which right to download.
    grant_id: ID,
}

/// Payload of `grantRevoke`.
#[derive(Default, SimpleObject)]
pub struct GrantRevokePayload {
    /// The grant as it is now.
    grant: Option<DownloadGrant>,
    /// Why it was refused; empty when it was done.
    user_errors: Vec<StaffError>,
}

/// What staff changes of a right to download.
#[derive(Default)]
pub struct GrantMutation;

#[Object]
impl GrantMutation {
    /// For staff: adds downloads to a grant, or changes its end, or both. A revoked grant is `ILLEGAL_TRANSITION`.
    async fn grant_extend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which grant, and what is added.")] input: GrantExtendInput,
    ) -> Answer<GrantExtendPayload> {
        ctx.staff()?;
        let until = input.expires_at.map(|at| at.0);
        let done = async {
            let grant = id::read(&input.grant_id, "grantId", GrantId::parse)?;
            delivery::extend_grant(ctx.backend(), ctx.actor(), grant, input.more_downloads, until).await
        };
        Ok(match split(done.await)? {
            Ok(grant) => GrantExtendPayload { grant: Some(DownloadGrant(grant)), user_errors: Vec::new() },
            Err(refusal) => GrantExtendPayload { grant: None, user_errors: ctx.user_errors(refusal)? },
        })
    }

    /// For staff: revokes a grant. Its links answer `REVOKED` from then on, and a download that runs is ended. Revoking it
    /// again changes nothing.
    async fn grant_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which grant.")] input: GrantRevokeInput,
    ) -> Answer<GrantRevokePayload> {
        ctx.staff()?;
        let done = async {
            let grant = id::read(&input.grant_id, "grantId", GrantId::parse)?;
            delivery::revoke_grant(ctx.backend(), ctx.actor(), grant).await
        };
        Ok(match split(done.await)? {
            Ok(grant) => GrantRevokePayload { grant: Some(DownloadGrant(grant)), user_errors: Vec::new() },
            Err(refusal) => GrantRevokePayload { grant: None, user_errors: ctx.user_errors(refusal)? },
        })
    }
}
